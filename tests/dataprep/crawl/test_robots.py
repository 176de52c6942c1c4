"""robots.txt: real decisions, the canonicaliser's cases, and what failed fetches mean."""

import csv
import gzip
import tarfile
from pathlib import Path

import pytest

from dataprep.crawl.robots import MAX_BYTES, STALE_AGE, Robots, canonical, judge

URL = "http://site.example"


def read(body: bytes, token: str = "mybot") -> Robots:
    rules, delay = canonical(body, token)
    return Robots("rules", rules, delay)


def allows(body: bytes, path: str, token: str = "mybot") -> bool:
    return read(body, token).allows(URL + path)


def test_every_consensus_decision_about_real_files_is_ours(shared_data: Path) -> None:
    with tarfile.open(shared_data / "robots" / "protego-top10k-robotstxt.tar.xz") as archive:
        files = {m.name.rpartition("/")[2]: archive.extractfile(m).read() for m in archive if m.isfile()}  # type: ignore[union-attr]
    parsed: dict[tuple[str, str], Robots] = {}
    wrong = []
    with gzip.open(shared_data / "robots" / "decisions-consensus.tsv.gz", "rt", encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    for row in rows:
        key = row["file"], row["user_agent"]
        if key not in parsed:
            parsed[key] = read(files[key[0]], key[1])
        if parsed[key].allows(row["url"]) != (row["allowed"] == "1"):
            wrong.append(row)
    assert len(rows) > 18_000
    assert wrong == []


@pytest.mark.parametrize("token", ["ExampleCrawler", "Bingbot"])
def test_every_real_file_is_read_without_an_error(shared_data: Path, token: str) -> None:
    with tarfile.open(shared_data / "robots" / "protego-top10k-robotstxt.tar.xz") as archive:
        for member in archive:
            if member.isfile():
                body = archive.extractfile(member).read()  # type: ignore[union-attr]
                assert read(body, token).allows(URL + "/robots.txt")


def test_a_byte_order_mark_does_not_hide_the_first_group() -> None:
    assert not allows(b"\xef\xbb\xbfUser-agent: *\nDisallow: /private", "/private")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_utf_16_is_read_by_its_byte_order_mark(encoding: str) -> None:
    mark = b"" if encoding == "utf-16" else b"\xfe\xff"
    assert not allows(mark + "User-agent: *\nDisallow: /private".encode(encoding), "/private")


@pytest.mark.parametrize("value", ["mybot/1.0", "MyBot", "mybot (our crawler)", "mybot*"])
def test_the_product_token_is_compared_without_version_and_case(value: str) -> None:
    assert not allows(f"User-agent: {value}\nDisallow: /a\n".encode(), "/a")


@pytest.mark.parametrize("value", ["mybotter", "my", "bot", "notmybot"])
def test_another_product_token_is_not_ours(value: str) -> None:
    assert allows(f"User-agent: {value}\nDisallow: /a\n".encode(), "/a")


def test_a_word_behind_the_star_is_still_everybody() -> None:
    assert not allows(b"User-agent: * # all\nDisallow: /a\n", "/a")
    assert not allows(b"User-agent: * all\nDisallow: /a\n", "/a")


def test_a_crawl_delay_or_unknown_line_does_not_split_a_group() -> None:
    for line in (
        b"Crawl-delay: 3",
        b"Content-Signal: ai-train=no",
        b"Sitemap: https://site.example/s.xml",
        b"Foo: bar",
    ):
        body = b"User-agent: a\n" + line + b"\nUser-agent: mybot\nDisallow: /x\n"
        assert not allows(body, "/x")
        assert not allows(body, "/x", "a")


def test_a_rule_ends_the_run_of_user_agent_lines() -> None:
    body = b"User-agent: a\nDisallow: /a\nUser-agent: mybot\nDisallow: /m\n"
    assert allows(body, "/a")
    assert not allows(body, "/m")


def test_all_groups_naming_us_are_merged_and_the_star_group_is_then_silent() -> None:
    body = b"User-agent: mybot\nDisallow: /a\n\nUser-agent: *\nDisallow: /s\n\nUser-agent: MYBOT\nDisallow: /b\n"
    assert not allows(body, "/a")
    assert not allows(body, "/b")
    assert allows(body, "/s")


def test_an_empty_group_naming_us_allows_everything() -> None:
    assert allows(b"User-agent: mybot\nDisallow:\n\nUser-agent: *\nDisallow: /\n", "/a")


def test_only_cr_and_lf_end_a_line() -> None:
    for separator in ("\x0b", "\x0c", "\x85", "\u2028", "\x1c"):
        body = f"User-agent: *\nDisallow: /a{separator}Disallow: /b\n".encode()
        assert allows(body, "/b")
    for separator in ("\r", "\n", "\r\n"):
        assert not allows(f"User-agent: *{separator}Disallow: /b{separator}".encode(), "/b")


def test_a_file_is_read_up_to_500_kib_and_cut_at_a_whole_line() -> None:
    head = b"User-agent: *\nDisallow: /early\n"
    filler = b"#" + b"x" * 1022 + b"\n"
    body = head + filler * 499
    cut = body + b"#" * (MAX_BYTES - len(body) - 12) + b"\nDisallow: /late/but/cut\nDisallow: /after\n"
    assert not allows(cut, "/early")
    assert allows(cut, "/late")
    assert allows(cut, "/after")


def test_longest_match_wins_and_a_tie_allows() -> None:
    body = b"User-agent: *\nDisallow: /a\nAllow: /a/b\nDisallow: /tie\nAllow: /tie\n"
    assert not allows(body, "/a/c")
    assert allows(body, "/a/b/c")
    assert allows(body, "/tie")


def test_paths_are_compared_with_query_and_after_percent_normalisation() -> None:
    body = "User-agent: *\nDisallow: /search?q=\nDisallow: /%7Ejoe/\nDisallow: /a%2fb\nDisallow: /ü\n".encode()
    assert not allows(body, "/search?q=1")
    assert allows(body, "/search")
    assert not allows(body, "/~joe/x")
    assert not allows(body, "/a%2Fb")
    assert allows(body, "/a/b")
    assert not allows(body, "/%C3%BC")


@pytest.mark.parametrize("line", ["disalow: /a", "Dissallow: /a", "Disallow /a", " DISALLOW : /a"])
def test_common_typing_errors_are_understood(line: str) -> None:
    assert not allows(f"useragent: *\n{line}\n".encode(), "/a")


@pytest.mark.parametrize(
    ("line", "delay"),
    [
        ("Crawl-delay: 10", 10.0),
        ("Crawl-delay: 10s", 10.0),
        ("Crawl-delay: 0.5", 0.5),
        ("Crawl-delay: -1", None),
        ("Crawl-delay: inf", None),
        ("Crawl-delay: 3600", 3600.0),
        ("Request-rate: 1/30", 30.0),
        ("Request-rate: 2/1m", 30.0),
        ("Request-rate: 0/5", None),
    ],
)
def test_the_delay_asked_for_is_read_and_never_clipped(line: str, delay: float | None) -> None:
    assert read(f"User-agent: *\n{line}\nDisallow: /x\n".encode()).delay == delay


def test_a_delay_for_others_is_not_ours() -> None:
    assert read(b"User-agent: mybot\nDisallow: /x\n\nUser-agent: *\nCrawl-delay: 60\n").delay is None


def test_half_a_megabyte_of_spaces_is_read_at_once() -> None:
    assert allows(b"a" + b" " * MAX_BYTES, "/x")
    assert allows(b" " * MAX_BYTES, "/x")


def test_an_html_page_holds_no_rules() -> None:
    assert allows(b"<!DOCTYPE html><html><body>Disallowed? no</body></html>", "/")


NOW = 1_800_000_000.0
OLD = Robots("rules", "User-agent: *\nDisallow: /old\n", None, NOW - 5 * 86400, NOW - 4 * 86400)


def outcome(status: int | None, old: Robots | None = None, forbidden: str = "allow", now: float = NOW) -> Robots:
    return judge(status, b"User-agent: *\nDisallow: /new\n", "mybot", now, None, forbidden, old)


def test_a_missing_file_allows_everything() -> None:
    for status in (400, 401, 403, 404, 410, 451):
        assert outcome(status, OLD).allows(URL + "/old")


def test_403_forbids_when_the_recipe_is_cautious() -> None:
    assert not outcome(403, forbidden="disallow").allows(URL + "/a")
    assert outcome(404, forbidden="disallow").allows(URL + "/a")


@pytest.mark.parametrize("status", [429, 500, 503, 599, None])
def test_an_unreachable_file_forbids_everything(status: int | None) -> None:
    assert not outcome(status).allows(URL + "/anything")
    assert not outcome(status).allows(URL + "/robots.txt")


@pytest.mark.parametrize("status", [429, 503, None])
def test_a_copy_younger_than_30_days_is_used_while_the_file_is_unreachable(status: int | None) -> None:
    robots = outcome(status, OLD)
    assert not robots.allows(URL + "/old")
    assert robots.allows(URL + "/new")
    assert robots.fetched == OLD.fetched


def test_after_30_days_unreachable_there_is_no_file() -> None:
    first = outcome(503)
    assert not outcome(503, first, now=NOW + STALE_AGE - 1).allows(URL + "/a")
    assert outcome(503, first, now=NOW + STALE_AGE + 1).allows(URL + "/a")


def test_an_answer_is_kept_for_a_day_and_cache_control_only_shortens() -> None:
    body = b"User-agent: *\n"
    assert judge(200, body, "mybot", NOW, None, "allow", None).expires == NOW + 86400
    assert judge(200, body, "mybot", NOW, 10 * 86400, "allow", None).expires == NOW + 86400
    assert judge(200, body, "mybot", NOW, 3600, "allow", None).expires == NOW + 3600
