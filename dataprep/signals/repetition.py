"""Gopher's repetition measurements: duplicate lines and paragraphs, frequent and repeated n-grams of words.

Source: Rae et al. 2021, arXiv 2112.11446, appendix A.1.1 (repetition removal) and table A1. Where the paper leaves a
choice we take datatrove's (0.10, gopher_repetition_filter.py): only second and later occurrences are duplicates,
compared exactly; every share of characters is of the whole text, white space included; the most frequent n-gram may
occur once.

==============================  ======================================================================================
repetition.dup_line_frac        share of lines (split at runs of newlines) that are duplicates
repetition.dup_para_frac        share of paragraphs (split at two newlines or more, text stripped) that are duplicates
repetition.dup_line_char_frac   code points in duplicate lines, of all
repetition.dup_para_char_frac   code points in duplicate paragraphs, of all
repetition.top_N_gram           N 2 to 4: code points in the most frequent n-gram (joined by spaces), times its count
repetition.dup_N_gram           N 5 to 10: code points in n-grams seen before, no word counted twice
==============================  ======================================================================================
"""

from typing import ClassVar

import numpy as np
import pyarrow as pa

from dataprep.signals.base import OfWords, ratio
from dataprep.steps import with_columns
from dataprep.text.repeats import duplicate_spans, repeated_ngrams, top_ngrams
from dataprep.text.view import text_of

TOP = (2, 3, 4)
REPEATED = (5, 6, 7, 8, 9, 10)


COLUMNS = pa.schema(
    [
        (f"repetition.{signal}", pa.float64())
        for signal in (
            *("dup_para_frac", "dup_para_char_frac", "dup_line_frac", "dup_line_char_frac"),
            *(f"top_{n}_gram" for n in TOP),
            *(f"dup_{n}_gram" for n in REPEATED),
        )
    ]
)


class GopherRepetition(OfWords):
    """Adds the ``repetition.*`` columns."""

    name: ClassVar[str] = "gopher_repetition"
    schema: ClassVar[pa.Schema] = COLUMNS

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        text = text_of(batch)
        values = {}
        for name, spans in (("para", text.paragraphs), ("line", text.newline_run_lines)):
            count, chars = duplicate_spans(text.utf8, spans)
            values[f"repetition.dup_{name}_frac"] = ratio(count, np.diff(spans.offsets))
            values[f"repetition.dup_{name}_char_frac"] = ratio(chars, text.code_points)
        for n, chars in zip(TOP, top_ngrams(text.words(self.words), TOP), strict=True):
            values[f"repetition.top_{n}_gram"] = ratio(chars, text.code_points)
        for n, chars in zip(REPEATED, repeated_ngrams(text.words(self.words), REPEATED), strict=True):
            values[f"repetition.dup_{n}_gram"] = ratio(chars, text.code_points)
        return with_columns(batch, COLUMNS, values)
