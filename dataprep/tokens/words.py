"""The different pre-tokens of texts and how often each occurs: what merges are learned from.

Decisions:
- A word is found by the xxh3-64 of its bytes, which are then compared: counts are exact.
- Memory is that of the different words (their bytes and at least 48 more), not of the text.
"""

import numpy as np
import pyarrow as pa

from dataprep.compiled import njit
from dataprep.text.utf8 import Bytes, Hashes, Longs, Utf8
from dataprep.text.xxh3 import xxh3
from dataprep.tokens.pretokens import Pattern, classes, pretoken_end

EMPTY, ONE = np.uint64(0), np.uint64(1)


class WordCounts:
    """``add`` texts; ``values`` are then the bytes of all words, ``offsets`` int64[n + 1], ``counts`` int64[n]."""

    def __init__(self, pattern: Pattern) -> None:
        self._pattern = pattern
        self._words = 0
        self._stored = np.empty(1 << 16, np.uint8)
        self._records = np.zeros((1 << 12, 2), np.int64)  # where a word begins in ``stored``, and its count
        self._slots = np.zeros((1 << 13, 2), np.uint64)  # hash of a word, its number + 1

    def add(self, texts: pa.ChunkedArray) -> None:
        """Count the words of a column of (large_)strings."""
        for chunk in texts.chunks:
            column = Utf8.of(chunk)
            self._words, self._stored, self._records, self._slots = _count(
                column.values,
                column.offsets,
                classes(),
                self._pattern.cl100k,
                self._pattern.digits,
                self._words,
                self._stored,
                self._records,
                self._slots,
            )

    @property
    def values(self) -> Bytes:
        return self._stored[: self._records[self._words, 0]]

    @property
    def offsets(self) -> Longs:
        return np.ascontiguousarray(self._records[: self._words + 1, 0])

    @property
    def counts(self) -> Longs:
        return np.ascontiguousarray(self._records[: self._words, 1])


@njit(nogil=True, cache=True)
def _same(values: Bytes, i: int, n: int, stored: Bytes, at: int) -> bool:
    for k in range(n):  # noqa: SIM110  (numba)
        if values[i + k] != stored[at + k]:
            return False
    return True


@njit(nogil=True, cache=True)
def _count(values, bounds, classes, cl100k, digits, words, stored, records, slots):  # type: ignore[no-untyped-def]
    mask = np.uint64(len(slots) - 1)
    for document in range(bounds.size - 1):
        i, end = bounds[document], bounds[document + 1]
        while i < end:
            stop = pretoken_end(values, i, end, classes, cl100k, digits)
            n = stop - i
            key = xxh3(values, i, stop)
            slot = np.uint64(key & mask)
            found = False
            while slots[slot, 1] != EMPTY:
                if slots[slot, 0] == key:
                    word = np.int64(slots[slot, 1]) - 1
                    place = records[word, 0]
                    if records[word + 1, 0] - place == n and _same(values, i, n, stored, place):
                        records[word, 1] += 1
                        found = True
                        break
                slot = np.uint64(slot + ONE) & mask
            if not found:
                used = records[words, 0]
                if used + n > stored.size:
                    longer = np.empty(2 * (used + n), np.uint8)
                    longer[:used] = stored[:used]
                    stored = longer
                stored[used : used + n] = values[i:stop]
                records[words, 1] = 1
                words += 1
                slots[slot, 0], slots[slot, 1] = key, np.uint64(words)
                if words + 1 == len(records):
                    more = np.zeros((2 * len(records), 2), np.int64)
                    more[: len(records)] = records
                    records = more
                    slots = _rehashed(slots)
                    mask = np.uint64(len(slots) - 1)
                records[words, 0] = used + n
            i = stop
    return words, stored, records, slots


@njit(nogil=True, cache=True)
def _rehashed(slots: Hashes) -> Hashes:
    twice = np.zeros((2 * len(slots), 2), np.uint64)
    mask = np.uint64(len(twice) - 1)
    for old in range(len(slots)):
        if slots[old, 1] != EMPTY:
            slot = np.uint64(slots[old, 0] & mask)
            while twice[slot, 1] != EMPTY:
                slot = np.uint64(slot + ONE) & mask
            twice[slot, 0], twice[slot, 1] = slots[old, 0], slots[old, 1]
    return twice
