"""What a piece of text amounts to: characters as a reader would count them, punctuation, whether a sentence ends."""

import numpy as np

from dataprep.compiled import njit
from dataprep.html.dom.attributes import is_space
from dataprep.text.utf8 import Bytes

_ENTITY = 12  # bytes of a name that are looked at; the longest common one is ``thetasym``
COUNTED = 2  # see `measure`

# what is known of a byte: the characters it stands for are in the last two bits
_SPACE, _MARK, _MORE = 4, 8, 16  # white space; punctuation; what it means depends on the bytes after it
_C2, _E3, _EF = 0xC2, 0xE3, 0xEF


def byte_kinds() -> Bytes:
    kinds = np.full(256, 1, np.uint8)
    kinds[0] = 0
    kinds[0x80:0xC0] = 0  # goes on
    kinds[0xE3:0xEE] = 2  # ideographs, kana, Hangul
    for byte in b" \t\n\f\r":
        kinds[byte] = _SPACE
    for byte in b".,;:!?":
        kinds[byte] |= _MARK
    for byte in (ord("&"), _C2, _E3, _EF):
        kinds[byte] |= _MORE
    return kinds


@njit(nogil=True, cache=True)
def measure(b: Bytes, i: int, end: int, kinds: Bytes, spaced: int) -> tuple[int, int, int, int]:
    """Of ``b[i:end]``: characters that are seen, white space, punctuation marks, and what is now ``spaced``.

    ``spaced`` says whether white space comes before, which swallows white space at the beginning: 0 if not, COUNTED if
    it is among the characters.
    """
    seen = gaps = marks = 0
    while i < end:
        byte = b[i]
        kind = int(kinds[byte])
        i += 1
        if kind & _MORE:
            if byte == 38:
                if is_blank_entity(b, i, end):
                    kind = _SPACE
                i = _entity_end(b, i, end)
            elif byte == _C2:
                if i < end and b[i] == 0xA0:
                    kind = _SPACE
                    i += 1
            elif i + 1 < end:
                if byte == _E3:
                    marks += b[i] == 0x80 and (b[i + 1] == 0x81 or b[i + 1] == 0x82)
                else:
                    marks += b[i] == 0xBC and _is_wide_mark(b[i + 1])
        space = (kind & _SPACE) >> 2
        gap = space & (spaced == 0)
        gaps += gap
        seen += kind & 3
        marks += (kind & _MARK) >> 3
        spaced = (spaced | gap << 1) * space  # no branches: white space and words alternate too often
    return seen, gaps, marks, spaced


@njit(nogil=True, cache=True)
def is_blank_entity(b: Bytes, i: int, end: int) -> bool:
    """Whether ``nbsp;`` or ``#160;`` begins at byte ``i``."""
    if i + 4 >= end or b[i + 4] != 59:
        return False
    if b[i] == 110:
        return b[i + 1] == 98 and b[i + 2] == 115 and b[i + 3] == 112
    return b[i] == 35 and b[i + 1] == 49 and b[i + 2] == 54 and b[i + 3] == 48


@njit(nogil=True, cache=True)
def _entity_end(b: Bytes, i: int, end: int) -> int:
    """The byte after the entity whose name begins at ``i``, or ``i`` if none does."""
    stop = min(i + _ENTITY, end)
    j = i
    while j < stop and (b[j] == 35 or 48 <= b[j] <= 57 or 97 <= b[j] | np.uint8(32) <= 122):
        j += 1
    return j + 1 if i < j < stop and b[j] == 59 else i


@njit(nogil=True, cache=True)
def _is_wide_mark(byte: np.uint8) -> bool:
    """The third byte of ！ ， ． ： ； ？"""
    return byte == 0x81 or byte == 0x8C or byte == 0x8E or byte == 0x9A or byte == 0x9B or byte == 0x9F


@njit(nogil=True, cache=True)
def ends_sentence(b: Bytes, start: int, end: int) -> bool:
    """Whether the text ends with a full stop, an exclamation or question mark or a colon, quotes and brackets aside."""
    i = end - 1
    stop = max(start, end - 16)
    while i >= stop:
        byte = b[i]
        if byte == 46 or byte == 33 or byte == 63 or byte == 58:
            return True
        if is_space(byte) or byte == 34 or byte == 39 or byte == 41 or byte == 93:
            i -= 1
        elif byte & 0xC0 == 0x80:
            if i >= 2 and b[i - 2] == 0xE2 and b[i - 1] == 0x80:
                if byte == 0xA6:  # …
                    return True
                if not 0x98 <= byte <= 0x9F:  # ‘ to ‟
                    return False
                i -= 3
            elif i >= 2 and b[i - 2] == 0xE3 and b[i - 1] == 0x80:
                if byte == 0x82:  # 。
                    return True
                if not 0x8A <= byte <= 0x8F:  # 」 』
                    return False
                i -= 3
            elif i >= 2 and b[i - 2] == 0xEF and b[i - 1] == 0xBC:
                return byte == 0x81 or byte == 0x9F or byte == 0x8E  # ！ ？ ．
            elif i >= 2 and b[i - 2] == 0xE0 and b[i - 1] == 0xA5:
                return byte == 0xA4 or byte == 0xA5  # । ॥
            elif i >= 1 and b[i - 1] == 0xD8:
                return byte == 0x9F  # ؟
            elif i >= 1 and b[i - 1] == 0xDB:
                return byte == 0x94  # ۔
            elif i >= 1 and b[i - 1] == 0xC2 and (byte == 0xBB or byte == 0xAB or byte == 0xA0):
                i -= 2  # » « and the non-breaking space
            else:
                return False
        else:
            return False
    return False
