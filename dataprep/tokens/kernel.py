"""The encoding kernel: UTF-8 buffers → ids, by way of a cache from pre-tokens to their ids.

Decisions:
- A cache is exact: the bytes of a pre-token are compared, never only a hash. What it holds changes the speed and
  nothing else.
- A pre-token of up to ``SHORT`` bytes is two uint64 (its bytes, and its length in the last one), read with two loads;
  up to three ids lie beside it, 32 bytes in all, so that most pre-tokens of a text cost one cache line. A place holds
  two; the older one gives way. All others, up to ``LONG`` bytes, are in a pool, which begins anew when it is full.
- What is longer is not kept: such pre-tokens rarely come twice.
- Memory is bounded whatever the text: 8 MB for the short, 5 MB for the long.
- No text makes a search long: a place is looked for in two (short) or ``WAYS`` (long) neighbouring slots.
"""

from typing import Any, NamedTuple

import numpy as np
from numba.cpython.unsafe.numbers import trailing_zeros  # type: ignore[import-untyped]

from numpy.typing import NDArray

from dataprep.compiled import njit
from dataprep.text.utf8 import Bytes, Hashes, Longs, find_sorted
from dataprep.text.xxh3 import fold_product, load64, prefetch, xxh3
from dataprep.tokens.marks import mark
from dataprep.tokens.merges import FEW, ID_BITS, Merges, Words, merge_few, merge_many
from dataprep.tokens.pretokens import pretoken_end

AHEAD = 64
SHORT = 15
LONG = 240  # as far as XXH3 is short
MOST = 6
WAYS = 4
SHORT_SLOTS = 1 << 20
LONG_SLOTS = 1 << 16
POOL = 1 << 21  # uint32

POOL_USED = 0  # of ``state``
LOOKUPS, MISSES = 1, 2

_LENGTH_SHIFT = np.uint64(56)
_SHORT_MASK = np.uint64(SHORT_SLOTS // 2 - 1)
_LONG_MASK = np.uint64(LONG_SLOTS - 1)
_COUNT_SHIFT = np.uint64(60)
_KEY_BITS = np.uint64((1 << 60) - 1)
_ID, _ID_1, _ID_2 = np.uint64((1 << ID_BITS) - 1), np.uint64(ID_BITS), np.uint64(2 * ID_BITS)
_ZERO, _ONE, _TWO = np.uint64(0), np.uint64(1), np.uint64(2)
_KEY_1, _KEY_2 = np.uint64(0xA0761D6478BD642F), np.uint64(0xE7037ED1A0B428DB)

_ONES = 0xFFFFFFFFFFFFFFFF
# by length, what to keep of the first eight bytes and of the next
_MASKS = np.array(
    [[_ONES >> max(0, 64 - 8 * n) if n else 0, _ONES >> (128 - 8 * n) if n > 8 else 0] for n in range(SHORT + 1)],
    np.uint64,
)


def _aligned(slots: int) -> Hashes:
    """uint64[slots, 4] of zeros, two slots a cache line. Filled, not ``np.zeros``: numpy asks for huge pages then."""
    room = np.empty(4 * slots + 8, np.uint64)
    skip = -room.ctypes.data % 64 // 8
    found = room[skip : skip + 4 * slots].reshape(slots, 4)
    found.fill(0)
    return found


@njit(nogil=True, cache=True, inline="always")
def _short_key(values: Bytes, i: int, n: int) -> Any:
    """A pre-token of ``n`` bytes, at most ``SHORT``, as two uint64: its bytes and its length."""
    a = np.uint64(load64(values, i) & _MASKS[n, 0])
    b = np.uint64(load64(values, i + 8) & _MASKS[n, 1])
    return a, np.uint64(b | np.uint64(np.uint64(n) << _LENGTH_SHIFT))


@njit(nogil=True, cache=True, inline="always")
def _short_slot(a: np.uint64, b: np.uint64) -> Any:
    """The first of the two slots where it may be."""
    return np.uint64(np.uint64(fold_product(a ^ _KEY_1, b ^ _KEY_2) & _SHORT_MASK) * _TWO)


class Whole(NamedTuple):
    """Pre-tokens that have an id of their own which merging does not give (``ignore_merges``), by sorted hash."""

    keys: Hashes
    ids: Words
    offsets: Longs
    values: Bytes


class Cache(NamedTuple):
    """``short`` uint64[slots, 4]: two of the pre-token, then the number of ids and the ids.

    ``long`` uint64[slots, 2]: hash of the pre-token, its place in ``pool``: length, number of ids, ids, bytes.
    """

    short: Hashes
    long: Hashes
    pool: Words
    pool_bytes: Bytes
    state: Longs
    ids: Words
    ranks: Words
    first: Hashes
    second: Hashes
    slots: Hashes
    bounds: Longs

    @classmethod
    def empty(cls) -> "Cache":
        pool = np.empty(POOL, np.uint32)
        return cls(
            _aligned(SHORT_SLOTS),
            np.zeros((LONG_SLOTS, 2), np.uint64),
            pool,
            pool.view(np.uint8),
            np.zeros(4, np.int64),
            np.empty(FEW + 1, np.uint32),
            np.empty(FEW + 1, np.uint32),
            np.empty(AHEAD, np.uint64),
            np.empty(AHEAD, np.uint64),
            np.empty(AHEAD, np.uint64),
            np.empty(AHEAD + 1, np.int64),
        )


@njit(nogil=True, cache=True, inline="always")
def _find_long(
    values: Bytes, start: int, stop: int, key: np.uint64, long: Hashes, pool: Words, pool_bytes: Bytes
) -> Any:
    """The place in the pool, or -1."""
    n = stop - start
    for way in range(WAYS):
        slot = np.uint64(np.uint64(key + np.uint64(way)) & _LONG_MASK)
        if long[slot, 0] != key:
            continue
        place = np.int64(long[slot, 1]) - 1
        if place < 0 or np.int64(pool[place]) != n:
            continue
        kept = 4 * (place + 2 + np.int64(pool[place + 1]))
        k = 0
        while k + 8 <= n and load64(pool_bytes, kept + k) == load64(values, start + k):
            k += 8
        while k < n and pool_bytes[kept + k] == values[start + k]:
            k += 1
        if k == n:
            return place
    return -1


@njit(nogil=True, cache=True)
def _keep_long(
    values: Bytes, i: int, n: int, key: np.uint64, ids: Words, count: int, long: Hashes, pool: Words, pool_bytes: Bytes,
    state: Longs,
) -> None:  # fmt: skip
    size = 2 + count + (n + 3) // 4
    if state[POOL_USED] + size > len(pool):
        long[:] = np.uint64(0)
        state[POOL_USED] = 0
    place = state[POOL_USED]
    state[POOL_USED] += size
    pool[place] = n
    pool[place + 1] = count
    for k in range(count):
        pool[place + 2 + k] = ids[k]
    at = 4 * (place + 2 + count)
    for k in range(n):
        pool_bytes[at + k] = values[i + k]
    chosen = np.uint64(key & _LONG_MASK)
    for way in range(WAYS):
        slot = np.uint64(np.uint64(key + np.uint64(way)) & _LONG_MASK)
        if long[slot, 1] == 0:
            chosen = slot
            break
    long[chosen, 0] = key
    long[chosen, 1] = np.uint64(place + 1)


@njit(nogil=True, cache=True)
def _find_whole(values: Bytes, start: int, stop: int, whole: Whole) -> Any:
    """The id that ``values[start:stop]`` has as a whole, or -1."""
    found = find_sorted(whole.keys, xxh3(values, start, stop))
    if found < 0 or whole.offsets[found + 1] - whole.offsets[found] != stop - start:
        return -1
    for k in range(stop - start):
        if whole.values[whole.offsets[found] + k] != values[start + k]:
            return -1
    return np.int64(whole.ids[found])


@njit(nogil=True, cache=True, inline="always")
def _missed(
    values: Bytes,
    i: int,
    end: int,
    key: np.uint64,
    out: Words,
    k: int,
    cache: Cache,
    merges: Merges,
    whole: Whole,
) -> Any:
    """Merge a pre-token that is not in the cache, and keep it there; returns where the next ids go."""
    short, state = cache.short, cache.state
    n = end - i
    state[MISSES] += 1
    known = _find_whole(values, i, end, whole) if len(whole.keys) else -1
    if known >= 0:
        found = cache.ids
        found[0] = known
        count = 1
    elif n <= FEW:
        found = cache.ids
        count = np.int64(merge_few(values, i, end, found, cache.ranks, merges))
    else:
        found, _ = merge_many(values, i, end, merges)
        count = len(found)
    for t in range(count):
        out[k + t] = found[t]
    if n <= SHORT and count <= MOST:
        a, b = _short_key(values, i, n)
        slot = _short_slot(a, b)
        for c in range(4):
            short[slot + _ONE, c] = short[slot, c]
        for t in range(count, MOST):
            found[t] = 0
        short[slot, 0] = a
        short[slot, 1] = np.uint64(b | np.uint64(np.uint64(count) << _COUNT_SHIFT))
        for half in range(2):
            low, middle, high = found[3 * half], found[3 * half + 1], found[3 * half + 2]
            both = np.uint64(np.uint64(low) | np.uint64(np.uint64(middle) << _ID_1))
            short[slot, 2 + half] = np.uint64(both | np.uint64(np.uint64(high) << _ID_2))
    elif SHORT < n <= LONG:
        _keep_long(values, i, n, key, found, count, cache.long, cache.pool, cache.pool_bytes, state)
    return k + count


@njit(nogil=True, cache=True)
def encode(
    values: Bytes,
    starts: Longs,
    ends: Longs,
    closing: Words,
    out: Words,
    k: int,
    offsets: Longs,
    pattern: Any,
    all_marks: Any,
    cache: Cache,
    merges: Merges,
    whole: Whole,
) -> Any:
    """Append the ids of the pieces ``values[starts[p]:ends[p]]``, each closed with ``closing[p]``, to ``out`` at ``k``.

    ``offsets[p]`` is where the ids of piece ``p`` end. ``out`` has room for an id a byte and a piece, and ``MOST`` more.
    Returns where the next ids go.
    """
    table, cl100k, digits, at_end = pattern
    marks, slow, open_marks = all_marks
    short, first, second, slots, bounds = cache.short, cache.first, cache.second, cache.slots, cache.bounds
    for p in range(len(starts)):
        start, end = starts[p], ends[p]
        mark(values, start, end, table, cl100k, digits, all_marks)
        i = start
        w = 0
        here = slow[0] & _ONE
        bits = np.uint64(np.uint64(marks[0] >> _ONE) << _ONE)
        while i < end:
            # find some pre-tokens and ask for their cache lines, then use them: memory is waited for once, not each time
            found = 0
            while i < end and found < AHEAD:
                while bits == _ZERO:
                    w += 1
                    bits = marks[w]
                place = np.uint64(trailing_zeros(bits))
                there = np.uint64(np.uint64(open_marks[w] >> place) & _ONE)
                if np.uint64(here | there) == _ZERO:
                    stop = start + (w << 6) + np.int64(place)
                    bits = np.uint64(bits & np.uint64(bits - _ONE))
                    here = np.uint64(np.uint64(slow[w] >> place) & _ONE)
                else:
                    stop = pretoken_end(values, i, end, table, cl100k, digits, at_end)
                    w = (stop - start) >> 6
                    place = np.uint64((stop - start) & 63)
                    rest = np.uint64(marks[w] >> place)
                    here = np.uint64(np.uint64(np.uint64(slow[w] >> place) | ~rest) & _ONE)
                    bits = np.uint64(np.uint64(np.uint64(rest >> _ONE) << _ONE) << place)
                a, b = _short_key(values, i, min(stop - i, SHORT))
                slot = _short_slot(a, b)
                prefetch(short, slot)
                first[found] = a
                second[found] = b
                slots[found] = slot
                bounds[found] = i
                found += 1
                i = stop
            bounds[found] = i
            for t in range(found):
                begin = bounds[t]
                n = bounds[t + 1] - begin
                if n <= SHORT:
                    a, b, slot = first[t], second[t], slots[t]
                    other = np.uint64(slot + _ONE)
                    one, two = short[slot, 1], short[other, 1]
                    # differences instead of comparisons: which of the two it is cannot be predicted
                    miss = np.uint64(np.uint64(short[slot, 0] ^ a) | np.uint64(np.uint64(one ^ b) & _KEY_BITS))
                    miss_other = np.uint64(np.uint64(short[other, 0] ^ a) | np.uint64(np.uint64(two ^ b) & _KEY_BITS))
                    if miss == _ZERO or miss_other == _ZERO:
                        slot = slot if miss == _ZERO else other
                        known = one if miss == _ZERO else two
                        x = short[slot, 2]
                        count = np.int64(known >> _COUNT_SHIFT)
                        out[k] = x & _ID
                        out[k + 1] = np.uint64(x >> _ID_1) & _ID
                        out[k + 2] = x >> _ID_2
                        if count > 3:
                            x = short[slot, 3]
                            out[k + 3] = x & _ID
                            out[k + 4] = np.uint64(x >> _ID_1) & _ID
                            out[k + 5] = x >> _ID_2
                        k += count
                        continue
                key = _ZERO
                if SHORT < n <= LONG:
                    key = xxh3(values, begin, begin + n)
                    kept = _find_long(values, begin, begin + n, key, cache.long, cache.pool, cache.pool_bytes)
                    if kept >= 0:
                        count = np.int64(cache.pool[kept + 1])
                        for c in range(count):
                            out[k + c] = cache.pool[kept + 2 + c]
                        k += count
                        continue
                k = _missed(values, begin, begin + n, key, out, k, cache, merges, whole)
        out[k] = closing[p]
        k += 1
        offsets[p] = k
    return k


@njit(nogil=True, cache=True)
def learn(values: Bytes, offsets: Longs, out: Words, cache: Cache, merges: Merges, whole: Whole) -> None:
    """Keep the ids of pieces of text that are pre-tokens, the last ones first. ``out``: scratch, an id for a byte."""
    for d in range(len(offsets) - 2, -1, -1):
        i, end = offsets[d], offsets[d + 1]
        if SHORT < end - i <= LONG:
            _missed(values, i, end, xxh3(values, i, end), out, 0, cache, merges, whole)
        elif 0 < end - i <= SHORT:
            _missed(values, i, end, _ZERO, out, 0, cache, merges, whole)


@njit(nogil=True, cache=True)
def merged_alone(values: Bytes, offsets: Longs, ids: Words, merges: Merges) -> NDArray[np.bool_]:
    """Whether merging the bytes of each token gives the token's id."""
    found = np.zeros(len(ids), np.bool_)
    for d in range(len(ids)):
        merged, _ = merge_many(values, offsets[d], offsets[d + 1], merges)
        found[d] = len(merged) == 1 and merged[0] == ids[d]
    return found


@njit(nogil=True, cache=True)
def hashes(values: Bytes, offsets: Longs) -> Hashes:
    """The hash of each piece."""
    found = np.empty(len(offsets) - 1, np.uint64)
    for d in range(len(found)):
        found[d] = xxh3(values, offsets[d], offsets[d + 1])
    return found
