"""Mutated pages through every stage that reads raw bytes, with the bounds checks that production does not have.

    MALLOC_PERTURB_=165 NUMBA_BOUNDSCHECK=1 NUMBA_CACHE_DIR=/tmp/checked python -m tests.dataprep.html.fuzz --seed 1

runs long, by hand, over cuts of real pages and the seeds below; `test_fuzz` runs it short. After every page the
invariants are checked, and a page that brings a new combination (of a tag and its parent, of a block's tag and
verdict) joins the pages that are mutated. What the arrays held before must not matter: every page is scanned twice,
over different rubbish. A failure prints the page.
"""

import argparse
import gzip
import random
import sys
import tarfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from dataprep.html.dom.records import BLOCKS, Dom, count_tags, room_for
from dataprep.html.dom.scan import scan, tables
from dataprep.html.dom.tags import ATTRIBUTES, TAGS
from dataprep.html.links import find_links
from dataprep.html.metadata.choose import room
from dataprep.html.metadata.collect import words
from dataprep.html.metadata.dates import LAST_DAY
from dataprep.html.metadata.fields import metadata
from dataprep.html.rendering.render import render
from dataprep.html.selection.phrases import phrase_table
from dataprep.html.selection.rules import SUM, THRESHOLDS
from dataprep.html.selection.select import AUTO, select
from dataprep.html.sites.repeats import hash_blocks
from dataprep.text.utf8 import Bytes, Utf8
from tests.conftest import find_shared_data
from tests.dataprep.html.invariants import check_scan, check_selection

LONGEST = 20_000
SEEDS = [
    b"",
    b"<",
    b"<p",
    b"</",
    b"&",
    b"<!",
    b"<!--",
    b"<?xml version='1.0'?><html xmlns='x'><body><div/><a name='x'/><script/><![CDATA[a<b>c]]></body></html>",
    b"<p>one<p>two<br>three</br>four</p></p>five<b>six<i>seven</b>eight</i>",
    b"<ul><li>a<li>b<ul><li>c</ul></ul><dl><dt>t<dd>d</dl><table><tr><td>1<td>2<tr><th>3<tbody><tr><td>4</table>",
    b"<a href=x>in<div>block</div>link<a href=y>next</a></a><h1>a</h2><h3><button>q?</button></h3>",
    b"<math alttext='x^2'><mi>x</mi></math> <math><mi>y</mi><annotation encoding='application/x-tex'>y</annotation>"
    b"</math><img class=latex alt='z'><script type='math/tex'>w</script><svg><path><title>t</title></svg>",
    b"<head><title>t</title><noscript><img></noscript><template><p>x</template><style>a{}</style></head>text",
    b"<span hidden>no</span><div style='display: none'>no</div><b aria-hidden=true>no</b><i hidden=until-found>yes</i>",
    b"<div class='article-body'><p>" + b"Some words, and a sentence. " * 9 + b"<span class=share>Share</span></div>"
    b"<div class=related><ul><li><a href=x>One linked line</a><p>and text</ul></div><h2>See also</h2><p>Foto: dpa",
    "<p>漢字。「文」！　¿Qué? …»\xa0&nbsp;&#160;&amp;&notanentity &#x41;Москва читайте также".encode(),
]
PIECES = [
    *(f"<{name}>".encode() for name in TAGS[1:]),
    *(f"</{name}>".encode() for name in TAGS[1:]),
    *(f"<{name}/>".encode() for name in TAGS[1:]),
    *(f" {name}=".encode() for name in ATTRIBUTES[1:]),
    *(b" class='comment hidden'", b' style="display:none"', b" hidden", b" type=math/tex", b" alt='a b'"),
    *(b" role=main", b" \t\n\f\r", b"A" * 90, b"\0", b"<!DOCTYPE html>", b"<!--", b"-->", b"--!>", b"<!", b"<?", b"?>"),
    *(b"<![CDATA[", b"]]>", b"</", b"<", b">", b"/", b"&", b";", b"=", b'"', b"'"),
    *(b"&nbsp;", b"&#160;", b"&#x", b"&amp;", b"&thetasym;"),
    *(b"\xc2\xa0", b"\xe2\x80\x9d", b"\xe3\x80\x82", b"\xef\xbc\x81", b"\xe0\xa5\xa4", b"\xd8\x9f", b"\xdb\x94"),
    *(b"\xc2", b"\xe2\x80", b"\xe3", b"\xef\xbc", b"\xf0\x9f\x98\x80", b"\xff\xfe", b"\xef\xbb\xbf"),
    *(b"\xc3\x80", b"\xd0\xa0"),
    *(b"<div>" * 520, b"<b>" * 515, b"</div>" * 30, b"<li>" * 20, b"<x-nav>", b"<P CLASS=Nav>", b"Read more. "),
]  # fmt: skip


def run_scan(page: Bytes, dom: Dom) -> Any:
    scan(page, dom, tables())
    check_scan(len(page), dom)


def run_select(page: Bytes, dom: Dom) -> Any:
    sums = np.empty(dom.counts[BLOCKS] + 1, SUM)
    profile = select(page, dom, tables().traits, phrase_table(), THRESHOLDS, sums, AUTO)
    check_selection(dom)
    return profile


def run_render(page: Bytes, dom: Dom) -> Any:
    texts = []
    for markdown in (False, True):
        needed = -render(page, dom, np.empty(0, np.uint8), 0, markdown)
        out = np.empty(needed, np.uint8)
        texts.append(bytes(out[: render(page, dom, out, 0, markdown)]))
    return texts


def run_metadata(page: Bytes, dom: Dom) -> Any:
    found = room(1)
    metadata(page, dom, np.frombuffer(b"https://example.org/2020/01/02/", np.uint8), LAST_DAY, words(), found, 0)
    return [bytes(found.text[start:end]) for start, end in found.ends.tolist()]


def run_sites(page: Bytes, dom: Dom) -> Any:
    hash_blocks(page, dom)


def run_links(page: Bytes, dom: Dom) -> Any:
    links = find_links(Utf8(page, np.array([0, len(page)], np.int64)))
    return links.rows.tolist(), bytes(links.urls), bytes(links.texts)


Stage = Callable[[Bytes, Dom], Any]
STAGES: tuple[Stage, ...] = (run_scan, run_select, run_render, run_metadata, run_sites, run_links)


def rubbish_dom(page: Bytes, rubbish: int) -> Dom:
    """Room for exactly this page, over what another page might have left there."""
    dom = room_for(count_tags(page))
    for records in (dom.nodes, dom.segments, dom.blocks):
        records.view(np.uint8)[:] = rubbish
    return dom


def run(page: bytes) -> Dom:
    """The page through all stages, twice; the results must be the same, and the last records untouched."""
    values = np.frombuffer(page, np.uint8)
    doms, answers = [], []
    for rubbish in (0, 0xAB):
        dom = rubbish_dom(values, rubbish)
        answers.append([stage(values, dom) for stage in STAGES])
        for records in (dom.nodes, dom.segments, dom.blocks):
            assert np.all(records[-1:].view(np.uint8) == rubbish), "written at place -1"
        doms.append(dom)
    assert np.array_equal(doms[0].counts, doms[1].counts)
    for stage, one, other in zip(STAGES, *answers, strict=True):
        assert one == other, f"{stage.__name__} depends on what was there before"
    for one, other, count in zip(doms[0][1:], doms[1][1:], doms[0].counts, strict=True):
        for field in set(one.dtype.names) - {"written"}:  # of kept blocks only
            assert np.array_equal(one[field][:count], other[field][:count]), f"{field} depends on what was there before"
    return doms[0]


def combinations(dom: Dom) -> set[int]:
    """What a page shows of the stages' behaviour, as small numbers."""
    count, segments, blocks = dom.counts
    tags, parents = dom.nodes["tag"][:count].astype(np.int64), dom.nodes["parent"][:count]
    blocks = dom.blocks[:blocks]
    verdicts = (blocks["verdict"].astype(np.int64) << 8 | tags[blocks["node"]]) << 1 | blocks["flags"]
    kinds = dom.segments["kind"][:segments].astype(np.int64) << 8 | tags[dom.segments["node"][:segments]]
    seen = np.concatenate([tags << 8 | tags[parents], (1 << 20) + verdicts, (2 << 20) + kinds])
    return set(np.unique(seen).tolist())


class Mutator:
    """Mutants of a pool of pages."""

    def __init__(self, pages: list[bytes], seed: int) -> None:
        self.random = random.Random(seed)
        self.pages = pages

    def cut(self, longest: int) -> bytes:
        page = self.random.choice(self.pages)
        size = min(len(page), int(longest ** self.random.uniform(0.5, 1)))
        start = self.random.randrange(len(page) - size + 1)
        return page[start : start + size]

    def mutant(self) -> bytes:
        page = bytearray(self.cut(LONGEST))
        for _ in range(self.random.choice([0, 1, 1, 2, 3, 5, 8, 30])):
            self.random.choice(self.MUTATIONS)(self, page)
        return bytes(page[: 2 * LONGEST])

    def place(self, page: bytearray) -> int:
        return self.random.randrange(len(page) + 1)

    def range(self, page: bytearray) -> slice:
        start = self.place(page)
        return slice(start, start + int(2 ** self.random.uniform(0, 12)))

    def flip(self, page: bytearray) -> None:
        for _ in range(self.random.choice([1, 1, 10])):
            if page:
                page[self.random.randrange(len(page))] ^= 1 << self.random.randrange(8)

    def truncate(self, page: bytearray) -> None:
        del page[self.place(page) :]

    def delete(self, page: bytearray) -> None:
        del page[self.range(page)]

    def repeat(self, page: bytearray) -> None:
        part = page[self.range(page)]
        place = self.place(page)
        page[place:place] = part * self.random.choice([1, 1, 2, 5])

    def splice(self, page: bytearray) -> None:
        page[self.range(page)] = self.cut(4096)

    def insert(self, page: bytearray) -> None:
        place = self.place(page)
        page[place:place] = b"".join(self.random.choices(PIECES, k=self.random.choice([1, 1, 2, 4])))

    def insert_at_tag(self, page: bytearray) -> None:
        place = page.find(b"<", self.place(page))
        if place >= 0:
            page[place:place] = self.random.choice(PIECES)

    def rename(self, page: bytearray) -> None:
        """One tag's name becomes another."""
        start = page.find(b"<", self.place(page)) + 1
        if start:
            start += page[start : start + 1] == b"/"
            end = start
            while end < len(page) and chr(page[end]).isalnum():
                end += 1
            page[start:end] = self.random.choice(TAGS[1:]).encode()

    MUTATIONS = (flip, truncate, delete, repeat, splice, insert, insert, insert_at_tag, insert_at_tag, rename, rename)


def real_pages(folder: Path) -> Iterator[bytes]:
    """All pages of three sets of shared/data/html-extraction."""
    folder = folder / "html-extraction"
    for path in sorted(folder.glob("zyte/html/*.html.gz")):
        yield gzip.decompress(path.read_bytes())
    for name in ("trafilatura/html.tar.xz", "readability/test-pages.tar.xz"):
        with tarfile.open(folder / name) as tar:
            pages = (member for member in tar if member.isfile() and member.name.endswith((".html", ".htm")))
            yield from (tar.extractfile(page).read() for page in pages if not page.name.endswith("expected.html"))


def failure(page: bytes) -> str:
    try:
        run(page)
    except (AssertionError, IndexError) as error:
        return f"{type(error).__name__}: {error} at line {traceback.extract_tb(error.__traceback__)[-1].lineno}"
    return ""


def smallest(page: bytes) -> bytes:
    """A failing page with all parts left out that it fails without."""
    how = failure(page)
    size = len(page) // 2
    while size:
        start = 0
        while start < len(page):
            without = page[:start] + page[start + size :]
            if failure(without) == how:
                page = without
            else:
                start += size
        size //= 2
    return page


def fuzz(pages: list[bytes], count: int, seed: int) -> None:
    """Run the seeds, then ``count`` mutants; the page that fails is printed."""
    mutator = Mutator([*SEEDS, *pages], seed)
    seen: set[int] = set()
    added = size = 0
    began = time.monotonic()
    for number in range(count + len(SEEDS)):
        page = SEEDS[number] if number < len(SEEDS) else mutator.mutant()
        try:
            found = combinations(run(page))
        except Exception:
            print(f"page {number} of seed {seed}, made smaller: {smallest(page)!r}", file=sys.stderr)
            raise
        size += len(page)
        if not found <= seen:
            seen |= found
            mutator.pages.append(page)
            added += 1
        if number and number % 10_000 == 0:
            print(f"{number} pages, {size / 1e6:.0f} MB, {len(seen)} combinations, {time.monotonic() - began:.0f} s")
    print(f"{count} mutated pages, {size / 1e6:.0f} MB, {added} new in kind, {len(seen)} combinations")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--pages", type=int, default=300_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    data = find_shared_data()
    fuzz(list(real_pages(data)) if data else [], arguments.pages, arguments.seed)
