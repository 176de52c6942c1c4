"""Telephone numbers in three conservative forms: a missed number is better than a masked date, ISBN or table cell.

international   ``+``, an assigned country code (ITU-T E.164) and groups of digits; after ``+1`` the form below
North America   an area code and an exchange that can exist (NANPA: neither begins with 0 or 1, no area ends in 11),
                written ``(212) 555-0123``, ``212-555-0123`` or ``212.555.0123``, with or without ``1-`` before
named           any digits in groups right after a word for telephone or fax, but no date

all with 7 to 15 digits, and not as part of a longer number, a word or a path

A kernel finds runs of digits and the marks between their groups that are long enough; regular expressions read those.
"""

import re

import numpy as np

from dataprep.compiled import njit
from dataprep.edits.base import Spans, append, document_of
from dataprep.text.utf8 import Bytes, Longs, Utf8

PLUS, OPEN, CLOSE = 0x2B, 0x28, 0x29

CONTEXT = 40  # bytes before a run in which a word for telephone is looked for
LEAST_DIGITS = 7
MOST_DIGITS = 15  # ITU-T E.164
LONGEST_UNGROUPED = 11  # "+2147483647": up to here "+" and digits without groups may be an integer's limit

_COUNTRY = (
    rb"(?:7|2[07]|3[0123469]|4[013456789]|5[1-8]|6[0-6]|8[1246]|9[0123458]|"
    rb"(?:2[1-689]|3[578]|42|5[09]|6[789]|8[0578]|9[67])\d|99[2-68])"
)
_AREA = rb"[2-9](?!11)\d\d"
_INTERNATIONAL = re.compile(
    rb"\+" + _COUNTRY + rb"(?:[ ./-]?\(0\)[ ./-]?|[ ./-]?\(\d{1,5}\)[ ./-]?|[ ./-]?)\d{1,6}(?:[ ./-]?\d{2,6}){1,5}"
)
_GROUPED = re.compile(rb"\d[ ./()-]+\d")
_NORTH_AMERICAN = re.compile(
    rb"(?:\+?1[ .-]?)?(?:\(" + _AREA + rb"\) ?[2-9]\d\d[-.]\d{4}|" + _AREA + rb"([-.])[2-9]\d\d\1\d{4})"
    rb"|\+1[ .-]?(?:\(" + _AREA + rb"\)|" + _AREA + rb")[ .-]?[2-9]\d\d[ .-]?\d{4}"
)
_NAMED = re.compile(rb"\+?\(?\d{1,6}\)?(?:[ ./-]{0,2}\(?\d{1,6}\)?){1,6}")
_DATE = re.compile(rb"(?:19|20)\d\d[ ./-](?:19|20)?\d\d.*|\d\d?[./-]\d\d?[./-](?:19|20)\d\d.*")
_NAME = re.compile(
    "(?<![A-Za-z0-9_])(?:(?:tele)?phone|(?:tele)?fax|tel|t(?:e|é)l(?:e|é)phone|tel(?:e|é)fono|(?:tele)?fon|mobile?|handy)"
    r"(?: ?(?:no|nr|number|nummer|num(?:e|é)ro))?\.?[ \t]{0,8}:?[ \t]{0,8}\(?\Z".encode(),
    re.IGNORECASE,
)


def find_phones(text: Utf8) -> Spans:
    """All telephone numbers of all documents, in order and disjoint."""
    runs = _runs(text.values, text.offsets)
    firsts = text.offsets[document_of(text.offsets, runs)].tolist()
    values = text.values.data
    keep = [_is_phone(values, *where) for where in zip(firsts, *runs.T.tolist(), strict=True)]
    return runs[np.array(keep, bool)]


def _is_phone(values: memoryview, first: int, start: int, end: int) -> bool:
    """Whether the run from ``start`` to ``end`` of the document that begins at ``first`` is a telephone number."""
    if _NORTH_AMERICAN.fullmatch(values, start, end):
        return True
    grouped = end - start > LONGEST_UNGROUPED or _GROUPED.search(values, start, end)
    if grouped and _INTERNATIONAL.fullmatch(values, start, end):
        return True
    # a slice, because a lookbehind sees what is before a position: the document before this one
    if not _NAME.search(values[max(first, start - CONTEXT) : start]):
        return False
    return bool(_NAMED.fullmatch(values, start, end)) and not _DATE.fullmatch(values, start, end)


@njit(nogil=True, cache=True)
def _runs(values: Bytes, offsets: Longs) -> Spans:
    """The runs that stand free and have as many digits as a telephone number.

    A run is digits with at most two of the marks ``␣ . - / ( )`` between them, and ``+`` or ``(`` before the first.
    """
    spans = np.empty((64, 2), np.int64)
    count = 0
    for d in range(len(offsets) - 1):
        first, end = offsets[d], offsets[d + 1]
        free = first
        for i in range(first, end):
            if not _is_digit(values[i]) or i < free:
                continue
            start = i
            while start > first and start > i - 2 and (values[start - 1] == PLUS or values[start - 1] == OPEN):
                start -= 1
            digits = 0
            stop = i
            k = i
            while k < end and k - stop <= 2:
                if _is_digit(values[k]):
                    digits += 1
                    stop = k + 1
                elif not _is_mark(values[k]):
                    break
                k += 1
            free = stop
            if values[start] == OPEN and stop < end and values[stop] == CLOSE:
                start += 1  # the parentheses are around the number
            if not LEAST_DIGITS <= digits <= MOST_DIGITS:
                continue
            if start > first and _joins(values[start - 1]):
                continue
            if stop < end and _joins_after(values, stop, end):
                continue
            spans, count = append(spans, count, start, stop)
    return spans[:count]


@njit(nogil=True, cache=True, inline="always")
def _is_digit(byte: int) -> bool:
    return 0x30 <= byte <= 0x39


@njit(nogil=True, cache=True, inline="always")
def _is_mark(byte: int) -> bool:
    return byte == 0x20 or byte == 0x2D or byte == 0x2E or byte == 0x2F or byte == 0x28 or byte == 0x29


@njit(nogil=True, cache=True, inline="always")
def _is_letter(byte: int) -> bool:
    return 0x61 <= (byte | 0x20) <= 0x7A or byte == 0x5F


@njit(nogil=True, cache=True, inline="always")
def _joins(byte: int) -> bool:
    # before a number: it is part of a word, path, sum, range, price …
    return _is_letter(byte) or byte in (0x23, 0x24, 0x25, 0x26, 0x29, 0x2B, 0x2C, 0x2D, 0x2E, 0x2F, 0x3D)


@njit(nogil=True, cache=True, inline="always")
def _joins_after(values: Bytes, stop: int, end: int) -> bool:
    byte = values[stop]
    if byte == 0x2C or byte == 0x3A:
        return stop + 1 < end and _is_digit(values[stop + 1])
    return _is_letter(byte) or byte == 0x25 or byte == 0x2F or byte == 0x2D or byte == 0x40
