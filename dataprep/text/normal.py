"""Unicode normalisation: which characters may change under it, whether a text is in form C already, a batch in form C.

Text can change only where a character's quick check is not "yes" or combining classes are out of order (UAX #15,
section 9).
"""

import sys
import unicodedata
from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dataprep.compiled import njit
from dataprep.text.utf8 import Bytes, Longs, Utf8, decode, frozen

LONGEST_RUN = 1000  # unicodedata sorts a run of marks in quadratic time; no language has more than a few
DECOMPOSABLE = 0x30000  # no character from here on has a decomposition or a combining class


@cache
def normalisation(form: Literal["NFC", "NFKC"]) -> tuple[Bytes, Bytes]:
    """For each code point whether it may change under ``form``, alone or with one before it; its combining class."""
    changes = np.zeros(sys.maxunicode + 1, np.uint8)
    combining = np.zeros(sys.maxunicode + 1, np.uint8)
    # what can join with a character before it: the second half of a canonical decomposition that is put together again
    changes[0x1161:0x1176] = 1
    changes[0x11A8:0x11C3] = 1
    for code in range(0xA0, DECOMPOSABLE):
        character = chr(code)
        combining[code] = unicodedata.combining(character)
        if not unicodedata.is_normalized(form, character):
            changes[code] = 1
        parts = unicodedata.decomposition(character).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            changes[int(parts[1], 16)] = 1
    return changes, combining


@njit(nogil=True, cache=True)
def is_nfc(values: Bytes, start: int, end: int, changes: Bytes, combining: Bytes) -> bool:
    """Whether ``values[start:end]`` is sure to be in form C, whose `normalisation` is given."""
    i = start
    last: Any = 0
    while i < end:
        if values[i] < 0xCC:  # below U+0300 nothing changes
            last = 0
            i += 1
            continue
        code, size = decode(values, i, end)
        order = np.int64(combining[code])
        if changes[code] or 0 < order < last:
            return False
        last = order
        i += size
    return True


@njit(nogil=True, cache=True)
def _endless(values: Bytes, start: int, end: int, combining: Bytes) -> bool:
    """Whether more marks follow each other than any text needs."""
    i, run = start, 0
    while i < end and run <= LONGEST_RUN:
        code, size = decode(values, i, end)
        run = run + 1 if combining[code] else 0
        i += size
    return run > LONGEST_RUN


@njit(nogil=True, cache=True)
def _suspects(values: Bytes, offsets: Longs, changes: Bytes, combining: Bytes) -> NDArray[np.bool_]:
    found = np.zeros(len(offsets) - 1, np.bool_)
    for d in range(len(found)):
        start, end = offsets[d], offsets[d + 1]
        found[d] = not is_nfc(values, start, end, changes, combining) and not _endless(values, start, end, combining)
    return found


def composed(text: Utf8) -> Utf8:
    """The texts in normal form C; the same object if all are. One with an endless run of marks stays as it is."""
    changed: dict[int, bytes] = {}
    for d in np.flatnonzero(_suspects(text.values, text.offsets, *normalisation("NFC"))).tolist():
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
