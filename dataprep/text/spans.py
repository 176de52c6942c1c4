"""Lines and paragraphs, as byte spans into the column's values. There are two kinds of line, and rules differ in which.

======================  ==================================================================  ==========================
function                the spans of a document are                                          used by
======================  ==================================================================  ==========================
``python_lines``        ``text.splitlines()``: also breaks at \\r, \\r\\n, \\x0b, \\x0c,         Gopher quality, C4
                        \\x1c-\\x1e, \\x85, U+2028, U+2029; a final break adds no line
``newline_lines``       ``text.split("\\n")``: n newlines give n + 1 lines                    FineWeb
``newline_run_lines``   ``re.split("\\n+", text)``: a leading or trailing newline gives ""    Gopher repetition
``paragraphs``          ``re.split("\\n{2,}", text.strip())``                                 Gopher repetition
``stripped``            those of another function, without white space around, none empty   DCLM
======================  ==================================================================  ==========================
"""

from dataclasses import dataclass

import numpy as np

from dataprep.compiled import njit
from dataprep.text.classes import SPACE, classes
from dataprep.text.utf8 import Bytes, Longs, Utf8, decode, last_character

NEWLINE = 0x0A
RETURN = 0x0D

# bytes with which a line break of str.splitlines may begin
_BREAKS = np.zeros(256, np.uint8)
_BREAKS[[0x0A, 0x0B, 0x0C, 0x0D, 0x1C, 0x1D, 0x1E, 0xC2, 0xE2]] = 1


@dataclass(frozen=True)
class Spans:
    """Pieces of each document, in order: those of document d are ``offsets[d]`` to ``offsets[d + 1]``."""

    offsets: Longs
    starts: Longs  # bytes, in the column's values
    ends: Longs


def newline_lines(text: Utf8) -> Spans:
    """``text.split("\\n")``."""
    return Spans(*_split_newlines(text.values, text.offsets, text.offsets[:-1], text.offsets[1:], 1, True))


def newline_run_lines(text: Utf8) -> Spans:
    """``re.split("\\n+", text)``."""
    return Spans(*_split_newlines(text.values, text.offsets, text.offsets[:-1], text.offsets[1:], 1, False))


def paragraphs(text: Utf8) -> Spans:
    """``re.split("\\n{2,}", text.strip())``."""
    starts, ends = _strip(text.values, text.offsets, classes())
    return Spans(*_split_newlines(text.values, text.offsets, starts, ends, 2, False))


def python_lines(text: Utf8) -> Spans:
    """``text.splitlines()``."""
    return Spans(*_splitlines(text.values, text.offsets))


@njit(nogil=True, cache=True)
def _split_newlines(
    values: Bytes, offsets: Longs, firsts: Longs, lasts: Longs, least: int, each: bool
) -> tuple[Longs, Longs, Longs]:
    # separators: every newline (each), or every maximal run of at least `least` newlines
    documents = len(offsets) - 1
    capacity = documents
    for i in range(offsets[0], offsets[documents]):
        capacity += values[i] == NEWLINE
    span_offsets = np.zeros(documents + 1, np.int64)
    starts = np.empty(capacity, np.int64)
    ends = np.empty(capacity, np.int64)
    count = 0
    for d in range(documents):
        i = firsts[d]
        last = lasts[d]
        start = i
        while i < last:
            if values[i] != NEWLINE:
                i += 1
                continue
            stop = i + 1
            while not each and stop < last and values[stop] == NEWLINE:
                stop += 1
            if stop - i >= least:
                starts[count] = start
                ends[count] = i
                count += 1
                start = stop
            i = stop
        starts[count] = start
        ends[count] = last
        count += 1
        span_offsets[d + 1] = count
    return span_offsets, starts[:count], ends[:count]


@njit(nogil=True, cache=True)
def _splitlines(values: Bytes, offsets: Longs) -> tuple[Longs, Longs, Longs]:
    documents = len(offsets) - 1
    capacity = documents
    for i in range(offsets[0], offsets[documents]):
        capacity += _BREAKS[values[i]]
    span_offsets = np.zeros(documents + 1, np.int64)
    starts = np.empty(capacity, np.int64)
    ends = np.empty(capacity, np.int64)
    count = 0
    for d in range(documents):
        i = offsets[d]
        end = offsets[d + 1]
        start = i
        while i < end:
            byte = values[i]
            if not _BREAKS[byte]:
                i += 1
                continue
            size = 1
            if byte == RETURN:
                if i + 1 < end and values[i + 1] == NEWLINE:
                    size = 2
            elif byte == 0xC2:  # U+0085
                if i + 1 >= end or values[i + 1] != 0x85:
                    i += 1
                    continue
                size = 2
            elif byte == 0xE2:  # U+2028, U+2029
                if i + 2 >= end or values[i + 1] != 0x80 or values[i + 2] & 0xFE != 0xA8:
                    i += 1
                    continue
                size = 3
            starts[count] = start
            ends[count] = i
            count += 1
            i += size
            start = i
        if start < end:
            starts[count] = start
            ends[count] = end
            count += 1
        span_offsets[d + 1] = count
    return span_offsets, starts[:count], ends[:count]


@njit(nogil=True, cache=True, inline="always")
def skip_spaces(values: Bytes, start: int, end: int, table: Bytes) -> int:
    """The first byte at or after ``start`` that begins no white space; ``end`` if there is none."""
    while start < end:
        code, size = decode(values, start, end)
        if not table[code] & SPACE:
            break
        start += size
    return start


@njit(nogil=True, cache=True, inline="always")
def drop_spaces(values: Bytes, start: int, end: int, table: Bytes) -> int:
    """The end of ``values[start:end]`` without the white space it ends in."""
    while end > start:
        i = last_character(values, start, end)
        if not table[decode(values, i, end)[0]] & SPACE:
            break
        end = i
    return end


@njit(nogil=True, cache=True)
def _strip(values: Bytes, offsets: Longs, table: Bytes) -> tuple[Longs, Longs]:
    documents = len(offsets) - 1
    starts = np.empty(documents, np.int64)
    ends = np.empty(documents, np.int64)
    for d in range(documents):
        starts[d] = skip_spaces(values, offsets[d], offsets[d + 1], table)
        ends[d] = drop_spaces(values, starts[d], offsets[d + 1], table)
    return starts, ends


def stripped(text: Utf8, spans: Spans) -> Spans:
    """The spans without the white space around them, those that have nothing else left out."""
    return Spans(*_stripped(text.values, spans.offsets, spans.starts, spans.ends, classes()))


@njit(nogil=True, cache=True)
def _stripped(values: Bytes, offsets: Longs, starts: Longs, ends: Longs, table: Bytes) -> tuple[Longs, Longs, Longs]:
    kept_offsets = np.zeros(len(offsets), np.int64)
    kept_starts = np.empty(len(starts), np.int64)
    kept_ends = np.empty(len(starts), np.int64)
    count = 0
    for d in range(len(offsets) - 1):
        for span in range(offsets[d], offsets[d + 1]):
            start = skip_spaces(values, starts[span], ends[span], table)
            if start < ends[span]:
                kept_starts[count] = start
                kept_ends[count] = drop_spaces(values, start, ends[span], table)
                count += 1
        kept_offsets[d + 1] = count
    return kept_offsets, kept_starts[:count], kept_ends[:count]
