"""Our own extractor over a batch: UTF-8 pages in one buffer, their texts in another, nothing of Python in between.

It runs in the calling process: its time is linear in a page's bytes (tests count the work), so a limit of bytes and one
of elements bound what a page can cost, and the fuzz tests run it with bounds checks.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dataprep.compiled import njit
from dataprep.html.dom.records import BLOCKS, Dom, room_for, tags_of
from dataprep.html.dom.scan import Tables, scan, tables
from dataprep.html.metadata.choose import Found, room
from dataprep.html.metadata.collect import Words, words
from dataprep.html.metadata.fields import columns, metadata
from dataprep.html.rendering.render import render
from dataprep.html.selection.phrases import Phrases, phrase_table
from dataprep.html.selection.rules import SUM, THRESHOLDS, Sums, Thresholds
from dataprep.html.selection.select import select
from dataprep.html.sites.memory import Repeated
from dataprep.html.sites.repeats import LIMITS, Limits, hash_blocks, mark_repeated
from dataprep.text.utf8 import Bytes, Hashes, Longs, Utf8, frozen

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
    fields: dict[str, pa.Array]  # `metadata.COLUMNS`


def extract(
    pages: Utf8,
    urls: pa.Array,
    latest: Longs,
    repeated: Repeated,
    profile: int,
    markdown: bool,
    most_bytes: int,
    most_tags: int,
) -> Extracted:
    """The text of each page, and what it says about itself; it was at the URL in ``urls`` (empty if not known).

    ``latest`` is the last day it can have been published on (see `fields.latest_days`), ``repeated`` what the sites
    repeat; ``profile`` is one of `rules` or AUTO; pages with more bytes or tags than the most are passed over.
    """
    count = pages.documents
    tags = tags_of(pages.values, pages.offsets)
    chosen = (np.diff(pages.offsets) <= most_bytes) & (tags <= most_tags)
    dom = room_for(int(tags[chosen].max(initial=0)))
    measures = np.zeros(count, MEASURES)
    measures["profile"] = -1
    offsets = np.zeros(count + 1, np.int64)
    out = np.empty(int(pages.offsets[-1] - pages.offsets[0]) // 4 + 4096, np.uint8)
    sums = np.empty(len(dom.blocks), SUM)
    addresses, found = Utf8.of(urls), room(count)
    page = at = 0
    while True:
        page, at, needed = _pages(
            pages.values, pages.offsets, chosen, page, at, dom, tables(), phrase_table(), THRESHOLDS, sums, profile,
            markdown, addresses.values, addresses.offsets, latest, words(), found, repeated.hashes,
            repeated.starts, repeated.ends, LIMITS, measures, out, offsets,
        )  # fmt: skip
        if page == count:
            return Extracted(Utf8(frozen(out[:at].copy()), offsets), measures, tags, columns(found, urls))
        out = np.concatenate([out[:at], np.empty(max(needed - at, len(out)), np.uint8)])


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
    urls: Bytes,
    url_offsets: Longs,
    latest: Longs,
    words: Words,
    found: Found,
    repeated: Hashes,
    first: Longs,
    last: Longs,
    site_limits: Limits,
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
            metadata(b, dom, urls[url_offsets[page] : url_offsets[page + 1]], latest[page], words, found, page)
            _measure(dom, measures, page)
            if first[page] < last[page]:
                hash_blocks(b, dom)
                mark_repeated(dom, repeated[first[page] : last[page]], site_limits)
            measures[page]["profile"] = select(b, dom, tables.traits, phrases, limits, sums, profile)
            _measure_kept(dom, measures, page)
            end = render(b, dom, out, at, markdown)
            if end < 0:
                return page, at, -end
            at = end
        else:
            found.ends[:, page + 1] = found.ends[:, page]
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
