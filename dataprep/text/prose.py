"""What each line of a technical text is (prose, list item, table, markup, code), and the prose part of the text.

Markdown and reStructuredText share most of it, and plain text and manual pages follow the same habits. A line is, by
the first that holds:

======  ================================================================================================================
code    inside a fence of three or more backticks or tildes; indented by four columns or more (a tab counts four) after
        a blank line or other code, beyond the text of a list item it belongs to; indented further than a line that ends
        in ``::`` or begins a ``.. code`` directive, after it; a line that begins with ``>>> `` or ``$ `` or ends in
        ``{``, ``}`` or ``;``
markup  ``#`` to ``######`` and a space; one punctuation mark repeated three times or more, and the line of text above
        it; a directive or comment (``.. ``); a field (``:name:``)
table   begins with ``|``, ``+-`` or ``+=``, has two ``|`` or more, or is made of ``=``, ``-`` and spaces
list    ``-``, ``*``, ``+``, ``•``, ``◦`` or ``‣``, or a number and ``.`` or ``)``, and a space
prose   anything else that is not blank
======  ================================================================================================================

In the prose part, a line that is at least ``wrap`` code points long goes on in a line of prose directly below it, as in
text that is wrapped by hand: the two are joined by a space. So a line of the prose part is a paragraph, and its end a
real end: footnote marks (``[12]``) and emphasis (``*``, ``_``) that close a line are left out, and a colon before a
list, a table or code is written as a full stop. The prose part is for measuring, not for reading.
"""

import numpy as np

from dataprep.compiled import njit
from dataprep.text.classes import classes
from dataprep.text.spans import NEWLINE, Spans, drop_spaces, skip_spaces
from dataprep.text.utf8 import Bytes, Longs, Utf8, count_code_points, decode

BLANK, PROSE, LIST, TABLE, MARKUP, CODE = range(6)
COLON, FULL_STOP = 0x3A, 0x2E
INDENT = 4  # columns: CommonMark 0.31, section 4.4
FENCE = 3  # CommonMark 0.31, section 4.5

_RULES = np.zeros(256, np.uint8)
_RULES[list(b"=-~^*\"'+#`_.:")] = 1


def line_kinds(text: Utf8, lines: Spans) -> Bytes:
    """uint8 a line of ``split("\\n")``: BLANK, PROSE, LIST, TABLE, MARKUP or CODE."""
    kinds: Bytes = _line_kinds(text.values, lines.offsets, lines.starts, lines.ends, classes())
    return kinds


def prose_part(text: Utf8, lines: Spans, kinds: Bytes, wrap: int) -> tuple[Bytes, Longs]:
    """The bytes and offsets of the texts made of the lines of prose, each with its paragraph break before it."""
    return _prose_part(text.values, lines.offsets, lines.starts, lines.ends, kinds, wrap, classes())


@njit(nogil=True, cache=True)
def _indent(values: Bytes, start: int, end: int) -> tuple[int, int]:
    """The columns by which a line is indented, and where its text begins."""
    columns = 0
    while start < end and values[start] in (0x20, 0x09):
        columns += 1 if values[start] == 0x20 else INDENT
        start += 1
    return columns, start


@njit(nogil=True, cache=True)
def _run(values: Bytes, start: int, end: int) -> int:
    """How often the first byte is repeated."""
    stop = start
    while stop < end and values[stop] == values[start]:
        stop += 1
    return stop - start


@njit(nogil=True, cache=True)
def _begins(values: Bytes, start: int, end: int, prefix: bytes) -> bool:
    same = start + len(prefix) <= end
    for k in range(len(prefix)):
        same = same and values[start + k] == prefix[k]
    return same


@njit(nogil=True, cache=True)
def _marker_end(values: Bytes, start: int, end: int) -> int:
    """Where the text of a list item begins; ``start`` where the line is none."""
    stop = start
    if values[start] in (0x2D, 0x2A, 0x2B):  # - * +
        stop = start + 1
    elif values[start] == 0xE2:
        code, size = decode(values, start, end)
        if code in (0x2022, 0x25E6, 0x2023):
            stop = start + size
    else:
        digits = start
        while digits < end and digits - start < 9 and 0x30 <= values[digits] <= 0x39:
            digits += 1
        if digits > start and digits < end and values[digits] in (0x2E, 0x29):
            stop = digits + 1
    if stop in (start, end) or values[stop] not in (0x20, 0x09):
        return start
    while stop < end and values[stop] in (0x20, 0x09):
        stop += 1
    return stop


@njit(nogil=True, cache=True)
def _is_table(values: Bytes, start: int, end: int) -> bool:
    if _begins(values, start, end, b"|") or _begins(values, start, end, b"+-") or _begins(values, start, end, b"+="):
        return True
    bars = 0
    ruled = True
    for i in range(start, end):
        bars += values[i] == 0x7C
        ruled = ruled and values[i] in (0x3D, 0x2D, 0x20)
    return bars >= 2 or (ruled and end - start >= FENCE)


@njit(nogil=True, cache=True)
def _is_markup(values: Bytes, start: int, end: int) -> bool:
    hashes = _run(values, start, end) if values[start] == 0x23 else 0
    if 1 <= hashes <= 6 and start + hashes < end and values[start + hashes] == 0x20:
        return True
    if _begins(values, start, end, b".. "):
        return True
    if values[start] == 0x3A:  # :field:
        i = start + 1
        while i < end and values[i] not in (0x3A, 0x20):
            i += 1
        return start + 1 < i < end and values[i] == 0x3A
    return False


@njit(nogil=True, cache=True)
def _line_kinds(values: Bytes, offsets: Longs, starts: Longs, ends: Longs, table: Bytes) -> Bytes:
    kinds = np.zeros(len(starts), np.uint8)
    for d in range(len(offsets) - 1):
        fence = 0  # its character, or 0 outside
        fence_size = 0
        after_blank = True
        literal = -1  # the indentation of the line that announced a literal block, or -1
        item = 0  # the columns at which the text of the present list item begins
        before = BLANK  # the kind of the last line that is not blank
        for line in range(offsets[d], offsets[d + 1]):
            columns, start = _indent(values, starts[line], ends[line])
            end = drop_spaces(values, start, ends[line], table)
            if start >= end:
                after_blank = True
                continue
            run = _run(values, start, end)
            kind = PROSE
            if fence:
                kind = CODE
                if values[start] == fence and run >= fence_size and start + run == end:
                    fence = 0
            elif run >= FENCE and values[start] in (0x60, 0x7E):
                kind = CODE
                fence, fence_size = values[start], run
            elif (
                0 <= literal < columns
                or (columns >= item + INDENT and (after_blank or before == CODE))
                or _begins(values, start, end, b">>> ")
                or _begins(values, start, end, b"$ ")
            ):
                kind = CODE
            elif run >= FENCE and start + run == end and _RULES[values[start]]:
                kind = MARKUP
                if not after_blank and before == PROSE:
                    kinds[line - 1] = MARKUP
            elif _is_markup(values, start, end):
                kind = MARKUP
            elif _is_table(values, start, end):
                kind = TABLE
            elif _marker_end(values, start, end) > start:
                kind = LIST
            elif values[end - 1] in (0x7B, 0x7D, 0x3B):  # { } ;
                kind = CODE
            if not fence and kind != CODE:
                announces = end - start >= 2 and values[end - 1] == 0x3A and values[end - 2] == 0x3A
                directive = _begins(values, start, end, b".. ")
                code = _begins(values, start, end, b".. code") or _begins(values, start, end, b".. sourcecode")
                literal = columns if code or (announces and not directive) else -1
                if kind == LIST:
                    item = columns + _marker_end(values, start, end) - start
                elif columns < item:
                    item = 0
            kinds[line] = kind
            before = kind
            after_blank = False
    return kinds


@njit(nogil=True, cache=True)
def _drop_marks(values: Bytes, start: int, end: int) -> int:
    """The end of a line of prose without the footnote marks and emphasis that close it."""
    while end > start:
        last = values[end - 1]
        if last in (0x2A, 0x5F):
            end -= 1
            continue
        i = end - 2
        while i >= start and 0x30 <= values[i] <= 0x39:
            i -= 1
        if last != 0x5D or i < start or values[i] != 0x5B or i == end - 2:
            break
        end = i
    return end


@njit(nogil=True, cache=True)
def _prose_part(
    values: Bytes, offsets: Longs, starts: Longs, ends: Longs, kinds: Bytes, wrap: int, table: Bytes
) -> tuple[Bytes, Longs]:
    documents = len(offsets) - 1
    # every line is preceded by at most the two newlines of a paragraph break
    room = 0
    for line in range(len(starts)):
        room += ends[line] - starts[line] + 2
    result = np.empty(room, np.uint8)
    result_offsets = np.zeros(documents + 1, np.int64)
    size = 0
    for d in range(documents):
        before = -1  # the last line of prose
        for line in range(offsets[d], offsets[d + 1]):
            kind = kinds[line]
            if kind in (LIST, TABLE, CODE) and before >= 0 and result[size - 1] == COLON:
                result[size - 1] = FULL_STOP
            if kind != PROSE:
                continue
            if before >= 0:
                adjacent = before == line - 1
                goes_on = adjacent and count_code_points(values, starts[before], ends[before]) >= wrap
                result[size] = 0x20 if goes_on else NEWLINE
                size += 1
                if not adjacent:
                    result[size] = NEWLINE
                    size += 1
            start = skip_spaces(values, starts[line], ends[line], table)
            end = drop_spaces(
                values, start, _drop_marks(values, start, drop_spaces(values, start, ends[line], table)), table
            )
            result[size : size + end - start] = values[start:end]
            size += end - start
            before = line
        result_offsets[d + 1] = size
    return result[:size], result_offsets
