"""HTML's character references: ``&amp;``, ``&eacute``, ``&#8212;``, ``&#x2014;``.

What each stands for is what ``html.unescape`` says, which follows the HTML Standard (13.2.5.72 to 13.2.5.80) but for
one thing: a number that stands for a control character or a noncharacter gives nothing instead of that character. So
does this module.

A name is letters and digits, and all but 106 old ones need their semicolon. So the longest name at a place is either
the whole run of letters and digits with its semicolon or the longest old name the run begins with: one look-up, or at
most one for each length of an old name.
"""

from html.entities import html5
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataprep.compiled import njit
from dataprep.text.utf8 import Bytes

REFERENCE = np.dtype([("hash", np.uint64), ("first", np.int32), ("second", np.int32)], align=True)
ROOM = 8192  # a power of two, several times the names
LONGEST = max(len(name) for name in html5)
OLD = max(len(name) for name in html5 if not name.endswith(";"))  # letters of an old name

AMPERSAND, REPLACEMENT, NOTHING = 38, 0xFFFD, 0
_PRIME = np.uint64(0x100000001B3)
_OFFSET = np.uint64(0xCBF29CE484222325)
_SHIFT = np.uint64(32)
# what the bytes of windows-1252 stand for where a number names one; the others are controls and stand for nothing
_WINDOWS = np.array(
    [ord(bytes([byte]).decode("cp1252", "ignore") or chr(byte)) for byte in range(0x80, 0xA0)], np.int64
)
_LIMIT = 0x110000


@njit(nogil=True, cache=True, inline="always")
def _place(table: NDArray[np.void], hashed: np.uint64) -> np.uint64:
    mask = np.uint64(len(table) - 1)
    place = (hashed ^ (hashed >> _SHIFT)) & mask
    while table[place]["hash"] != hashed and table[place]["hash"] != np.uint64(0):
        place = (place + np.uint64(1)) & mask
    return place


def _references() -> NDArray[np.void]:
    """The named references as an open-addressed table by FNV-1a hash: one or two code points each, 0 for no second."""
    table = np.zeros(ROOM, REFERENCE)
    for name, characters in html5.items():
        hashed = int(_OFFSET)
        for byte in name.encode():
            hashed = ((hashed ^ byte) * int(_PRIME)) & 0xFFFF_FFFF_FFFF_FFFF
        place = _place(table, np.uint64(hashed))
        table[place] = (hashed, ord(characters[0]), ord(characters[1]) if len(characters) > 1 else NOTHING)
    return table


_REFERENCES = _references()


@njit(nogil=True, cache=True, inline="always")
def _is_alphanumeric(byte: np.uint8) -> bool:
    return bool(48 <= byte <= 57 or 97 <= byte | np.uint8(32) <= 122)


@njit(nogil=True, cache=True)
def refer(b: Bytes, i: int, end: int, attribute: bool) -> tuple[int, int, int]:
    """What the ``&`` at byte ``i`` stands for: the byte to go on from, and one or two code points (`NOTHING`: none).

    An ``&`` that begins no reference stands for itself. In an attribute's value so does one that begins an old name
    without semicolon if a letter, a digit or ``=`` follows.
    """
    table = _REFERENCES
    start = i + 1
    if start < end and b[start] == 35:
        return _number(b, i, end)
    stop = min(end, start + LONGEST)
    hashed = _OFFSET
    old = start
    old_place = np.uint64(0)
    i = start
    while i < stop and _is_alphanumeric(b[i]):
        hashed = (hashed ^ np.uint64(b[i])) * _PRIME
        i += 1
        if i - start <= OLD:
            place = _place(table, hashed)
            if table[place]["hash"] != np.uint64(0):
                old = i
                old_place = place
    if i < stop and b[i] == 59:
        hashed = (hashed ^ np.uint64(59)) * _PRIME
        place = _place(table, hashed)
        if table[place]["hash"] != np.uint64(0):
            return i + 1, table[place]["first"], table[place]["second"]
    if old == start or (attribute and old < end and (b[old] == 61 or _is_alphanumeric(b[old]))):
        return start, AMPERSAND, NOTHING
    return old, table[old_place]["first"], table[old_place]["second"]


@njit(nogil=True, cache=True)
def _number(b: Bytes, ampersand: int, end: int) -> tuple[int, int, int]:
    i = ampersand + 2
    code: Any = 0
    if i < end and b[i] | np.uint8(32) == 120:
        i += 1
        start = i
        while i < end and (48 <= b[i] <= 57 or 97 <= b[i] | np.uint8(32) <= 102):
            digit = np.int64(b[i] & np.uint8(15)) + (9 if b[i] > 57 else 0)
            code = min(code * 16 + digit, _LIMIT)
            i += 1
    else:
        start = i
        while i < end and 48 <= b[i] <= 57:
            code = min(code * 10 + np.int64(b[i]) - 48, _LIMIT)
            i += 1
    if i == start:
        return ampersand + 1, AMPERSAND, NOTHING
    if i < end and b[i] == 59:
        i += 1
    if code == 0 or 0xD800 <= code <= 0xDFFF or code >= _LIMIT:
        code = REPLACEMENT
    elif 0x80 <= code <= 0x9F:
        code = _WINDOWS[code - 0x80]
    elif (
        (code < 32 and code != 9 and code != 10 and code != 12 and code != 13)
        or code == 127
        or 0xFDD0 <= code <= 0xFDEF
        or code & 0xFFFE == 0xFFFE
    ):
        code = NOTHING
    return i, code, NOTHING
