"""The links of pages, each with its text, as the page has them."""

from html import unescape
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataprep.html.links import FLAGS, KINDS, LONGEST_TEXT, LONGEST_URL, read_links


def rows(*pages: str) -> list[dict[str, Any]]:
    found = read_links(pa.array(pages, pa.large_string()))
    found.validate(full=True)
    return found.to_pylist()  # type: ignore[no-any-return]


def urls(page: str) -> list[tuple[str, str]]:
    return [(row["kind"], row["url"]) for row in rows(page)]


def test_each_kind_of_link_is_found_in_the_order_of_the_page() -> None:
    page = """<base href=b><base href=c><link rel=canonical href=1><link rel="ALTERNATE stylesheet" href=2>
    <link rel=next href=3><link rel=prev href=4><link rel=stylesheet href=no><meta http-equiv=refresh content=0;5>
    <meta http-equiv=x content=no><body><a href=6>t</a><a name=no></a><area href=7><iframe src=8></iframe><frame src=9>
    <img src=no><script src=no></script><form action=no></form><template><a href=no></template><a href=''>empty</a>"""
    kinds = ["base", "canonical", "alternate", "next", "prev", "refresh", "a", "area", "frame", "frame", "a"]
    assert urls(page) == list(zip(kinds, ["b", *"123456789", ""], strict=True))
    assert set(kinds) == set(KINDS) - {""}


def test_links_know_their_page() -> None:
    pages = ["<a href=1>", "", "no link", "<a href=2><a href=3>"]
    assert [(row["page"], row["url"]) for row in rows(*pages)] == [(0, "1"), (3, "2"), (3, "3")]


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<a href=x>plain</a> after", "plain"),
        ("before <a href=x> two\n <b>words</b>&amp; more </a> after", "two words& more"),
        ("<a href=x><h2>head</h2><p>text<br>line</p></a><p>after", "head text line"),
        ("<a href=x><img src=y></a>", ""),
        ("<p>same <a href=x>block</a> <a href=y>other</a>", "block"),
        ("<a href=x>" + "ä" * 400 + "</a>", "ä" * (LONGEST_TEXT // 2 - 1)),
        ("<a href=x>x<script>no</script></a>", "x"),
    ],
)
def test_the_text_of_a_link_is_what_is_inside_it(page: str, text: str) -> None:
    assert rows(page)[0]["text"] == text


@pytest.mark.parametrize(
    ("page", "flags"),
    [
        ("<a href=x rel=nofollow>", {"nofollow"}),
        ("<a href=x rel='UGC  sponsored noopener'>", {"ugc", "sponsored"}),
        ("<a href=x rel=noindex>", set()),
        ("<a href=x><meta name=ROBOTS content='noindex,nofollow'>", {"page_nofollow", "page_noindex"}),
        ("<meta name=robots content=none><a href=x>", {"page_nofollow", "page_noindex"}),
        ("<meta name=robots content='index, follow'><a href=x>", set()),
        ("<meta name=googlebot content=nofollow><link rel=nofollow><a href=x>", set()),
    ],
)
def test_what_the_page_asks_of_those_who_follow_is_a_column_each(page: str, flags: set[str]) -> None:
    row = rows(page, "<a href=x>")[0]
    assert {name for name in FLAGS if row[name]} == flags
    assert not any(rows(page, "<a href=x>")[-1][name] for name in FLAGS)


@pytest.mark.parametrize(
    ("content", "url"),
    [
        ("0;x", "x"),
        ("5; URL=x", "x"),
        (" 3.5 , url = 'x y'z", "x y"),
        ("5.0;x", "x"),
        (".5;x", "x"),
        ("0 x", "x"),
        ("0;url=&quot;x&quot;", "x"),
        ("0;urx", "urx"),
        ("0;url", "url"),
        ("5.1;x", None),
        ("6;x", None),
        ("99999999999999999999999;x", None),
        ("1.2.3;x", None),
        ("x", None),
        ("0", None),
        ("0;", None),
        ("", None),
    ],
)
def test_a_refresh_within_five_seconds_is_a_link(content: str, url: str | None) -> None:
    assert urls(f'<meta http-equiv=refresh content="{content}">') == ([("refresh", url)] if url else [])


def test_a_value_is_what_the_attribute_says_and_no_more() -> None:
    assert urls("<a href=a?b&amp;c&copy=1&#x2F;>") == [("a", "a?b&c&copy=1/")]
    assert urls("<a HREF=' two  words\n' href=second>") == [("a", " two  words\n")]
    assert urls("<a href='" + "x" * LONGEST_URL + "'>") == [("a", "x" * LONGEST_URL)]
    assert urls("<a href='" + "x" * (LONGEST_URL + 1) + "'>") == []


@pytest.mark.parametrize(
    "page",
    [
        "<a href=x>" * 100_000,
        "<p>" + "<a href=x>y</a> " * 50_000,
        "<a href=x><div>" * 50_000,
        "<a href='" + "&nGt;" * 1000 + "'>" * 100,
        "<meta name=robots content='" + "nofollow " * 100_000 + "'>",
        "<template>" * 50_000 + "<a href=x>",
        "<a href=x" * 100_000,
    ],
)
def test_hostile_pages_cost_no_more_than_their_length(page: str) -> None:
    rows(page)


PIECES = st.sampled_from(
    [
        "<a href=", "<a href='", "'>", ">", "</a>", "<link rel=next href=", "<meta http-equiv=refresh content='0;url=",
        "&nGt;", "&amp", "<base href=", "<p>", "<template>", "</template>", "<iframe src=x>", "\0", "é", "😀",
        '<area href="',
    ]
)  # fmt: skip


@settings(max_examples=300)
@given(pages=st.lists(st.lists(PIECES | st.text(max_size=6), max_size=16).map("".join), max_size=4))
def test_links_do_not_depend_on_the_pages_beside_them(pages: list[str]) -> None:
    pages = [page.encode("utf-8", "replace").decode() for page in pages]
    alone = [{**row, "page": number} for number, page in enumerate(pages) for row in rows(page)]
    assert rows(*pages) == alone


@given(st.text(st.characters(exclude_characters="'", exclude_categories=["Cs", "Cc"]), max_size=40))
def test_a_url_is_read_as_html_says(value: str) -> None:
    expected = unescape(value)
    if "&" not in value or value.count("&") == value.count("&amp;"):
        assert urls(f"<a href='{value}'>") == [("a", expected)]
