"""The sets of shingles of documents, for exact comparison: sorted distinct 64-bit hashes, and how many two share.

Decisions:
- A shingle is its whole xxh3 (64 bits), of which signatures take the low half: in a pair of documents of a thousand
  shingles each, two different ones have equal hashes with odds of about 10**-13.
- A set is a piece of one long array, so that taking, sorting and joining documents moves no hash.
- ``gather`` puts more than ``MAPPED_BYTES`` of hashes into a temporary file mapped to memory: however large a component
  is, the system can take its pages back.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dataprep.compiled import njit
from dataprep.dedup.hashing import I64, U8, U64
from dataprep.dedup.normalise import NORMALISATIONS
from dataprep.dedup.settings import DedupSettings
from dataprep.dedup.words import fold, hash_shingles, room
from dataprep.text.utf8 import Utf8

MAPPED_BYTES = 256 << 20
STEP = 64  # hashes between two looks at whether two sets can still be alike
LOPSIDED = 16  # from this ratio of sizes on, each hash of the smaller set is searched for in the larger one

COLUMN = pa.large_list(pa.uint64())


@dataclass(frozen=True)
class ShingleSets:
    """Of n documents: document i's hashes are ``values[starts[i]:ends[i]]``, ascending."""

    values: U64
    starts: I64
    ends: I64

    @classmethod
    def of(cls, text: pa.Array, settings: DedupSettings) -> "ShingleSets":
        normal = NORMALISATIONS[settings.normalisation]
        column = normal.rewrite(Utf8.of(text))
        values, bounds = _sets(column.values, column.offsets, normal.table(), normal.empty_words, settings.shingle)
        return cls(values, bounds[:-1], bounds[1:])

    @classmethod
    def empty(cls, documents: int) -> "ShingleSets":
        """Of documents that are not compared by their shingles."""
        nothing = np.zeros(documents, np.int64)
        return cls(np.empty(0, np.uint64), nothing, nothing)

    @classmethod
    def gather(cls, columns: Sequence[pa.Array]) -> "ShingleSets":
        """From arrays of ``COLUMN``, one after the other."""
        sizes = np.concatenate([np.empty(0, np.int64), *(column.value_lengths().to_numpy() for column in columns)])
        bounds = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        values = _room(int(bounds[-1]))
        at = 0
        for column in columns:
            hashes = column.flatten().to_numpy()
            values[at : at + hashes.size] = hashes
            at += hashes.size
        return cls(values, bounds[:-1], bounds[1:])

    def take(self, rows: I64) -> "ShingleSets":
        return ShingleSets(self.values, self.starts[rows], self.ends[rows])

    def to_column(self) -> pa.Array:
        """As an array of ``COLUMN``; the documents are those of ``of`` or ``empty``, in their order."""
        offsets = np.append(self.starts, self.ends[-1:] if self.ends.size else [0])
        return pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(self.values))


def _room(hashes: int) -> U64:
    if 8 * hashes <= MAPPED_BYTES:
        return np.empty(hashes, np.uint64)
    with tempfile.TemporaryFile() as file:
        return np.memmap(file, np.uint64, "w+", shape=(hashes,)).view(np.ndarray)


@njit(nogil=True, cache=True)
def _sets(data: U8, bounds: I64, table: npt.NDArray[np.int32], empty_words: bool, shingle: int) -> tuple[U64, I64]:
    n = bounds.size - 1
    size, entries = room(bounds, empty_words)
    folded = np.empty(size, np.uint8)
    starts = np.empty(entries, np.int64)
    # a word and what ends it are two bytes, unless it may be empty; so there is room for every shingle
    size = bounds[n] - bounds[0]
    out = np.empty((size if empty_words else size // 2) + 2 * n, np.uint64)
    limits = np.zeros(n + 1, np.int64)
    used = 0
    for i in range(n):
        words, _ = fold(data, bounds[i], bounds[i + 1], table, empty_words, folded, starts)
        count = hash_shingles(folded, starts, words, shingle, out[used:])
        out[used : used + count].sort()
        last = used
        for k in range(used, used + count):
            if k == used or out[k] != out[last - 1]:
                out[last] = out[k]
                last += 1
        used = last
        limits[i + 1] = used
    return out[:used].copy(), limits


@njit(nogil=True, cache=True)
def shared(values, i, i_end, j, j_end, least):  # type: ignore[no-untyped-def]
    """How many hashes the sets ``values[i:i_end]`` and ``values[j:j_end]`` share; -1 when fewer than ``least``.

    It stops as soon as that is certain.
    """
    if i_end - i > j_end - j:
        i, i_end, j, j_end = j, j_end, i, i_end
    if i_end - i < least:
        return -1
    common = 0
    if j_end - j > LOPSIDED * (i_end - i):
        while i < i_end and common + i_end - i >= least:
            j += np.searchsorted(values[j:j_end], values[i])
            common += j < j_end and values[j] == values[i]
            i += 1
        return common if common >= least else -1
    while i < i_end and j < j_end:
        if common + min(i_end - i, j_end - j) < least:
            return -1
        # no branch depends on which of the two is smaller
        for _ in range(min(STEP, i_end - i, j_end - j)):
            x, y = values[i], values[j]
            common += x == y
            i += x <= y
            j += y <= x
    return common if common >= least else -1
