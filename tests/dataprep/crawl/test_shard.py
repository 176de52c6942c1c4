"""Shards on a loopback server that counts: politeness, robots.txt, redirects, budgets, and the log that adds up."""

import itertools
import logging
import socket
import time
from collections import Counter
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import fastwarc.warc
import pytest
import warcio.archiveiterator

from dataprep.crawl import gate, politeness, trouble, turns
from dataprep.crawl.rounds import CrawlDirectory, crawl_piece, plan_round
from dataprep.crawl.segments import LogRow
from dataprep.crawl.shard import Summary
from tests.dataprep.crawl.loopback import (
    Request,
    Site,
    crawl_all,
    crawl_round,
    http,
    outcomes,
    page,
    resolver,
    serve,
    settings_for,
)


@pytest.fixture
def site() -> Iterator[Site]:
    with serve() as running:
        yield running


def adds_up(summaries: list[Summary]) -> bool:
    return all(s.selected + s.discovered == s.fetched + s.denied + s.deferred + s.failed for s in summaries)


def test_every_page_of_a_site_is_asked_for_once(site: Site, tmp_path: Path) -> None:
    for i in range(30):
        site.pages[f"/{i}"] = page(*(f"/{j}#x" for j in range(30)), "/missing", "http://elsewhere.example/")
    summaries, rows = crawl_all(str(tmp_path), settings_for(site, "/0"))
    assert site.counts() == {f"/{i}": 1 for i in range(30)} | {"/missing": 1}
    assert [r.path for r in site.requests].count("/robots.txt") == 1
    assert Counter(outcomes(rows).values()) == {"ok": 30, "http_404": 1}
    assert adds_up(summaries)


HOSTS = {f"h{i}.test": f"127.0.0.{2 + i % 2}" for i in range(6)}


def test_the_gap_between_two_requests_is_kept_for_every_host_and_every_address(tmp_path: Path) -> None:
    delay = 0.15
    with serve(addresses=("127.0.0.2", "127.0.0.3")) as site:
        for host in HOSTS:
            for i in range(3):
                site.pages[f"{host}/{i}"] = http(f"words {i}")
        settings = settings_for(
            site,
            seeds=[site.url(f"/{i}", host) for host in HOSTS for i in range(3)],
            own_hosts=dict.fromkeys(HOSTS, delay),
            shards=1,
        )
        summaries, _ = crawl_all(str(tmp_path), settings, resolver(HOSTS))
    by_host: dict[str, list[Request]] = {}
    by_address: dict[str, list[Request]] = {}
    for request in site.requests:
        by_host.setdefault(request.host, []).append(request)
        by_address.setdefault(request.address, []).append(request)
    assert len(by_host) == 6
    assert len(by_address) == 2
    assert all(len(requests) == 4 for requests in by_host.values())
    for requests in [*by_host.values(), *by_address.values()]:
        for earlier, later in itertools.pairwise(requests):
            assert later.started - earlier.ended >= delay
    assert min(s.smallest_gap_address or 9 for s in summaries) >= delay


def test_a_crawl_delay_of_robots_txt_is_kept_over_rounds(site: Site, tmp_path: Path) -> None:
    site.pages |= {
        "/robots.txt": http("User-agent: *\nCrawl-delay: 0.3\n"),
        "/a": page("/b"),
        "/b": page("/c"),
        "/c": page(),
    }
    crawl_all(str(tmp_path), settings_for(site, "/a"))
    assert site.paths() == ["/a", "/b", "/c"]
    for earlier, later in itertools.pairwise(site.requests):
        assert later.started - earlier.ended >= 0.3


def chain(length: int) -> dict[str, Any]:
    """robots.txt behind ``length`` redirects."""
    hops = ["/robots.txt", *(f"/hop{i}" for i in range(1, length)), "/rules"]
    pages: dict[str, Any] = {a: http("", "301 Moved", Location=b) for a, b in itertools.pairwise(hops)}
    return pages | {"/rules": http("User-agent: *\nDisallow: /private\n")}


SLEEP = {"/robots.txt": lambda request: iter(lambda: time.sleep(3) or b"", b"")}
LONG = b"User-agent: *\nDisallow: /private\n" + b"#" * 99 + b"\n"


@pytest.mark.parametrize(
    ("pages", "public", "private"),
    [
        ({"/robots.txt": http("User-agent: *\nDisallow: /private\n")}, "ok", "robots"),
        (chain(1), "ok", "robots"),
        (chain(5), "ok", "robots"),
        (chain(6), "ok", "ok"),
        ({"/robots.txt": http("", "301 Moved")}, "ok", "ok"),
        ({"/robots.txt": http("no", "403 Forbidden")}, "ok", "ok"),
        ({"/robots.txt": http("no", "404 Not Found")}, "ok", "ok"),
        ({"/robots.txt": http("no", "429 Too Many Requests")}, None, None),
        ({"/robots.txt": http("no", "503 Service Unavailable")}, None, None),
        (SLEEP, None, None),
        ({"/robots.txt": http(LONG[:-1] + b"x" * (2 << 20))}, "ok", "robots"),
        ({"/robots.txt": http(LONG, Content_Length="1000")}, None, None),
        ({"/robots.txt": http("", "301 Moved", Location="http://169.254.169.254/robots.txt")}, None, None),
        ({"/robots.txt": http(b"\xef\xbb\xbfUser-agent: *\r\nDisallow: /private")}, "ok", "robots"),
        ({"/robots.txt": http("User-agent: *\nDisallow: /private".encode("utf-16"))}, "ok", "robots"),
    ],
    ids=[
        "rules",
        "301",
        "301x5",
        "301x6",
        "301-nowhere",
        "403",
        "404",
        "429",
        "503",
        "timeout",
        "2MiB",
        "cut-off",
        "301-private",
        "BOM",
        "UTF-16",
    ],
)
def test_what_a_robots_fetch_means(
    site: Site, tmp_path: Path, pages: dict[str, Any], public: str | None, private: str | None
) -> None:
    """None: the host was not asked for a page at all."""
    site.pages |= {"/public": http("words"), "/private": http("words"), **pages}
    settings = settings_for(
        site, seeds=[site.url("/public"), site.url("/private")], first_byte_timeout=0.3, round_seconds=30, rounds=1
    )
    summaries, rows = crawl_all(str(tmp_path), settings)
    found = outcomes(rows)
    assert (found.get("public"), found.get("private")) == (public, private)
    assert ("/private" in site.paths()) == (private == "ok")
    if public is None:
        assert summaries[0].deferred == 2
    assert adds_up(summaries)


def test_403_forbids_the_host_when_the_recipe_says_so(site: Site, tmp_path: Path) -> None:
    site.pages |= {"/robots.txt": http("no", "403 Forbidden"), "/a": http("words")}
    _, rows = crawl_all(str(tmp_path), settings_for(site, "/a", robots_403="disallow"))
    assert outcomes(rows) == {"a": "robots"}


def test_a_robots_redirect_to_another_host_counts_for_the_first(tmp_path: Path) -> None:
    with serve() as site:
        names = {"a.test": "127.0.0.1", "b.test": "127.0.0.1"}
        site.pages |= {
            "a.test/robots.txt": http("", "302 Found", Location=site.url("/rules", "b.test")),
            "b.test/rules": http("User-agent: *\nDisallow: /private\n"),
            "/private": http("words"),
            "/public": http("words"),
        }
        settings = settings_for(
            site,
            seeds=[site.url("/private", "a.test"), site.url("/public", "a.test")],
            own_hosts=dict.fromkeys(names, 0),
        )
        _, rows = crawl_all(str(tmp_path), settings, resolver(names))
    assert outcomes(rows) == {"private": "robots", "public": "ok"}


@pytest.mark.parametrize("form", ["seconds", "date"])
@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
def test_retry_after_is_obeyed(site: Site, tmp_path: Path, form: str, status: str) -> None:
    tries: list[float] = []

    def answer(request: Request) -> bytes:
        tries.append(time.time())
        value = "1" if form == "seconds" else formatdate(tries[0] + 2, usegmt=True)
        return http("words") if len(tries) > 1 else http("later", status, Retry_After=value)

    site.pages["/a"] = answer
    _, rows = crawl_all(str(tmp_path), settings_for(site, "/a"))
    assert [row["outcome"] for row in rows if row["kind"] == "page"] == [f"http_{status[:3]}", "ok"]
    assert tries[1] - tries[0] >= 1.0


def test_a_host_that_asks_for_a_long_pause_is_left_for_another_round(site: Site, tmp_path: Path) -> None:
    site.pages |= {"/a": http("later", "429 Too Many Requests", Retry_After="3600"), "/b": http("words")}
    settings = settings_for(site, seeds=[site.url("/a"), site.url("/b")], round_seconds=60, max_pages_per_host=10)
    started = time.monotonic()
    summaries, _ = crawl_all(str(tmp_path), settings)
    assert time.monotonic() - started < 30
    assert adds_up(summaries)
    assert sum(path == "/a" for path in site.paths()) == 1


def test_a_redirect_on_the_same_host_is_followed_in_the_round_and_recorded_as_a_hop(site: Site, tmp_path: Path) -> None:
    site.pages |= {
        "/a": http("", "301 Moved", Location="/b?x#y"),
        "/b?x": http("", "302 Found", Location="c"),
        "/c": page(),
    }
    crawl = CrawlDirectory(str(tmp_path), settings_for(site, "/a"))
    done = crawl_round(crawl, 0)
    assert done is not None
    summaries, rows = done
    pages = [row for row in rows if row["kind"] == "page"]
    assert [(r["url"], r["outcome"], r["hops"]) for r in pages] == [
        (site.url("/a"), "redirect", 0),
        (site.url("/b?x"), "redirect", 1),
        (site.url("/c"), "ok", 2),
    ]
    assert pages[2]["redirect_from"] == site.url("/b?x")
    assert [row["warc"].split("/")[1] for row in pages if row["warc"]] == ["nonok", "nonok", "fetch"]
    assert (summaries[0].selected, summaries[0].discovered, summaries[0].fetched) == (1, 2, 3)
    assert crawl_round(crawl, 1) is None


def test_a_redirect_loop_ends(site: Site, tmp_path: Path) -> None:
    site.pages |= {"/a": http("", "302 Found", Location="/b"), "/b": http("", "302 Found", Location="/a")}
    _, rows = crawl_all(str(tmp_path), settings_for(site, "/a"))
    assert site.paths() == ["/a", "/b"]
    site.pages |= {f"/n{i}": http("", "302 Found", Location=f"/n{i + 1}") for i in range(9)}
    _, rows = crawl_all(str(tmp_path / "long"), settings_for(site, "/n0", rounds=1))
    assert len([row for row in rows if row["kind"] == "page"]) == 6


def test_many_pages_redirecting_to_one_login_page_make_it_a_sink(site: Site, tmp_path: Path) -> None:
    site.pages |= {f"/{i}": http("", "302 Found", Location="/login") for i in range(30)} | {"/login": page()}
    _, rows = crawl_all(str(tmp_path), settings_for(site, seeds=[site.url(f"/{i}") for i in range(30)]))
    assert Counter(outcomes(rows).values()) == {"redirect": 20, "redirect_sink": 10, "ok": 1}
    assert site.counts()["/login"] == 1


def test_a_link_or_redirect_to_a_private_address_is_never_connected_to(tmp_path: Path) -> None:
    with serve() as site:
        refused = ["http://169.254.169.254/latest/meta-data/", "http://[::ffff:127.0.0.1]/", "http://inside.test/"]
        site.pages |= {"/a": page(*refused), "/b": http("", "302 Found", Location=site.url("/x", "inside.test"))}
        settings = settings_for(
            site,
            seeds=[site.url("/a"), site.url("/b")],
            scope="any",
        )
        summaries, rows = crawl_all(str(tmp_path), settings, resolver({"inside.test": "127.0.0.1"}))
    assert {row["url"] for row in rows if row.get("outcome") == "address"} == {
        *(["http://169.254.169.254/latest/meta-data/", "http://[::ffff:7f00:1]/", "http://inside.test/"]),
        site.url("/x", "inside.test"),
    }
    assert {request.host for request in site.requests} == {"127.0.0.1"}
    assert adds_up(summaries)


def test_budgets_hold_whatever_the_site_offers(site: Site, tmp_path: Path) -> None:
    def endless(request: Request) -> bytes:
        number = int(request.path[1:].partition("?")[0] or 0)
        if number % 3 == 0:
            return http("", "302 Found", Location=f"/{number + 1}")
        return page(*(f"/{number + i}" for i in range(1, 9)))

    site.pages |= {f"/{i}": endless for i in range(500)}
    for name, values, most in (("a", {"max_pages": 17}, 17), ("b", {"max_pages_per_host": 11}, 11)):
        site.requests.clear()
        summaries, _ = crawl_all(str(tmp_path / name), settings_for(site, "/1", **values))
        assert len(site.paths()) == most
        assert adds_up(summaries)
    site.requests.clear()
    crawl_all(str(tmp_path / "deep"), settings_for(site, "/1", max_depth=1))
    assert len(site.paths()) <= 1 + 8 + 8


def test_a_host_that_keeps_failing_is_left_alone_and_its_urls_keep_their_tries(site: Site, tmp_path: Path) -> None:
    def close(request: Request) -> Iterator[bytes]:
        return iter(())

    site.pages |= {f"/{i}": close for i in range(20)} | {"/robots.txt": http("")}
    crawl = CrawlDirectory(str(tmp_path), settings_for(site, seeds=[site.url(f"/{i}") for i in range(20)]))
    done = crawl_round(crawl, 0)
    assert done is not None
    summary = done[0][0]
    assert (summary.failed, summary.deferred) == (5, 15)
    states = [row for state in crawl.states(0).values() for row in state.to_pylist()]
    assert Counter((row["retries"], row["status"]) for row in states) == {(0, "unfetched"): 20}


def test_a_connection_closed_without_an_answer_is_one_request(site: Site, tmp_path: Path) -> None:
    site.pages["/a"] = b""
    crawl_all(str(tmp_path), settings_for(site, "/a", rounds=1))
    assert site.paths() == ["/a"]


def test_a_host_that_was_left_alone_is_asked_once_more_and_fully_again_when_it_answers(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trouble, "BACKOFF_SECONDS", 0.5)
    dead = True

    def answer(request: Request) -> bytes:
        return b"" if dead else http("words")

    site.pages |= {f"/{i}": answer for i in range(20)} | {"/robots.txt": http("")}
    crawl = CrawlDirectory(str(tmp_path), settings_for(site, seeds=[site.url(f"/{i}") for i in range(20)]))
    crawl_round(crawl, 0)
    assert len(site.paths()) == 5
    crawl_round(crawl, 1)
    assert len(site.paths()) == 6
    assert site.requests[-1].started - site.requests[-2].ended >= 0.4
    dead = False
    crawl_round(crawl, 2)
    assert len(site.paths()) > 20


def test_a_failed_lookup_costs_the_host_and_not_its_urls(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trouble, "BACKOFF_SECONDS", 0.0)
    site.pages |= {f"/{i}": http("words") for i in range(4)}
    settings = settings_for(site, seeds=[site.url(f"/{i}", "late.test") for i in range(4)], own_hosts={"late.test": 0})
    crawl = CrawlDirectory(str(tmp_path), settings)
    for _ in range(2):
        done = crawl_round(crawl, _)
        assert done is not None
        assert [row["outcome"] for row in done[1]] == ["dns"]
        assert adds_up(done[0])
    assert crawl.unreachable(1) == {"late.test": "dns: late.test has no address: no such host: late.test"}
    done = crawl_round(crawl, 2, resolver({"late.test": "127.0.0.1"}))
    assert done is not None
    assert Counter(outcomes(done[1]).values()) == {"ok": 4}
    assert crawl.unreachable(2) == {}


def test_a_crawl_that_waits_shows_that_it_is_alive_and_says_for_whom(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(turns, "LOGGED_SECONDS", 1.0)
    monkeypatch.setattr(gate, "RETRY_SECONDS", 1.2)
    monkeypatch.setattr(gate, "TRIES", 2)
    site.pages["/robots.txt"] = http("no", "503 Service Unavailable", Retry_After="0")
    crawl = CrawlDirectory(str(tmp_path), settings_for(site, "/a"))
    (piece,) = plan_round(crawl, 0)
    pulses: list[tuple[int, int]] = []
    with caplog.at_level(logging.INFO, "dataprep.crawl"):
        crawl_piece(crawl, 0, piece, {}, lambda done, pages: pulses.append((done, pages)))
    assert pulses[0] == (0, 0)
    lines = [record.getMessage() for record in caplog.records]
    assert next(line for line in lines if line.startswith("waiting")).endswith(f"s for {site.url('/robots.txt')}")


@pytest.mark.parametrize("robots", [http("no", "503 Service Unavailable"), b""], ids=["503", "closed"])
def test_a_host_without_a_readable_robots_txt_is_given_up_after_three_rounds(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, robots: bytes
) -> None:
    monkeypatch.setattr(trouble, "BACKOFF_SECONDS", 0.0)
    monkeypatch.setattr(gate, "RETRY_SECONDS", 0.0)
    site.pages |= {"/robots.txt": robots, "/a": http("words")}
    monkeypatch.setattr(politeness, "BACKOFF_CAP", 0.0)
    crawl_all(str(tmp_path), settings_for(site, "/a"))
    assert [request.path for request in site.requests] == ["/robots.txt"] * 5
    crawl = CrawlDirectory(str(tmp_path), settings_for(site, "/a"))
    (state,) = [row for state in crawl.states(2).values() for row in state.to_pylist()]
    assert (state["status"], state["retries"]) == ("unfetched", 0)
    assert list(crawl.unreachable(2)) == ["127.0.0.1"]
    assert crawl.unreachable(2)["127.0.0.1"].startswith("robots.txt: ")


def test_a_refused_connection_costs_the_url_nothing_and_a_broken_one_costs_a_try(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    site.pages |= {"/a": b"", "/robots.txt": http("")}
    for seed, retries in ((site.url("/a"), 1), (f"http://127.0.0.1:{port}/", 0)):
        crawl = CrawlDirectory(str(tmp_path / str(retries)), settings_for(site, seeds=[seed], round_seconds=5))
        crawl_round(crawl, 0)
        (row,) = [row for state in crawl.states(0).values() for row in state.to_pylist()]
        assert (row["status"], row["retries"]) == ("unfetched", retries)


def test_answers_that_are_not_pages_say_what_they_were(site: Site, tmp_path: Path) -> None:
    site.pages |= {
        "/": page("/pdf", "/empty", "/broken", "/gone", "/teapot", "/server"),
        "/pdf": http(b"%PDF-1.7" + b"\0" * 5000),
        "/empty": http("  \n"),
        "/broken": http(b"\x1f\x8b\x08\x00" + b"\xff" * 100, Content_Encoding="gzip"),
        "/gone": http("gone", "410 Gone"),
        "/teapot": http("short and stout", "418 I'm a teapot"),
        "/server": http("oops", "500 Internal Server Error"),
    }
    _, rows = crawl_all(str(tmp_path), settings_for(site))
    assert outcomes(rows) == {
        "": "ok",
        "pdf": "type",
        "empty": "empty",
        "broken": "malformed",
        "gone": "http_410",
        "teapot": "http_418",
        "server": "http_500",
    }
    assert site.counts()["/gone"] == 1
    assert site.counts()["/server"] == 3


def located(rows: list[LogRow]) -> dict[str, dict[int, LogRow]]:
    files: dict[str, dict[int, LogRow]] = {}
    for row in rows:
        if row.get("warc"):
            files.setdefault(str(row["warc"]), {})[row["offset"]] = row  # type: ignore[index]
    return files


def test_the_log_says_where_every_record_is_and_what_is_in_it(site: Site, tmp_path: Path) -> None:
    site.pages |= {f"/{i}": page(*(f"/{j}" for j in range(12)), "/missing") for i in range(12)}
    site.pages["/robots.txt"] = http("User-agent: *\nDisallow: /11\n")
    _, rows = crawl_all(str(tmp_path), settings_for(site, "/0"))
    files = located(rows)
    assert {name.split("/")[1] for name in files} == {"fetch", "nonok", "robots"}
    for name, expected in files.items():
        with open(tmp_path / name, "rb") as handle:
            reader = warcio.archiveiterator.ArchiveIterator(handle, check_digests="raise")
            found = {}
            for record in reader:
                body = record.content_stream().read()
                if record.rec_type == "response":
                    found[reader.get_record_offset()] = (record.rec_headers, body)
        assert set(found) == set(expected)
        for offset, row in expected.items():
            headers, body = found[offset]
            assert headers.get_header("WARC-Target-URI") == row["url"]
            assert headers.get_header("WARC-Payload-Digest") == row["digest"]
            assert len(body) == row["bytes"]
        with open(tmp_path / name, "rb") as handle:
            again = fastwarc.warc.ArchiveIterator(handle, record_types=fastwarc.warc.response, verify_digests=True)
            assert {record.stream_pos for record in again} == set(expected)
