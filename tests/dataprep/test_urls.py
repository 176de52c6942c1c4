"""URL normalisation against the WHATWG test data, crawler-commons' pairs and 22,826 real URLs."""

import csv
import gzip
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataprep.urls import (
    MAX_URL,
    host_of,
    normalise,
    origin_of,
    path_of,
    port_of,
    registered_domain,
    shard_of,
    sort_key,
    url_id,
)

PIECES = st.sampled_from(
    [
        "http://",
        "HTTPS:",
        "//",
        "/",
        "\\",
        "a.example",
        "A.ExAmPlE",
        "127.1",
        "[::1]",
        ":80",
        ":443",
        ":8080",
        "@",
        "..",
        ".",
        "%2e",
        "%2E",
        "%7e",
        "%2f",
        "%",
        "%zz",
        "?",
        "&",
        "=",
        "#",
        ";jsessionid=1",
        ";JSESSIONID=A/",
        "utm_source=x",
        " ",
        "gclid=1",
        "sid=" + "0" * 32,
        "ü",
        "日本",
        "\t",
        "\u2028",
        "|",
        "[",
        "]",
        "^",
        "{",
        "'",
        '"',
        "<",
        "a",
        "b/c",
        "x=1",
    ]
)


@given(st.lists(PIECES, max_size=14).map("".join) | st.text(max_size=60))
def test_normalisation_is_idempotent(text: str) -> None:
    for url in (text, "http://site.example/" + text, "http://site.example" + text):
        normal = normalise(url, "https://base.example/dir/page?q#f")
        if normal is not None:
            assert normalise(normal) == normal
            assert normal.isascii()
            assert len(normal) <= MAX_URL
            assert "#" not in normal


def test_real_urls_are_normalised_once_and_for_all(shared_data: Path) -> None:
    with gzip.open(shared_data / "url" / "real-urls-kasztp.txt.gz", "rt", encoding="utf-8") as lines:
        urls = [line.rstrip("\n") for line in lines]
    normal = [normalise(url) for url in urls]
    assert [url for url, n in zip(urls, normal, strict=True) if n is None and url] == ["https://"]
    assert [normalise(url) for url in normal if url] == [url for url in normal if url]


def test_parsing_agrees_with_every_http_row_of_the_whatwg_test_data(shared_data: Path) -> None:
    """What our rules add is undone on both sides: the expected href goes through the same rules."""
    with gzip.open(shared_data / "url" / "wpt" / "urltestdata.json.gz") as handle:
        cases = [case for case in json.load(handle) if isinstance(case, dict)]
    cases += [
        c for c in json.loads((shared_data / "url/wpt/ada_extra_urltestdata.json").read_text()) if isinstance(c, dict)
    ]
    compared = 0
    for case in cases:
        if "\0" in case["input"]:
            assert normalise(case["input"], case.get("base")) is None
            continue
        actual = normalise(case["input"], case.get("base"))
        if case.get("failure"):
            assert actual is None, case
            continue
        expected = case["href"]
        if case["protocol"] not in ("http:", "https:") or case.get("username") or case.get("password"):
            assert actual is None, case
            continue
        compared += 1
        assert actual == normalise(expected), case
        if actual is not None:  # the host is WHATWG's, less its trailing dot
            assert host_of(actual) == case["hostname"].rstrip("."), case
    assert compared > 200


# crawler-commons' normaliser does more than is safe: these rows of its table change what is addressed.
UNSAFE = {
    "removes doubled slashes": lambda url: "//" in url.partition("://")[2],
    "sorts or drops query parameters": lambda url: "?" in url and ("&" in url or url.endswith("=")),
    "speaks other schemes, or guesses one": lambda url: not url.lower().startswith(("http://", "https://")),
    "returns http:/ for a URL without host": lambda url: set(url.partition(":")[2]) == {"/"},
}


def test_crawler_commons_pairs_agree_except_where_the_rule_is_unsafe(shared_data: Path) -> None:
    agreed, differing = 0, []
    text = (shared_data / "url" / "crawler-commons" / "weirdToNormalizedUrls.csv").read_bytes().decode("utf-8")
    for line in text.split("\n"):
        if not line.strip() or line.startswith("#"):
            continue
        weird, expected = next(csv.reader([line], skipinitialspace=True))[:2]
        if normalise(weird) == expected.strip():
            agreed += 1
        else:
            differing.append(weird)
    unexplained = [url for url in differing if not any(rule(url) for rule in UNSAFE.values())]
    assert unexplained == []
    assert (agreed, len(differing)) == (86, 26)


def test_crawler_commons_invalid_urls_are_refused(shared_data: Path) -> None:
    lines = (shared_data / "url" / "crawler-commons" / "invalidUrls.csv").read_text(encoding="utf-8").splitlines()
    for line in lines:
        if line and not line.startswith("#"):
            assert normalise(line) is None, line


def test_crawler_commons_relative_urls_resolve_the_same(shared_data: Path) -> None:
    lines = (shared_data / "url" / "crawler-commons" / "url-resolve.csv").read_text(encoding="utf-8").splitlines()
    rows = [next(csv.reader([line], skipinitialspace=True)) for line in lines if line and not line.startswith("#")]
    for spec, base, expected in rows:
        if expected.startswith("http") and "@" not in expected:
            assert normalise(spec, base or None) == normalise(expected)


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("HTTP://A.Example:80/%7euser/%2fx", "http://a.example/~user/%2Fx"),
        ("http://a.example./x", "http://a.example/x"),
        ("http://a.example?", "http://a.example/"),
        ("http://a.example/x#!state", "http://a.example/x"),
        ("http://0x7f.1/", "http://127.0.0.1/"),
        ("http://2130706433/", "http://127.0.0.1/"),
        ("http://a.example/p?utm_source=m&b=1&gclid=2&a=1", "http://a.example/p?b=1&a=1"),
        ("http://a.example/p?utm_source=m", "http://a.example/p"),
        ("http://a.example/p?gallery=5&reference=7&b&&c=", "http://a.example/p?gallery=5&reference=7&b&&c="),
        ("http://a.example/p;jsessionid=AB12?x=1", "http://a.example/p?x=1"),
        ("http://a.example/..;jsessionid=1/x", "http://a.example/x"),
        ("http://a.example/p?PHPSESSID=" + "0af9" * 8, "http://a.example/p"),
        ("http://a.example/p?sid=7", "http://a.example/p?sid=7"),
        ("http://a.example//a//b/index.html", "http://a.example//a//b/index.html"),
        ("http://a.example/100%", "http://a.example/100%25"),
        ("http://bücher.example/ü?q=ü", "http://xn--bcher-kva.example/%C3%BC?q=%C3%BC"),
    ],
)
def test_safe_rules(url: str, normal: str) -> None:
    assert normalise(url) == normal


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a.example/",
        "mailto:x@a.example",
        "javascript:void(0)",
        "http://u:p@a.example/",
        "http:///",
        "http://../",
        "http://a.example/\0",
        "http://a.example/" + "x" * 2048,
        "http://" + "a." * 127 + "example/",
        "",
        "http://a b/",
    ],
)
def test_what_a_crawler_does_not_ask_for_is_none(url: str) -> None:
    assert normalise(url) is None


def test_the_parts_of_a_normal_url() -> None:
    url = "https://www.a.example:8443/p/q?x=1"
    assert (host_of(url), port_of(url), path_of(url)) == ("www.a.example", 8443, "/p/q?x=1")
    assert origin_of(url) == "https://www.a.example:8443"
    assert (host_of("http://[::1]:81/"), port_of("http://[::1]:81/")) == ("[::1]", 81)
    assert (host_of("http://[::1]/"), port_of("http://[::1]/")) == ("[::1]", 80)
    assert sort_key(url) == "example,a,www:8443)/p/q?x=1"
    assert sort_key("http://127.0.0.1:8731/x") == "127.0.0.1:8731)/x"
    assert len(url_id(url)) == 16


def test_a_site_is_a_registered_domain_with_private_suffixes_and_no_network() -> None:
    assert registered_domain("a.b.example.co.uk") == "example.co.uk"
    assert registered_domain("foo.github.io") == "foo.github.io"
    assert registered_domain("localhost") == "localhost"
    assert registered_domain("127.0.0.1") == "127.0.0.1"
    assert registered_domain("[::1]") == "[::1]"
    assert 0 <= shard_of("example.co.uk", 16) < 16


def test_registered_domains_agree_with_the_public_suffix_lists_own_tests(shared_data: Path) -> None:
    pairs = re.findall(r"^(\S+) (\S+)$", (shared_data / "url/psl/tests.txt").read_text(encoding="utf-8"), re.MULTILINE)
    compared = 0
    for name, expected in pairs:
        url = normalise(f"http://{name}/")
        if url is None or expected == "null" or name.startswith("."):
            continue
        wanted = normalise(f"http://{expected}/")
        assert wanted is not None
        assert registered_domain(host_of(url)) == host_of(wanted), name
        compared += 1
    assert compared > 50
