"""Keys of 128 bits, the same ones found by open addressing: linear, however often one key is there."""

import numpy as np

from dataprep.compiled import njit
from dataprep.text.utf8 import Hashes, Longs


@njit(nogil=True, cache=True, inline="always")
def _slot(slots, keys, first, second):  # type: ignore[no-untyped-def]
    """Where in ``slots`` the key is, or the empty slot where it belongs."""
    mask = slots.size - 1
    at = np.int64(first & np.uint64(mask))
    while slots[at] >= 0 and (keys[slots[at], 0] != first or keys[slots[at], 1] != second):
        at = (at + 1) & mask
    return at


@njit(nogil=True, cache=True)
def _slots_for(count: int) -> Longs:
    size = 16
    while size < 2 * count:
        size *= 2
    return np.full(size, -1, np.int64)


@njit(nogil=True, cache=True)
def group(keys: Hashes) -> tuple[Longs, Longs]:
    """For each row the number of its key, from 0 in the order they appear; and the first row of each.

    ``keys`` uint64[n, 2], well mixed.
    """
    slots = _slots_for(len(keys))
    numbers = np.empty(len(keys), np.int64)
    firsts = np.empty(len(keys), np.int64)
    count = 0
    for i in range(len(keys)):
        at = _slot(slots, keys, keys[i, 0], keys[i, 1])
        if slots[at] < 0:
            slots[at] = i
            firsts[count] = i
            numbers[i] = count
            count += 1
        else:
            numbers[i] = numbers[slots[at]]
    return numbers, firsts[:count].copy()


class Known:
    """Keys that differ (uint64[n, 2]), and which row each is in."""

    def __init__(self, keys: Hashes) -> None:
        self.keys = keys
        self.slots = _filled(keys)

    def rows(self, keys: Hashes) -> Longs:
        """For each of ``keys`` its row, or -1."""
        return _find(self.slots, self.keys, keys)


@njit(nogil=True, cache=True)
def _filled(keys: Hashes) -> Longs:
    slots = _slots_for(len(keys))
    for i in range(len(keys)):
        slots[_slot(slots, keys, keys[i, 0], keys[i, 1])] = i
    return slots


@njit(nogil=True, cache=True)
def _find(slots: Longs, known: Hashes, keys: Hashes) -> Longs:
    rows = np.empty(len(keys), np.int64)
    for i in range(len(keys)):
        rows[i] = slots[_slot(slots, known, keys[i, 0], keys[i, 1])]
    return rows
