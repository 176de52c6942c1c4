"""The different pre-tokens of texts and how often each occurs: what merges are learned from.

Decisions:
- A word is found by the xxh3-64 of its bytes, which are then compared: counts are exact.
- Memory is that of the different words (their bytes and about 40 more), not of the text.
"""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dataprep.compiled import njit
from dataprep.text.utf8 import Bytes, Hashes, Longs, Utf8
from dataprep.text.xxh3 import xxh3
from dataprep.tokens.pretokens import PADDING, Pattern, classes, slow_end

ROWS = 1024  # texts looked at together: a copy of them is made
NONE = -1

Ints = NDArray[np.int32]


class WordCounts:
    """``add`` texts; ``values`` are then the bytes of all words, ``offsets`` int64[n + 1], ``counts`` int64[n]."""

    def __init__(self, pattern: Pattern) -> None:
        self._pattern = pattern
        self._words = 0
        self._state: tuple[Bytes, Longs, Longs, Hashes, Ints] = (
            np.empty(1 << 16, np.uint8),
            np.zeros(1 << 12, np.int64),
            np.empty(1 << 12, np.int64),
            np.empty(1 << 12, np.uint64),
            np.full(1 << 14, NONE, np.int32),
        )

    def add(self, texts: pa.ChunkedArray) -> None:
        """Count the words of a column of (large_)strings."""
        pattern = (classes(), self._pattern.cl100k, self._pattern.digits, self._pattern.ends)
        for chunk in texts.chunks:
            for start in range(0, len(chunk), ROWS):
                column = Utf8.of(chunk.slice(start, ROWS))
                first, last = column.offsets[0], column.offsets[-1]
                padded = np.zeros(last - first + PADDING, np.uint8)
                padded[: last - first] = column.values[first:last]
                self._words, *state = _count(padded, column.offsets - first, *pattern, self._words, *self._state)
                self._state = tuple(state)

    @property
    def values(self) -> Bytes:
        return self._state[0][: self._state[1][self._words]]

    @property
    def offsets(self) -> Longs:
        return self._state[1][: self._words + 1]

    @property
    def counts(self) -> Longs:
        return self._state[2][: self._words]


@njit(nogil=True, cache=True)
def _twice(array, size):  # type: ignore[no-untyped-def]
    grown = np.empty(2 * size, array.dtype)
    grown[: array.size] = array
    return grown


@njit(nogil=True, cache=True)
def _same(values: Bytes, i: int, n: int, stored: Bytes, at: int) -> bool:
    for k in range(n):  # noqa: SIM110  (numba)
        if values[i + k] != stored[at + k]:
            return False
    return True


@njit(nogil=True, cache=True)
def _count(values, bounds, classes, cl100k, digits, ends, words, stored, offsets, counts, hashes, table):  # type: ignore[no-untyped-def]
    for document in range(bounds.size - 1):
        i, end = bounds[document], bounds[document + 1]
        while i < end:
            stop = slow_end(values, i, end, classes, cl100k, digits, ends)
            n = stop - i
            key = xxh3(values, i, stop)
            mask = np.uint64(table.size - 1)
            slot = np.int64(key & mask)
            word = table[slot]
            while word != NONE and not (
                hashes[word] == key
                and offsets[word + 1] - offsets[word] == n
                and _same(values, i, n, stored, offsets[word])
            ):
                slot = np.int64(np.uint64(slot + 1) & mask)
                word = table[slot]
            if word != NONE:
                counts[word] += 1
                i = stop
                continue
            used: Any = offsets[words]
            if used + n > stored.size:
                stored = _twice(stored, used + n)
            stored[used : used + n] = values[i:stop]
            hashes[words] = key
            counts[words] = 1
            table[slot] = words
            words += 1
            if words + 1 == offsets.size:
                offsets, counts, hashes = _twice(offsets, words + 1), _twice(counts, words + 1), _twice(hashes, words + 1)
                table = np.full(2 * table.size, NONE, np.int32)
                mask = np.uint64(table.size - 1)
                for known in range(words):
                    slot = np.int64(hashes[known] & mask)
                    while table[slot] != NONE:
                        slot = np.int64(np.uint64(slot + 1) & mask)
                    table[slot] = known
            offsets[words] = used + n
            i = stop
    return words, stored, offsets, counts, hashes, table
