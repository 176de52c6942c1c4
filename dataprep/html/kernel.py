"""Our own extractor over a batch: UTF-8 pages in one buffer, their texts in another, nothing of Python in between.

It runs in the calling process: its time is linear in a page's bytes (tests count the work), so a limit of bytes and one
of elements bound what a page can cost, and the fuzz tests run it with bounds checks.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dataprep.compiled import njit
from dataprep.html.dom import BLOCKS, Dom, count_tags, room_for
from dataprep.html.phrases import Phrases, phrase_table
from dataprep.html.render import render
from dataprep.html.rules import SUM, THRESHOLDS, Sums, Thresholds
from dataprep.html.scan import Tables, scan, tables
from dataprep.html.select import select
from dataprep.text.utf8 import Bytes, Longs, Utf8, frozen

MEASURES = np.dtype(
    [
        ("profile", np.int8),  # see `rules.PROFILES`; -1: the page was passed over
        ("characters", np.int64),
        ("kept", np.int64),  # characters
        ("links", np.int64),  # characters inside links
        ("blocks", np.int32),
        ("blocks_kept", np.int32),
    ],
    align=True,
)


@dataclass(frozen=True)
class Extracted:
    """``text`` is empty and ``profile`` -1 for pages that were passed over; ``tags`` counts the ``<`` of each."""

    text: Utf8
    measures: NDArray[np.void]  # MEASURES
    tags: Longs


def extract(pages: Utf8, profile: int, markdown: bool, most_bytes: int, most_tags: int) -> Extracted:
    """The text of each page. ``profile`` is one of `rules` or AUTO; larger pages are passed over."""
    count = pages.documents
    tags = _tags(pages.values, pages.offsets)
    chosen = (np.diff(pages.offsets) <= most_bytes) & (tags <= most_tags)
    dom = room_for(int(tags[chosen].max(initial=0)))
    measures = np.zeros(count, MEASURES)
    measures["profile"] = -1
    offsets = np.zeros(count + 1, np.int64)
    out = np.empty(int(pages.offsets[-1] - pages.offsets[0]) // 4 + 4096, np.uint8)
    sums = np.empty(len(dom.blocks), SUM)
    page = at = 0
    while True:
        page, at, needed = _pages(
            pages.values, pages.offsets, chosen, page, at, dom, tables(), phrase_table(), THRESHOLDS, sums, profile,
            markdown, measures, out, offsets,
        )  # fmt: skip
        if page == count:
            return Extracted(Utf8(frozen(out[:at].copy()), offsets), measures, tags)
        out = np.concatenate([out[:at], np.empty(max(needed - at, len(out)), np.uint8)])


@njit(nogil=True, cache=True)
def _tags(values: Bytes, offsets: Longs) -> Longs:
    tags = np.empty(len(offsets) - 1, np.int64)
    for d in range(len(tags)):
        tags[d] = count_tags(values[offsets[d] : offsets[d + 1]])
    return tags


@njit(nogil=True, cache=True)
def _pages(
    values: Bytes,
    offsets: Longs,
    chosen: NDArray[np.bool_],
    page: int,
    at: int,
    dom: Dom,
    tables: Tables,
    phrases: Phrases,
    limits: Thresholds,
    sums: Sums,
    profile: int,
    markdown: bool,
    measures: NDArray[np.void],
    out: Bytes,
    text_offsets: Longs,
) -> tuple[int, int, int]:
    """Extract from ``page`` on; returns the page it could not finish for want of room, where ``out`` ends, the room."""
    while page < len(chosen):
        text_offsets[page] = at
        if chosen[page]:
            b = values[offsets[page] : offsets[page + 1]]
            scan(b, dom, tables)
            _measure(dom, measures, page)
            measures[page]["profile"] = select(b, dom, tables.traits, phrases, limits, sums, profile)
            _measure_kept(dom, measures, page)
            end = render(b, dom, out, at, markdown)
            if end < 0:
                return page, at, -end
            at = end
        page += 1
        text_offsets[page] = at
    return page, at, 0


@njit(nogil=True, cache=True)
def _measure(dom: Dom, measures: NDArray[np.void], page: int) -> None:
    characters = links = 0
    for k in range(dom.counts[BLOCKS]):
        characters += dom.blocks[k]["chars"]
        links += dom.blocks[k]["links"]
    measures[page]["characters"] = characters
    measures[page]["links"] = links
    measures[page]["blocks"] = dom.counts[BLOCKS]


@njit(nogil=True, cache=True)
def _measure_kept(dom: Dom, measures: NDArray[np.void], page: int) -> None:
    kept = blocks = 0
    for k in range(dom.counts[BLOCKS]):
        if dom.blocks[k]["verdict"] == 0:
            kept += dom.blocks[k]["chars"]
            blocks += 1
    measures[page]["kept"] = kept
    measures[page]["blocks_kept"] = blocks
