"""The report is one file that a browser can be trusted with, and a function of the run's files alone."""

import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

from dataprep.report.exhibits import document
from dataprep.report.html import render, write_report
from dataprep.report.inspect import any_of, find
from dataprep.report.layout import MANIFEST
from tests.dataprep.report.conftest import REASONS, MadeRun

FETCHING = {"src", "href", "srcset", "data", "action", "poster", "background", "xlink:href", "formaction", "ping"}
ELEMENTS = {
    "html",
    "head",
    "meta",
    "title",
    "style",
    "body",
    "main",
    "header",
    "footer",
    "section",
    "h1",
    "h2",
    "h3",
    "h4",
    "p",
    "div",
    "span",
    "b",
    "i",
    "small",
    "code",
    "br",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "details",
    "summary",
    "svg",
    "g",
    "rect",
}
VOID = {"meta", "br", "rect"}


class Page(HTMLParser):
    """Elements with their attributes, the text outside the style sheet, and whether tags are balanced."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data


def test_hostile_text_stays_text(run: MadeRun) -> None:
    text = render(run.out)
    page = Page(text)
    assert page.open == []
    assert {tag for tag, _ in page.elements} <= ELEMENTS
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
    for words in (
        "<script>alert(2)</script>",
        "<script>alert(3)</script>",
        "a <test> recipe",
        "https://example.org/<one>",
    ):
        assert words in page.text
    assert not {character for character in text if ord(character) < 0x20 and character != "\n"}
    assert "\u202e" not in text


def test_a_page_that_attacks_is_shown_as_the_text_it_is(run: MadeRun) -> None:
    (one,) = find(run.out, "clean", "kept", any_of([bytes.fromhex(run.ids["hostile"][0])]))
    page = Page(document(one))
    assert "</script><script>alert(1)</script> <img src=x onerror=alert(1)> & \"quoted\" 'text'" in page.text
    assert "␛[31mred␇ ⟨202E⟩right to left⟨202C⟩ ␀ مرحبا بالعالم" in page.text
    assert {"dir": "auto", "class": "text"} in [attributes for _, attributes in page.elements]


def test_the_report_fetches_nothing(run: MadeRun) -> None:
    text = render(run.out)
    assert not {name for _, attributes in Page(text).elements for name in attributes} & FETCHING
    style = text[text.index("<style>") : text.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    assert "default-src 'none'" in text


def test_the_same_run_gives_the_same_bytes_wherever_it_lies(run: MadeRun, tmp_path: Path) -> None:
    shutil.copytree(run.out, tmp_path / "copy")
    first = Path(write_report(str(tmp_path / "copy"))).read_bytes()
    assert first == Path(write_report(str(tmp_path / "copy"))).read_bytes()
    assert first.decode() == render(run.out)


def test_the_report_names_every_reason_and_every_figure_of_the_funnel(run: MadeRun) -> None:
    text = Page(render(run.out)).text
    for reason in (*REASONS, "not_html", "no_text", "truncated", "too_deep", "exact_duplicate", "near_duplicate"):
        assert reason in text
    for figures in ("200 of 206 kept (97.1%) · 4 removed · 2 quarantined", "160 of 200 kept (80.0%) · 40 removed"):
        assert figures in text
    for title in (
        "Document length",
        "Languages",
        "Sources",
        "Signals",
        "Duplicates",
        "Quarantine",
        "Shards",
        "Time and space",
    ):
        assert title in text


def test_a_half_finished_run_has_a_report_that_says_so(new_run: Callable[..., MadeRun]) -> None:
    run = new_run(until="clean")
    Path(run.out, "clean", MANIFEST).unlink()
    text = Page(render(run.out)).text
    assert "This run is not complete. clean: not finished; unique, tokenizer, shards: not begun." in text
    assert "160 of 200 kept" in text


def test_a_run_without_any_document_has_a_report(tmp_path: Path) -> None:
    (tmp_path / "documents" / "_work").mkdir(parents=True)
    (tmp_path / "documents" / "_running.json").write_text("{}")
    assert "No document has come through yet." in Page(render(str(tmp_path))).text


def test_a_damaged_shard_manifest_hides_nothing_else(new_run: Callable[..., MadeRun]) -> None:
    run = new_run()
    Path(run.out, "shards", "manifest.json").write_text("{")
    text = Page(render(run.out)).text
    assert "shards/manifest.json: damaged, not a manifest" in text
    assert "near_duplicate" in text
