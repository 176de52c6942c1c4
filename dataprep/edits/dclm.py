"""DCLM's line editor: lines of capitals, numbers and counters, short lines, and three phrases.

Source: Li et al. 2024, "DataComp-LM", arXiv 2406.11794, following Penedo et al. 2023, "RefinedWeb", arXiv 2306.01116;
mlfoundations/dclm, baselines/mappers/modifiers.py as dclm_baseline_refinedweb.yaml calls it, in its order.
Lines are those of ``split("\\n")``; the whole text is stripped after each rule but that of short lines.

1. A line with more than half capitals (``str.isupper``, of all its characters) goes.
2. A line of digits (``str.isdigit``) alone goes.
3. A counter goes: ``3 likes``, ``1.2k followers``, with anything but letters and digits around it.
4. A line of one word goes; an empty one stays.
5. Of a line of up to ten words, ``items in cart`` anywhere, ``Read more`` and three characters (DCLM's dots match any)
   at the end, and ``Sign-in`` at the beginning are deleted, in any case, with one character of white space beside it;
   a line with nothing left goes.
"""

from functools import cache
from typing import Annotated, ClassVar

import numpy as np
import pyarrow as pa
from pydantic import Field

from dataprep.compiled import njit
from dataprep.edits.base import with_text
from dataprep.signals.base import ratio
from dataprep.steps import Step, with_columns
from dataprep.text.classes import ALPHA, DIGIT, NUMBER, SPACE, classes
from dataprep.text.spans import NEWLINE, drop_spaces, skip_spaces
from dataprep.text.utf8 import BASE, ONE, Bytes, Hashes, Longs, Utf8, decode, frozen, last_character
from dataprep.text.whitespace import chunks, fasttext_words

COUNTED = "likes shares comments retweets reposts quotes bookmarks upvotes downvotes downloads views followers"

# beside what `classes` says, in place of bits that are not asked for here
UPPER = 32  # str.isupper()
FIGURE = 64  # str.isdigit(): also superscripts and circled digits
UNDERSCORE = 0x5F

COLUMNS = pa.schema([("dclm.edited_lines", pa.int32()), ("dclm.removed_words", pa.float64())])


class DclmLines(Step):
    """Deletes lines and phrases. ``dclm.edited_lines`` counts them, ``dclm.removed_words`` is the share of words gone.

    A line goes if more than ``capitals`` of it are capitals, more than ``digits`` of it digits, or it has fewer than
    ``least_words``; phrases are looked for in lines of up to ``phrase_words``. Words are those of ``dclm.words``.
    """

    name: ClassVar[str] = "dclm_lines"
    edits: ClassVar[bool] = True
    schema: ClassVar[pa.Schema] = COLUMNS
    capitals: Annotated[float, Field(ge=0, le=1)] = 0.5
    digits: Annotated[float, Field(ge=0, le=1)] = 0.999999
    least_words: Annotated[int, Field(ge=0)] = 2
    phrase_words: Annotated[int, Field(ge=0)] = 10

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        text = Utf8.of(batch.column("text"))
        values, offsets, edited = _edit(
            text.values,
            text.offsets,
            _characters(),
            chunks(Utf8.of(pa.array([COUNTED], pa.string()))).hashes,
            self.capitals,
            self.digits,
            self.least_words,
            self.phrase_words,
        )
        before, after = fasttext_words(text), fasttext_words(Utf8(frozen(values), offsets))
        values_of = {"dclm.edited_lines": edited, "dclm.removed_words": ratio(before - after, before)}
        return with_columns(with_text(batch, values, offsets), COLUMNS, values_of)


@cache
def _characters() -> Bytes:
    """uint8[0x110000]: what each character is to these rules."""
    extra = (chr(c).isupper() * UPPER | chr(c).isdigit() * FIGURE for c in range(0x110000))
    table: Bytes = classes() & np.uint8(SPACE | ALPHA | NUMBER | DIGIT) | np.fromiter(extra, np.uint8, 0x110000)
    table.flags.writeable = False
    return table


@njit(nogil=True, cache=True)
def _edit(
    values: Bytes,
    offsets: Longs,
    table: Bytes,
    counted: Hashes,
    capitals: float,
    digits: float,
    least_words: int,
    phrase_words: int,
) -> tuple[Bytes, Longs, Longs]:
    """The edited texts, and per document how many lines were deleted or changed."""
    documents = len(offsets) - 1
    base = offsets[0]
    text = values[base : offsets[documents]].copy()  # phrases are deleted in place, which only makes lines shorter
    result = np.empty(len(text), np.uint8)
    result_offsets = np.zeros(documents + 1, np.int64)
    edited = np.zeros(documents, np.int64)
    most = 0
    for d in range(documents):
        newlines = 0
        for i in range(offsets[d], offsets[d + 1]):
            newlines += values[i] == NEWLINE
        most = max(most, newlines + 1)
    starts = np.empty(most, np.int64)
    ends = np.empty(most, np.int64)
    size = 0
    for d in range(documents):
        count = _split(text, offsets[d] - base, offsets[d + 1] - base, starts, ends)
        for rule in range(7):
            kept = 0
            for line in range(count):
                start, end = starts[line], ends[line]
                if rule == 0:
                    gone = _share(text, start, end, table, UPPER) > capitals
                elif rule == 1:
                    gone = _share(text, start, end, table, FIGURE) > digits
                elif rule == 2:
                    gone = _is_counter(text, start, end, table, counted)
                elif rule == 3:
                    gone = start < end and _has_at_most(text, start, end, table, least_words - 1)
                else:
                    gone = False
                    if start < end and _has_at_most(text, start, end, table, phrase_words):
                        if rule == 4:
                            new_start, new_end = start, _without_cart(text, start, end, table)
                        elif rule == 5:
                            new_start, new_end = start, _without_more(text, start, end, table)
                        else:
                            new_start, new_end = _without_sign_in(text, start, end, table), end
                        gone = skip_spaces(text, new_start, new_end, table) == new_end
                        edited[d] += not gone and new_end - new_start < end - start
                        start, end = new_start, new_end
                edited[d] += gone
                if not gone:
                    starts[kept], ends[kept] = start, end
                    kept += 1
            count = kept if rule == 3 else _strip(text, starts, ends, kept, table)
        for line in range(count):
            if line:
                result[size] = NEWLINE
                size += 1
            length = ends[line] - starts[line]
            result[size : size + length] = text[starts[line] : ends[line]]
            size += length
        result_offsets[d + 1] = size
    return result[:size], result_offsets, edited


@njit(nogil=True, cache=True)
def _split(text: Bytes, start: int, end: int, starts: Longs, ends: Longs) -> int:
    """Write the spans of the lines; returns how many."""
    count = 0
    for i in range(start, end):
        if text[i] == NEWLINE:
            starts[count], ends[count] = start, i
            count += 1
            start = i + 1
    starts[count], ends[count] = start, end
    return count + 1


@njit(nogil=True, cache=True)
def _strip(text: Bytes, starts: Longs, ends: Longs, count: int, table: Bytes) -> int:
    """``strip()`` of the lines joined: returns how many are left."""
    first = 0
    while first < count and skip_spaces(text, starts[first], ends[first], table) == ends[first]:
        first += 1
    while count > first and skip_spaces(text, starts[count - 1], ends[count - 1], table) == ends[count - 1]:
        count -= 1
    if first == count:
        return 0
    starts[first] = skip_spaces(text, starts[first], ends[first], table)
    ends[count - 1] = drop_spaces(text, starts[count - 1], ends[count - 1], table)
    if first:
        for line in range(first, count):
            starts[line - first], ends[line - first] = starts[line], ends[line]
    return count - first


@njit(nogil=True, cache=True)
def _share(text: Bytes, start: int, end: int, table: Bytes, kind: int) -> float:
    """The share of the line's characters that are of this kind; 0 for an empty line."""
    found = length = 0
    while start < end:
        code, size = decode(text, start, end)
        found += (table[code] & kind) != 0
        length += 1
        start += size
    return found / length if length else 0.0


@njit(nogil=True, cache=True)
def _has_at_most(text: Bytes, start: int, end: int, table: Bytes, most: int) -> bool:
    """Whether the line has no more than so many words of ``str.split``."""
    count = 0
    inside = False
    while start < end:
        code, size = decode(text, start, end)
        blank = (table[code] & SPACE) != 0
        count += not blank and not inside
        if count > most:
            return False
        inside = not blank
        start += size
    return count <= most


@njit(nogil=True, cache=True)
def _is_word(code: int, table: Bytes) -> bool:
    """What ``\\w`` matches."""
    return (table[code] & (ALPHA | NUMBER)) != 0 or code == UNDERSCORE


@njit(nogil=True, cache=True)
def _skip_symbols(text: Bytes, i: int, end: int, table: Bytes) -> int:
    while i < end:
        code, size = decode(text, i, end)
        if _is_word(code, table):
            break
        i += size
    return i


@njit(nogil=True, cache=True)
def _is_counter(text: Bytes, start: int, end: int, table: Bytes, counted: Hashes) -> bool:
    """``^\\W*\\d(,|\\.|\\d)*[kmb]?\\s+(likes|…)\\W*$`` in the line in lower case."""
    i = _skip_symbols(text, start, end, table)
    number = i
    while i < end:
        code, size = decode(text, i, end)
        if not (table[code] & DIGIT or (i > number and code in (0x2C, 0x2E))):
            break
        i += size
    if i == number:
        return False
    if i < end and _lower(text[i]) in (0x6B, 0x6D, 0x62):
        i += 1
    word = skip_spaces(text, i, end, table)
    if word == i:
        return False
    i = word
    hashed = np.uint64(0)
    while i < end and i - word < 16 and 0x61 <= _lower(text[i]) <= 0x7A:
        hashed = hashed * BASE + (np.uint64(_lower(text[i])) + ONE)
        i += 1
    return hashed in counted and _skip_symbols(text, i, end, table) == end


@njit(nogil=True, cache=True, inline="always")
def _lower(byte: int) -> int:
    return byte | 0x20 if 0x41 <= byte <= 0x5A else byte


@njit(nogil=True, cache=True)
def _is_at(text: Bytes, i: int, end: int, phrase: bytes) -> bool:
    """Whether ``phrase``, in any case, is at byte ``i``."""
    if i + len(phrase) > end:
        return False
    same = True
    for k in range(len(phrase)):
        same = same and _lower(text[i + k]) == phrase[k]
    return same


@njit(nogil=True, cache=True)
def _space_before(text: Bytes, start: int, i: int, table: Bytes) -> int:
    """``i``, or the place of the character before it if that is white space."""
    if i > start:
        before = last_character(text, start, i)
        if table[decode(text, before, i)[0]] & SPACE:
            return before
    return i


@njit(nogil=True, cache=True)
def _without_cart(text: Bytes, start: int, end: int, table: Bytes) -> int:
    """Delete ``\\s?items in cart`` from the line, in place; returns its new end."""
    size = start  # where the next byte that stays is written
    behind = start  # the end of the last occurrence
    i = start
    while i < end:
        if _is_at(text, i, end, b"items in cart"):
            size -= i - _space_before(text, behind, i, table)
            i += 13
            behind = i
            continue
        if size < i:
            text[size] = text[i]
        size += 1
        i += 1
    return size


@njit(nogil=True, cache=True)
def _without_more(text: Bytes, start: int, end: int, table: Bytes) -> int:
    """The end of the line without ``\\s?read more...$``."""
    i = end
    for _ in range(3):
        if i == start:
            return end
        i = last_character(text, start, i)
    i -= 9
    if i < start or not _is_at(text, i, end, b"read more"):
        return end
    return _space_before(text, start, i, table)


@njit(nogil=True, cache=True)
def _without_sign_in(text: Bytes, start: int, end: int, table: Bytes) -> int:
    """The start of the line without ``^sign-in\\s?``."""
    if not _is_at(text, start, end, b"sign-in"):
        return start
    i = start + 7
    if i < end:
        code, size = decode(text, i, end)
        if table[code] & SPACE:
            i += size
    return i
