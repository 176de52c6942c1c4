"""What `charset_batch` asks of bytes, compiled: is a page ASCII or UTF-8, what does it declare, copy these pages."""

import numpy as np
from numpy.typing import NDArray

from dataprep.compiled import njit
from dataprep.html.decode.prescan_kernel import NONE, next_label, xml_label
from dataprep.text.utf8 import Bytes, Longs

ASCII, UTF8, OTHER = 0, 1, 2  # what `kinds` says
NO_MARK, UTF8_MARK, UTF16_MARK = 0, 3, 2  # byte order marks, as their sizes
BLOCK = 256  # bytes that are looked at together; loops of this length become vector instructions

_ZERO = np.uint8(0)
_CONTINUES = np.uint8(0x80)  # 10xxxxxx
_LEAD_2, _LEAD_3, _LEAD_4 = np.uint8(0xC0), np.uint8(0xE0), np.uint8(0xF0)
_TOP_2 = np.uint8(0xC0)  # the two highest bits
_LONG_2 = np.uint8(0xC1)  # C0 and C1 would begin ASCII characters
_LAST_LEAD = np.uint8(0xF4)
_ED, _ESCAPE = np.uint8(0xED), np.uint8(0x1B)
_8F, _90, _9F, _A0 = np.uint8(0x8F), np.uint8(0x90), np.uint8(0x9F), np.uint8(0xA0)


@njit(nogil=True, cache=True)
def marks(values: Bytes, starts: Longs, ends: Longs) -> Longs:
    """int64 per page: the size of its byte order mark."""
    result = np.zeros(len(starts), np.int64)
    for d in range(len(starts)):
        page = values[starts[d] : ends[d]]
        if len(page) > 2 and page[0] == 0xEF and page[1] == 0xBB and page[2] == 0xBF:
            result[d] = UTF8_MARK
        elif len(page) > 1 and ((page[0] == 0xFF and page[1] == 0xFE) or (page[0] == 0xFE and page[1] == 0xFF)):
            result[d] = UTF16_MARK
    return result


@njit(nogil=True, cache=True)
def kinds(values: Bytes, starts: Longs, ends: Longs) -> Bytes:
    """uint8 per page: `ASCII`, `UTF8` (valid, not ASCII) or `OTHER`."""
    result = np.empty(len(starts), np.uint8)
    for d in range(len(starts)):
        result[d] = _kind(values[starts[d] : ends[d]])
    return result


@njit(nogil=True, cache=True)
def _kind(page: Bytes) -> int:
    kind = ASCII
    for at in range(0, len(page), BLOCK):
        block = page[at : at + BLOCK]
        high = _ZERO
        for k in range(len(block)):
            high |= block[k]
        if high < _CONTINUES:
            if kind == UTF8 and _unfinished(page, at):
                return OTHER
            continue
        kind = UTF8
        wrong = _ZERO
        # no byte depends on what was found at another, so the second loop needs no branches
        for k in range(min(3, len(block))):
            second = page[at + k - 1] if at + k > 0 else _ZERO
            third = page[at + k - 2] if at + k > 1 else _ZERO
            fourth = page[at + k - 3] if at + k > 2 else _ZERO
            wrong |= _wrong(block[k], second, third, fourth)
        here, before, before_2 = block[3:], block[2:], block[1:]
        for k in range(len(here)):
            wrong |= _wrong(here[k], before[k], before_2[k], block[k])
        if wrong:
            return OTHER
    return OTHER if kind == UTF8 and _unfinished(page, len(page)) else kind


@njit(nogil=True, cache=True, inline="always")
def _wrong(byte: np.uint8, before: np.uint8, before_2: np.uint8, before_3: np.uint8) -> np.uint8:
    """1 where ``byte`` cannot stand after the three before it (Unicode standard, table 3-7)."""
    wrong = ((before >= _LEAD_2) | (before_2 >= _LEAD_3) | (before_3 >= _LEAD_4)) != ((byte & _TOP_2) == _CONTINUES)
    wrong |= (byte == _LEAD_2) | (byte == _LONG_2) | (byte > _LAST_LEAD)
    wrong |= (before == _LEAD_3) & (byte < _A0)  # too long
    wrong |= (before == _ED) & (byte > _9F)  # surrogates
    wrong |= (before == _LEAD_4) & (byte < _90)  # too long
    wrong |= (before == _LAST_LEAD) & (byte > _8F)  # beyond U+10FFFF
    return np.uint8(wrong)


@njit(nogil=True, cache=True, inline="always")
def _unfinished(page: Bytes, at: int) -> bool:
    """A character that began before ``at`` goes on."""
    return (
        (at > 0 and page[at - 1] >= _LEAD_2)
        or (at > 1 and page[at - 2] >= _LEAD_3)
        or (at > 2 and page[at - 3] >= _LEAD_4)
    )


@njit(nogil=True, cache=True)
def hides_something(values: Bytes, starts: Longs, ends: Longs, pages: Longs) -> NDArray[np.bool_]:
    """bool per page of ``pages``, for the same signs as in `charset`."""
    result = np.zeros(len(pages), np.bool_)
    for p in range(len(pages)):
        page = values[starts[pages[p]] : ends[pages[p]]]
        for k in range(min(64, len(page))):
            result[p] |= page[k] == 0
        for at in range(0, len(page), BLOCK):
            block = page[at : at + BLOCK]
            escapes = _ZERO
            for k in range(len(block)):
                escapes |= np.uint8(block[k] == _ESCAPE)
            if escapes:
                for k in range(at, min(at + BLOCK, len(page) - 1)):
                    result[p] |= page[k] == _ESCAPE and (page[k + 1] == 0x24 or page[k + 1] == 0x28)
    return result


@njit(nogil=True, cache=True)
def labels(values: Bytes, starts: Longs, ends: Longs, at: Longs, pages: Longs) -> tuple[Longs, Longs]:
    """The next label each page of ``pages`` declares, as starts and ends; ``at`` (one a page) moves on behind it.

    Meta elements first, then the XML declaration, then `NONE`.
    """
    first = np.full(len(pages), NONE, np.int64)
    last = np.full(len(pages), NONE, np.int64)
    for p in range(len(pages)):
        d = pages[p]
        if at[d] <= ends[d]:
            first[p], last[p], at[d] = next_label(values, at[d], ends[d])
            if first[p] == NONE:
                first[p], last[p] = xml_label(values, starts[d], ends[d])
                at[d] = ends[d] + 1
    return first, last


@njit(nogil=True, cache=True)
def copy(values: Bytes, starts: Longs, ends: Longs, pages: Longs, out: Bytes, offsets: Longs) -> None:
    """Write ``values[starts:ends]`` of each page of ``pages`` to ``out`` at the page's offset."""
    for p in range(len(pages)):
        d = pages[p]
        out[offsets[d] : offsets[d] + ends[d] - starts[d]] = values[starts[d] : ends[d]]
