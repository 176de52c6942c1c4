"""Exact words of a tokenizer that splits at white space first: a cache of chunk → words, read and filled by the kernel.

Such a tokenizer is a pure function of each chunk, a maximal run of characters that are not white space
(``str.isspace``). So each different chunk is cut once, by the compiled rules (`spacy_kernel`).

The definition ``spacy-en`` is what datatrove 0.10 measures with in English: the tokens of ``spacy.blank("en")``. A word
has content unless all its characters are among datatrove's symbols, and every word counts where something is measured
per word.

Decisions:
- A chunk is known by its 64-bit hash (see `utf8`). One that is a single word takes a slot of 12 bytes, and half the
  slots or more are empty; others take 4 more a word. The cache is emptied when a batch finds more than ``CACHE_CHUNKS``
  in it (about 150 MB): memory is bounded, and what is forgotten is cut again.
- A chunk of more than ``CHUNK_BYTES`` bytes is cut into such pieces first, a bound that no real text has met.
"""

import threading
from functools import cache
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dataprep.text.classes import ALPHA, SPACE, classes, datatrove_symbols
from dataprep.text.spacy_kernel import CHUNK_CODES, scratch, tokenize
from dataprep.text.spacy_rules import load_rules
from dataprep.text.utf8 import BASE, ONE, Bytes, Hashes, Ints, Longs, Utf8, decode
from dataprep.text.words import HAS_ALPHA, HAS_CONTENT, IN_DENOMINATOR, Words

CHUNK_BYTES = CHUNK_CODES
CACHE_CHUNKS = 4 << 20

SYMBOL = 8  # of the table of characters here, beside SPACE and ALPHA
SINGLE = -1  # the place in the cache of a chunk that is one word

DONE, WORDS_FULL, CACHE_FULL = 0, 1, 2

_MIX = np.uint64(0xBF58476D1CE4E5B9)
_HALF = np.uint64(32)


class ChunkCache:
    """The words of chunks, by open addressing.

    ``places``: 0 an empty slot, ``SINGLE``, or where in ``pool`` a chunk's number of words stands, before the bytes of
    each.
    """

    def __init__(self, rules: tuple[Any, ...]) -> None:
        self.rules = rules
        self.scratch = scratch()
        self.lock = threading.Lock()
        self._clear()

    def _clear(self) -> None:
        self.keys = np.zeros(1 << 16, np.uint64)
        self.places = np.zeros(1 << 16, np.int32)
        self.pool = np.zeros(1 << 18, np.int32)
        self.counts = np.array([0, 1], np.int64)  # chunks; used of the pool, whose place 0 would mean an empty slot

    def segment(self, text: Utf8) -> Words:
        """The words of every document."""
        with self.lock:  # kernels release the GIL and write to the cache
            if self.counts[0] > CACHE_CHUNKS:
                self._clear()
            room = int(text.offsets[-1] - text.offsets[0]) // 5 + 64
            offsets = np.zeros(text.documents + 1, np.int64)
            columns: list[Any] = [np.empty(room, kind) for kind in (np.int64, np.int32, np.int32, np.uint64, np.uint8)]
            document, byte, count = 0, text.offsets[0], 0
            while True:
                document, byte, count, state = _fill(  # type: ignore[call-arg]
                    *(text.values, text.offsets, _table(), document, byte, count, offsets, *columns),
                    *(self.keys, self.places, self.pool, self.counts, self.scratch, self.rules),
                )
                if state == DONE:
                    return Words(offsets, *(column[:count] for column in columns))
                if state == WORDS_FULL:
                    columns = [_twice(column) for column in columns]
                else:
                    self._grow()

    def _grow(self) -> None:
        if 2 * self.counts[0] >= len(self.keys):
            keys, places = self.keys, self.places
            self.keys, self.places = np.zeros(2 * len(keys), np.uint64), np.zeros(2 * len(keys), np.int32)
            _rehash(keys, places, self.keys, self.places)
        if self.counts[1] + CHUNK_CODES + 1 > len(self.pool):
            self.pool = _twice(self.pool)


def segment_spacy(text: Utf8) -> Words:
    """The words of every document by the definition ``spacy-en``."""
    return _spacy_cache().segment(text)


@cache
def _spacy_cache() -> ChunkCache:
    return ChunkCache(load_rules().arrays)


@cache
def _table() -> Bytes:
    table = classes() & np.uint8(SPACE | ALPHA)
    table[list(datatrove_symbols())] |= SYMBOL
    table.flags.writeable = False
    return table


def _twice(column: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate([column, np.empty_like(column)])


@njit(nogil=True, cache=True, inline="always")
def _slot(keys: Hashes, places: Ints, key: np.uint64) -> Any:
    """Where ``key`` is, or the empty slot where it belongs."""
    mask = len(keys) - 1
    mixed = key * _MIX
    slot = np.int64(mixed >> _HALF) & mask
    while places[slot] != 0 and keys[slot] != key:
        slot = (slot + 1) & mask
    return slot


@njit(nogil=True, cache=True)
def _rehash(keys: Hashes, places: Ints, new_keys: Hashes, new_places: Ints) -> None:
    for i in range(len(keys)):
        if places[i] != 0:
            slot = _slot(new_keys, new_places, keys[i])
            new_keys[slot] = keys[i]
            new_places[slot] = places[i]


@njit(nogil=True, cache=True)
def _store(sizes: Ints, count: int, pool: Ints, counts: Longs) -> Any:
    """Put ``count`` sizes into the pool; returns the place."""
    if count == 1:
        return SINGLE
    place = counts[1]
    pool[place] = count
    for k in range(count):
        pool[place + 1 + k] = sizes[k]
    counts[1] += count + 1
    return place


@njit(nogil=True, cache=True, inline="always")
def _scan(values: Bytes, start: int, end: int, table: Bytes) -> tuple[int, np.uint64, int, int, int]:
    """To white space or ``end``: where that is, the hash, the code points, flags of some and of every character."""
    i = start
    key = np.uint64(0)
    chars = 0
    some = 0
    every = 0xFF
    while i < end:
        byte = values[i]
        if byte < 0x80:
            kind = table[byte]
            if kind & SPACE:
                break
            key = key * BASE + (np.uint64(byte) + ONE)
            i += 1
        else:
            code, size = decode(values, i, end)
            kind = table[code]
            if kind & SPACE:
                break
            for k in range(i, i + size):
                key = key * BASE + (np.uint64(values[k]) + ONE)
            i += size
        some |= kind
        every &= kind
        chars += 1
    return i, key, chars, some, every


@njit(nogil=True, cache=True, inline="always")
def _flags(some: int, every: int) -> int:
    alpha = HAS_ALPHA if some & ALPHA else 0
    content = 0 if every & SYMBOL else HAS_CONTENT
    return alpha | content | IN_DENOMINATOR


@njit(nogil=True, cache=True)
def _fill(
    values: Bytes,
    offsets: Longs,
    table: Bytes,
    d: int,
    i: int,
    count: int,
    word_offsets: Longs,
    starts: Longs,
    sizes: Ints,
    chars: Ints,
    hashes: Hashes,
    flags: Bytes,
    keys: Hashes,
    places: Ints,
    pool: Ints,
    counts: Longs,
    scratches: tuple[Any, ...],
    rules: tuple[Any, ...],
) -> tuple[int, int, int, int]:
    """Append the words from byte ``i`` of document ``d`` on. Returns where it stopped, and why."""
    documents = len(offsets) - 1
    room = len(starts)
    lengths = scratches[2]
    while d < documents:
        end = offsets[d + 1]
        while i < end:
            code, size = decode(values, i, end)
            if table[code] & SPACE:
                i += size
                continue
            limit = min(end, i + CHUNK_BYTES)
            while limit < end and (values[limit] & 0xC0) == 0x80:
                limit -= 1
            stop, key, length, some, every = _scan(values, i, limit, table)
            slot = _slot(keys, places, key)
            place = places[slot]
            if place == 0:
                if 2 * counts[0] >= len(keys) or counts[1] + CHUNK_CODES + 1 > len(pool):
                    return d, i, count, CACHE_FULL
                words = tokenize(values, i, stop, *scratches, *rules)
                place = _store(lengths, words, pool, counts)
                keys[slot] = key
                places[slot] = place
                counts[0] += 1
            words = 1 if place < 0 else pool[place]
            if count + words > room:
                return d, i, count, WORDS_FULL
            if words == 1:
                starts[count] = i
                sizes[count] = stop - i
                chars[count] = length
                hashes[count] = key
                flags[count] = _flags(some, every)
                count += 1
            else:
                first = i
                for k in range(place + 1, place + 1 + words):
                    last, hashed, length, some, every = _scan(values, first, first + pool[k], table)
                    starts[count] = first
                    sizes[count] = last - first
                    chars[count] = length
                    hashes[count] = hashed
                    flags[count] = _flags(some, every)
                    count += 1
                    first = last
            i = stop
        d += 1
        word_offsets[d] = count
    return d, i, count, DONE
