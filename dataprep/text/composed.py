"""Unicode's normal form C (UAX #15) for a batch, where few texts need it and most are known to be in it already."""

import sys
import unicodedata
from functools import cache

import numpy as np
from numpy.typing import NDArray

from dataprep.compiled import njit
from dataprep.text.utf8 import Bytes, Longs, Utf8, decode, frozen

LONGEST_RUN = 1000  # unicodedata sorts a run of marks in quadratic time; no language has more than a few
_HANGUL_FOLLOWING = (*range(0x1161, 0x1176), *range(0x11A8, 0x11C3))  # vowels and finals: composed by arithmetic


@cache
def _doubtful() -> Bytes:
    """uint8[0x110000]: 1 where a text with this code point may not be in normal form C; never of ASCII."""
    table = np.zeros(sys.maxunicode + 1, np.uint8)
    for code in range(0x80, sys.maxunicode + 1):
        character = chr(code)
        if unicodedata.combining(character):
            table[code] = 1
        parts = unicodedata.decomposition(character)
        if parts and not parts.startswith("<"):
            table[code] |= not unicodedata.is_normalized("NFC", character)
            table[int(parts.split()[-1], 16)] = 1  # it may compose with what is before it
    table[[*_HANGUL_FOLLOWING]] = 1
    table.flags.writeable = False
    return table


@njit(nogil=True, cache=True)
def _suspects(values: Bytes, offsets: Longs, doubtful: Bytes) -> NDArray[np.bool_]:
    found = np.zeros(len(offsets) - 1, np.bool_)
    for d in range(len(found)):
        i, end = offsets[d], offsets[d + 1]
        run = 0
        while i < end and run <= LONGEST_RUN:
            if values[i] < 0xCC:  # all below U+0300 is composed
                i += 1
                run = 0
                continue
            code, size = decode(values, i, end)
            if doubtful[code]:
                found[d] = True
                run += 1
            else:
                run = 0
            i += size
        found[d] &= run <= LONGEST_RUN
    return found


def composed(text: Utf8) -> Utf8:
    """The texts in normal form C; the same object if all are. One with an endless run of marks stays as it is."""
    changed: dict[int, bytes] = {}
    for d in np.flatnonzero(_suspects(text.values, text.offsets, _doubtful())).tolist():
        before = text.values[text.offsets[d] : text.offsets[d + 1]].tobytes()
        after = unicodedata.normalize("NFC", before.decode("utf-8", "replace")).encode()
        if after != before:
            changed[d] = after
    if not changed:
        return text
    offsets = text.offsets
    pieces = [
        changed[d] if d in changed else text.values[offsets[d] : offsets[d + 1]].tobytes()
        for d in range(text.documents)
    ]
    sizes = np.array([len(piece) for piece in pieces], np.int64)
    return Utf8(frozen(np.frombuffer(b"".join(pieces), np.uint8)), np.concatenate([[0], np.cumsum(sizes)]))
