"""FineWeb's line measurements: sentence ends, short lines, duplicate lines, newlines.

Source: Penedo et al. 2024, "The FineWeb Datasets", arXiv 2406.17557, section 3.6 and its appendix; details as datatrove
0.10 (fineweb_quality_filter.py). Lines are the lines of ``split("\\n")`` that are not blank, otherwise as they stand.

=========================  =============================================================================================
fineweb.lines              lines that are not blank
fineweb.line_punct_ratio   share of them whose very last character ends a sentence (Unicode's ``Sentence_Terminal``)
fineweb.short_line_ratio   share of them with at most 30 code points
fineweb.char_dup_ratio     code points in lines that equal an earlier one, of all but newlines
fineweb.list_ratio         newlines per word, every symbol run counted as a word
=========================  =============================================================================================
"""

from typing import ClassVar

import numpy as np
import pyarrow as pa

from dataprep.compiled import njit
from dataprep.signals.base import OfWords, ratio
from dataprep.steps import with_columns
from dataprep.text.classes import TERMINAL, classes
from dataprep.text.repeats import duplicate_spans
from dataprep.text.spans import Spans, skip_spaces
from dataprep.text.utf8 import Bytes, Longs, count_code_points, decode, last_character
from dataprep.text.view import text_of

SHORT_LINE = 30  # code points, arXiv 2406.17557 section 3.6


COLUMNS = pa.schema(
    [
        ("fineweb.lines", pa.int32()),
        ("fineweb.line_punct_ratio", pa.float64()),
        ("fineweb.short_line_ratio", pa.float64()),
        ("fineweb.char_dup_ratio", pa.float64()),
        ("fineweb.list_ratio", pa.float64()),
    ]
)


class FineWeb(OfWords):
    """Adds the ``fineweb.*`` columns."""

    name: ClassVar[str] = "fineweb"
    schema: ClassVar[pa.Schema] = COLUMNS

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        text = text_of(batch)
        every = text.newline_lines
        offsets, starts, ends, terminal, short = _lines_with_text(
            text.utf8.values, every.offsets, every.starts, every.ends, classes()
        )
        lines = np.diff(offsets)
        newlines = np.diff(every.offsets) - 1
        _, duplicate_chars = duplicate_spans(text.utf8, Spans(offsets, starts, ends))
        return with_columns(
            batch,
            COLUMNS,
            {
                "fineweb.lines": lines,
                "fineweb.line_punct_ratio": ratio(terminal, lines),
                "fineweb.short_line_ratio": ratio(short, lines),
                "fineweb.char_dup_ratio": ratio(duplicate_chars, text.code_points - newlines),
                "fineweb.list_ratio": ratio(newlines, np.diff(text.words(self.words).offsets)),
            },
        )


@njit(nogil=True, cache=True)
def _lines_with_text(
    values: Bytes, offsets: Longs, starts: Longs, ends: Longs, table: Bytes
) -> tuple[Longs, Longs, Longs, Longs, Longs]:
    """The spans that are not blank, and per document how many of them end a sentence and how many are short."""
    documents = len(offsets) - 1
    kept_offsets = np.zeros(documents + 1, np.int64)
    kept_starts = np.empty(len(starts), np.int64)
    kept_ends = np.empty(len(starts), np.int64)
    terminal = np.zeros(documents, np.int64)
    short = np.zeros(documents, np.int64)
    count = 0
    for d in range(documents):
        for line in range(offsets[d], offsets[d + 1]):
            start = starts[line]
            end = ends[line]
            if skip_spaces(values, start, end, table) == end:
                continue
            last = last_character(values, start, end)
            terminal[d] += (table[decode(values, last, end)[0]] & TERMINAL) != 0
            # a code point has at most four bytes
            short[d] += end - start <= 4 * SHORT_LINE and count_code_points(values, start, end) <= SHORT_LINE
            kept_starts[count] = start
            kept_ends[count] = end
            count += 1
        kept_offsets[d + 1] = count
    return kept_offsets, kept_starts[:count], kept_ends[:count], terminal, short
