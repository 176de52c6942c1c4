"""`prescan`, compiled: the same steps over one buffer, with positions instead of copies."""

import numpy as np

from dataprep.compiled import njit
from dataprep.text.utf8 import Bytes

NONE = -1

_COMMENT = np.frombuffer(b"<!--", np.uint8)
_META = np.frombuffer(b"meta", np.uint8)
_HTTP_EQUIV = np.frombuffer(b"http-equiv", np.uint8)
_CONTENT_TYPE = np.frombuffer(b"content-type", np.uint8)
_CONTENT = np.frombuffer(b"content", np.uint8)
_CHARSET = np.frombuffer(b"charset", np.uint8)
_XML = np.frombuffer(b"<?xml", np.uint8)
_ENCODING = np.frombuffer(b"encoding", np.uint8)

_EXCLAMATION, _DOUBLE, _SINGLE, _DASH, _SLASH, _SEMICOLON, _LESS, _EQUALS, _GREATER, _QUESTION = (
    ord(c) for c in "!\"'-/;<=>?"
)


@njit(nogil=True, cache=True)
def next_label(page: Bytes, i: int, end: int) -> tuple[int, int, int]:
    """The next label that a meta element declares in ``page[i:end]``: its start and end, and where to go on.

    ``NONE`` as its start if there is none. Unfinished tags declare nothing.
    """
    while i + 1 < end:
        if page[i] != _LESS:
            i += 1
        elif _starts(page, i, end, _COMMENT):
            i += 4  # the dashes of "<!-->" open and close it
            while i < end and not (page[i] == _GREATER and page[i - 1] == _DASH and page[i - 2] == _DASH):
                i += 1
        elif _starts(page, i + 1, end, _META) and i + 5 < end and (_space(page[i + 5]) or page[i + 5] == _SLASH):
            start, stop, i = _meta(page, i + 5, end)
            if start != NONE:
                return start, stop, i
        elif _letter(page[i + 1]) or (page[i + 1] == _SLASH and i + 2 < end and _letter(page[i + 2])):
            while i < end and not (_space(page[i]) or page[i] == _GREATER):
                i += 1
            _, _, _, _, i = _attribute(page, i, end)
            while i < end and page[i] != _GREATER:
                _, _, _, _, i = _attribute(page, i, end)
        elif page[i + 1] == _EXCLAMATION or page[i + 1] == _SLASH or page[i + 1] == _QUESTION:
            i = _find(page, i, end, _GREATER)
        else:
            i += 1
    return NONE, NONE, end


@njit(nogil=True, cache=True)
def xml_label(page: Bytes, i: int, end: int) -> tuple[int, int]:
    """Start and end of the label in the XML declaration that ``page[i:end]`` begins with, or ``NONE``."""
    i = _skip_space(page, i, end)
    if not _starts(page, i, end, _XML):
        return NONE, NONE
    close = _find(page, i, end, _GREATER)
    while i < close and not _starts(page, i, close, _ENCODING):
        i += 1
    i += len(_ENCODING)
    while i < close and page[i] <= 0x20:
        i += 1
    if close == end or i >= close or page[i] != _EQUALS:
        return NONE, NONE
    i += 1
    while i < close and page[i] <= 0x20:
        i += 1
    if i >= close or (page[i] != _DOUBLE and page[i] != _SINGLE):
        return NONE, NONE
    stop = _find(page, i + 1, close, page[i])
    if stop == close:
        return NONE, NONE
    return i + 1, stop


@njit(nogil=True, cache=True)
def _meta(page: Bytes, i: int, end: int) -> tuple[int, int, int]:
    """The label of the meta element whose attributes begin at ``i``, and its end."""
    start, stop = NONE, NONE
    equiv = content = charset = pragma = False  # which attributes were seen, and what http-equiv said
    while True:
        name, name_end, value, value_end, i = _attribute(page, i, end)
        if i >= end:
            return NONE, NONE, end
        if name == name_end:
            break
        if not charset and _is(page, name, name_end, _CHARSET):
            charset = True
            start, stop = value, value_end
        elif not equiv and _is(page, name, name_end, _HTTP_EQUIV):
            equiv = True
            pragma = _is(page, value, value_end, _CONTENT_TYPE)
        elif not content and _is(page, name, name_end, _CONTENT):
            content = True
            if not charset:
                start, stop = _inside_content(page, value, value_end)
    if charset or pragma:
        return start, stop, i
    return NONE, NONE, i


@njit(nogil=True, cache=True)
def _attribute(page: Bytes, i: int, end: int) -> tuple[int, int, int, int, int]:
    """Name and value of the next attribute, as starts and ends, and where to go on.

    An empty name and a position at ``>`` where the tag ends, a position at ``end`` if something is unfinished.
    """
    while i < end and (_space(page[i]) or page[i] == _SLASH):
        i += 1
    name = i
    while i < end and not (_space(page[i]) or page[i] == _SLASH or page[i] == _GREATER):
        if page[i] == _EQUALS and i > name:
            break
        i += 1
    name_end = i
    i = _skip_space(page, i, end)
    if name == name_end or i >= end or page[i] != _EQUALS:
        return name, name_end, i, i, i
    i = _skip_space(page, i + 1, end)
    if i < end and (page[i] == _DOUBLE or page[i] == _SINGLE):
        close = _find(page, i + 1, end, page[i])
        return name, name_end, i + 1, close, min(close + 1, end)
    value = i
    while i < end and not (_space(page[i]) or page[i] == _GREATER):
        i += 1
    return name, name_end, value, i, i


@njit(nogil=True, cache=True)
def _inside_content(page: Bytes, i: int, end: int) -> tuple[int, int]:
    """The label in a ``content`` attribute: what follows ``charset=``."""
    while i < end:
        if not _starts(page, i, end, _CHARSET):
            i += 1
            continue
        i = _skip_space(page, i + len(_CHARSET), end)
        if i == end or page[i] != _EQUALS:
            continue
        i = _skip_space(page, i + 1, end)
        if i < end and (page[i] == _DOUBLE or page[i] == _SINGLE):
            close = _find(page, i + 1, end, page[i])
            return (NONE, NONE) if close == end else (i + 1, close)
        start = i
        while i < end and not (_space(page[i]) or page[i] == _SEMICOLON):
            i += 1
        return start, i
    return NONE, NONE


@njit(nogil=True, cache=True, inline="always")
def _space(byte: int) -> bool:
    return byte == 0x20 or byte == 0x0A or byte == 0x09 or byte == 0x0D or byte == 0x0C


@njit(nogil=True, cache=True, inline="always")
def _letter(byte: int) -> bool:
    return 0x61 <= (byte | 0x20) <= 0x7A


@njit(nogil=True, cache=True, inline="always")
def _skip_space(page: Bytes, i: int, end: int) -> int:
    while i < end and _space(page[i]):
        i += 1
    return i


@njit(nogil=True, cache=True, inline="always")
def _find(page: Bytes, i: int, end: int, byte: int) -> int:
    while i < end and page[i] != byte:
        i += 1
    return i


@njit(nogil=True, cache=True)
def _starts(page: Bytes, i: int, end: int, word: Bytes) -> bool:
    """``page[i:end]`` begins with the lower-case ``word``, in any case."""
    if i + len(word) > end:
        return False
    for k in range(len(word)):
        byte = page[i + k]
        if 0x41 <= byte <= 0x5A:
            byte |= 0x20
        if byte != word[k]:
            return False
    return True


@njit(nogil=True, cache=True)
def _is(page: Bytes, i: int, end: int, word: Bytes) -> bool:
    return end - i == len(word) and _starts(page, i, end, word)
