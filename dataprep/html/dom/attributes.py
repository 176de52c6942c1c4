"""The attributes of a start tag, one after the other, as the HTML Standard tokenizes them (13.2.5.32 to 13.2.5.39)."""

import numpy as np

from dataprep.compiled import njit
from dataprep.html.dom.tags import add_to_hash, start_hash
from dataprep.text.utf8 import Bytes

_DISPLAY, _NONE, _VISIBILITY, _HIDDEN = (
    np.frombuffer(word, np.uint8) for word in [b"display", b"none", b"visibility", b"hidden"]
)


@njit(nogil=True, cache=True)
def is_space(byte: np.uint8) -> bool:
    """White space of HTML: blank, tab, line feed, form feed, carriage return."""
    return bool(byte == 32 or (9 <= byte <= 13 and byte != 11))


@njit(nogil=True, cache=True, inline="always")
def next_attribute(b: Bytes, i: int) -> tuple[int, np.uint64, int, int]:
    """From byte ``i`` inside a start tag: where to go on, the hash of the name, and where the value starts and ends.

    At the end of the tag the hash is 0 and the place is that of its ``>`` (or the end of the page). A name without a
    value has an empty one. See `tags.name_hash`.
    """
    size = len(b)
    while i < size and (is_space(b[i]) or b[i] == 47):
        i += 1
    if i >= size or b[i] == 62:
        return i, np.uint64(0), i, i
    hashed = add_to_hash(start_hash(), b[i])  # a name may begin with "="
    i += 1
    while i < size:
        byte = b[i]
        if byte == 61 or byte == 62 or byte == 47 or is_space(byte):
            break
        hashed = add_to_hash(hashed, byte)
        i += 1
    after = i
    while i < size and is_space(b[i]):
        i += 1
    if i >= size or b[i] != 61:
        return after, hashed, after, after
    i += 1
    while i < size and is_space(b[i]):
        i += 1
    if i >= size or b[i] == 62:
        return i, hashed, i, i
    quote = b[i]
    if quote == 34 or quote == 39:
        start = i + 1
        i = start
        while i < size and b[i] != quote:
            i += 1
        return min(i + 1, size), hashed, start, i
    start = i
    while i < size and b[i] != 62 and not is_space(b[i]):
        i += 1
    return i, hashed, start, i


@njit(nogil=True, cache=True)
def attribute_value(b: Bytes, i: int, name: np.uint64) -> tuple[int, int]:
    """Where the value of the attribute with this hash begins and ends, white space around it aside; -1 if it is not
    there. The attributes begin at byte ``i``."""
    hashed = np.uint64(1)
    while hashed != np.uint64(0):
        i, hashed, start, end = next_attribute(b, i)
        if hashed == name:
            while start < end and is_space(b[start]):
                start += 1
            while start < end and is_space(b[end - 1]):
                end -= 1
            return start, end
    return -1, -1


@njit(nogil=True, cache=True)
def skip_attributes(b: Bytes, i: int) -> int:
    """The byte after the tag."""
    hashed = np.uint64(1)
    while hashed != np.uint64(0):
        i, hashed, _, _ = next_attribute(b, i)
    return min(i + 1, len(b))


@njit(nogil=True, cache=True)
def hides(b: Bytes, start: int, end: int) -> bool:
    """Whether a style says ``display: none`` or ``visibility: hidden`` (and not ``backface-visibility``)."""
    for i in range(start, end - 10):
        first = b[i] | np.uint8(32)
        if (first != 100 and first != 118) or (i > start and _in_name(b[i - 1])):
            continue
        if first == 100:
            value = _value_of(b, i, end, _DISPLAY)
            hidden = value >= 0 and _says(b, value, end, _NONE)
        else:
            value = _value_of(b, i, end, _VISIBILITY)
            hidden = value >= 0 and _says(b, value, end, _HIDDEN)
        if hidden:
            return True
    return False


@njit(nogil=True, cache=True)
def _in_name(byte: np.uint8) -> bool:
    return bool(byte == 45 or 97 <= byte | np.uint8(32) <= 122)


@njit(nogil=True, cache=True)
def _value_of(b: Bytes, i: int, end: int, name: Bytes) -> int:
    """Where the value of the property begins that is named at byte ``i``, or -1 if another one is."""
    if not _says(b, i, end, name):
        return -1
    i += len(name)
    while i < end and is_space(b[i]):
        i += 1
    if i >= end or b[i] != 58:
        return -1
    i += 1
    while i < end and is_space(b[i]):
        i += 1
    return i


@njit(nogil=True, cache=True)
def _says(b: Bytes, i: int, end: int, word: Bytes) -> bool:
    if i + len(word) > end:
        return False
    k = 0
    while k < len(word) and b[i + k] | np.uint8(32) == word[k]:
        k += 1
    return k == len(word)


@njit(nogil=True, cache=True)
def is_tex(b: Bytes, start: int, end: int) -> bool:
    """Whether a type or encoding is one of TeX: ``math/tex``, ``application/x-tex``, ``latex`` …"""
    for i in range(start, end - 2):
        if b[i] | np.uint8(32) == 116 and b[i + 1] | np.uint8(32) == 101 and b[i + 2] | np.uint8(32) == 120:
            return i + 3 >= end or b[i + 3] | np.uint8(32) != 116
    return False
