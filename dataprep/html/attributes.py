"""The attributes of a start tag, one after the other, as the HTML Standard tokenizes them (13.2.5.32 to 13.2.5.39)."""

import numpy as np

from dataprep.compiled import njit
from dataprep.html.tags import add_to_hash, start_hash
from dataprep.text.utf8 import Bytes


@njit(nogil=True, cache=True, inline="always")
def is_space(byte: np.uint8) -> bool:
    """White space of HTML: blank, tab, line feed, form feed, carriage return."""
    return bool(byte == 32 or (9 <= byte <= 13 and byte != 11))


@njit(nogil=True, cache=True)
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
def skip_attributes(b: Bytes, i: int) -> int:
    """The byte after the tag."""
    hashed = np.uint64(1)
    while hashed != np.uint64(0):
        i, hashed, _, _ = next_attribute(b, i)
    return min(i + 1, len(b))


@njit(nogil=True, cache=True)
def hides(b: Bytes, start: int, end: int) -> bool:
    """Whether a style says ``display: none`` or ``visibility: hidden``."""
    for i in range(start, end - 10):
        first = b[i] | np.uint8(32)
        if (first == 100 and b[i + 6] | np.uint8(32) == 121) or (first == 118 and b[i + 9] | np.uint8(32) == 121):
            word = 7 if first == 100 else 10
            j = i + word
            while j < end and is_space(b[j]):
                j += 1
            if j >= end or b[j] != 58:
                continue
            j += 1
            while j < end and is_space(b[j]):
                j += 1
            if first == 100:
                if j + 3 < end and b[j] | np.uint8(32) == 110 and b[j + 3] | np.uint8(32) == 101:
                    return True
            elif j + 5 < end and b[j] | np.uint8(32) == 104 and b[j + 5] | np.uint8(32) == 110:
                return True
    return False


@njit(nogil=True, cache=True)
def is_tex(b: Bytes, start: int, end: int) -> bool:
    """Whether a type or encoding is one of TeX: ``math/tex``, ``application/x-tex``, ``latex`` …"""
    for i in range(start, end - 2):
        if b[i] | np.uint8(32) == 116 and b[i + 1] | np.uint8(32) == 101 and b[i + 2] | np.uint8(32) == 120:
            return i + 3 >= end or b[i + 3] | np.uint8(32) != 116
    return False
