"""Any page is rendered: nothing is lost, nothing else appears, and never more than there is room for."""

import os
import re
import subprocess
import sys
import tarfile
from html import unescape
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataprep.html.dom.records import TEXT
from tests.dataprep.html.rendering import rendered, scanned, text

BLANK = "[ \t\n\v\f\r\xa0\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+"
LEFT_OUT = "[\x00-\x08\x0e-\x1f\x7f\xad\u200b\u2060\ufeff\ue000-\uf8ff]"

TAGS = [
    *("a", "article", "b", "blockquote", "br", "caption", "code", "dd", "dl", "dt", "div", "em", "h1", "h3", "hr", "i"),
    *("li", "math", "ol", "p", "pre", "q", "rt", "ruby", "section", "span", "sub", "sup", "table", "tbody", "td", "th"),
    *("tr", "ul", "mfenced", "mfrac", "mi", "mroot", "msqrt", "msup", "msubsup", "mtable", "mtext", "mtr"),
]
PIECES = st.one_of(
    st.sampled_from([f"<{tag}>" for tag in TAGS]),
    st.sampled_from([f"</{tag}>" for tag in TAGS]),
    st.sampled_from(["<td colspan=3>", "<td rowspan=2>", "<td rowspan=0 colspan=99>", "<tr><td>", "<dt>c<dd>"]),
    st.sampled_from(["<a href=/1>", "<a href=#>", "<ol start=-7>", "<li value=123456789012>", "<sup>2</sup>"]),
    st.sampled_from(
        [" ", "\n", "  \n\t", "\xa0", "&nbsp;", "`", "```", "**", "_", "1.", "-", "|", "&nGt;", "&#10;", "[", "]"]
    ),
    st.text("cdfgh", min_size=1, max_size=3),
    st.text(st.characters(codec="utf-8", exclude_characters="<abcdefghijklmnopqrstuvwxyz"), max_size=3),
)


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="<")), st.lists(st.sampled_from(["&amp", "&nbsp;", "&#"]))
)
def test_text_is_as_python_reads_it(source, references):
    source = source + "".join(f"{reference}{source[:2]}" for reference in references)
    expected = re.sub(BLANK, " ", re.sub(LEFT_OUT, "", unescape(source))).strip(" ")
    assert text(f"<p>{source}</p>") == expected


def check(b, dom, found, preformatted):
    assert found == found.strip("\n").rstrip(" \t")
    assert not re.search(r"[ \t]\n", found)
    if not preformatted:
        assert "\n\n\n" not in found
    segments = dom.segments[: dom.counts[1]]
    source = b"".join(b[one["start"] : one["end"]].tobytes() for one in segments[segments["kind"] == TEXT])
    letters = re.sub("[^cdfgh]", "", unescape(source.decode()))
    found = re.sub(r"\\(frac|sqrt|text|mathrm|begin|end|backslash|hat)\b", "", found)
    assert re.sub("[^cdfgh]", "", found) == letters


@given(st.lists(PIECES, max_size=40).map("".join))
def test_nothing_is_lost_and_nothing_is_out_of_place(html):
    b, dom = scanned(html)
    for markdown in (False, True):
        check(b, dom, rendered(b, dom, markdown).decode(), "<pre" in html)


MUTATED = """
import random, sys, warnings
warnings.simplefilter("ignore", RuntimeWarning)  # hashes overflow
from tests.dataprep.html.rendering import rendered, scanned
pages = [open(path, "rb").read() for path in sys.argv[1:]]
chance = random.Random(7)
for _ in range(150):
    page = bytearray(chance.choice(pages))
    start = chance.randrange(len(page))
    page = page[start : start + 700]
    for _ in range(chance.randrange(12)):
        i, j = (chance.randrange(len(page) + 1) for _ in range(2))
        if chance.random() < 0.3:
            del page[i : i + 20]
        elif chance.random() < 0.5:
            page[i:i] = page[j : j + 100]
        else:
            page[i:i] = chance.choice(b"<pre> </td> <li> <sup> <table><tr><td> <ol> &#10; < `".split())
    b, dom = scanned(bytes(page))
    dom.blocks["verdict"][: dom.counts[2]] = [chance.random() < 0.2 for _ in range(dom.counts[2])]
    for markdown in (False, True):
        rendered(b, dom, markdown, at=chance.randrange(3))
"""


def test_no_index_is_out_of_bounds_on_mutated_pages(tmp_path):
    """Without compiling, so that numpy checks each."""
    source = Path(__file__).with_name("test_render.py")
    run = subprocess.run(
        [sys.executable, "-c", MUTATED, str(source)],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize(
    "opening", ["<div>", "<ul><li>", "<table><tr><td>", "<blockquote>", "<q>", "<sup>", "<b><i>", "<a href=/1>"]
)
def test_hostile_nesting_takes_no_more_room_than_it_deserves(opening):
    html = opening * 20_000 + "<p>x" * 20_000
    b, dom = scanned(html)
    for markdown in (False, True):
        assert rendered(b, dom, markdown).count(b"x") == 20_000


def test_real_pages_are_rendered(shared_data):
    count = 0
    with tarfile.open(shared_data / "html-extraction" / "readability" / "test-pages.tar.xz") as files:
        for file in files:
            if file.isfile() and file.name.endswith("source.html"):
                html = files.extractfile(file).read().decode("utf-8", "replace").encode()
                b, dom = scanned(html)
                for markdown in (False, True):
                    found = rendered(b, dom, markdown).decode()
                    assert found == found.strip("\n").rstrip(" ")
                    assert not re.search(r"[ \t]\n", found)
                count += 1
    assert count == 68


# what inscriptis, which lays pages out in columns, writes, and how far this agrees with it
EXACTLY = ["br", "empty-table", "enumeration-value", "invisible", "invisible2", "wikipedia-equation"]
SPACED = ["enumeration-multiple-value"]  # it aligns numbers to the right
MARKED = [  # it writes "*" and "o" before items, and blanks between cells
    "br-li", "direct-enumeration", "nested-table", "td-only-table", "whitespace", "wikipedia-enumeration-annotation",
    "wikipedia-table",
]  # fmt: skip
OTHER = {
    "br-in-table": "lines of a cell are joined, not laid side by side",
    "invalid-table2": "text of a table outside its cells stays where it is in the page",
    "table-empty-row": "so does that",
    "table-pre": "code in cells is written one after the other",
}


def test_layout_agrees_with_inscriptis_where_it_means_the_same(shared_data):
    with tarfile.open(shared_data / "html-extraction" / "inscriptis" / "html-txt.tar.xz") as files:
        pages = {
            f.name.removeprefix("./"): files.extractfile(f).read().decode("utf-8", "replace")
            for f in files
            if f.isfile()
        }
    names = {name.removesuffix(".txt") for name in pages if name.endswith(".txt")}
    assert names == {*EXACTLY, *SPACED, *MARKED, *OTHER}
    for name in sorted(names):
        found, expected = text(pages[f"{name}.html"]), pages[f"{name}.txt"].strip("\n")
        if name in EXACTLY:
            assert found == expected
        elif name in SPACED:
            assert found == re.sub("(?m)^ +", "", expected)
        elif name in MARKED:
            assert words(found) == words(expected)
        else:
            assert sorted(words(found)) == sorted(words(expected))


def words(layout):
    return re.sub(r"(?m)^ *([*+o-]|\d+\.) |\|", " ", layout).split()
