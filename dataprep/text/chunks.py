"""Exact words of a tokenizer that splits at white space first: a cache of chunk → words, read and filled by the kernel.

Such a tokenizer is a pure function of each chunk, a maximal run of characters that are not white space
(``str.isspace``). So each different chunk is cut once, by the compiled rules (`spacy_kernel`).

The definition ``spacy-en`` is what datatrove 0.10 measures with in English: the tokens of ``spacy.blank("en")``. A word
has content unless all its characters are among datatrove's symbols, and every word counts where something is measured
per word.

Decisions:
- Most chunks need no cache: ASCII letters, or those and one mark that is a suffix, are one word or two, unless a
  special case says otherwise. Whether one may is asked of 8,192 bits.
- A chunk is known by its 64-bit hash (see `utf8`). One that is a single word takes a slot of 16 bytes, and half the
  slots or more are empty; others take 4 more a word. The cache is emptied when a batch finds more than ``CACHE_CHUNKS``
  in it (about 200 MB): memory is bounded, and what is forgotten is cut again.
- A chunk of more than ``CHUNK_BYTES`` bytes is cut into such pieces first, a bound that no real text has met.
"""

import threading
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataprep.compiled import njit
from dataprep.text.classes import ALPHA, SPACE, classes, datatrove_symbols
from dataprep.text.spacy_kernel import BEFORE_STOP, CHUNK_CODES, ICON, LETTER, PREFIX, STOP, SUFFIX, scratch, tokenize
from dataprep.text.spacy_rules import Rules, load_rules
from dataprep.text.utf8 import BASE, ONE, Bytes, Hashes, Ints, Longs, Utf8, decode
from dataprep.text.words import HAS_ALPHA, HAS_CONTENT, IN_DENOMINATOR, Words

CHUNK_BYTES = CHUNK_CODES
CACHE_CHUNKS = 4 << 20

SYMBOL, PLAIN_LETTER, PLAIN_MARK, LOWER_CASE = 8, 16, 32, 64  # of the characters here, beside SPACE and ALPHA
SPECIAL_BITS = 13
SINGLE = -1  # the place in the cache of a chunk that is one word

DONE, WORDS_FULL, CACHE_FULL = 0, 1, 2

_MIX = np.uint64(0xBF58476D1CE4E5B9)
_HALF = np.uint64(32)
_SPECIAL_SHIFT = np.uint64(64 - SPECIAL_BITS)


class ChunkCache:
    """The words of chunks, by open addressing.

    ``slots``: int64 (n, 2), a chunk's hash and its place: 0 in an empty slot, ``SINGLE``, or where in ``pool`` the
    chunk's number of words stands, before the bytes of each.
    """

    def __init__(self, rules: Rules) -> None:
        self.rules = rules.arrays
        self.table = _characters(rules)
        self.special = np.zeros(1 << SPECIAL_BITS, np.bool_)
        self.special[(rules.special_keys * _MIX) >> _SPECIAL_SHIFT] = True
        self.scratch = scratch()
        self.lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Forget every chunk."""
        self.slots = np.zeros((1 << 16, 2), np.int64)  # a key and its place in one line of the processor's cache
        self.pool = np.zeros(1 << 18, np.int32)
        self.counts = np.array([0, 1], np.int64)  # chunks; used of the pool, whose place 0 would mean an empty slot

    def segment(self, text: Utf8) -> Words:
        """The words of every document."""
        with self.lock:  # kernels release the GIL and write to the cache
            if self.counts[0] > CACHE_CHUNKS:
                self.clear()
            room = int(text.offsets[-1] - text.offsets[0]) // 5 + 64
            offsets = np.zeros(text.documents + 1, np.int64)
            columns: list[Any] = [np.empty(room, kind) for kind in (np.int64, np.int32, np.int32, np.uint64, np.uint8)]
            document, byte, count = 0, text.offsets[0], 0
            while True:
                document, byte, count, state = _fill(  # type: ignore[call-arg]
                    *(text.values, text.offsets, self.table, self.special, document, byte, count, offsets, *columns),
                    *(self.slots, self.pool, self.counts, self.scratch, self.rules),
                )
                if state == DONE:
                    return Words(offsets, *(column[:count] for column in columns))
                if state == WORDS_FULL:
                    columns = [_twice(column) for column in columns]
                else:
                    self._grow()

    def _grow(self) -> None:
        if 2 * self.counts[0] >= len(self.slots):
            self.slots = _rehash(self.slots)
        if self.counts[1] + CHUNK_CODES + 1 > len(self.pool):
            self.pool = _twice(self.pool)


def segment_spacy(text: Utf8) -> Words:
    """The words of every document by the definition ``spacy-en``."""
    return spacy_cache().segment(text)


@cache
def spacy_cache() -> ChunkCache:
    return ChunkCache(load_rules())


def _characters(rules: Rules) -> Bytes:
    """uint8[0x110000]: what each character is here."""
    table = classes() & np.uint8(SPACE | ALPHA)
    table[list(datatrove_symbols())] |= SYMBOL
    of_rules = rules.classes[:128]
    letters = ((of_rules & LETTER) != 0) & ((of_rules & (PREFIX | SUFFIX | ICON)) == 0)
    table[:128] |= np.where(letters, np.uint8(PLAIN_LETTER), np.uint8(0))
    table[:128] |= np.where(((of_rules & SUFFIX) != 0) & ~letters, np.uint8(PLAIN_MARK), np.uint8(0))
    table[:128] |= np.where(of_rules & BEFORE_STOP & -letters.astype(np.uint16) != 0, np.uint8(LOWER_CASE), np.uint8(0))
    table.flags.writeable = False
    return table


def _twice(column: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate([column, np.empty_like(column)])


@njit(nogil=True, cache=True, inline="always")
def _find(slots: Longs, key: np.uint64) -> Any:
    """The slot where ``key`` is, or the empty one where it belongs."""
    mask = len(slots) - 1
    wanted = np.int64(key)
    mixed = key * _MIX
    slot = np.int64(mixed >> _HALF) & mask
    while slots[slot, 1] != 0 and slots[slot, 0] != wanted:
        slot = (slot + 1) & mask
    return slot


@njit(nogil=True, cache=True)
def _rehash(slots: Longs) -> Longs:
    """The same in twice as many slots."""
    larger = np.zeros((2 * len(slots), 2), np.int64)
    for i in range(len(slots)):
        if slots[i, 1] != 0:
            larger[_find(larger, np.uint64(slots[i, 0]))] = slots[i]
    return larger


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
def _flags(some: Any, every: Any) -> int:
    alpha = HAS_ALPHA if some & ALPHA else 0
    content = 0 if every & SYMBOL else HAS_CONTENT
    return alpha | content | IN_DENOMINATOR


@njit(nogil=True, cache=True, inline="always")
def _may_be_special(special: NDArray[np.bool_], key: np.uint64) -> bool:
    mixed = key * _MIX
    return special[mixed >> _SPECIAL_SHIFT]


@njit(nogil=True, cache=True, inline="always")
def _breaks(values: Bytes, i: int, end: int, table: Bytes) -> bool:
    """Whether a chunk surely ends before byte ``i``."""
    return i == end or (values[i] < 0x80 and (table[values[i]] & SPACE) != 0)


@njit(nogil=True, cache=True)
def _fill(
    values: Bytes,
    offsets: Longs,
    table: Bytes,
    special: NDArray[np.bool_],
    d: int,
    i: int,
    count: int,
    word_offsets: Longs,
    starts: Longs,
    sizes: Ints,
    chars: Ints,
    hashes: Hashes,
    flags: Bytes,
    slots: Longs,
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
            byte = values[i]
            if byte < 0x80:
                if table[byte] & SPACE:
                    i += 1
                    continue
                stop = i
                key = np.uint64(0)
                while stop < end and stop < i + CHUNK_BYTES and table[values[stop]] & PLAIN_LETTER:
                    key = key * BASE + (np.uint64(values[stop]) + ONE)
                    stop += 1
                plain = i < stop < i + CHUNK_BYTES - 1 and not _may_be_special(special, key)
                if plain and not _breaks(values, stop, end, table):
                    mark = values[stop]
                    of_mark = table[mark] if mark < 0x80 else np.uint8(0)
                    follows = (of_mark & PLAIN_MARK) != 0 or (mark == STOP and table[values[stop - 1]] & LOWER_CASE)
                    both = key * BASE + (np.uint64(mark) + ONE)
                    plain = follows and _breaks(values, stop + 1, end, table) and not _may_be_special(special, both)
                    if plain:
                        if count + 2 > room:
                            return d, i, count, WORDS_FULL
                        starts[count + 1] = stop
                        sizes[count + 1] = chars[count + 1] = 1
                        hashes[count + 1] = np.uint64(mark) + ONE
                        flags[count + 1] = _flags(of_mark, of_mark)
                if plain:
                    if count + 1 > room:
                        return d, i, count, WORDS_FULL
                    starts[count] = i
                    sizes[count] = chars[count] = stop - i
                    hashes[count] = key
                    flags[count] = HAS_ALPHA | HAS_CONTENT | IN_DENOMINATOR
                    marked = not _breaks(values, stop, end, table)
                    count += 1 + marked
                    i = stop + marked
                    continue
            else:
                code, size = decode(values, i, end)
                if table[code] & SPACE:
                    i += size
                    continue
            limit = min(end, i + CHUNK_BYTES)
            while limit < end and (values[limit] & 0xC0) == 0x80:
                limit -= 1
            stop, key, length, some, every = _scan(values, i, limit, table)
            slot = _find(slots, key)
            place = slots[slot, 1]
            if place == 0:
                if 2 * counts[0] >= len(slots) or counts[1] + CHUNK_CODES + 1 > len(pool):
                    return d, i, count, CACHE_FULL
                words = tokenize(values, i, stop, *scratches, *rules)
                place = _store(lengths, words, pool, counts)
                slots[slot, 0] = np.int64(key)
                slots[slot, 1] = place
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
