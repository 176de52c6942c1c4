"""Samples of the pages of hosts, from which `memory` learns what a host repeats.

A host's sample is its pages with the smallest hashes of their URLs, so it does not matter which splits they are in, in
which order they are read and when samples are thinned out. Two fetches of one URL are one page.
"""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dataprep.compiled import njit
from dataprep.dedup.hashing import mix_one
from dataprep.html.dom.records import BLOCKS, Dom, room_for, tags_of
from dataprep.html.dom.scan import Tables, scan, tables
from dataprep.html.sites.repeats import LIMITS, NONE, Limits, hash_blocks
from dataprep.text.utf8 import Bytes, Hashes, Longs, Utf8

SAMPLES = pa.schema(
    [
        pa.field("host", pa.uint64(), nullable=False),
        pa.field("page", pa.uint64(), nullable=False),  # hash of the URL
        pa.field("digest", pa.uint64(), nullable=False),  # of what follows
        pa.field("hashes", pa.large_list(pa.uint64()), nullable=False),  # of the page's blocks, each once
        pa.field("chars", pa.large_list(pa.uint16()), nullable=False),  # of each; MOST for more
    ]
)
MOST = 65535
HELD_BYTES = 16 << 20

Shorts = NDArray[np.uint16]
Flags = NDArray[np.bool_]


def sample(text: Utf8, hosts: Hashes, pages: Hashes, most_tags: int, limits: Limits = LIMITS) -> pa.RecordBatch:
    """Decoded pages, with the hashes of `sites.hash_urls`, to ``SAMPLES``.

    Pages without text, or with more tags than are extracted, have no row.
    """
    tags = tags_of(text.values, text.offsets)
    chosen = tags <= most_tags
    room = int(np.minimum(2 * tags[chosen] + 5, limits.blocks).sum())
    starts, digests = np.zeros(text.documents + 1, np.int64), np.empty(text.documents, np.uint64)
    hashes, chars = np.empty(room, np.uint64), np.empty(room, np.uint16)
    dom = room_for(int(tags[chosen].max(initial=0)))
    _sample(text.values, text.offsets, chosen, dom, tables(), limits, starts, digests, hashes, chars)
    lists = [pa.LargeListArray.from_arrays(starts, values[: starts[-1]]) for values in (hashes, chars)]
    columns = [pa.array(hosts), pa.array(pages), pa.array(digests), *lists]
    return pa.RecordBatch.from_arrays(columns, schema=SAMPLES).filter(pa.array(np.diff(starts) > 0))


class Samples:
    """Samples added up, and thinned out on the way: little more is held than stays in the end."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self._limits = limits
        self._thin = pa.RecordBatch.from_pylist([], schema=SAMPLES)
        self._added: list[pa.RecordBatch] = []

    def add(self, batch: pa.RecordBatch) -> None:
        """More rows of ``SAMPLES``, in whatever order."""
        self._added.append(batch)
        if sum(added.nbytes for added in self._added) > max(self._thin.nbytes, HELD_BYTES):
            self.rows()

    def rows(self) -> pa.RecordBatch:
        """The sample of every host so far, sorted by host and page."""
        together = pa.concat_batches([self._thin, *self._added])
        hosts, pages, digests = (together.column(i).to_numpy() for i in range(3))
        order = np.lexsort((digests, pages, hosts))
        new, rank = _ranks(hosts[order], pages[order])
        self._thin, self._added = together.take(pa.array(order[new & (rank < self._limits.pages)])), []
        return self._thin

    def wanted(self, hosts: Hashes, pages: Hashes) -> Longs:
        """Which of these pages the sample wants, in their order, as far as can be told before they are read."""
        order = np.lexsort((pages, hosts))
        _, rank = _ranks(hosts[order], pages[order])
        order = order[(hosts[order] != NONE) & (rank < self._limits.pages)]
        rows = self.rows()
        known, kept = rows.column(0).to_numpy(), rows.column(1).to_numpy()
        first, end = (np.searchsorted(known, hosts[order], side) for side in ("left", "right"))
        full = end - first >= self._limits.pages
        late = np.zeros(len(order), np.bool_)
        late[full] = pages[order[full]] > kept[end[full] - 1]
        return np.sort(order[~late])


def _ranks(hosts: Hashes, pages: Hashes) -> tuple[Flags, Longs]:
    """Of sorted pages of hosts: is it another one than before, and how many other ones of its host come before it."""
    new = np.ones(len(hosts), np.bool_)
    new[1:] = (hosts[1:] != hosts[:-1]) | (pages[1:] != pages[:-1])
    number = np.cumsum(new)
    return new, number - number[np.searchsorted(hosts, hosts)]


@njit(nogil=True, cache=True)
def _sample(
    values: Bytes,
    offsets: Longs,
    chosen: Flags,
    dom: Dom,
    tables: Tables,
    limits: Limits,
    starts: Longs,
    digests: Hashes,
    hashes: Hashes,
    chars: Shorts,
) -> None:
    """The different hashes of every page, sorted, and the most characters a block with each has.

    A page with more than ``limits.blocks`` of them is a list and tells little; it has none.
    """
    blocks = dom.blocks
    for d in range(len(offsets) - 1):
        starts[d + 1] = starts[d]
        if not chosen[d]:
            continue
        b = values[offsets[d] : offsets[d + 1]]
        scan(b, dom, tables)
        hash_blocks(b, dom)
        count = dom.counts[BLOCKS]
        found = np.empty(count, np.uint64)
        for k in range(count):
            found[k] = blocks[k]["hash"]
        order = np.argsort(found)
        first = at = starts[d]
        digest = NONE
        for k in order:
            hashed, size = found[k], min(blocks[k]["chars"], MOST)
            if hashed == NONE:
                continue
            if at > first and hashes[at - 1] == hashed:
                chars[at - 1] = max(chars[at - 1], size)
                continue
            if at - first == limits.blocks:
                at = first
                break
            hashes[at] = hashed
            chars[at] = size
            digest = mix_one(digest ^ hashed)
            at += 1
        starts[d + 1] = at
        digests[d] = digest
