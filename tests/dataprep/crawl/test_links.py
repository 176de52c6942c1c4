"""Which links a page has."""

import pytest

from dataprep.crawl.links import MAX_TAGS, extract_links

PAGE = "http://a.example/dir/page.html"


def links(html: str, headers: list[str] | None = None) -> list[str]:
    return extract_links(html.encode(), "text/html", PAGE, headers or [])[0]


def test_every_place_a_reader_could_follow_gives_a_link_in_order_and_once() -> None:
    html = """<html><head><link rel=canonical href="/canon"><link rel="alternate" hreflang=de href="de.html">
      <link rel=stylesheet href=style.css><meta http-equiv=Refresh content="3; url='soon.html'"></head><body>
      <a href="one.html#part">1</a><a href=" two.html ">2</a><a href="one.html">again</a><a name=x>no</a>
      <map><area href=area.html></map><iframe src=frame.html></iframe><a href="page.html#self">self</a>
      <a href="javascript:x()">no</a><form action=form.html></form><img src=i.png><script src=s.js></script></body>"""
    assert links(html, ['<next.html>; rel="next", <s.css>; rel=stylesheet']) == [
        "http://a.example/dir/next.html",
        "http://a.example/canon",
        "http://a.example/dir/de.html",
        "http://a.example/dir/soon.html",
        "http://a.example/dir/one.html",
        "http://a.example/dir/two.html",
        "http://a.example/dir/area.html",
        "http://a.example/dir/frame.html",
    ]


def test_the_first_base_resolves_links_even_when_relative() -> None:
    assert links('<base href="../other/"><base href="/no/"><a href=x>x</a>') == ["http://a.example/other/x"]
    assert links('<a href=x>x</a><base href="mailto:x">') == ["http://a.example/dir/x"]


def test_a_slow_refresh_is_not_a_link() -> None:
    assert links('<meta http-equiv=refresh content="600; url=x">') == []
    assert links('<meta http-equiv=refresh content="0;x">') == ["http://a.example/dir/x"]
    assert links('<meta http-equiv=refresh content="1.2.3;x">') == []


@pytest.mark.parametrize(
    "html",
    [
        "<div>" * 100_000,
        "<div></x>" * 100_000,
        "<a " + " ".join(f'x{i}=">"' for i in range(100_000)) + ">",
        "<a '" * 100_000,
        "<!--" * 200_000,
        "<a x= " * 200_000,
        "<" * 200_000,
        "<a href=y>" * 100_000,
        "",
    ],
)
def test_no_page_is_too_deep_or_too_wide_to_be_read(html: str) -> None:
    found, whole = extract_links(b"<a href=x></a>" + html.encode(), "text/html", PAGE, ["<z>; rel=canonical"])
    assert whole
    assert found[:2] == ["http://a.example/dir/z", "http://a.example/dir/x"]


def test_of_a_page_with_too_many_tags_the_first_are_read() -> None:
    body = b"<a href=x>" + b"<b>" * (MAX_TAGS - 1) + b"<a href=lost>"
    assert extract_links(body, "", PAGE, []) == (["http://a.example/dir/x"], False)
    assert extract_links(body.replace(b"<b>", b"", 1), "", PAGE, [])[1]


def test_a_page_is_decoded_as_its_header_or_itself_says() -> None:
    for body, content_type in (
        ("<a href=ü>".encode("utf-16"), "text/html"),
        ("<a href=ü>".encode("latin-1"), "text/html; charset=latin-1"),
        (b"<meta charset=latin-1><a href=\xfc>", "text/html"),
        ("<a href=ü>".encode(), "text/html; charset=no-such"),
    ):
        assert extract_links(body, content_type, PAGE, [])[0] == ["http://a.example/dir/%C3%BC"]
    assert extract_links(b"", "", PAGE, []) == ([], True)
