"""Word segmentation: the default definition of a word, for all languages, without a model or a dictionary.

A word is one of three things, and every character that is not white space (``str.isspace``) is in exactly one word:

1. *A word in the usual sense*: a maximal run of letters, marks, numbers and connectors (``_``), together with
   - format characters (joiners, soft hyphens) inside or after it,
   - an apostrophe ``'`` or ``’`` between two of its characters: ``don't``, ``l’homme``,
   - a ``.`` or ``,`` between two decimal digits: ``3.14``, ``1,000``.
   Hyphens divide: ``state-of-the-art`` is four words and three symbols.
2. *One letter of a script written without spaces* (Han, Hiragana, Thai, Lao, Khmer, Myanmar, …: see
   `classes.NO_SPACE_SCRIPTS`) with the marks that follow it. Katakana and Hangul form runs as in 1.
3. *A symbol run*: a maximal run of anything else: ``...``, ``),``, an emoji sequence, a zero-width space.

Papers say "per word" and "of all words" about words between white space, where punctuation is part of a word. So there
a symbol run counts as a word of its own (`IN_DENOMINATOR`) only if it stands alone, with white space on both sides.

This is the idea of Unicode's word boundaries (UAX #29) made smaller: no exceptions for Hebrew, no ``:`` or ``·`` inside
words, runs of symbols stay together. Another definition of words need only produce the same ``Words``.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from dataprep.compiled import njit
from dataprep.text.classes import ALPHA, DIGIT, MARK, NUMBER, SINGLE, SPACE, WORD, classes
from dataprep.text.utf8 import BASE, ONE, Bytes, Hashes, Ints, Longs, Utf8, decode, extend_hash, last_character

HAS_ALPHA = 1  # a character for which str.isalpha() is true
HAS_CONTENT = 2  # a letter or a number: what "non-symbol word" means
IN_DENOMINATOR = 4  # counts as a word where something is measured per word: has content, or white space on both sides

APOSTROPHE, RIGHT_QUOTE, FULL_STOP, COMMA = 0x27, 0x2019, 0x2E, 0x2C


@dataclass(frozen=True)
class Words:
    """The words of all documents of a batch, in order. ``documents + 1`` offsets, then one entry a word each."""

    offsets: Longs  # words of document d: offsets[d] to offsets[d + 1]
    starts: Longs  # first byte, in the column's values
    sizes: Ints  # bytes
    chars: Ints  # code points
    hashes: Hashes  # see `utf8`
    flags: Bytes  # HAS_ALPHA, HAS_CONTENT, IN_DENOMINATOR


def segment(text: Utf8) -> Words:
    """The words of every document, as this module defines them."""
    # English has a word every 5 bytes, Chinese one every 3
    room = int(text.offsets[-1] - text.offsets[0]) // 5 + 64
    offsets = np.zeros(text.documents + 1, np.int64)
    columns: list[Any] = [np.empty(room, kind) for kind in (np.int64, np.int32, np.int32, np.uint64, np.uint8)]
    document, byte, count = 0, text.offsets[0], 0
    while True:
        document, byte, count = _fill(text.values, text.offsets, classes(), document, byte, count, offsets, *columns)
        if document == text.documents:
            return Words(offsets, *(column[:count] for column in columns))
        room *= 2
        columns = [np.concatenate([column, np.empty(room - len(column), column.dtype)]) for column in columns]


@njit(nogil=True, cache=True, inline="always")
def _code_before(values: Bytes, start: int, end: int) -> Any:
    return decode(values, last_character(values, start, end), end)[0]


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
) -> tuple[int, int, int]:
    """Append the words from byte ``i`` of document ``d`` on; returns where it stopped (the end, or arrays full)."""
    documents = len(offsets) - 1
    room = len(starts)
    while d < documents:
        end = offsets[d + 1]
        while i < end:
            code, size = decode(values, i, end)
            kind = table[code]
            if kind & SPACE:
                i += size
                continue
            if count == room:
                return d, i, count
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
                    byte = values[i]
                    if byte < 0x80 and table[byte] & WORD:  # most text, most of the time
                        before = table[byte]
                        seen |= before
                        length += 1
                        hashed = hashed * BASE + (np.uint64(byte) + ONE)
                        i += 1
                        continue
                    code, size = decode(values, i, end)
                    kind = table[code]
                    if not (kind & (WORD | MARK)) or kind & SINGLE:
                        if kind & SPACE or i + size >= end:
                            break
                        if code in (APOSTROPHE, RIGHT_QUOTE):
                            wanted = WORD
                        elif code in (FULL_STOP, COMMA) and before & DIGIT:
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
            starts[count] = start
            sizes[count] = i - start
            chars[count] = length
            hashes[count] = hashed
            if seen & ALPHA:
                flags[count] = HAS_ALPHA | HAS_CONTENT | IN_DENOMINATOR
            elif seen & NUMBER:
                flags[count] = HAS_CONTENT | IN_DENOMINATOR
            else:
                left = SPACE if start == offsets[d] else table[_code_before(values, offsets[d], start)]
                right = SPACE if i == end else table[decode(values, i, end)[0]]
                flags[count] = IN_DENOMINATOR if left & right & SPACE else 0
            count += 1
        d += 1
        word_offsets[d] = count
    return d, i, count
