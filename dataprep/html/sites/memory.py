"""Site memory: text that stands on many pages of one host is not what any of them is about.

A host's samples (`samples`) become the hashes that it repeats (rows of ``TABLE``); a block whose hash its host repeats
is not kept (`sites.mark_repeated`).

Decisions:
- Copies must not make a text look repeated. What is on many pages is a candidate, everything else is a page's *own*. A
  page counts only if some share of its text is its own (a near copy has next to nothing), and pages with the same own
  blocks (mirrors, session ids) count once. Then candidates are counted again, on the pages that count.
- Short texts repeat because a language does ("Parameters:"): they must be on nearly all pages.
- A table is a file a partition of hosts, sorted and memory-mapped: a page costs two searches.
"""

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from dataprep import storage
from dataprep.compiled import njit
from dataprep.dedup.hashing import mix_one, partition_of
from dataprep.html.sites.repeats import LIMITS, Limits
from dataprep.html.sites.samples import Flags, Shorts
from dataprep.text.utf8 import Hashes, Longs

TABLE = pa.schema([pa.field("host", pa.uint64(), nullable=False), pa.field("hash", pa.uint64(), nullable=False)])


def repeated(rows: pa.RecordBatch, limits: Limits = LIMITS) -> pa.RecordBatch:
    """What the hosts of a sample (`samples.Samples.rows`) repeat: ``TABLE``, sorted."""
    hosts, hashes, chars = rows.column(0).to_numpy(), rows.column(3), rows.column(4)
    known, first = np.unique(hosts, return_index=True)
    edges = np.append(first, len(hosts))
    starts = hashes.offsets.to_numpy()
    found, host_of = np.empty(len(hashes.values), np.uint64), np.empty(len(hashes.values), np.int64)
    count = _repeated(edges, starts, hashes.values.to_numpy(), chars.values.to_numpy(), limits, host_of, found)
    return pa.RecordBatch.from_arrays([pa.array(known[host_of[:count]]), pa.array(found[:count])], schema=TABLE)


@dataclass(frozen=True)
class Repeated:
    """What the hosts of a batch of pages repeat: those of page ``p`` are ``hashes[starts[p]:ends[p]]``, sorted."""

    hashes: Hashes
    starts: Longs
    ends: Longs

    @classmethod
    def nothing(cls, pages: int) -> "Repeated":
        return cls(np.empty(0, np.uint64), np.zeros(pages, np.int64), np.zeros(pages, np.int64))


@dataclass
class SiteMemory:
    """A table in a directory, one file for each of so many partitions of hosts."""

    directory: str
    partitions: int
    _open: dict[int, tuple[Hashes, Hashes]] = field(default_factory=dict)

    def write(self, partition: int, table: pa.RecordBatch) -> None:
        with storage.open_atomic(self._path(partition)) as sink, pa.ipc.new_file(sink, TABLE) as writer:
            writer.write_batch(table)

    def of(self, hosts: Hashes) -> Repeated:
        """What each of ``hosts`` (`sites.hash_urls`) repeats."""
        starts, ends = np.zeros(len(hosts), np.int64), np.zeros(len(hosts), np.int64)
        pieces = [np.empty(0, np.uint64)]
        filled = 0
        partitions = partition_of(hosts, self.partitions)
        for partition in np.unique(partitions).tolist():
            here = np.flatnonzero(partitions == partition)
            known, hashes = self._table(partition)
            first, end = (np.searchsorted(known, hosts[here], side) for side in ("left", "right"))
            ends[here] = filled + np.cumsum(end - first)
            starts[here] = ends[here] - (end - first)
            places = np.arange(filled, filled + (end - first).sum()) - np.repeat(starts[here] - first, end - first)
            pieces.append(hashes[places])
            filled += len(places)
        return Repeated(np.concatenate(pieces), starts, ends)

    def _table(self, partition: int) -> tuple[Hashes, Hashes]:
        if partition not in self._open:
            path = self._path(partition)
            table = storage.open_arrow(path).get_batch(0) if storage.exists(path) else TABLE.empty_table()
            self._open[partition] = table.column(0).to_numpy(), table.column(1).to_numpy()
        return self._open[partition]

    def _path(self, partition: int) -> str:
        return storage.join(self.directory, f"part-{partition:05d}.arrow")


@njit(nogil=True, cache=True)
def _repeated(
    edges: Longs, starts: Longs, hashes: Hashes, chars: Shorts, limits: Limits, host_of: Longs, found: Hashes
) -> int:
    """Fill in place of the host and hash, sorted; returns how many.

    The pages of host ``h`` are ``edges[h]`` to ``edges[h + 1] - 1``, the blocks of page ``p`` are ``starts[p]`` to
    ``starts[p + 1] - 1``.
    """
    count = 0
    for host in range(len(edges) - 1):
        first, last = edges[host], edges[host + 1]
        pages, base = last - first, starts[first]
        if pages < limits.least:
            continue
        size = starts[last] - base
        page_of = np.empty(size, np.int64)
        for page in range(first, last):
            page_of[starts[page] - base : starts[page + 1] - base] = page - first
        order = np.argsort(hashes[base : base + size])
        candidate = np.zeros(size, np.bool_)
        at = 0
        while at < size:
            end = _group_end(hashes, order, base, at)
            for i in range(at, end):
                candidate[order[i]] = end - at >= limits.least and end - at >= limits.share * pages
            at = end
        counts = _that_count(starts[first : last + 1], hashes, chars, candidate, limits)
        whole = counts.sum()
        at = 0
        while at < size:
            end = _group_end(hashes, order, base, at)
            on = 0
            long = False
            for i in range(at, end):
                on += counts[page_of[order[i]]]
                long |= chars[base + order[i]] >= limits.chars
            share = limits.share if long else limits.short
            if on >= limits.least and on >= share * whole:
                host_of[count] = host
                found[count] = hashes[base + order[at]]
                count += 1
            at = end
    return count


@njit(nogil=True, cache=True)
def _group_end(hashes: Hashes, order: Longs, base: int, at: int) -> int:
    end = at + 1
    while end < len(order) and hashes[base + order[end]] == hashes[base + order[at]]:
        end += 1
    return end


@njit(nogil=True, cache=True)
def _that_count(starts: Longs, hashes: Hashes, chars: Shorts, candidate: Flags, limits: Limits) -> Longs:
    """Of a host's pages, 1 for each with enough text of its own and none before it with the same, else 0."""
    pages = len(starts) - 1
    own_of = np.zeros(pages, np.uint64)
    counts = np.zeros(pages, np.int64)
    for page in range(pages):
        own = shared = 0
        for row in range(starts[page], starts[page + 1]):
            if not candidate[row - starts[0]]:
                own += chars[row]
                own_of[page] += mix_one(hashes[row])
            elif chars[row] >= limits.chars:
                shared += chars[row]
        counts[page] = own > 0 and own >= limits.own * (own + shared)
        for earlier in range(page):
            if counts[earlier] and own_of[earlier] == own_of[page]:
                counts[page] = 0
    return counts
