"""Where things end that are not read as tags: text, comments, CDATA sections, the raw text of scripts and the like."""

import numpy as np

from dataprep.compiled import njit
from dataprep.html.dom.attributes import is_space
from dataprep.html.dom.tags import add_to_hash, start_hash
from dataprep.text.utf8 import Bytes

_WIDTH = 32  # bytes looked at together: what a vector register holds
_NAME = 10  # bytes; no raw element has a longer name


@njit(nogil=True, cache=True)
def find(b: Bytes, i: int, byte: int) -> int:
    """The next place of ``byte`` from ``i`` on, or the end of the page."""
    size = len(b)
    while i + _WIDTH <= size:
        seen = np.uint8(0)
        for other in b[i : i + _WIDTH]:  # a loop without a way out, which the compiler turns into one comparison
            seen |= np.uint8(other == byte)
        if seen:
            break
        i += _WIDTH
    while i < size and b[i] != byte:
        i += 1
    return i


@njit(nogil=True, cache=True)
def begins_markup(b: Bytes, i: int) -> bool:
    """Whether a tag, a comment or the like begins at byte ``i``."""
    if b[i] != 60 or i + 1 >= len(b):
        return False
    byte = b[i + 1]
    return byte == 47 or byte == 33 or byte == 63 or 97 <= byte | np.uint8(32) <= 122


@njit(nogil=True, cache=True)
def text_end(b: Bytes, i: int) -> int:
    """Where the text from ``i`` on ends, which begins with no markup."""
    i = find(b, i + 1, 60)
    while i < len(b) and not begins_markup(b, i):
        i = find(b, i + 1, 60)
    return i


@njit(nogil=True, cache=True)
def after_bracket(b: Bytes, i: int) -> int:
    """The byte after the next ``>``."""
    return min(find(b, i, 62) + 1, len(b))


@njit(nogil=True, cache=True)
def comment_end(b: Bytes, start: int) -> int:
    """The byte after the comment whose content begins at ``start`` (13.2.5.43 to 13.2.5.51)."""
    i = find(b, start, 62)
    while i < len(b):
        dashes = i - 1 - (i > start and b[i - 1] == 33)
        if i == start or (i == start + 1 and b[start] == 45):
            return i + 1
        if dashes > start and b[dashes] == 45 and b[dashes - 1] == 45:
            return i + 1
        i = find(b, i + 1, 62)
    return i


@njit(nogil=True, cache=True)
def closed_by(b: Bytes, start: int, byte: int) -> int:
    """Where the next ``>`` after ``byte`` twice is, all of them from ``start`` on: ``-->``, ``]]>``."""
    i = find(b, start + 2, 62)
    while i < len(b) and not (b[i - 1] == byte and b[i - 2] == byte):
        i = find(b, i + 1, 62)
    return min(i, len(b))


@njit(nogil=True, cache=True)
def raw_end(b: Bytes, i: int, name: np.uint64, script: bool) -> int:
    """Where the end tag of the raw text from byte ``i`` on begins, or the end of the page.

    Inside ``<!-- -->`` a script may hold another, with its end tag (13.2.5.15 to 13.2.5.31).
    """
    size = len(b)
    escaped = i  # up to where this is inside ``<!-- -->``
    inner = False
    i = find(b, i, 60)
    while i + 1 < size:
        if script and i >= escaped:
            inner = False
            if b[i + 1] == 33 and i + 3 < size and b[i + 2] == 45 and b[i + 3] == 45:
                escaped = closed_by(b, i + 2, 45)
        closes = b[i + 1] == 47
        if closes or i < escaped:
            j = i + 1 + closes
            stop = min(j + _NAME, size)
            hashed = start_hash()
            while j < stop and not (b[j] == 62 or b[j] == 47 or is_space(b[j])):
                hashed = add_to_hash(hashed, b[j])
                j += 1
            if hashed == name:
                if closes and not inner:
                    return i
                inner = not closes
        i = find(b, i + 1, 60)
    return size
