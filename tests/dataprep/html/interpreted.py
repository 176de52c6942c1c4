"""The kernels as plain Python (NUMBA_DISABLE_JIT=1), which can be watched: work is counted in lines, never in time.

    NUMBA_DISABLE_JIT=1 python -m tests.dataprep.html.interpreted

prints the lines that each hostile page takes at one size and at twice that size, as JSON. Before that, small mutants
run over arrays that refuse negative places, which compiled code takes for places from the end.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import dataprep.html
from dataprep.html.dom import scan, tree
from dataprep.html.dom.records import Dom
from dataprep.text.utf8 import Bytes
from tests.dataprep.html.fuzz import SEEDS, STAGES, Mutator, rubbish_dom

HERE = str(Path(dataprep.html.__file__).parent)
DEPTH = 12  # of open elements: work grows with it, so it must not grow with these pages
REPEATS = 60
MUTANTS = 250

HOSTILE: dict[str, Callable[[int], str]] = {
    "text": lambda n: "word " * n,
    "white space": lambda n: "<p>" + " " * 5 * n,
    "ideographs": lambda n: "漢" * n,
    "less-than signs": lambda n: "<" * 4 * n,
    "ampersands": lambda n: "&" * 4 * n,
    "long entities": lambda n: "&abcdefghijkl" * n,
    "blank entities": lambda n: "&nbsp;" * n,
    "open comments": lambda n: "<!--" * n,
    "nearly closed comments": lambda n: "<!--" + "--" * n,
    "short comments": lambda n: "<!--><a>" * n,
    "declarations": lambda n: "<!" * n,
    "instructions": lambda n: "<?" * n,
    "end tags without a name": lambda n: "</" * n,
    "start tags without an end": lambda n: "<a" * n,
    "start tags with quotes": lambda n: "<a b='" * n,
    "unclosed quotes": lambda n: "<a b=\"'>" * n + "\"'" * n,
    "attributes": lambda n: "<p " + "a=b " * n + ">",
    "attributes without space": lambda n: "<p " + "a='b'" * n + ">",
    "equals signs": lambda n: "<p " + "=" * n,
    "slashes": lambda n: "<p" + "/" * n,
    "a long class": lambda n: f"<p class='{'nav side ' * n}'>",
    "a class in many tags": lambda n: "<p class='nav side'>" * n,
    "a long name": lambda n: "<" + "a" * n,
    "a long attribute name": lambda n: "<p " + "a" * n,
    "a style of d": lambda n: f"<p style='{'d' * 5 * n}'>",
    "a style of display": lambda n: f"<p style='{'display  ' * n}'>",
    "a style of displays, then blanks": lambda n: f"<p style='{'display' * n}{' ' * n}'>",
    "a style of visibility": lambda n: f"<p style='{'visibility:' * n}'>",
    "a type of t": lambda n: f"<script type='{'te' * n}'>",
    "nested blocks": lambda n: "<div>" * n,
    "nested blocks with text": lambda n: "<div>a" * n + "</div>b" * n,
    "nested inline": lambda n: "<b>" * n + "a</b>" * n,
    "nested links": lambda n: "<a href=x>a" * n,
    "nested spans that hide": lambda n: "<span hidden>a" * n + "</span>b" * n,
    "nested spans of words": lambda n: "<span class=share>a " * n + "</span>b " * n,
    "nested tables": lambda n: "<table><tr><td>a" * n,
    "nested lists": lambda n: "<ul><li><a href=x>a</a>" * n,
    "nested lists side by side": lambda n: ("<ul>" * 9 + "<li><a href=x>a</a>" * 9 + "</ul>" * 9) * (n // 10),
    "nested forms": lambda n: "<form>" * n,
    "mismatched ends": lambda n: "<b>" * n + "</i>" * n,
    "mismatched block ends": lambda n: "<div>" * n + "</section>" * n,
    "mismatched everything": lambda n: "<b><div></b></p></table>" * n,
    "ends without starts": lambda n: "</div></b></p></table></td></li></option></button></h1>" * n,
    **{
        f"unclosed {name}": lambda n, name=name: f"<{name}>a" * n
        for name in ("li", "p", "option", "optgroup", "button", "td", "tr", "dd", "h1", "select", "font", "noscript")
    },
    "cells and rows": lambda n: "<table>" + "<tr><td>a<td>b" * n,
    "cells without a table": lambda n: "<tr><td>a<th>b<tbody>" * n,
    "unclosed paths": lambda n: "<svg>" + "<path>a" * n,
    "cdata": lambda n: "<svg>" + "<![CDATA[" * n,
    "cdata with tags": lambda n: "<math>" + "<![CDATA[x<a>" * n,
    "cdata in XML": lambda n: "<?xml ?>" + "<![CDATA[x<a " * n,
    "self-closed": lambda n: "<?xml ?>" + "<div/>" * n,
    "annotations": lambda n: "<math>" + "a<annotation encoding=tex>" * n,
    "annotations with one text": lambda n: "<math>" + "<annotation encoding=tex>" * n + "a" * n,
    "formulas": lambda n: "<math alttext=a><mi>b</math>" * n,
    "presentation of formulas": lambda n: "<math><mfrac><mi>ab</mi><mroot><mi>a</mi><mi>b</mi></mroot></math>" * n,
    "a long formula": lambda n: "<math>" + "<mfrac><mtext>a</mtext></mfrac><mi>a</mi>" * n,
    "fences": lambda n: "<math><mfenced " + "a=b " * n + ">" + "<mi>a</mi>" * n,
    "nested roots": lambda n: "<math>" + "<mroot><mi>abc</mi>" * n,
    "drawn formulas": lambda n: "<span class=MathJax>a</span><script type=math/tex>a</script>" * n,
    "raw text that does not end": lambda n: "<script>" + "</scrip" * n,
    "raw text of ends": lambda n: "<title>" + "</" * n,
    "many raw texts": lambda n: "<style></style>" * n,
    "scripts in scripts": lambda n: "<script>" + "<!--<script>" * n,
    "many unclosed scripts": lambda n: "<script><!--" * n,
    "line breaks": lambda n: "a<br>" * n,
    "paragraph ends": lambda n: "a</p>" * n,
    "heads": lambda n: "<head><title></title></head>" * n,
    "bodies": lambda n: "<body>a" * n,
    "articles": lambda n: "<article><p>" + "Some words. " * 9 + "</p></article>" * n,
    "many articles": lambda n: "<article>Some words.</article>" * n,
    "headings": lambda n: "<h2>Read more</h2>" * n,
    "teasers": lambda n: "<div>" + "<div><h2><a href=x>A linked heading</a></h2><p>and text</p></div>" * n + "</div>",
    "credits": lambda n: "<p>Foto: dpa</p>" * n,
    "a block of many segments": lambda n: "<p>" + "<i>a</i>" * n,
    "short blocks of blanks": lambda n: ("<p>a" + " " * n) * 3,
    "metas": lambda n: "<meta name=author content='A B'><meta property=og:title content=a>" * n,
    "a meta with a long content": lambda n: f"<meta property=og:title content='{'a | b - c &amp; ' * n}'>",
    "titles": lambda n: "<title>a | b - c</title>" * n,
    "a long title": lambda n: f"<title>{'a | b - c: ' * n}</title><h1>a</h1>",
    "headings like the title": lambda n: "<title>a b c d</title>" + "<h1>a b c d</h1>" * n,
    "dates": lambda n: "<time datetime=2020-01-02>2 January 2020</time>" * n,
    "bylines": lambda n: "<p class=byline>By A. B. and C. D., and E. F.</p>" * n,
    "a long byline": lambda n: f"<p class=byline>By {'A. B. and ' * n}</p>",
    "nested JSON-LD": lambda n: f"<script type='application/ld+json'>{'{' + chr(34) + 'a' + chr(34) + ':['}" * n,
    "JSON-LD": lambda n: '<script type="application/ld+json">' + '{"@type":"Article","author":[' * n + "</script>",
    "JSON-LD of strings": lambda n: f"<script type='application/ld+json'>[{chr(34) + chr(92) * 2 + chr(34) + ','}" * n,
    "lines of pre": lambda n: "<pre>" + "a\n  b\n\n" * n,
    "pre in pre": lambda n: "<pre>a\n" * n,
    "scripts above the line": lambda n: "<p>" + "x<sup>2</sup><sub>a b</sub>" * n,
    "nested formats": lambda n: "<p>" + "<b><i><code>a</code></i></b><del>" * n,
    "nested quotes": lambda n: "<blockquote><p>a" * n,
    "a table of lines": lambda n: "<table>" + "<tr><td>" + "<p>a<p>b" * 3 + "<td>c" * n,
    "cells that span": lambda n: "<table>" + "<tr><td colspan=9 rowspan=9>a<td rowspan=65534>b" * n,
    "a wide row, then short ones": lambda n: "<table><tr>" + "<td>a" * 2 * n + "<tr><td>b" * n,
    "text between cells": lambda n: "<table><tr>" + "<td>a</td>b" * n,
    "text between rows": lambda n: "<table>" + "<td>a</td><tr><td>b</tr>c" * n,
    "terms": lambda n: "<dl>" + "<dt>a<dd>b" * n,
    "lines that look like marks": lambda n: "<p>" + "1. a<br>- b<br>$c<br>123456789. d<br>" * n,
    "code with numbers": lambda n: "<table><tr><td><pre>" + "1\n" * n + "</pre><td><pre>" + "a\n" * n,
    "long links": lambda n: f"<a href='{'a/&amp;' * n}'>a</a>",
    "links around all": lambda n: "<a href=x>" + "<p>a</p>" * n,
    "areas and bases": lambda n: "<base href=/a/><area href=b><link rel=canonical href=c>" * n,
    "refreshes": lambda n: "<meta http-equiv=refresh content='0; url=a'>" * n,
    "comments of a page": lambda n: "<div class=comment>" * n + "<p>a</p>" + "</div>" * n,
}  # fmt: skip


class Watched(np.ndarray):
    """An array without places from the end."""

    def __getitem__(self, key: Any) -> Any:
        assert not isinstance(key, int | np.integer) or key >= 0, "a negative place"
        return super().__getitem__(key)

    def __setitem__(self, key: Any, value: Any) -> None:
        assert not isinstance(key, int | np.integer) or key >= 0, "a negative place"
        super().__setitem__(key, value)


def watched(page: bytes) -> tuple[Bytes, Dom]:
    values = np.frombuffer(page, np.uint8)
    dom = rubbish_dom(values, 0xAB)
    records = (a.view(Watched) for a in (dom.nodes, dom.segments, dom.blocks))
    return values.view(Watched), Dom(dom.counts, *records)


def lines(page: bytes) -> int:
    """How many lines of the kernels all stages run for the page."""
    count = 0

    def line(frame: Any, event: str, argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return line

    def call(frame: Any, event: str, argument: Any) -> Any:
        return line if frame.f_code.co_filename.startswith(HERE) else None

    values = np.frombuffer(page, np.uint8)
    dom = rubbish_dom(values, 0)
    for stage in STAGES:
        sys.settrace(call)
        try:
            stage(values, dom)
        finally:
            sys.settrace(None)
    return count


def main() -> None:
    np.seterr(over="ignore")  # hashes
    mutator = Mutator(list(SEEDS), 3)
    for page in (*SEEDS, *(mutator.mutant()[:3000] for _ in range(MUTANTS))):
        values, dom = watched(page)
        for stage in STAGES:
            stage(values, dom)
    tree.DEPTH = scan.DEPTH = DEPTH
    found = {}
    for name, page in HOSTILE.items():
        found[name] = [lines(page(n).encode()) for n in (REPEATS, 2 * REPEATS)]
    print(json.dumps(found))


if __name__ == "__main__":
    main()
