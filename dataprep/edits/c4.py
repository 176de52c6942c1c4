"""C4's line rules: keep the lines that end like sentences, drop what is a notice, and say what stops a whole document.

Source: Raffel et al. 2020, "Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer", arXiv
1910.10683, section 2.2. Two readings of it differ in their numbers, and a rule set names each: the authors' code
(tensorflow/datasets, c4_utils.py) and datatrove 0.10's (c4_filters.py).

Lines are those of ``str.splitlines``, stripped. In this order:

1. A word (between white space) of more than ``longest_word`` code points drops the line.
2. Citations, ``[12]``, ``[]``, ``[edit]``, ``[citation needed]``, are cut out. What stood before them is not stripped
   again: ``"… end. [1]"`` then ends in a space.
3. A line that does not end in one of ``end_marks``, or ends in ``...``, is dropped; ``end_marks: ""`` keeps them all.
4. Fewer than ``fewest_words`` words drop the line; counted before step 2 unless ``count_after_citations``.
5. "lorem ipsum" stops the document. "javascript" drops the line. ``{`` stops the document. A phrase about cookies,
   privacy or terms of use drops the line. (All but ``{`` in any case.)

The kept lines, joined by newlines and stripped, are the text. A document that is stopped keeps the text it had.

=======================  ===============================================================================================
c4.characters            code points before the edit
c4.lines                 lines before the edit
c4.lines_long_word       lines that each of the rules dropped
c4.lines_no_end_mark
c4.lines_few_words
c4.lines_javascript
c4.lines_policy
c4.citations             citations cut out of lines that are kept
c4.stopped_by            ``lorem_ipsum`` or ``curly_bracket``, whichever came first; null: neither
c4.sentences             sentences of the kept lines, at least one a line (`dataprep.text.sentences`)
=======================  ===============================================================================================
"""

from importlib.metadata import version
from typing import Annotated, Any, ClassVar

import numpy as np
import pyarrow as pa
from pydantic import Field

from dataprep.compiled import njit
from dataprep.edits.base import with_text
from dataprep.steps import Step, with_columns
from dataprep.text.chunks import segment_spacy
from dataprep.text.classes import DIGIT, SPACE, classes
from dataprep.text.sentences import count_sentences
from dataprep.text.spans import drop_spaces, skip_spaces
from dataprep.text.utf8 import Bytes, Longs, Utf8, decode, last_character
from dataprep.text.view import text_of

POLICY = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")
STOPS = ("lorem_ipsum", "curly_bracket")
DROPPED = ("long_word", "no_end_mark", "few_words", "javascript", "policy")

COLUMNS = pa.schema(
    [
        ("c4.characters", pa.int32()),
        ("c4.lines", pa.int32()),
        *((f"c4.lines_{rule}", pa.int32()) for rule in DROPPED),
        ("c4.citations", pa.int32()),
        ("c4.stopped_by", pa.string()),
        ("c4.sentences", pa.int32()),
    ]
)

LONG_WORD, NO_END_MARK, FEW_WORDS, JAVASCRIPT, POLICY_LINE, CITATIONS, STOPPED = range(7)  # columns of the kernel
OPEN, CLOSE, CURLY, FULL_STOP, NEWLINE = 0x5B, 0x5D, 0x7B, 0x2E, 0x0A


class C4Lines(Step):
    """C4's line rules; the numbers of the two readings of them are in the rule sets."""

    name: ClassVar[str] = "c4"
    edits: ClassVar[bool] = True
    schema: ClassVar[pa.Schema] = COLUMNS
    end_marks: str = ".?!\"'"
    fewest_words: Annotated[int, Field(ge=0)] = 3
    count_after_citations: bool = False
    longest_word: Annotated[int, Field(ge=1)] = 1000

    def depends_on(self) -> dict[str, Any]:
        return {"spacy": version("spacy")}

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        text = text_of(batch)
        lines = text.python_lines
        marks = np.array(sorted(map(ord, self.end_marks)), np.int64)
        kept, kept_offsets, line_offsets, counts = _keep_lines(
            *(text.utf8.values, lines.offsets, lines.starts, lines.ends, classes(), marks),
            *(self.fewest_words, self.count_after_citations, self.longest_word, _phrases(), _LOREM, _JAVASCRIPT),
        )
        pieces = Utf8(kept, line_offsets)
        sentences = count_sentences(pieces, segment_spacy(pieces))
        per_document = np.concatenate([[0], np.cumsum(sentences)])
        values: dict[str, Any] = {
            "c4.characters": text.code_points,
            "c4.lines": np.diff(lines.offsets),
            **{f"c4.lines_{rule}": counts[column] for column, rule in enumerate(DROPPED)},
            "c4.citations": counts[CITATIONS],
            "c4.stopped_by": pa.array((None, *STOPS), pa.string()).take(pa.array(counts[STOPPED])),
            "c4.sentences": np.diff(per_document[kept_offsets]),
        }
        joined, offsets = _join_lines(
            text.utf8.values, text.utf8.offsets, kept, kept_offsets, line_offsets, counts[STOPPED], classes()
        )
        return with_columns(with_text(batch, joined, offsets), COLUMNS, values)


def _bytes(text: str) -> Bytes:
    return np.frombuffer(text.encode(), np.uint8)


_LOREM, _JAVASCRIPT = _bytes("lorem ipsum"), _bytes("javascript")


def _phrases() -> Bytes:
    """uint8 (phrases, longest): ``POLICY``, filled up with zeros."""
    table = np.zeros((len(POLICY), max(map(len, POLICY))), np.uint8)
    for row, phrase in zip(table, POLICY, strict=True):
        row[: len(phrase)] = _bytes(phrase)
    return table


@njit(nogil=True, cache=True)
def _spells(values: Bytes, i: int, end: int, phrase: Bytes) -> bool:
    """Whether the text from byte ``i``, in lower case, begins with ``phrase``.

    Beside ASCII only the Kelvin sign (E2 84 AA) has a lower case that could continue a phrase: ``k``.
    """
    for wanted in phrase:
        if wanted == 0:
            break
        if i >= end:
            return False
        byte = values[i]
        if 0x41 <= byte <= 0x5A:
            byte |= 0x20
        if byte == wanted:
            i += 1
        elif wanted == 0x6B and i + 2 < end and byte == 0xE2 and values[i + 1] == 0x84 and values[i + 2] == 0xAA:
            i += 3
        else:
            return False
    return True


@njit(nogil=True, cache=True)
def _citation(values: Bytes, start: int, end: int, table: Bytes) -> int:
    """The bytes of the citation that begins at ``start``, a bracket; 0 if it is none."""
    i = start + 1
    while i < end:
        code, size = decode(values, i, end)
        if not table[code] & DIGIT:
            break
        i += size
    if i < end and values[i] == CLOSE:
        return i + 1 - start
    for note in (b"[edit]", b"[citation needed]"):
        size = len(note)
        if start + size <= end:
            k = 0
            while k < size and values[start + k] == note[k]:
                k += 1
            if k == size:
                return size
    return 0


@njit(nogil=True, cache=True)
def _count_words(values: Bytes, start: int, end: int, table: Bytes) -> tuple[int, int]:
    """Runs of what is not white space, and the code points of the longest."""
    count = longest = length = 0
    i = start
    while i < end:
        byte = values[i]
        if byte < 0x80:
            kind = table[byte]
            i += 1
        else:
            code, size = decode(values, i, end)
            kind = table[code]
            i += size
        if kind & SPACE:
            count += length > 0
            longest = max(longest, length)
            length = 0
        else:
            length += 1
    return count + (length > 0), max(longest, length)


@njit(nogil=True, cache=True)
def _ends_well(values: Bytes, start: int, end: int, marks: Longs) -> bool:
    if start == end:
        return False
    code = decode(values, last_character(values, start, end), end)[0]
    found = False
    for mark in marks:
        found |= code == mark
    dots = end - start >= 3 and values[end - 1] == FULL_STOP and values[end - 2] == FULL_STOP
    return found and not (dots and values[end - 3] == FULL_STOP)


@njit(nogil=True, cache=True)
def _keep_lines(
    values: Bytes,
    offsets: Longs,
    starts: Longs,
    ends: Longs,
    table: Bytes,
    marks: Longs,
    fewest: int,
    after: bool,
    longest: int,
    phrases: Bytes,
    lorem: Bytes,
    javascript: Bytes,
) -> tuple[Bytes, Longs, Longs, Longs]:
    """The kept lines one after the other without separators; where each document's begin; what was counted."""
    documents = len(offsets) - 1
    room = 0
    for line in range(len(starts)):
        room += ends[line] - starts[line]
    kept = np.empty(room, np.uint8)
    line_offsets = np.zeros(len(starts) + 1, np.int64)
    kept_offsets = np.zeros(documents + 1, np.int64)
    counts = np.zeros((7, documents), np.int64)
    lines = 0
    out = 0
    for d in range(documents):
        for line in range(offsets[d], offsets[d + 1]):
            start = skip_spaces(values, starts[line], ends[line], table)
            end = drop_spaces(values, start, ends[line], table)
            words, size = _count_words(values, start, end, table)
            if size > longest:
                counts[LONG_WORD, d] += 1
                continue
            stop = out
            citations = 0
            i = start
            while i < end:
                if values[i] == OPEN:
                    size = _citation(values, i, end, table)
                    citations += size > 0
                    i += size
                    if size > 0:
                        continue
                kept[stop] = values[i]
                stop += 1
                i += 1
            if len(marks) > 0 and not _ends_well(kept, out, stop, marks):
                counts[NO_END_MARK, d] += 1
                continue
            if after:
                words, _ = _count_words(kept, out, stop, table)
            if words < fewest:
                counts[FEW_WORDS, d] += 1
                continue
            has_lorem = has_javascript = has_curly = has_policy = False
            for i in range(out, stop - 1):
                byte = kept[i] | 0x20  # of the characters looked for, { is its own
                second = kept[i + 1] | 0x20
                if byte == 0x6C:
                    has_lorem |= second == 0x6F and _spells(kept, i, stop, lorem)
                elif byte == 0x6A:
                    has_javascript |= second == 0x61 and _spells(kept, i, stop, javascript)
                elif byte == CURLY:
                    has_curly |= kept[i] == CURLY
                elif byte in (0x74, 0x70, 0x63, 0x75):  # t p c u
                    for p in range(len(phrases)):
                        if phrases[p, 0] == byte and phrases[p, 1] == second:
                            has_policy |= _spells(kept, i, stop, phrases[p])
            has_curly |= stop > out and kept[stop - 1] == CURLY
            if has_lorem:
                if counts[STOPPED, d] == 0:
                    counts[STOPPED, d] = 1
            elif has_javascript:
                counts[JAVASCRIPT, d] += 1
            elif has_curly:
                if counts[STOPPED, d] == 0:
                    counts[STOPPED, d] = 2
            elif has_policy:
                counts[POLICY_LINE, d] += 1
            else:
                counts[CITATIONS, d] += citations
                out = stop
                lines += 1
                line_offsets[lines] = out
        kept_offsets[d + 1] = lines
    return kept[:out], kept_offsets, line_offsets[: lines + 1], counts


@njit(nogil=True, cache=True)
def _join_lines(
    values: Bytes,
    offsets: Longs,
    kept: Bytes,
    kept_offsets: Longs,
    line_offsets: Longs,
    stopped: Longs,
    table: Bytes,
) -> tuple[Bytes, Longs]:
    """Each document's lines joined by newlines and stripped; the text as it was where the document is stopped."""
    documents = len(offsets) - 1
    joined = np.empty(offsets[documents] - offsets[0] + len(kept) + len(line_offsets), np.uint8)
    new_offsets = np.zeros(documents + 1, np.int64)
    out = 0
    for d in range(documents):
        begin = out
        if stopped[d]:
            for i in range(offsets[d], offsets[d + 1]):
                joined[out] = values[i]
                out += 1
        else:
            for line in range(kept_offsets[d], kept_offsets[d + 1]):
                if line > kept_offsets[d]:
                    joined[out] = NEWLINE
                    out += 1
                for i in range(line_offsets[line], line_offsets[line + 1]):
                    joined[out] = kept[i]
                    out += 1
            first = skip_spaces(joined, begin, out, table)
            last = drop_spaces(joined, first, out, table)
            for i in range(first, last):
                joined[begin + i - first] = joined[i]
            out = begin + last - first
        new_offsets[d + 1] = out
    return joined[:out].copy(), new_offsets
