"""E-mail and IP addresses, found by kernels.

E-mail and IPv4 addresses are those of datatrove 0.10 (pii.py), match for match: its regular expressions are in
`dataprep.edits._reference`, and tests compare. They are written out here because ``re`` needs quadratic time for
them on ``a.a.a.a…`` and would need a Python string of every document. As there, an IPv4 address has no boundaries, so
``1.2.3.4.5`` begins with one.

An IPv6 address is a run of hexadecimal digits and colons that `ipaddress` can read, stands free of letters and digits
and is in 2000::/3, the only part that is given out to networks (RFC 4291, section 2.4): ``std::a::b`` is none.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataprep.compiled import njit
from dataprep.edits.base import Spans, append
from dataprep.text.classes import ALPHA, NUMBER
from dataprep.text.utf8 import Bytes, Longs, decode, last_character

NUMBERING = 32  # above it real documents have hardly a numbering; (32 / 256) ** 4 of all addresses are below

AT, DOT, HYPHEN, COLON, UNDERSCORE, OPEN, CLOSE = 0x40, 0x2E, 0x2D, 0x3A, 0x5F, 0x5B, 0x5D

ALNUM, LOCAL, DIGIT, HEX = 1, 2, 4, 8
ASCII = np.zeros(256, np.uint8)  # what a byte may be part of; an address has ASCII characters only
for _byte in range(0x80):
    _character = chr(_byte)
    ASCII[_byte] = (
        ALNUM * _character.isalnum()
        | LOCAL * (_character.isalnum() or _character in "!#$%&'*+/=?^_`{|}~-")
        | DIGIT * _character.isdigit()
        | HEX * (_character in "0123456789abcdefABCDEF")
    )


@njit(nogil=True, cache=True)
def find_emails(values: Bytes, offsets: Longs, ascii: Bytes, table: Bytes) -> Spans:
    """The e-mail addresses of all documents; ``table`` is `classes.classes`."""
    spans = np.empty((64, 2), np.int64)
    count = 0
    for d in range(len(offsets) - 1):
        free = offsets[d]  # where the last match ended
        for i in range(offsets[d], offsets[d + 1]):
            if values[i] != AT or i < free:
                continue
            start = _local_start(values, free, i, offsets[d], ascii, table)
            if start == i:
                continue
            end = _domain_end(values, i + 1, offsets[d + 1], ascii)
            if end > i:
                spans, count = append(spans, count, start, end)
                free = end
    return spans[:count]


@njit(nogil=True, cache=True)
def _local_start(values: Bytes, free: int, at: int, document: int, ascii: Bytes, table: Bytes) -> int:
    """Where the longest local part before ``at`` begins that begins at a word boundary; ``at`` if there is none."""
    found = at
    i = at - 1
    dot = True  # the character after i, as if the at sign were a dot: two dots do not follow one another
    while i >= free:
        byte = values[i]
        if byte == DOT:
            if dot:
                break
            dot = True
        elif ascii[byte] & LOCAL:
            dot = False
            if i == document:
                before = False
            else:
                before = _is_word(decode(values, last_character(values, document, i), i)[0], table)
            if before != _is_word(np.int64(byte), table):
                found = i
        else:
            break
        i -= 1
    return found


@njit(nogil=True, cache=True, inline="always")
def _is_word(code: Any, table: Bytes) -> bool:
    # what \w matches
    return (table[code] & (ALPHA | NUMBER)) != 0 or code == UNDERSCORE


@njit(nogil=True, cache=True)
def _domain_end(values: Bytes, start: int, end: int, ascii: Bytes) -> int:
    """The end of the domain or bracketed address that begins at ``start``; -1 if there is none."""
    if start < end and values[start] == OPEN:
        return _bracketed_end(values, start + 1, end, ascii)
    labels = 0
    last = -1  # the end of the last label that can be the domain's last
    i = start
    while i < end and ascii[values[i]] & ALNUM:
        stop = i
        while i < end and (ascii[values[i]] & ALNUM or values[i] == HYPHEN):
            i += 1
            if ascii[values[i - 1]] & ALNUM:
                stop = i
        labels += 1
        if labels > 1:
            last = stop
        if stop < i or i == end or values[i] != DOT:
            break
        i += 1
    return last


@njit(nogil=True, cache=True)
def _bracketed_end(values: Bytes, start: int, end: int, ascii: Bytes) -> int:
    i = start
    for _ in range(3):
        i = _octet_then_dot(values, i, end, ascii)
        if i < 0:
            return -1
    octet = _octet_end(values, i, end, ascii)
    if octet > i and octet < end and values[octet] == CLOSE:
        return octet + 1
    while i < end and (ascii[values[i]] & ALNUM or values[i] == HYPHEN):
        i += 1
    tag = i + 1 < end and values[i] == COLON and values[i + 1] == CLOSE and ascii[values[i - 1]] & ALNUM
    return i + 2 if tag else -1


@njit(nogil=True, cache=True)
def find_ipv4(values: Bytes, offsets: Longs, ascii: Bytes) -> Spans:
    """What has the form of an IPv4 address, global or not."""
    spans = np.empty((64, 2), np.int64)
    count = 0
    for d in range(len(offsets) - 1):
        free = offsets[d]
        end = offsets[d + 1]
        for i in range(offsets[d], end):
            if values[i] != DOT or i <= free or not ascii[values[i - 1]] & DIGIT:
                continue
            second = _octet_then_dot(values, i + 1, end, ascii)
            if second < 0:
                continue
            third = _octet_then_dot(values, second, end, ascii)
            if third < 0:
                continue
            stop = _octet_end(values, third, end, ascii)
            if stop == third:
                continue
            start = i - 1
            while start > free and start > i - 3 and ascii[values[start - 1]] & DIGIT:
                start -= 1
            if _octet_end(values, start, i, ascii) < i:
                start += 1
            spans, count = append(spans, count, start, stop)
            free = stop
    return spans[:count]


@njit(nogil=True, cache=True)
def is_numbering(values: Bytes, offsets: Longs, spans: Spans, ascii: Bytes) -> NDArray[np.bool_]:
    """Which of these IPv4 addresses look like the number of a section or a version: ``4.2.13.1``.

    All four numbers are below ``NUMBERING``, which one address in 4,000 is by chance, or a letter or another number
    adjoins.
    """
    result = np.zeros(len(spans), np.bool_)
    d = 0
    for k in range(len(spans)):
        start, end = spans[k]
        while offsets[d + 1] <= start:
            d += 1
        small = True
        number: Any = 0
        for i in range(start, end):
            if values[i] == DOT:
                number = 0
            else:
                number = number * 10 + (np.int64(values[i]) - 0x30)
                small = small and number < NUMBERING
        before = start > offsets[d] and (
            ascii[values[start - 1]] & ALNUM
            or ((values[start - 1] == DOT and start - 1 > offsets[d]) and ascii[values[start - 2]] & ALNUM)
        )
        after = end < offsets[d + 1] and (
            ascii[values[end]] & ALNUM
            or ((values[end] == DOT and end + 1 < offsets[d + 1]) and ascii[values[end + 1]] & DIGIT)
        )
        result[k] = small or before or after
    return result


@njit(nogil=True, cache=True)
def _octet_end(values: Bytes, start: int, end: int, ascii: Bytes) -> int:
    """The end of the longest number of three digits and 255 at most at ``start``; ``start`` if there is none."""
    i = start
    number: Any = 0
    while i < end and i < start + 3 and ascii[values[i]] & DIGIT:
        number = number * 10 + (np.int64(values[i]) - 0x30)
        i += 1
    return i if number <= 255 else i - 1


@njit(nogil=True, cache=True)
def _octet_then_dot(values: Bytes, start: int, end: int, ascii: Bytes) -> int:
    """The byte after an octet and a dot at ``start``; -1 if they are not there."""
    stop = _octet_end(values, start, end, ascii)
    return stop + 1 if stop > start and stop < end and values[stop] == DOT else -1


@njit(nogil=True, cache=True)
def find_ipv6(values: Bytes, offsets: Longs, ascii: Bytes) -> Spans:
    """The runs of hexadecimal digits and colons that may be an address in 2000::/3."""
    spans = np.empty((64, 2), np.int64)
    count = 0
    for d in range(len(offsets) - 1):
        free = offsets[d]
        end = offsets[d + 1]
        for i in range(offsets[d] + 4, end):
            if values[i] != COLON or i - 4 < free or (values[i - 4] != 0x32 and values[i - 4] != 0x33):
                continue
            start = i - 4
            if start > offsets[d] and _joins(values[start - 1], ascii):
                continue
            if not (ascii[values[i - 3]] & ascii[values[i - 2]] & ascii[values[i - 1]] & HEX):
                continue
            stop = i
            while stop < end and (values[stop] == COLON or ascii[values[stop]] & HEX):
                stop += 1
            free = stop
            if stop < end and _joins(values[stop], ascii):
                continue
            if values[stop - 1] == COLON and values[stop - 2] != COLON:
                stop -= 1
            spans, count = append(spans, count, start, stop)
    return spans[:count]


@njit(nogil=True, cache=True, inline="always")
def _joins(byte: int, ascii: Bytes) -> bool:
    # letters and digits of any script, and what an address could be a part of
    return (ascii[byte] & ALNUM) != 0 or byte >= 0x80 or byte in (UNDERSCORE, COLON)
