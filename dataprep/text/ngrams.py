"""Runs of words compared without case and punctuation, and a table that finds given runs in any text.

A *bare word* is a word with a letter or a number (see `words`), of which only letters and numbers remain, in lower case
and without marks (see `fold`): ``Don’t`` is ``dont``, ``1,000`` is ``1000``, ``café`` is ``cafe``. Symbol runs vanish.

Decisions:
- A bare word is hashed to 64 bits; the hash of a run is a polynomial over those of its words. With the running value
  ``p[i + 1] = p[i] * BASE + word[i]`` every run has its hash, whatever its length, from two values and one product.
- Runs are the same when their hashes are. Of 10 million given runs one is found by mistake in about 2 * 10**12 words.
- All given runs begin with ``head`` words. A bit set of those beginnings, 16 to 32 bits a run, is all that most places
  in a text are compared with; where a bit is set another bit set knows whole runs; the sorted hashes decide the rest.
"""

from dataclasses import dataclass

import numpy as np

from dataprep.compiled import njit
from dataprep.text.fold import bare_table
from dataprep.text.utf8 import BASE, Bytes, Hashes, Ints, Longs, Utf8, decode, find_sorted, power
from dataprep.text.words import HAS_CONTENT, Words

_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_HIGH, _MIDDLE, _LOW = np.uint64(30), np.uint64(27), np.uint64(31)
_WORD_BITS, _WORD_MASK, _ONE = np.uint64(6), np.uint64(63), np.uint64(1)
_BITS_A_RUN = 16


@dataclass(frozen=True)
class BareWords:
    """The bare words of all documents of a batch, as running values: ``documents + 1`` offsets, one value more."""

    offsets: Longs  # bare words of document d: offsets[d] to offsets[d + 1]
    running: Hashes

    @classmethod
    def of(cls, text: Utf8, words: Words) -> "BareWords":
        return cls(*_bare_words(text.values, words.offsets, words.starts, words.sizes, words.flags, bare_table()))

    def runs(self, starts: Longs, length: int) -> Hashes:
        """The hashes of the runs of ``length`` words that begin at the words ``starts``."""
        return self.running[starts + length] - self.running[starts] * power(length)


@dataclass(frozen=True)
class RunTable:
    """Given runs: their sorted hashes ``keys``, and the ``lengths`` they have, in words, ascending; none below head."""

    keys: Hashes
    lengths: Longs
    head: int
    head_bits: Hashes
    key_bits: Hashes

    @classmethod
    def of(cls, keys: Hashes, heads: Hashes, lengths: Longs, head: int) -> "RunTable":
        """From sorted ``keys``, the hashes ``heads`` of their first ``head`` words, and the lengths that occur."""
        size = max(64, 1 << (_BITS_A_RUN * len(keys)).bit_length())
        return cls(keys, lengths, head, _bit_set(heads, size), _bit_set(keys, size))

    def find(self, words: BareWords) -> tuple[Longs, Longs, Longs]:
        """Every place where a given run stands, in order: its first word, the number of its key, its length."""
        powers = np.array([power(int(length)) for length in self.lengths], np.uint64)
        bits = (self.head_bits, self.key_bits)
        found = _find(words.offsets, words.running, self.keys, self.lengths, powers, self.head, *bits)
        return found[:, 0], found[:, 1], found[:, 2]


@njit(nogil=True, cache=True)
def _bare_words(
    values: Bytes, offsets: Longs, starts: Longs, sizes: Ints, flags: Bytes, table: Ints
) -> tuple[Longs, Hashes]:
    documents = len(offsets) - 1
    bare_offsets = np.zeros(documents + 1, np.int64)
    running = np.empty(len(starts) + 1, np.uint64)
    running[0] = 0
    count = 0
    for d in range(documents):
        for w in range(offsets[d], offsets[d + 1]):
            if not flags[w] & HAS_CONTENT:
                continue
            hashed = np.uint64(0)
            i = starts[w]
            end = i + sizes[w]
            while i < end:
                byte = values[i]
                if byte < 0x80:
                    code = table[byte]
                    i += 1
                else:
                    point, size = decode(values, i, end)
                    code = table[point]
                    i += size
                if code:
                    hashed = hashed * BASE + np.uint64(code)
            # the finalizer of SplitMix64 (Steele et al. 2014): a polynomial of polynomials would collide by structure
            hashed = (hashed ^ (hashed >> _HIGH)) * _MIX_1
            hashed = (hashed ^ (hashed >> _MIDDLE)) * _MIX_2
            running[count + 1] = running[count] * BASE + (hashed ^ (hashed >> _LOW))
            count += 1
        bare_offsets[d + 1] = count
    return bare_offsets, running[: count + 1]


@njit(nogil=True, cache=True, inline="always")
def _place(key: np.uint64, size: int) -> np.uint64:
    """The bit of a key: its low bits, which are even because those of each word are mixed."""
    return key & np.uint64(size - 1)


@njit(nogil=True, cache=True)
def _bit_set(keys: Hashes, size: int) -> Hashes:
    bits = np.zeros(size // 64, np.uint64)
    for key in keys:
        place = _place(key, size)
        bits[place >> _WORD_BITS] |= _ONE << (place & _WORD_MASK)
    return bits


@njit(nogil=True, cache=True, inline="always")
def _has(bits: Hashes, key: np.uint64) -> bool:
    place = _place(key, len(bits) * 64)
    return (bits[place >> _WORD_BITS] >> (place & _WORD_MASK)) & _ONE != 0


@njit(nogil=True, cache=True)
def _find(
    offsets: Longs,
    running: Hashes,
    keys: Hashes,
    lengths: Longs,
    powers: Hashes,
    head: int,
    head_bits: Hashes,
    key_bits: Hashes,
) -> Longs:
    found = np.empty((1024, 3), np.int64)
    count = 0
    head_power = power(head)
    for d in range(len(offsets) - 1):
        end = offsets[d + 1]
        for i in range(offsets[d], end - head + 1):
            if not _has(head_bits, running[i + head] - running[i] * head_power):
                continue
            for k in range(len(lengths)):
                if i + lengths[k] > end:
                    break
                key = running[i + lengths[k]] - running[i] * powers[k]
                if not _has(key_bits, key):
                    continue
                at = find_sorted(keys, key)
                if at < 0:
                    continue
                if count == len(found):
                    larger = np.empty((2 * count, 3), np.int64)
                    larger[:count] = found
                    found = larger
                found[count, 0] = i
                found[count, 1] = at
                found[count, 2] = lengths[k]
                count += 1
    return found[:count]
