"""Word segmentation: the default definition of a word, for all languages, without a model or a dictionary.

A word is one of three things, and every character that is not white space (``str.isspace``) belongs to exactly one word:

1. *A word in the usual sense*: a maximal run of letters, marks, numbers and connectors (``_``), together with
   - format characters (joiners, soft hyphens) inside or after it,
   - an apostrophe ``'`` or ``’`` between two of its characters: ``don't``, ``l’homme``,
   - a ``.`` or ``,`` between two decimal digits: ``3.14``, ``1,000``.
   Hyphens divide: ``state-of-the-art`` is four words and three symbols.
2. *One letter of a script written without spaces* (Han, Hiragana, Thai, Lao, Khmer, Myanmar, …; `classes.NO_SPACE_SCRIPTS`)
   with the marks that follow it. Katakana and Hangul form runs as in 1.
3. *A symbol run*: a maximal run of anything else: ``...``, ``),``, an emoji sequence, a zero-width space.

This is the word boundary idea of Unicode's UAX #29 made smaller: no exceptions for Hebrew, no ``:`` or ``·`` inside words,
runs of symbols stay together. Other definitions (spaCy's for the ``@datatrove`` rule sets) produce the same ``Words``.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dataprep.text.classes import ALPHA, DIGIT, MARK, NUMBER, SINGLE, SPACE, WORD, classes
from dataprep.text.utf8 import Utf8, decode, extend_hash

HAS_ALPHA = 1  # a character for which str.isalpha() is true
HAS_CONTENT = 2  # a letter or a number: what "non-symbol word" means

APOSTROPHE, RIGHT_QUOTE, FULL_STOP, COMMA = 0x27, 0x2019, 0x2E, 0x2C


@dataclass(frozen=True)
class Words:
    """The words of all documents of a batch, in order. ``documents + 1`` offsets, then one entry a word each."""

    offsets: NDArray[np.int64]  # words of document d: offsets[d] to offsets[d + 1]
    starts: NDArray[np.int64]  # first byte, in the column's values
    sizes: NDArray[np.int32]  # bytes
    chars: NDArray[np.int32]  # code points
    hashes: NDArray[np.uint64]  # see `utf8`
    flags: NDArray[np.uint8]  # HAS_ALPHA, HAS_CONTENT

    def __len__(self) -> int:
        return len(self.starts)


def segment(text: Utf8) -> Words:
    """The words of every document, as this module defines them."""
    return Words(*_segment(text.values, text.offsets, classes()))


@njit(nogil=True, cache=True)
def _grown(array, size):
    larger = np.empty(size, array.dtype)
    larger[: len(array)] = array
    return larger


@njit(nogil=True, cache=True)
def _segment(values, offsets, table):
    documents = len(offsets) - 1
    # English has a word every 5 bytes, Chinese one every 3
    capacity = (offsets[documents] - offsets[0]) // 5 + 64
    word_offsets = np.zeros(documents + 1, np.int64)
    starts = np.empty(capacity, np.int64)
    sizes = np.empty(capacity, np.int32)
    chars = np.empty(capacity, np.int32)
    hashes = np.empty(capacity, np.uint64)
    flags = np.empty(capacity, np.uint8)
    count = 0
    for d in range(documents):
        i = offsets[d]
        end = offsets[d + 1]
        while i < end:
            code, size = decode(values, i, end)
            kind = table[code]
            if kind & SPACE:
                i += size
                continue
            start = i
            seen = kind
            length = 1
            hashed = extend_hash(np.uint64(0), values, i, i + size)
            i += size
            if kind & SINGLE:
                while i < end:
                    code, size = decode(values, i, end)
                    kind = table[code]
                    if not kind & MARK:
                        break
                    length += 1
                    hashed = extend_hash(hashed, values, i, i + size)
                    i += size
            elif kind & WORD:
                before = kind
                while i < end:
                    code, size = decode(values, i, end)
                    kind = table[code]
                    if not (kind & (WORD | MARK)) or kind & SINGLE:
                        if i + size >= end:
                            break
                        if code == APOSTROPHE or code == RIGHT_QUOTE:
                            wanted = WORD
                        elif (code == FULL_STOP or code == COMMA) and before & DIGIT:
                            wanted = DIGIT
                        else:
                            break
                        after = table[decode(values, i + size, end)[0]]
                        if not after & wanted or after & SINGLE:
                            break
                    before = kind
                    seen |= kind
                    length += 1
                    hashed = extend_hash(hashed, values, i, i + size)
                    i += size
            else:
                while i < end:
                    code, size = decode(values, i, end)
                    kind = table[code]
                    if kind & SPACE or (kind & WORD and not kind & MARK):
                        break
                    length += 1
                    hashed = extend_hash(hashed, values, i, i + size)
                    i += size
            if count == capacity:
                capacity *= 2
                starts = _grown(starts, capacity)
                sizes = _grown(sizes, capacity)
                chars = _grown(chars, capacity)
                hashes = _grown(hashes, capacity)
                flags = _grown(flags, capacity)
            starts[count] = start
            sizes[count] = i - start
            chars[count] = length
            hashes[count] = hashed
            flags[count] = (HAS_ALPHA if seen & ALPHA else 0) | (HAS_CONTENT if seen & (ALPHA | NUMBER) else 0)
            count += 1
        word_offsets[d + 1] = count
    return word_offsets, starts[:count], sizes[:count], chars[:count], hashes[:count], flags[:count]
