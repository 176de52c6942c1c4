"""What a page says about itself is found where it says so, the most believed source first."""

import json
from datetime import datetime

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataprep.html.metadata.choose import LIMITS
from dataprep.html.metadata.fields import COLUMNS
from dataprep.html.pages import PAGES, extract_pages
from dataprep.html.settings import ExtractSettings


def fields(page: str | bytes, url: str = "", date: datetime | None = None) -> dict[str, str | None]:
    text = page if isinstance(page, str) else page.decode()
    return read([text], url, date)[0]


def read(pages: list[str], url: str = "", date: datetime | None = None) -> list[dict[str, str | None]]:
    rows = [{"payload": page.encode(), "charset": "utf-8", "url": url, "date": date} for page in pages]
    found = extract_pages(pa.RecordBatch.from_pylist(rows, schema=PAGES), ExtractSettings()).select(COLUMNS)
    found.validate(full=True)
    rows_found: list[dict[str, str | None]] = found.to_pylist()
    return rows_found


def ld(*objects: object) -> str:
    return "".join(f'<script type="application/ld+json">{json.dumps(thing)}</script>' for thing in objects)


def test_a_page_that_says_nothing_has_no_fields() -> None:
    for page in ("", "text", "<html><p>text", "\0" * 10, "<title></title><h1></h1><meta name=author>"):
        assert set(fields(page).values()) == {None}


@pytest.mark.parametrize(
    ("page", "title"),
    [
        ("<title>Only this</title>", "Only this"),
        ("<title> Two\n words&nbsp;&amp; more </title>", "Two words & more"),
        ("<title>Story | Some Paper</title>", "Story"),
        ("<title>Story - Part 2 - Some Paper</title>", "Story - Part 2"),
        ("<title>Story</title><h1>Some Paper</h1>", "Story"),
        ("<title>Story of a day - Some Paper</title><h1>Story <i>of</i> a day</h1>", "Story of a day"),
        ("<title>Storyline</title><h1>Story</h1>", "Storyline"),
        ("<meta property=og:title content='Apple unveils a new phone'><h1>Apple</h1>", "Apple unveils a new phone"),
        ("<meta property=og:title content='Spider-Man returns'><h1>Spider</h1>", "Spider-Man returns"),
        ("<meta property=og:title content='Apple’s new phone'><h1>Apple</h1>", "Apple’s new phone"),
        ("<meta property=og:title content='Apple – a new phone'><h1>Apple</h1>", "Apple"),
        (
            "<meta property=og:title content='A whole headline, with Paper'><h1>A whole headline</h1>",
            "A whole headline",
        ),
        ("<h1>Some heading</h1>", "Some heading"),
        ("<meta property=og:title content='From &quot;og&quot;'><title>From title</title>", 'From "og"'),
        ("<meta name=DC.Title content='Dublin'><title>From title</title>", "Dublin"),
        ("<meta property=og:title content=''><title>From title</title>", "From title"),
        ("<meta property=og:title content='Me &amp;amp; you &amp;#8217;'>", "Me & you ’"),
        ("<meta property=og:title content='A <em>fine</em> day, 1 < 2'>", "A fine day, 1 < 2"),
        ("<meta property=og:site_name content=Paper><meta property=og:title content='Story: Paper'>", "Story: Paper"),
        ("<meta property=og:site_name content=Paper><meta property=og:title content='Story - paper!'>", "Story"),
        ("<meta property=og:site_name content=Paper><meta property=og:title content='Paper | Story'>", "Story"),
        ("<meta property=og:site_name content=Paper><title>Paper – Story</title><h1>Paper</h1>", "Story"),
        (ld({"@type": "Article", "headline": "Head"}) + "<meta property=og:title content=Og>", "Head"),
        (ld({"@type": "WebPage", "name": "Page"}) + "<meta property=og:title content=Og>", "Og"),
        (ld({"@type": "WebPage", "name": "Page"}) + "<title>Title</title>", "Page"),
        ("<meta property=og:title content=First><meta property=og:title content=Second>", "First"),
        ("<title>" + "ä" * 300 + "</title>", "ä" * 250),
        ("<svg><title>Icon</title></svg><h1>Heading</h1>", "Heading"),
        ("<h1>soft&shy;hyphen soft\xadhyphen</h1>", "softhyphen softhyphen"),
    ],
)
def test_the_title_comes_from_the_best_source_without_the_sites_name(page: str, title: str) -> None:
    assert fields(page)["title"] == title


@pytest.mark.parametrize(
    ("page", "author"),
    [
        (ld({"@type": "Article", "author": "Ann Lee"}), "Ann Lee"),
        (ld({"@type": "Article", "author": {"@type": "Person", "name": "Ann Lee"}}), "Ann Lee"),
        (ld({"@type": "Article", "author": [{"name": "Ann Lee"}, "Bo Ek", {"name": "Ann Lee"}]}), "Ann Lee; Bo Ek"),
        (ld({"@type": "Article", "author": {"@type": "Organization", "name": "Paper"}}), None),
        (ld({"@type": "WebPage", "author": "Bo Ek"}, {"@type": "Article", "author": "Ann Lee"}), "Ann Lee"),
        (
            ld({"@graph": [{"@type": "Article", "author": {"@id": "#a"}}, {"@id": "#a", "name": "Ann Lee"}]}),
            "Ann Lee",
        ),
        (ld({"@type": "Article", "comment": {"@type": "Comment", "author": "Troll"}, "author": "Ann Lee"}), "Ann Lee"),
        ("<meta name=author content='Ann Lee'>", "Ann Lee"),
        (
            "<meta name=citation_author content='Lee, Ann'><meta name=citation_author content='Ek, Bo'>",
            "Lee, Ann; Ek, Bo",
        ),
        ("<meta property=article:author content='https://www.facebook.com/ann'>", None),
        ("<meta name=author content=paper.example><meta name=author content=admin>", None),
        ("<meta property=og:site_name content=Paper><meta name=author content=Paper>", "Paper"),
        (
            "<meta property=og:site_name content=Paper><meta name=author content=Paper><p class=byline>By Ann Lee</p>",
            "Ann Lee",
        ),
        ("<p class=byline>By Ann Lee</p>", "Ann Lee"),
        ("<p class=byline>Posted by <a rel=author href=/a>Ann Lee</a> on 3 May 2020</p>", "Ann Lee"),
        ("<p class=author>Veröffentlicht von Ann Lee am 3. Mai 2020 | Politik</p>", "Ann Lee"),
        ("<span itemprop=author>Text: Ann Lee</span>", "Ann Lee"),
        ("<p class=byline>Von Ann Lee und Bo Ek</p>", "Ann Lee; Bo Ek"),
        ("<p class=byline>By Ann Lee, Bo Ek & Cy Ott</p>", "Ann Lee"),
        ("<p class=byline>By Ann and Bo Ek</p>", "Ann and Bo Ek"),
        ("<table><tr><td class=author>Orwell</td><td>1984</td></table>", None),
        ("<p>As <i class=author>Bo Ek</i> wrote" + " and wrote" * 20 + "</p>", None),
        ("<p>x</p>" * 9 + "<div class=related><p class=author>Bo Ek</p></div>", None),
        ("<div class=author>Ann Lee writes about the sea and all the ships that are on it.</div>", None),
        ("<p>x</p>" * 9 + "<div id=comments><p class=author>Troll</p></div>", None),
        ("<p class=author>" + "Ann " * 100 + "</p>", None),
    ],
)
def test_the_author_is_who_signed_the_page(page: str, author: str | None) -> None:
    assert fields(page)["author"] == author


@pytest.mark.parametrize(
    ("page", "published"),
    [
        ("<meta property=article:published_time content='2019-02-08T10:30:05+01:00'>", "2019-02-08T10:30:05+01:00"),
        ("<meta itemprop=datePublished content='2019-02-08'>", "2019-02-08"),
        (ld({"@type": "NewsArticle", "datePublished": "2019-02-08T10:30Z"}), "2019-02-08T10:30:00Z"),
        (ld({"@type": "VideoObject", "uploadDate": "2019-02-08"}), "2019-02-08"),
        ("<meta name=date content=nonsense><time datetime=2019-02-08>last week</time>", "2019-02-08"),
        ("<time>8. Februar 2019</time>", "2019-02-08"),
        ("<time pubdate datetime='2019-02-08 10:30'>", "2019-02-08T10:30:00"),
        ("<link rel=canonical href=https://a.example/2019/02/08/x>", "2019-02-08"),
        ("<span class=post-date>Feb 8th, 2019</span>", "2019-02-08"),
        ("<h1>Story</h1><p>8 Feb 2019</p>", "2019-02-08"),
        ("<p>8 Feb 2019</p><h1>Story</h1><p>nothing</p>", "2019-02-08"),
        ("<h1>Python</h1><p>Linux-6.18.24-fc-v669</p>", None),
        ("<h1>Ann Lee</h1><p>(born 4 May 1995)</p>", None),
        ("<h1>The battle</h1><p>1 July 1916</p>", None),
        ("<h1>Ann Lee</h1><p>Ann Lee was born 4 May 1995.</p>", None),
        ("<h1>Story</h1><p>By Ann Lee and Bo Ek, 8 Feb 2019</p>", "2019-02-08"),
        ("<p>x</p>" * 9 + "<ul class=related-posts><li><time datetime=2019-02-08></time></ul>", None),
        ("<meta name=date content=2099-01-01>", None),
        ("<h1>Story</h1><p>It began, as all remember, long before the 8 Feb 2019 and went on " + "x" * 99, None),
        ("<h1>Story</h1><p><a href=/x>Another story, from the 8 Feb 2019 and before</a></p>", None),
        ("<p>x</p>" * 9 + "<div id=comments><time datetime=2019-02-08></time></div>", None),
        ("<html lang=en><span class=date>2/8/2019</span>", "2019-02-08"),
        ("<html lang=en-GB><span class=date>8/2/2019</span>", "2019-02-08"),
        ("<html lang=de><span class=date>8/2/2019</span>", "2019-02-08"),
    ],
)
def test_the_date_is_when_the_page_says_it_was_published(page: str, published: str | None) -> None:
    assert fields(page)["published"] == published


def test_a_date_in_the_address_is_the_publishers_own() -> None:
    page = "<meta property=article:published_time content=2019-02-09T01:00:00Z>"
    assert fields(page, "https://a.example/2019/02/08/story")["published"] == "2019-02-08"
    for path in ("12345678/story", "item?id=20121130", "p/19991231-shoe"):
        assert fields(page, f"https://a.example/{path}")["published"] == "2019-02-09T01:00:00Z"
    assert fields("", "https://a.example/20190208-story")["published"] == "2019-02-08"


def test_nothing_is_published_after_it_was_fetched() -> None:
    page = "<meta property=article:published_time content=2019-02-09><time>8.2.2019</time>"
    fetched = datetime(2019, 2, 7, 23)
    assert fields(page)["published"] == "2019-02-09"
    assert fields(page, date=fetched)["published"] == "2019-02-08"  # where it is tomorrow already
    assert fields(page, "https://a.example/2019/02/09/", datetime(2019, 2, 6))["published"] is None
    assert fields(page, date=datetime(1970, 1, 1))["published"] == "2019-02-09"
    assert fields(page, date=datetime(9999, 12, 31))["published"] == "2019-02-09"


@pytest.mark.parametrize(
    ("page", "language"),
    [
        ("<html lang=de>", "de"),
        ("<html lang=DE_at>", "de-AT"),
        ("<html xml:lang=zh-hant-tw>", "zh-Hant-TW"),
        ("<html lang='{{lang}}'><meta http-equiv=Content-Language content='fr, en'>", "fr"),
        ("<meta property=og:locale content=pt_BR>", "pt-BR"),
        (ld({"@type": "Article", "inLanguage": "sv"}) + "<meta property=og:locale content=en_US>", "sv"),
        ("<html lang=english>", None),
        ("<html lang=en->", "en"),
        ("<html lang=12>", None),
    ],
)
def test_the_language_is_a_tag_in_its_usual_case(page: str, language: str | None) -> None:
    assert fields(page)["language"] == language


@pytest.mark.parametrize(
    ("page", "url", "canonical"),
    [
        ("<link rel=canonical href=https://a.example/x?a=1&amp;b=2>", "", "https://a.example/x?a=1&b=2"),
        ("<link rel=canonical href=/x>", "http://a.example/d/y", "http://a.example/x"),
        ("<base href=//b.example/q/><link rel=canonical href=x>", "http://a.example/d/y", "http://b.example/q/x"),
        ("<link rel=canonical href=/x>", "", None),
        ("<link rel=canonical href=javascript:x>", "http://a.example/", None),
        ("<meta property=og:url content=https://a.example/o>", "", "https://a.example/o"),
        ("<link rel=canonical href=''><meta property=og:url content=https://a.example/o>", "", "https://a.example/o"),
        ("<link rel=alternate href=/x>", "http://a.example/", None),
    ],
)
def test_the_canonical_address_is_absolute(page: str, url: str, canonical: str | None) -> None:
    assert fields(page, url)["canonical"] == canonical


def test_types_say_what_kind_of_page_it_is() -> None:
    found = fields(ld({"@type": "WebSite"}, {"@type": ["Thing", "Recipe"]}))
    assert found["json_ld_type"] == "Recipe"
    assert (
        fields(ld({"@type": "http://schema.org/WebPage", "mainEntity": {"@type": "Product"}}))["json_ld_type"]
        == "Product"
    )


def test_only_what_is_about_the_page_is_read_from_json_ld() -> None:
    page = ld({"@type": "ItemList", "itemListElement": [{"item": {"@type": "Article", "headline": "Another"}}]})
    assert fields(page)["title"] is None
    page = ld({"@type": "Article", "isPartOf": {"@type": "Article", "headline": "Series"}, "headline": "Story"})
    assert fields(page)["title"] == "Story"


@pytest.mark.parametrize(
    "text",
    [
        '<!-- {"@type":"Article","headline":"A b"} -->',
        '//<![CDATA[\n{"@type":"Article","headline":"A b",}\n//]]>',
        '{"@type":"Article",\n"headline":"A\n\tb"',
        '{"headline":"A b","@type":"Article"};',
        '[[{"@type":"Article","headline":"A b"}],]]]}}',
        '{"x":{"y":[1,true,null,{"z":"\\"}"}]},"@type":"Article","headline":"A b"}',
        '{"@type":"Article","headline":"A b","text":"never ends',
        '{"@TYPE" : "article" , "Headline" : "A\\u0020b"}',
        '{\'note\': \'single\', "@type":"Article","headline":"A b"}',
    ],
)
def test_broken_json_is_read_as_far_as_it_goes(text: str) -> None:
    assert fields(f"<script type='application/ld+json; charset=utf-8'>{text}</script>")["title"] == "A b"


def test_quotes_that_nobody_escaped_do_not_end_a_string() -> None:
    page = '<script type=application/ld+json>{"@type":"Article","headline":"He said "no" again","author":"Ann Lee"}'
    assert fields(page)["title"] == 'He said "no" again'
    assert fields(page)["author"] == "Ann Lee"


@pytest.mark.parametrize(
    ("escaped", "text"),
    [
        ("\\u00e9\\ud83d\\ude00", "é😀"),
        ("a\\ud83d", "a�"),
        ("a\\ude00b", "a�b"),
        ("a\\ud83d\\u0041", "a�A"),
        ('\\"\\\\\\/\\n\\t.', '"\\/ .'),
        ("a\\u12", "a 12"),
        ("a\\ä", "a ä"),
        ("a &amp; \\u0026amp; b", "a & & b"),
        ("<b>a</b> \\u003Cb", "a <b"),
    ],
)
def test_escapes_of_json_are_undone(escaped: str, text: str) -> None:
    page = f'<script type=application/ld+json>{{"@type":"Article","headline":"{escaped}"}}</script>'
    assert fields(page)["title"] == text


@pytest.mark.parametrize(
    "page",
    [
        "[" * 1_000_000,
        '{"a":' * 200_000,
        '"' * 1_000_000,
        '{"' + "x" * 1_000_000,
        '{"a":"' + '"   ' * 250_000,
        "\\" * 1_000_000,
        '{"author":[' + '"Ann Lee",' * 100_000,
        '{"@graph":[' + '{"@type":"Article","author":{"@id":"#x"}},' * 20_000,
    ],
)
def test_hostile_json_ld_costs_no_more_than_its_length(page: str) -> None:
    fields("<script type=application/ld+json>" + page)


@pytest.mark.parametrize(
    "page",
    [
        "<h1>" * 100_000,
        "<meta property=og:title content=x>" * 50_000,
        "<a rel=author>" * 100_000,
        "<div class=author>" * 100_000,
        "<p class=date>8" * 100_000,
        "<title>" + "| " * 500_000,
        "<title>" + "<a" * 500_000,
        "<h1>x" + "<p>1.1.2" * 100_000,
    ],
)
def test_hostile_pages_cost_no_more_than_their_length(page: str) -> None:
    fields(page)


PIECES = st.sampled_from(
    [
        "<script type=application/ld+json>", "</script>", '{"@type":"Article","headline":"', '","author":[{"name":"',
        '"}', "\\ud83d", "\\", '"', "<title>", "</title>", "<h1>", "</h1>", "<meta name=author content='", "'>", ">",
        "<html lang=", "<p class='byline date'>", "by ", " 8 Feb 2019 10:30", "&amp;", "&#8217;", "<time datetime=",
        "<link rel=canonical href=", "2019-02-08T10:30+0100", " | ", "<base href=", "http://a.example/2019/02/08/",
        "\xad", "\xa0", "é" * 130, "😀",
    ]
)  # fmt: skip


@settings(max_examples=300)
@given(pages=st.lists(st.lists(PIECES | st.text(max_size=8), max_size=24).map("".join), min_size=1, max_size=4))
def test_any_page_gives_valid_text_within_its_limits_whatever_is_beside_it(pages: list[str]) -> None:
    pages = [page.encode("utf-8", "replace").decode() for page in pages]
    together = read(pages)
    assert together == [fields(page) for page in pages]
    for name, limit in zip(COLUMNS, LIMITS, strict=False):
        for text in (one[name] for one in together):
            assert text is None or (text == text.strip(" \n\t") and len(text.encode()) <= limit)
