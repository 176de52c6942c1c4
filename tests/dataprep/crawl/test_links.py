"""Which links a page has, and which pages are not given to the parser."""

import signal
import threading

import pytest

from dataprep.crawl import linkchild
from dataprep.crawl.linkchild import LinkReader
from dataprep.crawl.links import MAX_ATTRIBUTES, MAX_DEPTH, MAX_HTML, decode_html, extract_links, hazard

PAGE = "http://a.example/dir/page.html"


def links(html: str, headers: list[str] | None = None) -> list[str]:
    return extract_links(html, PAGE, headers or [])[0]


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


def test_a_slow_refresh_is_not_a_link() -> None:
    assert links('<meta http-equiv=refresh content="600; url=x">') == []
    assert links('<meta http-equiv=refresh content="0;x">') == ["http://a.example/dir/x"]
    assert links('<meta http-equiv=refresh content="1.2.3;x">') == []


@pytest.mark.parametrize(
    ("html", "reason"),
    [
        ("<div>" * (MAX_DEPTH + 1), "depth"),
        ("<div></x>" * (MAX_DEPTH + 1), "depth"),
        ("<div><!-- </div> -->" * (MAX_DEPTH + 1), "depth"),
        ("<a " + " ".join(f"x{i}" for i in range(MAX_ATTRIBUTES + 1)) + ">", "attributes"),
        ("<a " + " ".join(f'x{i}=">"' for i in range(MAX_ATTRIBUTES + 1)) + ">", "attributes"),
        ("x" * (MAX_HTML + 1), "size"),
        ("<div></div>" * (2 * MAX_DEPTH), None),
        ("<p>" * (2 * MAX_DEPTH), None),
        ("<td><br>" * (2 * MAX_DEPTH), None),
        ("<a href='" + "x " * MAX_ATTRIBUTES * 2 + "'>", None),
        ("<a '" * 100_000, "attributes"),
        ("<!--" * 300_000, None),
        ("<a x= " * 300_000, "attributes"),
        ("<" * 1_000_000, None),
    ],
)
def test_the_guard_knows_pages_that_would_hold_up_the_parser(html: str, reason: str | None) -> None:
    assert hazard(html) == reason


def test_a_page_behind_the_guard_still_has_its_header_links() -> None:
    assert links("<div>" * 100_000 + "<a href=x>", ["<y>; rel=canonical"]) == ["http://a.example/dir/y"]


def test_text_is_decoded_by_mark_then_header_then_meta() -> None:
    assert decode_html("ü".encode("utf-16"), "text/html; charset=latin-1") == "ü"
    assert decode_html("ü".encode("latin-1"), "text/html; charset=latin-1") == "ü"
    assert decode_html(b'<meta charset="latin-1">\xfc', "text/html").endswith("ü")
    assert decode_html("ü".encode(), "text/html; charset=no-such") == "ü"


def test_the_child_gives_the_same_links_and_survives_hostile_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    good, hostile = b"<a href=x>", b"<a href=y></a>" * 100_000
    with LinkReader() as reader:
        assert reader.links(PAGE, "text/html", [], good) == (["http://a.example/dir/x"], None)
        assert reader.links(PAGE, "text/html", [], b"<div>" * 300_000) == ([], "depth")
    monkeypatch.setattr(linkchild, "PAGE_SECONDS", 0.05)
    with LinkReader() as reader:
        assert reader.links(PAGE, "text/html", [], hostile) == ([], "time_limit")
        assert reader.links(PAGE, "text/html", [], good) == (["http://a.example/dir/x"], None)
        assert reader._child is not None
        reader._child.terminate()
        reader._child.wait()
        assert reader.links(PAGE, "text/html", [], good) == ([], "crash")


def test_the_limit_of_a_page_is_cpu_time_and_not_the_time_of_a_busy_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linkchild, "PAGE_SECONDS", 0.3)
    with LinkReader() as reader:
        reader.links(PAGE, "text/html", [], b"")
        assert reader._child is not None
        reader._child.send_signal(signal.SIGSTOP)
        threading.Timer(0.6, reader._child.send_signal, [signal.SIGCONT]).start()
        assert reader.links(PAGE, "text/html", [], b"<a href=x>") == (["http://a.example/dir/x"], None)
