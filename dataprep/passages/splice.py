"""Where a removed piece ends: the punctuation and the spaces that go with it; and the texts of such spans.

- Marks that touch the piece and no other word go with it: the quotes of a quotation, the full stop of a sentence.
- Of the white space before and after it one side stays, the one with more newlines, and the next line keeps its
  indentation. So a removed line leaves no empty line behind, and a removed paragraph no second one. At the start and
  the end of a text none stays.
"""

import numpy as np

from dataprep.compiled import njit
from dataprep.text.utf8 import Bytes, Longs, count_code_points, decode, last_character

NEWLINE = 0x0A


@njit(nogil=True, cache=True, inline="always")
def _is_space(code, space):  # type: ignore[no-untyped-def]
    return code < space.size and space[code]


@njit(nogil=True, cache=True)
def left_edge(values, first, start, table, space):  # type: ignore[no-untyped-def]
    """Where the marks before ``start`` begin, or ``start`` if they touch another word; the text begins at ``first``."""
    i = start
    while i > first:
        before = last_character(values, first, i)
        code, _ = decode(values, before, i)
        if table[code] != 0:
            return start
        if _is_space(code, space):
            break
        i = before
    return i


@njit(nogil=True, cache=True)
def right_edge(values, end, last, table, space):  # type: ignore[no-untyped-def]
    """Where the marks after ``end`` end, or ``end`` if they touch another word; the text ends at ``last``."""
    i = end
    while i < last:
        code, size = decode(values, i, last)
        if table[code] != 0:
            return end
        if _is_space(code, space):
            break
        i += size
    return i


@njit(nogil=True, cache=True)
def with_spaces(values, first, start, end, last, space):  # type: ignore[no-untyped-def]
    """``start`` and ``end`` of a piece of the text ``values[first:last]``, and of the white space that goes with it."""
    before, before_lines, before_newline = start, 0, start
    while before > first:
        i = last_character(values, first, before)
        code, _ = decode(values, i, before)
        if not _is_space(code, space):
            break
        if code == NEWLINE:
            if before_lines == 0:
                before_newline = before
            before_lines += 1
        before = i
    after, after_lines, after_newline = end, 0, end
    while after < last:
        code, size = decode(values, after, last)
        if not _is_space(code, space):
            break
        after += size
        if code == NEWLINE:
            after_newline = after
            after_lines += 1
    if after == last:
        return before, last
    if before == first:
        return first, after_newline if after_lines else after
    if after_lines > before_lines:
        return before, end
    if after_lines:
        return before_newline, after_newline
    return start, after


@njit(nogil=True, cache=True)
def texts(values: Bytes, spans: Longs) -> tuple[Bytes, Longs]:
    """The spans' bytes, one after the other, and where each begins."""
    offsets = np.zeros(len(spans) + 1, np.int64)
    for k in range(len(spans)):
        offsets[k + 1] = offsets[k] + spans[k, 1] - spans[k, 0]
    result = np.empty(offsets[len(spans)], np.uint8)
    for k in range(len(spans)):
        result[offsets[k] : offsets[k + 1]] = values[spans[k, 0] : spans[k, 1]]
    return result, offsets


@njit(nogil=True, cache=True)
def character_places(values, offsets, documents, spans):  # type: ignore[no-untyped-def]
    """(n, 2): the spans in code points of their documents; spans are in order."""
    places = np.empty((len(spans), 2), np.int64)
    at = count = 0
    for k in range(len(spans)):
        if k == 0 or documents[k] != documents[k - 1]:
            at = offsets[documents[k]]
            count = 0
        for side in range(2):
            count += count_code_points(values, at, spans[k, side])
            at = spans[k, side]
            places[k, side] = count
    return places
