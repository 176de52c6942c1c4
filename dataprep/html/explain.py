"""Why each block of one page is kept or not, for a person: the page is read as `kernel` reads it, step by step.

Decisions:
- Nothing is decided here. The profile is what `pages` says it is; the verdicts come from the same kernels, and what a
  second look at the page finds (which element was cut off, how much it held) is found by the functions that cut it.
- A block's text is the piece of the page's text that it became; the text of a block that is not kept is what it
  would have become, had everything been kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dataprep.compiled import njit
from dataprep.html.decode.charset_batch import decode_pages
from dataprep.html.dom.records import BLOCKS, NODES, Dom, Records, count_tags, room_for
from dataprep.html.dom.scan import scan, tables
from dataprep.html.elements import Element, Elements
from dataprep.html.pages import PAGES, extract_pages, repeated_on
from dataprep.html.rendering.render import render
from dataprep.html.selection.article import container_of
from dataprep.html.selection.cuts import cut, mass_of, page_mass, reset, text_elsewhere, why_cut
from dataprep.html.selection.phrases import phrase_table
from dataprep.html.selection.rules import ARTICLE, GENTLE, PAGE, PROFILES, REASONS, SUM, THRESHOLDS, Sums, Thresholds
from dataprep.html.selection.select import read, reference_characters, select, weigh
from dataprep.html.settings import ExtractSettings
from dataprep.html.sites.memory import SiteMemory
from dataprep.html.sites.repeats import LIMITS, hash_blocks, mark_repeated
from dataprep.text.normal import composed
from dataprep.text.utf8 import Bytes, Hashes, Longs, Utf8, frozen, text_column


@dataclass(frozen=True)
class Cut:
    """An element that was cut off with all inside it. ``share`` is its part of the page's mass (see `cuts`).

    It would have been cut off with up to ``limit`` of the mass.
    """

    element: Element
    reason: str
    share: float
    limit: float


@dataclass(frozen=True)
class Block:
    """A block, in the order of the page. ``reason`` is one of `rules.REASONS`, empty for a block that is kept.

    ``links`` is the share of its characters in links. ``cut`` is the element that was cut off with the block in it,
    ``without`` are those that were cut off from inside the block.
    """

    number: int  # from 1
    reason: str
    element: Element | None  # the block-level element it is in; None outside all
    characters: int
    links: float
    marks: int
    text: str
    cut: Cut | None
    without: tuple[Cut, ...]


@dataclass(frozen=True)
class Choice:
    """What the rules for articles make of the page, by which the profile is chosen; see `rules.Thresholds`."""

    kept: int  # characters outside links
    lost: float  # share of all that was not cut off, outside links
    lost_with_links: float
    reference: float  # share of code, terms and definitions


@dataclass(frozen=True)
class Explained:
    """``page`` is its row of ``EXTRACTED_PAGES``; a page that failed has nothing else.

    ``gentle``: it was read a second time, with few things cut off. ``container`` is the element that holds the text, by
    the rules for articles.
    """

    page: Mapping[str, Any]
    choice: Choice | None = None
    gentle: bool = False
    container: Element | None = None
    blocks: tuple[Block, ...] = ()


def explain(
    payload: bytes,
    charset: str | None,
    url: str | None,
    settings: ExtractSettings,
    memory: SiteMemory | None = None,
    date: datetime | None = None,
) -> Explained:
    """What `extract_pages` does with this page, fetched at ``date``, and why.

    Raises ``ValueError`` for an engine that is not ours.
    """
    if settings.engine != "corpusmill":
        raise ValueError(
            f"extract.engine: {settings.engine} does not say what it does with a page; "
            "--set extract.engine=corpusmill shows what corpusmill does"
        )
    row = {"payload": payload, "charset": charset, "url": url, "date": date}
    batch = pa.RecordBatch.from_pylist([row], schema=PAGES)
    page = extract_pages(batch, settings, memory).to_pylist()[0]
    if page["reason"]:
        return Explained(page)
    decoded = decode_pages(batch.column("payload"), batch.column("charset"), html=True).text
    repeated = repeated_on(batch, memory).hashes
    b = decoded.values[decoded.offsets[0] : decoded.offsets[1]]
    return _Reading(b, page, repeated, settings.format == "markdown").explained()


class _Reading:
    """One page, read step by step."""

    def __init__(self, b: Bytes, page: Mapping[str, Any], repeated: Hashes, markdown: bool) -> None:
        self.b, self.page, self.markdown = b, page, markdown
        self.dom = room_for(count_tags(b))
        self.sums = np.empty(len(self.dom.blocks), SUM)
        scan(b, self.dom, tables())
        hash_blocks(b, self.dom)
        mark_repeated(self.dom, repeated, LIMITS)
        self.elements = Elements(b, self.dom.nodes)

    @cached_property
    def blocks(self) -> Records:
        return self.dom.blocks[: self.dom.counts[BLOCKS]]

    def explained(self) -> Explained:
        b, dom, traits, sums = self.b, self.dom, tables().traits, self.sums
        select(b, dom, traits, phrase_table(), THRESHOLDS, sums, ARTICLE)
        choice = self._choice()
        way = PAGE if PROFILES.index(self.page["html.profile"]) == PAGE else self._way()
        self._reset()
        total = page_mass(dom.blocks, dom.counts, THRESHOLDS, sums)
        roots, reasons, limits, masses = _cut_off(b, dom, THRESHOLDS, sums, total, way)
        cut(b, dom.nodes, dom.segments, dom.blocks, dom.counts, traits, THRESHOLDS, sums, way)
        container = 0 if way == PAGE else container_of(dom.nodes, dom.blocks, sums, THRESHOLDS)
        self._read(way)
        cuts = {
            n: Cut(self.elements[n], REASONS[reasons[n]], int(masses[n]) / max(total, 1), float(limits[n]))
            for n in np.flatnonzero(reasons).tolist()
        }
        return Explained(
            self.page, choice, way == GENTLE, self.elements.get(container), self._told(roots.tolist(), cuts)
        )

    def _reset(self) -> None:
        reset(self.dom.nodes, self.dom.segments, self.dom.blocks, self.dom.counts)

    def _read(self, way: int) -> None:
        self._reset()
        nodes, segments, blocks, counts = self.dom.nodes, self.dom.segments, self.dom.blocks, self.dom.counts
        read(self.b, nodes, segments, blocks, counts, tables().traits, phrase_table(), THRESHOLDS, self.sums, way)

    def _choice(self) -> Choice:
        kept, kept_links, lost, lost_links = weigh(self.dom.blocks, self.dom.counts)
        whole = kept + kept_links + lost + lost_links
        prose = max(kept + lost, 1)
        reference = reference_characters(self.dom.nodes, self.dom.segments, self.dom.blocks, self.dom.counts)
        return Choice(kept, lost / prose, (lost + lost_links) / max(whole, 1), reference / prose)

    def _way(self) -> int:
        """By which reading an article's verdicts came about."""
        verdicts = self.blocks["verdict"].copy()
        self._read(ARTICLE)
        return ARTICLE if np.array_equal(verdicts, self.blocks["verdict"]) else GENTLE

    def _told(self, roots: list[int], cuts: Mapping[int, Cut]) -> tuple[Block, ...]:
        dom, blocks = self.dom, self.blocks.copy()
        dropped = dom.nodes["dropped"][: dom.counts[NODES]].copy()
        texts = self._texts()
        self.blocks["verdict"] = 0
        dom.nodes["dropped"] = 0
        others = self._texts()
        told = []
        for k, (verdict, node, chars, links, marks) in enumerate(
            blocks[["verdict", "node", "chars", "links", "marks"]].tolist()
        ):
            pieces = dom.segments["node"][dom.blocks[k]["first"] : dom.blocks[k + 1]["first"]]
            without = dict.fromkeys(roots[n] for n in pieces[dropped[pieces] != 0].tolist()) if not verdict else ()
            told.append(
                Block(
                    number=k + 1,
                    reason=REASONS[verdict],
                    element=self.elements.get(node),
                    characters=chars,
                    links=links / max(chars, 1),
                    marks=marks,
                    text=(others if verdict else texts)[k],
                    cut=cuts.get(roots[node]) if verdict else None,
                    without=tuple(cuts[n] for n in without),
                )
            )
        return tuple(told)

    def _texts(self) -> list[str]:
        """What each block becomes; nothing for those that are not kept."""
        blocks = self.blocks
        blocks["written"] = -1
        room = -render(self.b, self.dom, np.empty(0, np.uint8), 0, self.markdown)
        out = np.empty(room, np.uint8)
        render(self.b, self.dom, out, 0, self.markdown)
        ends = np.maximum.accumulate(blocks["written"].clip(0))
        texts = composed(Utf8(frozen(out), np.concatenate([[0], ends])))
        column = text_column(texts.values, texts.offsets, pa.large_string())
        return [text.lstrip("\n").rstrip() for text in column.to_pylist()]


@njit(nogil=True, cache=True)
def _cut_off(
    b: Bytes, dom: Dom, limits: Thresholds, sums: Sums, total: int, way: int
) -> tuple[Longs, Bytes, NDArray[np.float64], Longs]:
    """For each node, which was cut off with it inside, or -1; of those, the reason, the limit and the mass."""
    nodes, blocks, counts = dom.nodes, dom.blocks, dom.counts
    roots = np.full(counts[NODES], -1, np.int64)
    reasons = np.zeros(counts[NODES], np.uint8)
    most = np.zeros(counts[NODES], np.float64)
    masses = np.zeros(counts[NODES], np.int64)
    elsewhere = text_elsewhere(nodes, blocks, counts, sums, limits)
    n = 1
    while n < counts[NODES]:
        reason, limit = why_cut(b, nodes, dom.segments, blocks, sums, limits, total, elsewhere, way, n)
        if not reason:
            n += 1
            continue
        reasons[n], most[n], masses[n] = reason, limit, mass_of(nodes, blocks, sums, n)
        roots[n : nodes[n]["end"]] = n
        n = nodes[n]["end"]
    return roots, reasons, most, masses
