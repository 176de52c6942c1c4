"""URL lists: the definition on any URL, datatrove's reasons in its order, lists in every layout, no network."""

import gzip
import lzma
import random
import re
import socket
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataprep.clean.catalogue import make_step
from dataprep.clean.settings import CleanSettings
from dataprep.rules import decide
from dataprep.signals import _reference as reference
from dataprep.signals import urls as module
from dataprep.signals.urls import UrlLists
from dataprep.signals.wordlists import ROWS, entries, hashes, isin

LISTS = {
    "domains": [
        "example.com",
        "bad.example.org",
        "blogspot.com",
        "foo.blogspot.com",
        "192.0.2.1",
        "Upper.net",
        "例え.jp",
    ],
    "urls": ["https://fine.net/page", "fine.net/other", "http://192.0.2.1/"],
    "hard_words": ["casino", "xxx", "18"],
    "soft_words": ["free", "poker", "win", "xxx"],
    "subwords": ["onlinepoker", "aaa", "zz"],
}
PIECES = [
    *("http://", "https://", "HTTP://", "//", "ftp://", "://", "https:/", "http", "mailto:"),
    *LISTS["domains"],
    *LISTS["urls"],
    *("www.", "a.example.com", "example.community", "co.uk", ".", "..", "。", "fine.net", "xn--r8jz45g.jp", "com"),
    *("user:pw@", "@", ":80", ":", "[::1]", "[", "]", "/", "?", "#", " ", "\t", "\x00", "\u3000", "%2F"),
    *(*LISTS["hard_words"], *LISTS["soft_words"], "online", "Poker", "XXX", "a", "z", "-", "_", "é", "\n"),
]
# a listed host with something odd on either side of it, where parsers disagree
near_listed = st.tuples(
    st.sampled_from(["http://", "https://", "HTTP://", "//", ""]),
    st.sampled_from(["", "www.", "www。", "a@", "a:b@", "@", " ", ".", "é.", "x", "[", ":80."]),
    st.sampled_from(LISTS["domains"]),
    st.sampled_from(["", ".", "..", "。", " ", "\x1f", "\u3000", "\x7f", ":80", ":", "@", "]", "。com", ".com"]),
    st.sampled_from(["", "/", "?q", "#f", "/a@b.c", "\\x", "/x://example.com"]),
).map("".join)
any_url = st.one_of(st.lists(st.sampled_from(PIECES), max_size=12).map("".join), near_listed, st.text())


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lists")
    for name, lines in LISTS.items():
        (path / name).write_text("# a comment\n" + "\n\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def step(folder: Path) -> UrlLists:
    return UrlLists.model_validate({name: [str(folder / name)] for name in LISTS})


def batch_of(urls: Iterable[str | None]) -> pa.RecordBatch:
    return pa.record_batch({"url": pa.array(list(urls), pa.string())})


def measured(step: UrlLists, urls: Iterable[str | None]) -> list[dict[str, Any]]:
    return step(batch_of(urls)).select(step.columns.names).to_pylist()


def reasons(rules: list[dict[str, Any]], urls: Iterable[str | None]) -> list[str | None]:
    clean = CleanSettings.model_validate({"rules": rules})
    batch = batch_of(urls)
    for step in clean.resolved_steps():
        batch = step(batch)
    return decide(batch, clean.resolved_rules()).column("rejected_by").to_pylist()


@given(urls=st.lists(any_url, max_size=8), ignore_scheme=st.booleans())
@settings(max_examples=200)
def test_measurements_equal_their_definition_on_any_url(folder: Path, urls: list[str], ignore_scheme: bool) -> None:
    step = UrlLists.model_validate(
        {"ignore_scheme": ignore_scheme, **{name: [str(folder / name)] for name in LISTS}},
    )
    assert measured(step, urls) == [reference.urls(url, **LISTS, ignore_scheme=ignore_scheme) for url in urls]


def test_measurements_equal_their_definition_on_real_urls_and_lists(shared_data: Path, tmp_path: Path) -> None:
    with tarfile.open(shared_data / "blocklists" / "ut1.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    lists = {
        name: {line.strip() for path in tmp_path.rglob(name) for line in path.read_text("utf-8").splitlines()} - {""}
        for name in ("domains", "urls")
    }
    with gzip.open(shared_data / "url" / "real-urls-kasztp.txt.gz", "rt", encoding="utf-8") as lines:
        urls = random.Random(1).sample([line.strip() for line in lines], 3000)
    urls += [f"https://www.{domain}/" for domain in random.Random(1).sample(sorted(lists["domains"]), 500)]
    urls += [f"http://{url}" for url in random.Random(1).sample(sorted(lists["urls"]), 200)]
    words = {name: LISTS[name] for name in ("hard_words", "soft_words", "subwords")}
    for name, of_name in words.items():
        (tmp_path / name).write_text("\n".join(of_name))
    step = UrlLists.model_validate({name: [str(tmp_path)] for name in LISTS})
    assert measured(step, urls) == [reference.urls(url, **lists, **words) for url in urls]
    assert sum(row["url.domain_listed"] for row in measured(step, urls)) > 500


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://www.example.com/a", {"url.domain_listed": True, "url.matched": "example.com"}),
        ("https://bad.example.org:8080/", {"url.host_listed": True, "url.matched": "bad.example.org"}),
        ("https://example.com", {"url.domain_listed": True, "url.host_listed": True, "url.matched": "example.com"}),
        # the registered domain does not count private suffixes
        ("http://bar.blogspot.com/", {"url.domain_listed": True, "url.matched": "blogspot.com"}),
        ("https://user:pw@example.com.:443?q", {"url.domain_listed": True, "url.host_listed": True}),
        ("https://example.com./", {"url.domain_listed": True, "url.host_listed": True}),
        ("https://example.com /", {"url.domain_listed": True, "url.host_listed": True}),
        ("https://www。example。com/", {"url.domain_listed": True, "url.matched": "example.com"}),
        ("https://worse.bad.example.org/", {}),
        ("https://notexample.com/", {}),
        ("https://EXAMPLE.com/", {}),
        ("http://192.0.2.1/page", {}),
        ("http://fine.net/page", {"url.url_listed": True, "url.matched": "http://fine.net/page"}),
        ("https://fine.net/page?", {}),
        ("https://a.net/casino-XXX/18", {"url.hard_words": 2, "url.matched": "casino 18"}),
        ("https://a.net/casinos", {}),
        ("https://a.net/free/win/free", {"url.soft_words": 2, "url.matched": "free win"}),
        ("https://a.net/On-Line_Po.ker", {"url.subwords": 1, "url.matched": "onlinepoker"}),
        ("https://a.net/xxx", {"url.hard_words": 1, "url.soft_words": 1, "url.matched": "xxx"}),
    ],
)
def test_known_urls_match_what_they_should(step: UrlLists, url: str, found: dict[str, Any]) -> None:
    values = measured(step, [url])[0]
    assert {name: values[name] for name in found} == found
    if not found:
        assert not any(values.values())


def test_reasons_are_datatroves_in_its_order(folder: Path) -> None:
    given = {name: [str(folder)] for name in LISTS}
    rule_set = [{"use": "urls@datatrove-0.10", "with": {"urls": given}}]
    assert reasons(
        rule_set,
        [
            "https://www.example.com/casino",
            "https://bad.example.org/casino",
            "https://fine.net/page",
            "http://fine.net/page",  # another scheme is another URL
            "https://a.net/casino/free/win",
            "https://a.net/free/win/zz",
            "https://a.net/free/zz",
            "https://a.net/free",
            None,
        ],
    ) == [
        *("urls.domain", "urls.subdomain", "urls.url", None),
        *("urls.hard_blacklisted", "urls.soft_blacklisted", "urls.blacklisted_subword", None, None),
    ]


def test_a_document_without_a_url_has_no_measurement(step: UrlLists) -> None:
    rows = measured(step, [None, "https://example.com/", None])
    assert set(rows[0].values()) == set(rows[2].values()) == {None}
    assert measured(step, [None])[0] == rows[0]
    assert measured(step, [""])[0] == reference.urls("", **LISTS)


def test_a_signal_adds_exactly_its_columns_and_keeps_the_rows(step: UrlLists) -> None:
    whole = batch_of(["https://example.com/", "https://a.net/", None, "https://a.net/", "https://a.net/zz"])
    part = step(whole.slice(1, 3))
    assert part.schema == pa.schema([*whole.schema, *step.columns])
    assert part.column("url").to_pylist() == ["https://a.net/", None, "https://a.net/"]
    assert part.equals(step(whole).slice(1, 3))
    assert step(whole.slice(0, 0)).schema == part.schema
    assert step(step(whole)).equals(step(whole))


def test_a_packed_list_is_refused(tmp_path: Path) -> None:
    (tmp_path / "domains.xz").write_bytes(lzma.compress(b"example.com\n" * 50))
    with pytest.raises(ValueError, match=r"domains\.xz is packed; allowed: text"):
        measured(UrlLists(domains=(str(tmp_path / "domains.xz"),)), ["http://example.com/"])


def test_lists_come_as_files_or_as_folders_compressed_or_not(tmp_path: Path) -> None:
    for category, lines in (("adult", "one.com\r\ntwo.com"), ("deep/gambling", " three.com \n#four.com\n")):
        (tmp_path / category).mkdir(parents=True)
        (tmp_path / category / "domains").write_bytes(lines.encode())
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "domains.gz").write_bytes(gzip.compress(b"five.com\nbroken\xff.com\n"))
    (tmp_path / "single.txt").write_text("six.com")
    step = UrlLists(domains=(str(tmp_path), str(tmp_path / "single.txt")))
    hosts = ["one.com", "two.com", "three.com", "#four.com", "four.com", "five.com", "six.com"]
    found = [row["url.domain_listed"] for row in measured(step, [f"https://{host}/" for host in hosts])]
    assert found == [True, True, True, False, False, True, True]


def test_long_lists_are_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "domains"
    path.write_text("\n".join(f"site{i}.com" for i in range(2 * ROWS + 1)))
    assert sum(map(len, entries(str(path)))) == 2 * ROWS + 1
    step = UrlLists(domains=(str(path),))
    urls = [f"http://site{i}.com/" for i in (0, ROWS - 1, ROWS, 2 * ROWS, 2 * ROWS + 1)]
    assert [row["url.domain_listed"] for row in measured(step, urls)] == [True, True, True, True, False]


@given(st.lists(st.text(max_size=3), max_size=20), st.lists(st.text(max_size=3), max_size=20))
@settings(max_examples=100)
def test_a_sorted_list_of_hashes_has_what_the_list_has(listed: list[str], asked: list[str]) -> None:
    ordered = module._ordered([hashes(pa.array(listed, pa.string()))])
    assert isin(hashes(pa.array(asked, pa.string())), ordered).tolist() == [value in listed for value in asked]


def test_huge_urls_take_linear_time(step: UrlLists) -> None:
    urls = [
        "https://" + "a." * 500_000,
        "http://x/" + "aa-" * 300_000,
        "https://a.net/" + "z/" * 500_000,
        "z" * 1_000_000,
    ]
    assert measured(step, urls) == [reference.urls(url, **LISTS) for url in urls]


def test_what_a_list_holds_is_part_of_the_identity_and_its_name_is_not(tmp_path: Path) -> None:
    for name, line in (("a", "one.com"), ("b", "two.com"), ("c", "one.com")):
        (tmp_path / name).write_text(line)
    a, b, c = (str(tmp_path / name) for name in "abc")
    assert UrlLists(domains=(a, b)).depends_on() == UrlLists(domains=(b, c)).depends_on()
    assert UrlLists(domains=(a,)).depends_on() != UrlLists(domains=(b,)).depends_on()
    assert UrlLists(domains=(a,)).depends_on() != UrlLists(urls=(a,)).depends_on()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "urls: needs a list; allowed: domains, urls, hard_words, soft_words, subwords"),
        ({"domains": ["nowhere"]}, "urls.domains: 'nowhere' does not exist; allowed: a text file, or a folder with"),
        ({"urls": ["FOLDER"]}, "has no file called urls; allowed: a text file, or a folder with files called urls or"),
        ({"words": ["x"]}, "step urls has no parameter 'words'; allowed: domains, urls, hard_words"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_is_allowed(
    tmp_path: Path, parameters: dict[str, list[str]], message: str
) -> None:
    (tmp_path / "domains").write_text("example.com")
    given = {name: [path.replace("FOLDER", str(tmp_path)) for path in paths] for name, paths in parameters.items()}
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        make_step({"urls": given})
    assert "\n" not in str(caught.value)


def test_public_suffixes_need_no_network(step: UrlLists, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a network was asked for")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    module._suffixes.cache_clear()
    assert measured(step, ["https://www.example.com/"])[0]["url.domain_listed"]
