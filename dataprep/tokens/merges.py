"""Byte-pair merges: the bytes of one pre-token → its ids, exactly as the ranks of the merges say.

The pair of neighbours with the lowest rank is merged, the leftmost among equals, until no pair has a rank (Sennrich et
al. 2016; ``Word::merge_all`` of ``tokenizers``).

Decisions:
- Up to ``FEW`` bytes the lowest rank is looked for in a row: at that size faster than anything cleverer. Longer ones
  take a heap of (rank, place) and a linked list: O(n log n) for any text, about 30 bytes of memory for each byte.
- Ranks of pairs of single bytes, half of all that are asked for, are in a table of 65,536; the others in a hash table a
  quarter full. Most pairs have no rank, and finding that out must be short.
"""

from typing import Any, NamedTuple

import numpy as np
from numba.cpython.unsafe.numbers import leading_zeros, trailing_zeros  # type: ignore[import-untyped]
from numpy.typing import NDArray

from dataprep.compiled import njit
from dataprep.text.utf8 import Bytes, Hashes

Words = NDArray[np.uint32]

FEW = 64  # as many as an uint64 has bits
ID_BITS = 21  # an id and a rank need at most as many
NO_RANK = np.uint32((1 << ID_BITS) - 1)

_BLOCK = 16
_DEAD = np.uint32(0xFFFFFFFF)
_PLACE_BITS, _PLACE = np.uint32(6), np.uint32(63)
_EMPTY = np.uint64(0xFFFFFFFFFFFFFFFF)
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_ID_BITS = np.uint64(ID_BITS)
_RANK = np.uint64((1 << ID_BITS) - 1)
_ZERO, _ONE = np.uint64(0), np.uint64(1)
_32, _63 = np.uint64(32), np.uint64(63)
_LOW = np.uint64(0xFFFFFFFF)


class Merges(NamedTuple):
    """``byte_ids`` uint32[256]; ``byte_ranks`` uint32[65536] by two bytes, the first the higher.

    ``pairs`` uint64[2**k + 1]: two ids and their rank; ``made`` uint32: the id that each rank makes.
    """

    byte_ids: Words
    byte_ranks: Words
    pairs: Hashes
    shift: np.uint64
    made: Words

    @classmethod
    def of(cls, byte_ids: Words, left: Words, right: Words, made: Words) -> "Merges":
        """From the merges in the order of their ranks; a pair that is there twice has the later rank."""
        bits = max(int(4 * len(made) - 1).bit_length(), 4)
        pairs = np.full((1 << bits) + 1, _EMPTY, np.uint64)
        shift = np.uint64(64 - bits)
        _fill(pairs, shift, left, right)
        byte_ranks = np.empty(1 << 16, np.uint32)
        _fill_bytes(byte_ranks, byte_ids, pairs, shift)
        return cls(byte_ids, byte_ranks, pairs, shift, made)


@njit(nogil=True, cache=True, inline="always")
def _pair(left: Any, right: Any) -> Any:
    return np.uint64(np.uint64(np.uint64(left) << _ID_BITS) | np.uint64(right))


@njit(nogil=True, cache=True, inline="always")
def _slot(pairs: Hashes, shift: np.uint64, key: np.uint64) -> Any:
    """Where ``key`` is, or the empty slot where it belongs."""
    mask = np.uint64(len(pairs) - 2)
    slot = np.uint64(np.uint64(key * _SPREAD) >> shift)
    while np.uint64(pairs[slot] >> _ID_BITS) != key and pairs[slot] != _EMPTY:
        slot = np.uint64(np.uint64(slot + _ONE) & mask)
    return slot


@njit(nogil=True, cache=True, inline="always")
def rank_of(pairs: Hashes, shift: np.uint64, left: Any, right: Any) -> Any:
    """The rank of the pair of two ids, or ``NO_RANK``. Mostly without a branch: it could not be predicted."""
    key = _pair(left, right)
    slot = np.uint64(np.uint64(key * _SPREAD) >> shift)
    first, second = pairs[slot], pairs[np.uint64(slot + _ONE)]  # an empty slot holds ones, which are no rank
    at_first = np.uint64(first >> _ID_BITS) == key
    found = np.uint64(first if at_first else second)
    if not at_first and second != _EMPTY and np.uint64(second >> _ID_BITS) != key and first != _EMPTY:
        found = np.uint64(pairs[_slot(pairs, shift, key)])
    return np.uint32(found & _RANK) if np.uint64(found >> _ID_BITS) == key else NO_RANK


@njit(nogil=True, cache=True)
def _fill(pairs: Hashes, shift: np.uint64, left: Words, right: Words) -> None:
    for rank in range(len(left)):
        key = _pair(left[rank], right[rank])
        pairs[_slot(pairs, shift, key)] = np.uint64(np.uint64(key << _ID_BITS) | np.uint64(rank))
    pairs[len(pairs) - 1] = pairs[0]


@njit(nogil=True, cache=True)
def _fill_bytes(byte_ranks: Words, byte_ids: Words, pairs: Hashes, shift: np.uint64) -> None:
    for left in range(256):
        for right in range(256):
            byte_ranks[left << 8 | right] = rank_of(pairs, shift, byte_ids[left], byte_ids[right])


@njit(nogil=True, cache=True)
def merge_few(values: Bytes, start: int, end: int, ids: Words, keys: Words, merges: Merges) -> Any:
    """The ids of ``values[start:end]`` (1 to ``FEW`` bytes) in ``ids``; returns their number.

    ``keys``: scratch for ``FEW``: the rank of the pair that begins at each place, and the place. A bit of ``alive``
    stands for each place where an id begins.
    """
    byte_ids, byte_ranks, pairs, shift, made = merges
    n = end - start
    room = (n + _BLOCK - 1) // _BLOCK * _BLOCK
    last = np.int64(values[start])
    ids[0] = byte_ids[last]
    for i in range(1, n):
        byte = np.int64(values[start + i])
        ids[i] = byte_ids[byte]
        rank = np.uint32(byte_ranks[last << 8 | byte])
        keys[i - 1] = np.uint32(np.uint32(rank << _PLACE_BITS) | np.uint32(i - 1))
        last = byte
    for i in range(n - 1, room):
        keys[i] = _DEAD
    alive = np.uint64(_EMPTY >> np.uint64(64 - n))
    while True:
        low = _DEAD
        for block in range(0, room, _BLOCK):
            for i in range(_BLOCK):
                low = min(low, keys[block + i])
        rank = np.uint32(low >> _PLACE_BITS)
        if rank >= NO_RANK:
            break
        at = np.uint64(low & _PLACE)
        made_id = made[rank]
        ids[at] = made_id
        later = np.uint64(np.uint64(alive >> at) >> _ONE)  # not empty: the right half of the pair is there
        gone = np.uint64(at + _ONE + np.uint64(trailing_zeros(later)))
        alive = np.uint64(alive & ~np.uint64(_ONE << gone))
        keys[gone] = _DEAD
        keys[at] = _DEAD
        later = np.uint64(np.uint64(alive >> at) >> _ONE)
        if later != _ZERO:
            after = np.uint64(at + _ONE + np.uint64(trailing_zeros(later)))
            rank = rank_of(pairs, shift, made_id, ids[after])
            keys[at] = np.uint32(np.uint32(rank << _PLACE_BITS) | np.uint32(at))
        earlier = np.uint64(alive & np.uint64(np.uint64(_ONE << at) - _ONE))
        if earlier != _ZERO:
            before = np.uint64(_63 - np.uint64(leading_zeros(earlier)))
            rank = rank_of(pairs, shift, ids[before], made_id)
            keys[before] = np.uint32(np.uint32(rank << _PLACE_BITS) | np.uint32(before))
    count = 0
    while alive != _ZERO:
        ids[count] = ids[trailing_zeros(alive)]
        count += 1
        alive = np.uint64(alive & np.uint64(alive - _ONE))
    return count


@njit(nogil=True, cache=True, inline="always")
def _sift_up(heap: Hashes, at: int) -> int:
    """Move the last entry to its place; returns the number of moves."""
    entry = heap[at]
    moves = 0
    while at > 0:
        above = (at - 1) >> 1
        if heap[above] <= entry:
            break
        heap[at] = heap[above]
        at = above
        moves += 1
    heap[at] = entry
    return moves


@njit(nogil=True, cache=True, inline="always")
def _sift_down(heap: Hashes, at: int, size: int) -> int:
    entry = heap[at]
    moves = 0
    while True:
        below = 2 * at + 1
        if below >= size:
            break
        if below + 1 < size and heap[below + 1] < heap[below]:
            below += 1
        if heap[below] >= entry:
            break
        heap[at] = heap[below]
        at = below
        moves += 1
    heap[at] = entry
    return moves


@njit(nogil=True, cache=True)
def merge_many(values: Bytes, start: int, end: int, merges: Merges) -> tuple[Words, int]:
    """The ids of ``values[start:end]`` of any length, and how many moves in the heap they took."""
    byte_ids, byte_ranks, pairs, shift, made = merges
    n = end - start
    ids = np.empty(n, np.uint32)
    ranks = np.empty(n, np.uint32)
    before = np.empty(n, np.int32)
    after = np.empty(n, np.int32)
    heap = np.empty(2 * n, np.uint64)  # a merge takes one entry out and puts at most two in, and there are n - 1
    size = 0
    for i in range(n):
        ids[i] = byte_ids[values[start + i]]
        before[i] = i - 1
        after[i] = i + 1
        ranks[i] = NO_RANK
        if i + 1 < n:
            ranks[i] = byte_ranks[np.int64(values[start + i]) << 8 | np.int64(values[start + i + 1])]
            if ranks[i] != NO_RANK:
                heap[size] = np.uint64(np.uint64(np.uint64(ranks[i]) << _32) | np.uint64(i))
                size += 1
    moves = 0
    for i in range(size // 2 - 1, -1, -1):
        moves += _sift_down(heap, i, size)
    while size > 0:
        entry = heap[0]
        size -= 1
        heap[0] = heap[size]
        if size > 0:
            moves += _sift_down(heap, 0, size)
        at = np.int64(entry & _LOW)
        rank = np.uint32(entry >> _32)
        if ranks[at] != rank:  # merged away since, or its neighbour was
            continue
        ids[at] = made[rank]
        gone = np.int64(after[at])
        following = np.int64(after[gone])
        ranks[gone] = NO_RANK
        after[at] = following
        ranks[at] = NO_RANK
        if following < n:
            before[following] = at
            ranks[at] = rank_of(pairs, shift, ids[at], ids[following])
            if ranks[at] != NO_RANK:
                heap[size] = np.uint64(np.uint64(np.uint64(ranks[at]) << _32) | np.uint64(at))
                moves += _sift_up(heap, size)
                size += 1
        previous = np.int64(before[at])
        if previous >= 0:
            ranks[previous] = rank_of(pairs, shift, ids[previous], ids[at])
            if ranks[previous] != NO_RANK:
                heap[size] = np.uint64(np.uint64(np.uint64(ranks[previous]) << _32) | np.uint64(previous))
                moves += _sift_up(heap, size)
                size += 1
    count = 0
    i = 0
    while i < n:
        ids[count] = ids[i]
        count += 1
        i = np.int64(after[i])
    return ids[:count], moves
