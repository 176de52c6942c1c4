"""The merges of byte-pair encoding: from words and how often each occurs to the pairs to join, in order.

The definition, which is that of ``tokenizers`` (0.23, ``models/bpe/trainer.rs``): the pair of neighbouring symbols with
the highest count is joined wherever it stands, from left to right; of pairs with equal counts the smallest by ids
(first, second). A pair's count is how often its symbols are neighbours, over all words, so ``aaa`` holds ``aa`` twice.

Decisions:
- A merge makes a symbol that was nowhere before, and every new pair has it: so a pair's places are all known when it is
  made, one run in a pool, and its count only falls afterwards. A pair below ``min_frequency`` is never stored, and the
  heap may hold counts that are too high: what comes out is put back with its count of now.
- Symbols are a linked list over the bytes of all words. Each join takes one away and makes at most two pairs, so work
  and memory are bounded by the bytes of the words (about 32 bytes each), however many merges are asked for.
- A symbol's bytes are made by one pair only: two places with the same bytes went through the same merges. So no two
  merges give one token.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataprep.compiled import njit
from dataprep.text.utf8 import Bytes, Longs

BYTES = 256
SHIFT = 32
MASK = (1 << SHIFT) - 1
NONE = -1
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
LARGEST = 1 << 31  # places are int32

Ints = NDArray[np.int32]


def learn_merges(values: Bytes, offsets: Longs, counts: Longs, merges: int, min_frequency: int) -> Ints:
    """int32[n, 2], the pairs to join in order: symbols below 256 are bytes, 256 + k is the result of merge k.

    ``values``: the words' bytes, each replaced by its rank among ids, one word after the other; ``offsets``:
    int64[words + 1]; ``counts``: int64[words]. n is at most ``merges``; less when no pair occurs ``min_frequency``
    times. Raises ``ValueError`` when the words have too many bytes for int32.
    """
    if len(values) >= LARGEST:
        raise ValueError(f"tokenizer.sample_bytes: its different words have {len(values)} bytes; at most {LARGEST - 1}")
    if merges <= 0 or len(values) == 0:
        return np.empty((0, 2), np.int32)
    return _learn(values, offsets, counts, merges, min_frequency)


@njit(nogil=True, cache=True, inline="always")
def _slot(key: Any, mask: Any) -> Any:
    return np.int64((np.uint64(key) * MULTIPLIER) >> np.uint64(20)) & mask


@njit(nogil=True, cache=True)
def _find(keys: Longs, table: Ints, key: Any) -> Any:
    """The pair's index, or NONE."""
    mask = np.int64(table.size - 1)
    at = _slot(key, mask)
    while table[at] != NONE:
        if keys[table[at]] == key:
            return table[at]
        at = (at + 1) & mask
    return np.int32(NONE)


@njit(nogil=True, cache=True)
def _insert(keys: Longs, table: Ints, pair: int) -> None:
    mask = np.int64(table.size - 1)
    at = _slot(keys[pair], mask)
    while table[at] != NONE:
        at = (at + 1) & mask
    table[at] = pair


@njit(nogil=True, cache=True)
def _longer(array: Longs) -> Longs:
    grown = np.empty(array.size * 2, np.int64)
    grown[: array.size] = array
    return grown


@njit(nogil=True, cache=True, inline="always")
def _before(count: Any, key: Any, other_count: Any, other_key: Any) -> bool:
    return count > other_count or (count == other_count and key < other_key)


@njit(nogil=True, cache=True)
def _sift_up(heap: Ints, queued: Longs, keys: Longs, at: int) -> None:
    pair = heap[at]
    count, key = queued[pair], keys[pair]
    while at > 0:
        above = (at - 1) >> 2
        other = heap[above]
        if not _before(count, key, queued[other], keys[other]):
            break
        heap[at] = other
        at = above
    heap[at] = pair


@njit(nogil=True, cache=True)
def _sift_down(heap: Ints, size: int, queued: Longs, keys: Longs) -> None:
    pair = heap[0]
    count, key = queued[pair], keys[pair]
    at = 0
    while True:
        first = 4 * at + 1
        if first >= size:
            break
        best = first
        for child in range(first + 1, min(first + 4, size)):
            one, two = heap[child], heap[best]
            if _before(queued[one], keys[one], queued[two], keys[two]):
                best = child
        other = heap[best]
        if not _before(queued[other], keys[other], count, key):
            break
        heap[at] = other
        at = best
    heap[at] = pair


@njit(nogil=True, cache=True)
def _learn(values, offsets, counts, merges, min_frequency):  # type: ignore[no-untyped-def]
    size = values.size
    symbols = values.astype(np.int32)
    left = np.empty(size, np.int32)
    right = np.empty(size, np.int32)
    word = np.empty(size, np.int32)
    for w in range(offsets.size - 1):
        for i in range(offsets[w], offsets[w + 1]):
            word[i] = w
            left[i] = i - 1 if i > offsets[w] else NONE
            right[i] = i + 1 if i + 1 < offsets[w + 1] else NONE

    # pairs of bytes, by counting
    found = np.zeros(BYTES * BYTES, np.int64)
    places_of = np.zeros(BYTES * BYTES + 1, np.int64)
    for i in range(size):
        if right[i] != NONE:
            code = symbols[i] * BYTES + symbols[i + 1]
            found[code] += counts[word[i]]
            places_of[code + 1] += 1
    places_of = np.cumsum(places_of)
    pool = np.empty(3 * size, np.int32)  # the places of pairs, a run for each
    used = places_of[-1]
    fill = places_of.copy()
    for i in range(size):
        if right[i] != NONE:
            code = symbols[i] * BYTES + symbols[i + 1]
            pool[fill[code]] = i
            fill[code] += 1

    room = BYTES * BYTES
    keys = np.empty(room, np.int64)  # of pairs: first << SHIFT | second
    totals = np.empty(room, np.int64)  # their counts
    queued = np.empty(room, np.int64)  # their counts when they were put into the heap
    starts = np.empty(room, np.int64)
    stops = np.empty(room, np.int64)
    heap = np.empty(room, np.int32)
    table = np.full(4 * room, NONE, np.int32)
    pairs = 0
    waiting = 0
    for code in range(BYTES * BYTES):
        if found[code] >= min_frequency and found[code] > 0:
            keys[pairs] = (np.int64(code // BYTES) << SHIFT) | np.int64(code % BYTES)
            totals[pairs] = queued[pairs] = found[code]
            starts[pairs], stops[pairs] = places_of[code], places_of[code + 1]
            _insert(keys, table, pairs)
            heap[waiting] = pairs
            _sift_up(heap, queued, keys, waiting)
            waiting += 1
            pairs += 1

    # by neighbour, side 0 the one before and 1 the one behind: what the pair with it gains, what its old pair loses,
    # and its number of new places
    ids = BYTES + merges
    gained = np.zeros((2, ids), np.int64)
    lost = np.zeros((2, ids), np.int64)
    fresh = np.zeros((2, ids), np.int64)
    touched = np.empty((2, ids), np.int32)
    seen = np.empty((2, size), np.int32)  # neighbour and place of each new pair, as they come
    where = np.empty((2, size), np.int32)
    result = np.empty((merges, 2), np.int32)
    done = 0
    while done < merges and waiting > 0:
        pair = heap[0]
        if queued[pair] != totals[pair]:
            queued[pair] = totals[pair]
            if totals[pair] < min_frequency or totals[pair] <= 0:
                waiting -= 1
                heap[0] = heap[waiting]
            if waiting:
                _sift_down(heap, waiting, queued, keys)
            continue
        waiting -= 1
        heap[0] = heap[waiting]
        if waiting:
            _sift_down(heap, waiting, queued, keys)
        first, second = np.int32(keys[pair] >> SHIFT), np.int32(keys[pair] & MASK)
        new = np.int32(BYTES + done)
        result[done, 0], result[done, 1] = first, second
        done += 1

        near = np.zeros(2, np.int64)  # neighbours touched
        made = np.zeros(2, np.int64)  # new places
        for k in range(starts[pair], stops[pair]):
            i = pool[k]
            if symbols[i] != first:
                continue
            j = right[i]
            if j == NONE or symbols[j] != second:
                continue
            times = counts[word[i]]
            symbols[i] = new
            symbols[j] = NONE
            behind = right[j]
            right[i] = behind
            if behind != NONE:
                left[behind] = i
            before = left[i]
            if before != NONE:
                other = symbols[before]
                if fresh[0, other] == 0:
                    touched[0, near[0]] = other
                    near[0] += 1
                fresh[0, other] += 1
                seen[0, made[0]], where[0, made[0]] = other, before
                made[0] += 1
                gained[0, other] += times
                if other == new:  # its pair with what stood here was counted a moment ago, and is gone
                    gained[1, first] -= times
                else:
                    lost[0, other] += times
            if behind != NONE:
                other = symbols[behind]
                if fresh[1, other] == 0:
                    touched[1, near[1]] = other
                    near[1] += 1
                fresh[1, other] += 1
                seen[1, made[1]], where[1, made[1]] = other, i
                made[1] += 1
                gained[1, other] += times
                lost[1, other] += times

        for side in range(2):
            for k in range(near[side]):
                other = touched[side, k]
                before, after = (other, first) if side == 0 else (second, other)
                old = _find(keys, table, (np.int64(before) << SHIFT) | np.int64(after))
                if old != NONE:
                    totals[old] -= lost[side, other]
                if gained[side, other] >= min_frequency and gained[side, other] > 0:
                    if pairs == keys.size:
                        keys, totals, queued = _longer(keys), _longer(totals), _longer(queued)
                        starts, stops = _longer(starts), _longer(stops)
                        grown = np.empty(heap.size * 2, np.int32)
                        grown[: heap.size] = heap
                        heap = grown
                        table = np.full(table.size * 2, NONE, np.int32)
                        for known in range(pairs):
                            _insert(keys, table, known)
                    before, after = (other, new) if side == 0 else (new, other)
                    keys[pairs] = (np.int64(before) << SHIFT) | np.int64(after)
                    totals[pairs] = queued[pairs] = gained[side, other]
                    starts[pairs] = stops[pairs] = used
                    used += fresh[side, other]
                    _insert(keys, table, pairs)
                    heap[waiting] = pairs
                    _sift_up(heap, queued, keys, waiting)
                    waiting += 1
                    fresh[side, other] = pairs
                    pairs += 1
                else:
                    fresh[side, other] = NONE
            for k in range(made[side]):
                pair = fresh[side, seen[side, k]]
                if pair != NONE:
                    pool[stops[pair]] = where[side, k]
                    stops[pair] += 1
            for k in range(near[side]):
                other = touched[side, k]
                gained[side, other] = lost[side, other] = fresh[side, other] = 0
    return result[:done]
