"""Repetition inside a document: duplicate spans, the most frequent n-gram, n-grams seen before.

Decisions:
- One hash table a document, sized for it, so that a usual document's table stays in the first-level cache. A slot holds
  only the position of a key's first occurrence; keys are looked up by position.
- Pieces are compared by their 64-bit hash (see `utf8`), not byte by byte.
- The definitions are datatrove's reading of Rae et al. 2021 (arXiv 2112.11446, table A1): a duplicate is a second or
  later occurrence, lengths are code points, the most frequent n-gram is the first seen among equals and may occur once.
  Parameters and ``recurring_ngrams`` give the readings of others, who count the first occurrence too.
"""

import numpy as np

from dataprep.compiled import njit
from dataprep.text.spans import Spans
from dataprep.text.utf8 import (
    BASE,
    SPACE_BYTE,
    Bytes,
    Hashes,
    Ints,
    Longs,
    Utf8,
    count_code_points,
    extend_hash,
    power,
)
from dataprep.text.words import Words

_MIX = np.uint64(0xBF58476D1CE4E5B9)
_HALF = np.uint64(32)
_POWERS = np.array([pow(int(BASE), k, 1 << 64) for k in range(256)], np.uint64)


def duplicate_spans(text: Utf8, spans: Spans, *, every: bool = False) -> tuple[Longs, Longs]:
    """Per document: how many spans equal an earlier span of the document, and the code points in those.

    With ``every`` the first of equal spans counts as well.
    """
    return _duplicate_spans(text.values, spans.offsets, spans.starts, spans.ends, every)


def top_ngrams(words: Words, sizes: tuple[int, ...], *, joint: int = 1, longest: bool = False, least: int = 1) -> Longs:
    """int64 (sizes, documents): code points of the most frequent n-gram times its count.

    ``joint`` code points are counted between two words of an n-gram. Among equally frequent n-grams the one seen first
    counts, or the ``longest``. 0 where no n-gram occurs ``least`` times.
    """
    return _top_ngrams(
        words.offsets, words.sizes, words.chars, words.hashes, np.array(sizes, np.int64), joint, longest, least
    )


def repeated_ngrams(words: Words, sizes: tuple[int, ...]) -> Longs:
    """int64 (sizes, documents): code points covered by n-grams that were seen before, without counting any word twice.

    Scans from the left; an n-gram seen before adds its length (without spaces) and the scan jumps behind it, any other
    is remembered and the scan advances by one word. Two n-grams are the same when their words, joined by nothing, are.
    """
    return _repeated_ngrams(words.offsets, words.sizes, words.chars, words.hashes, np.array(sizes, np.int64))


def recurring_ngrams(words: Words, sizes: tuple[int, ...]) -> tuple[Longs, Longs, Longs]:
    """int64 (sizes, documents) three times, about the n-grams that occur more than once, their first time included.

    Code points of the words that are part of one, no word counted twice; code points of all of them, a word counted in
    each; and code points of all n-grams there are, in the same way.
    """
    return _recurring_ngrams(words.offsets, words.sizes, words.chars, words.hashes, np.array(sizes, np.int64))


@njit(nogil=True, cache=True)
def _largest(offsets: Longs) -> int:
    """The most pieces that one document has."""
    largest = 0
    for d in range(len(offsets) - 1):
        largest = max(largest, offsets[d + 1] - offsets[d])
    return largest


@njit(nogil=True, cache=True)
def _table_size(keys: int) -> int:
    size = 16
    while size < 2 * keys:
        size *= 2
    return size


@njit(nogil=True, cache=True, inline="always")
def _find(slots: Ints, mask: int, keys: Hashes, i: int) -> int:
    """The first position with the key of position ``i``; -1 if ``i`` is the first, which is then remembered."""
    key = keys[i]
    mixed = key * _MIX
    slot = np.int64(mixed >> _HALF) & mask
    while True:
        first = slots[slot]
        if first < 0:
            slots[slot] = i
            return -1
        if keys[first] == key:
            return first
        slot = (slot + 1) & mask


@njit(nogil=True, cache=True)
def _duplicate_spans(values: Bytes, offsets: Longs, starts: Longs, ends: Longs, every: bool) -> tuple[Longs, Longs]:
    documents = len(offsets) - 1
    counts = np.zeros(documents, np.int64)
    chars = np.zeros(documents, np.int64)
    room = _largest(offsets)
    slots = np.empty(_table_size(room), np.int32)
    keys = np.empty(room, np.uint64)
    alone = np.empty(room, np.bool_)
    for d in range(documents):
        first = offsets[d]
        n = offsets[d + 1] - first
        size = _table_size(n)
        slots[:size] = -1
        for i in range(n):
            start = starts[first + i]
            end = ends[first + i]
            keys[i] = extend_hash(np.uint64(0), values, start, end)
            alone[i] = every
            seen = _find(slots, size - 1, keys, i)
            if seen >= 0:
                copies = 1 + alone[seen]
                alone[seen] = False
                counts[d] += copies
                chars[d] += copies * count_code_points(values, start, end)
    return counts, chars


@njit(nogil=True, cache=True)
def _load_document(
    first: int, n: int, sizes: Ints, chars: Ints, hashes: Hashes, powers: Hashes, ends: Longs, keys: Hashes
) -> None:
    """Fill the scratch arrays for one document: powers and running lengths of its words, and its 1-grams as keys."""
    total = 0
    ends[0] = 0
    for i in range(n):
        size = sizes[first + i]
        powers[i] = _POWERS[size] if size < 256 else power(size)
        total += chars[first + i]
        ends[i + 1] = total
        keys[i] = hashes[first + i]


@njit(nogil=True, cache=True, inline="always")
def _grow(
    keys: Hashes, n: int, grown: int, length: int, first: int, hashes: Hashes, powers: Hashes, spaced: bool
) -> int:
    """Turn the keys of n-grams of ``grown`` words into those of ``length``, joined by a space or by nothing."""
    while grown < length:
        for i in range(n - grown):
            key = keys[i] * BASE + SPACE_BYTE if spaced else keys[i]
            keys[i] = key * powers[i + grown] + hashes[first + i + grown]
        grown += 1
    return grown


@njit(nogil=True, cache=True)
def _top_ngrams(
    offsets: Longs,
    sizes: Ints,
    chars: Ints,
    hashes: Hashes,
    lengths: Longs,
    joint: int,
    longest: bool,
    least: int,
) -> Longs:
    documents = len(offsets) - 1
    result = np.zeros((len(lengths), documents), np.int64)
    room = _largest(offsets)
    slots = np.empty(_table_size(room), np.int32)
    keys = np.empty(room, np.uint64)
    powers = np.empty(room, np.uint64)
    ends = np.empty(room + 1, np.int64)
    counts = np.empty(room, np.int32)
    for d in range(documents):
        first = offsets[d]
        n = offsets[d + 1] - first
        size = _table_size(n)
        _load_document(first, n, sizes, chars, hashes, powers, ends, keys)
        grown = 1
        for k in range(len(lengths)):
            length = lengths[k]
            grown = _grow(keys, n, grown, length, first, hashes, powers, True)
            if n < length:
                continue
            slots[:size] = -1
            best = 0
            most = 1
            for i in range(n - length + 1):
                seen = _find(slots, size - 1, keys, i)
                if seen < 0:
                    counts[i] = 1
                    continue
                counts[i] = 0
                counts[seen] += 1
                if counts[seen] > most or (counts[seen] == most and seen < best):
                    most = counts[seen]
                    best = seen
            size_of_best = ends[best + length] - ends[best]
            if longest and most > 1:
                for i in range(n - length + 1):
                    if counts[i] == most:
                        size_of_best = max(size_of_best, ends[i + length] - ends[i])
            if most >= least:
                result[k, d] = (size_of_best + joint * (length - 1)) * most
    return result


@njit(nogil=True, cache=True)
def _repeated_ngrams(offsets: Longs, sizes: Ints, chars: Ints, hashes: Hashes, lengths: Longs) -> Longs:
    documents = len(offsets) - 1
    result = np.zeros((len(lengths), documents), np.int64)
    room = _largest(offsets)
    slots = np.empty(_table_size(room), np.int32)
    keys = np.empty(room, np.uint64)
    powers = np.empty(room, np.uint64)
    ends = np.empty(room + 1, np.int64)
    for d in range(documents):
        first = offsets[d]
        n = offsets[d + 1] - first
        size = _table_size(n)
        _load_document(first, n, sizes, chars, hashes, powers, ends, keys)
        grown = 1
        for k in range(len(lengths)):
            length = lengths[k]
            grown = _grow(keys, n, grown, length, first, hashes, powers, False)
            slots[:size] = -1
            i = 0
            while i <= n - length:
                if _find(slots, size - 1, keys, i) < 0:
                    i += 1
                else:
                    result[k, d] += ends[i + length] - ends[i]
                    i += length
    return result


@njit(nogil=True, cache=True)
def _recurring_ngrams(
    offsets: Longs, sizes: Ints, chars: Ints, hashes: Hashes, lengths: Longs
) -> tuple[Longs, Longs, Longs]:
    documents = len(offsets) - 1
    covered = np.zeros((len(lengths), documents), np.int64)
    recurring = np.zeros((len(lengths), documents), np.int64)
    every = np.zeros((len(lengths), documents), np.int64)
    room = _largest(offsets)
    slots = np.empty(_table_size(room), np.int32)
    keys = np.empty(room, np.uint64)
    powers = np.empty(room, np.uint64)
    ends = np.empty(room + 1, np.int64)
    again = np.empty(room, np.bool_)
    for d in range(documents):
        first = offsets[d]
        n = offsets[d + 1] - first
        size = _table_size(n)
        _load_document(first, n, sizes, chars, hashes, powers, ends, keys)
        grown = 1
        for k in range(len(lengths)):
            length = lengths[k]
            grown = _grow(keys, n, grown, length, first, hashes, powers, True)
            slots[:size] = -1
            for i in range(n - length + 1):
                seen = _find(slots, size - 1, keys, i)
                again[i] = seen >= 0
                if seen >= 0:
                    again[seen] = True
            behind = 0
            for i in range(n - length + 1):
                chars_here = ends[i + length] - ends[i]
                every[k, d] += chars_here
                if again[i]:
                    recurring[k, d] += chars_here
                    covered[k, d] += ends[i + length] - ends[max(i, behind)]
                    behind = i + length
    return covered, recurring, every
