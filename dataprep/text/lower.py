"""Lower case, exactly as ``str.lower`` of the Python that runs.

Each code point has one lower-case code point, in UTF-8 at most one byte longer, with two exceptions: ``İ`` becomes an
``i`` and a combining dot, and a sigma at the end of a word becomes ``ς`` (Unicode, section 3.13, ``Final_Sigma``).
"""

import sys
from functools import cache

import numpy as np

from dataprep.compiled import njit
from dataprep.text.utf8 import Bytes, Ints, Longs, Utf8, decode, encode, frozen, last_character

CASED = 1
CASE_IGNORABLE = 2

DOTTED_I = 0x130  # İ
SIGMA = 0x3A3  # Σ
FINAL_SIGMA = 0x3C2  # ς

_ASCII = np.arange(128, dtype=np.uint8)
_ASCII[ord("A") : ord("Z") + 1] += 32


def lower(text: Utf8) -> Utf8:
    """``text.lower()`` of every document."""
    values, offsets = _lower(text.values, text.offsets, *_tables())
    return Utf8(frozen(values), offsets)


@cache
def _tables() -> tuple[Ints, Bytes]:
    """The lower case of each code point, and whether it is cased or ignored where a sigma looks for its word's end."""
    every = [chr(code) for code in range(sys.maxunicode + 1)]
    every[DOTTED_I] = "I"
    lowered = np.fromiter(map(ord, "".join(every).lower()), np.int32, len(every))
    # in the line above a sigma was lowered where it happened to stand
    lowered[SIGMA] = ord("σ")
    # The interpreter keeps both properties to itself, but a sigma shows them. A line break is neither.
    every[ord("\n")] = " "
    after = "\n".join(f"{character}Σ" for character in every).lower().split("\n")
    behind_a_letter = "\n".join(f"A{character}Σ" for character in every).lower().split("\n")
    cased = np.fromiter((line[-1] == "ς" for line in after), np.bool_, len(every))
    either = np.fromiter((line[-1] == "ς" for line in behind_a_letter), np.bool_, len(every))
    return lowered, (cased * CASED + (either & ~cased) * CASE_IGNORABLE).astype(np.uint8)


@njit(nogil=True, cache=True)
def _lower(values: Bytes, offsets: Longs, table: Ints, context: Bytes) -> tuple[Bytes, Longs]:
    documents = len(offsets) - 1
    # only characters of two bytes and more grow, by one byte
    out = np.empty((offsets[documents] - offsets[0]) * 3 // 2, np.uint8)
    limits = np.zeros(documents + 1, np.int64)
    at = 0
    for d in range(documents):
        i = offsets[d]
        end = offsets[d + 1]
        while i < end:
            if values[i] < 0x80:
                out[at] = _ASCII[values[i]]
                at += 1
                i += 1
                continue
            code, size = decode(values, i, end)
            lowered = table[code]
            if code == DOTTED_I:
                at += encode(0x69, out, at)
                at += encode(0x307, out, at)
            elif code == SIGMA and _ends_word(values, offsets[d], i, end, context):
                at += encode(FINAL_SIGMA, out, at)
            elif lowered == code:
                for k in range(i, i + size):
                    out[at] = values[k]
                    at += 1
            else:
                at += encode(lowered, out, at)
            i += size
        limits[d + 1] = at
    return out[:at], limits


@njit(nogil=True, cache=True)
def _ends_word(values: Bytes, start: int, sigma: int, end: int, context: Bytes) -> bool:
    """Whether a cased letter comes before the sigma and none after it, apart from what is ignored."""
    i = sigma
    before = 0
    while i > start:
        i = last_character(values, start, i)
        before = context[decode(values, i, end)[0]]
        if before != CASE_IGNORABLE:
            break
    if before != CASED:
        return False
    i = sigma + 2
    while i < end:
        code, size = decode(values, i, end)
        if context[code] != CASE_IGNORABLE:
            return context[code] != CASED
        i += size
    return True
