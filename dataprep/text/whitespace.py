"""Words as what stands between white space: ``text.split()``, punctuation included."""

import numpy as np

from dataprep.compiled import njit
from dataprep.text.classes import ALPHA, NUMBER, SPACE, classes
from dataprep.text.spans import skip_spaces
from dataprep.text.utf8 import BASE, ONE, Bytes, Hashes, Ints, Longs, Utf8, decode, extend_hash
from dataprep.text.words import HAS_ALPHA, HAS_CONTENT, IN_DENOMINATOR, Words


def chunks(text: Utf8) -> Words:
    """The words of every document, as ``str.split`` finds them."""
    offsets = _count(text.values, text.offsets, classes())
    columns = [np.empty(offsets[-1], kind) for kind in (np.int64, np.int32, np.int32, np.uint64, np.uint8)]
    _fill(text.values, text.offsets, classes(), *columns)
    return Words(offsets, *columns)


@njit(nogil=True, cache=True)
def _count(values: Bytes, offsets: Longs, table: Bytes) -> Longs:
    word_offsets = np.zeros(len(offsets), np.int64)
    for d in range(len(offsets) - 1):
        end = offsets[d + 1]
        count = 0
        inside = False
        i = offsets[d]
        while i < end:
            if values[i] < 0x80:  # most text, most of the time
                blank = table[values[i]] & SPACE
                i += 1
            else:
                code, size = decode(values, i, end)
                blank = table[code] & SPACE
                i += size
            count += not blank and not inside
            inside = not blank
        word_offsets[d + 1] = word_offsets[d] + count
    return word_offsets


@njit(nogil=True, cache=True)
def _fill(
    values: Bytes, offsets: Longs, table: Bytes, starts: Longs, sizes: Ints, chars: Ints, hashes: Hashes, flags: Bytes
) -> None:
    w = 0
    for d in range(len(offsets) - 1):
        end = offsets[d + 1]
        i = skip_spaces(values, offsets[d], end, table)
        while i < end:
            start = i
            seen = 0
            length = 0
            hashed = np.uint64(0)
            while i < end:
                byte = values[i]
                if byte < 0x80:
                    kind = table[byte]
                    if kind & SPACE:
                        break
                    seen |= kind
                    length += 1
                    hashed = hashed * BASE + (np.uint64(byte) + ONE)
                    i += 1
                    continue
                code, size = decode(values, i, end)
                kind = table[code]
                if kind & SPACE:
                    break
                seen |= kind
                length += 1
                hashed = extend_hash(hashed, values, i, i + size)
                i += size
            starts[w] = start
            sizes[w] = i - start
            chars[w] = length
            hashes[w] = hashed
            content = HAS_CONTENT if seen & (ALPHA | NUMBER) else 0
            flags[w] = IN_DENOMINATOR | content | (HAS_ALPHA if seen & ALPHA else 0)
            w += 1
            i = skip_spaces(values, i, end, table)


def fasttext_words(text: Utf8) -> Longs:
    """Per document: the tokens of fastText (between ASCII white space and NUL) that begin with a letter or number."""
    return _fasttext_words(text.values, text.offsets, classes())


@njit(nogil=True, cache=True)
def _fasttext_words(values: Bytes, offsets: Longs, table: Bytes) -> Longs:
    counts = np.zeros(len(offsets) - 1, np.int64)
    for d in range(len(offsets) - 1):
        inside = False
        for i in range(offsets[d], offsets[d + 1]):
            byte = values[i]
            if byte == 0x20 or 0x09 <= byte <= 0x0D or byte == 0:
                inside = False
            elif not inside:
                inside = True
                counts[d] += (table[decode(values, i, offsets[d + 1])[0]] & (ALPHA | NUMBER)) != 0
    return counts
