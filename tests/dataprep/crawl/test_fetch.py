"""One request under every limit: bombs, drips, wrong types, refused addresses, broken servers."""

import asyncio
import gzip
import shutil
import ssl
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import brotli
import pytest

from dataprep.crawl import fetch as fetching
from dataprep.crawl.fetch import Fetched, Fetcher, FetchError
from dataprep.crawl.settings import CrawlSettings
from tests.dataprep.crawl.loopback import Site, http, resolver, serve, settings_for


def fetch(settings: CrawlSettings, url: str, resolve: Any = None, any_type: bool = False) -> Fetched:
    async def run() -> Fetched:
        async with Fetcher(settings, resolve or resolver({})) as fetcher:
            return await fetcher.fetch(url, any_type)

    return asyncio.run(run())


def failure(settings: CrawlSettings, url: str, resolve: Any = None) -> FetchError:
    with pytest.raises(FetchError) as error:
        fetch(settings, url, resolve)
    return error.value


@pytest.fixture
def site() -> Iterator[Site]:
    with serve() as running:
        yield running


def test_the_crawler_says_who_it_is_and_sends_no_cookies(site: Site) -> None:
    site.pages["/"] = http("words", Set_Cookie="id=1")
    settings = settings_for(
        site, user_agent="mybot", contact_url="https://me.example/bot", contact_mail="me@me.example"
    )
    fetched = fetch(settings, site.url())
    fetch(settings, site.url())
    for request in site.requests:
        agent = request.headers["user-agent"]
        assert agent.startswith("mybot")
        assert agent.endswith("(+https://me.example/bot; me@me.example)")
        assert request.headers["from"] == "me@me.example"
        assert request.headers["accept-encoding"] == "gzip, br"
        assert "cookie" not in request.headers
    assert b"GET / HTTP/1.1\r\n" in fetched.exchange.request
    assert b"mybot" in fetched.exchange.request


def test_the_url_is_asked_for_exactly_as_it_is(site: Site) -> None:
    site.pages["/a%2Fb?x=%20&&y"] = http("words")
    assert fetch(settings_for(site), site.url("/a%2Fb?x=%20&&y")).exchange.status == 200


@pytest.mark.parametrize("encoding", ["gzip", "br"])
def test_a_bomb_is_truncated(site: Site, encoding: str) -> None:
    text = b"<html>" + b" " * (50 << 20)
    bomb = gzip.compress(text) if encoding == "gzip" else brotli.compress(text, quality=1)
    site.pages["/"] = http(bomb, Content_Encoding=encoding)
    fetched = fetch(settings_for(site), site.url())
    assert fetched.exchange.truncated == "length"
    assert len(fetched.exchange.body) <= 5 << 20


def test_a_long_body_is_cut_at_the_limit(site: Site) -> None:
    site.pages["/"] = http(b"<html>" + b"words " * 100_000)
    fetched = fetch(settings_for(site, max_bytes=10_000), site.url())
    assert (fetched.exchange.truncated, len(fetched.exchange.body)) == ("length", 10_000)


def drip(seconds: float) -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>"
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield b"x"
        time.sleep(0.02)


def test_a_body_that_does_not_end_in_time_is_cut(site: Site) -> None:
    site.pages["/"] = lambda request: drip(20)
    fetched = fetch(settings_for(site, response_timeout=0.4), site.url())
    assert fetched.exchange.truncated == "time"
    assert fetched.exchange.body.startswith(b"<html>")


def test_a_body_that_drips_is_cut_before_its_time(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "RATE_WINDOW", 0.3)
    site.pages["/"] = lambda request: drip(20)
    assert fetch(settings_for(site), site.url()).exchange.truncated == "time"


def test_a_server_that_does_not_answer_is_a_timeout(site: Site) -> None:
    site.pages["/"] = lambda request: iter(lambda: time.sleep(5) or b"", b"")
    assert failure(settings_for(site, first_byte_timeout=0.3), site.url()).kind == "timeout"


def test_a_body_that_breaks_off_is_kept_and_marked(site: Site) -> None:
    site.pages["/"] = http("<html>half", Content_Length="1000")
    fetched = fetch(settings_for(site), site.url())
    assert (fetched.exchange.truncated, fetched.exchange.body) == ("disconnect", b"<html>half")


def test_other_types_are_dropped_after_their_first_bytes(site: Site) -> None:
    site.pages["/"] = http(b"%PDF-1.7" + b"\0" * 3_000_000, Content_Type="text/html")
    fetched = fetch(settings_for(site), site.url())
    assert not fetched.wanted
    assert fetched.identified == "application/pdf"
    assert fetched.wire < 3_000_000


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/9.9 what\r\n\r\n",
        b"\x00\x01\x02\x03\r\n\r\n",
        http("x", **{f"x{i}": "1" for i in range(200)}),
        http("x", x="y" * 9000),
        http(b"\x1f\x8b\x08\x00" + b"\xff" * 100, Content_Encoding="gzip"),
    ],
)
def test_what_is_not_http_is_malformed(site: Site, answer: bytes) -> None:
    site.pages["/"] = answer
    assert failure(settings_for(site), site.url()).kind == "malformed"


def test_a_closed_port_is_a_failed_connection() -> None:
    with serve() as gone:
        settings = settings_for(gone)
    assert failure(settings, gone.url()).kind == "connect"


def test_only_the_ports_of_the_web_and_of_the_seeds_are_asked(site: Site) -> None:
    settings = settings_for(site)
    with serve() as other:
        assert failure(settings, other.url()).kind == "port"
        assert other.requests == []


@pytest.mark.parametrize("host", ["169.254.169.254", "[::ffff:127.0.0.1]", "[::1]", "127.0.0.2", "[64:ff9b::7f00:1]"])
def test_an_address_literal_that_is_not_an_own_host_is_refused(site: Site, host: str) -> None:
    assert failure(settings_for(site), f"http://{host}:{site.port}/").kind == "address"
    assert site.requests == []


def test_a_name_with_a_private_address_is_refused_unless_it_is_an_own_host(site: Site) -> None:
    site.pages["/"] = http("words")
    names = resolver({"own.test": "127.0.0.1", "other.test": "127.0.0.1"})
    settings = settings_for(site, own_hosts={"127.0.0.1": 0, "own.test": 0})
    assert fetch(settings, site.url(host="own.test"), names).exchange.status == 200
    assert failure(settings, site.url(host="other.test"), names).kind == "address"
    assert [request.host for request in site.requests] == ["own.test"]


def test_a_name_is_resolved_once_and_the_checked_address_is_dialled(site: Site) -> None:
    site.pages["/"] = http("words")
    calls: Counter[str] = Counter()
    names = resolver({"own.test": "127.0.0.1"}, calls)
    settings = settings_for(site, own_hosts={"127.0.0.1": 0, "own.test": 0})

    async def run() -> None:
        async with Fetcher(settings, names) as fetcher:
            for _ in range(3):
                assert (await fetcher.fetch(site.url(host="own.test"))).exchange.address == "127.0.0.1"

    asyncio.run(run())
    assert calls == {"own.test": 1}


def test_the_check_is_repeated_where_the_socket_is_made(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def no_check(self: Fetcher, host: str) -> str:
        return "127.0.0.1"

    monkeypatch.setattr(Fetcher, "address", no_check)
    assert failure(settings_for(site), f"http://other.test:{site.port}/").kind == "address"
    assert failure(settings_for(site), f"http://127.0.0.2:{site.port}/").kind == "address"
    assert site.requests == []


def test_a_name_without_address_is_a_dns_failure(site: Site) -> None:
    assert failure(settings_for(site), site.url(host="nowhere.test")).kind == "dns"


def test_proxy_variables_are_ignored(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.pages["/"] = http("words")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9/")
    assert fetch(settings_for(site), site.url()).exchange.status == 200


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate of this test")
def test_a_bad_certificate_is_a_failure_unless_the_recipe_records_it(tmp_path: Path) -> None:
    key, certificate = str(tmp_path / "key.pem"), str(tmp_path / "cert.pem")
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "1",
    ]
    command += ["-subj", "/CN=127.0.0.1", "-keyout", key, "-out", certificate]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with serve({"/": http("words")}, tls=context) as site:
        seeds = [f"https://127.0.0.1:{site.port}/"]
        assert failure(settings_for(site, seeds=seeds), seeds[0]).kind == "tls"
        assert site.requests == []
        fetched = fetch(settings_for(site, seeds=seeds, tls="record"), seeds[0])
    assert fetched.exchange.status == 200
    assert "CERTIFICATE_VERIFY_FAILED" in (fetched.tls_error or "")
