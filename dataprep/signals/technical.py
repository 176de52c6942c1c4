"""Technical text: what its lines are, and Gopher's and FineWeb's measurements of its prose part alone.

Rules made for prose delete good technical text: a line of code ends in no full stop, a table has few letters, the same
short line stands in two examples, a paragraph wrapped by hand ends a line in the middle of a sentence. Here the same
measurements are taken of the prose part (see `prose`), where they mean what their papers meant.

========================  ==============================================================================================
technical.prose_lines     share of the lines that are not blank, by their kind
technical.list_lines
technical.table_lines
technical.markup_lines
technical.code_lines
technical.prose_chars     code points in the prose part, per code point of the text
technical.words …         what gopher.words … measures, of the prose part; but for bullets, which it has none of
technical.dup_line_frac … what repetition.dup_line_frac … measures, of the prose part
technical.lines …         what fineweb.lines … measures, of the prose part
========================  ==============================================================================================
"""

from typing import Annotated, ClassVar

import numpy as np
import pyarrow as pa
from pydantic import Field

from dataprep.compiled import njit
from dataprep.signals.base import ratio
from dataprep.signals.fineweb import FineWeb
from dataprep.signals.gopher import GopherQuality
from dataprep.signals.repetition import GopherRepetition
from dataprep.steps import Step, with_columns
from dataprep.text.prose import BLANK, CODE, LIST, MARKUP, PROSE, TABLE, line_kinds, prose_part
from dataprep.text.utf8 import Bytes, Longs, code_points, text_column
from dataprep.text.view import text_of

KINDS = {"prose": PROSE, "list": LIST, "table": TABLE, "markup": MARKUP, "code": CODE}
MEASURES: tuple[Step, ...] = (GopherQuality(), GopherRepetition(), FineWeb())


def _renamed(name: str) -> str:
    return f"technical.{name.partition('.')[2]}"


COLUMNS = pa.schema(
    [
        *((f"technical.{kind}_lines", pa.float64()) for kind in KINDS),
        ("technical.prose_chars", pa.float64()),
        *(
            (_renamed(field.name), field.type)
            for step in MEASURES
            for field in step.columns
            if field.name != "gopher.bullet_lines"
        ),
    ]
)


class Technical(Step):
    """Adds the ``technical.*`` columns. A line of prose of ``wrap`` code points or more goes on in the next."""

    name: ClassVar[str] = "technical"
    schema: ClassVar[pa.Schema] = COLUMNS
    wrap: Annotated[int, Field(ge=1)] = 50

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        text = text_of(batch)
        kinds = line_kinds(text.utf8, text.newline_lines)
        counts = _count_kinds(kinds, text.newline_lines.offsets)
        filled = counts.sum(axis=0) - counts[BLANK]
        values, offsets = prose_part(text.utf8, text.newline_lines, kinds, self.wrap)
        found = {f"technical.{name}_lines": ratio(counts[kind], filled) for name, kind in KINDS.items()}
        found["technical.prose_chars"] = ratio(code_points(values, offsets), text.code_points)
        prose = pa.record_batch({"text": text_column(values, offsets, pa.large_string())})
        for step in MEASURES:
            measured = step(prose)
            found.update({_renamed(name): measured.column(name) for name in step.columns.names})
        return with_columns(batch, COLUMNS, found)


@njit(nogil=True, cache=True)
def _count_kinds(kinds: Bytes, offsets: Longs) -> Longs:
    """int64 (kinds, documents): how many lines of each kind."""
    counts = np.zeros((CODE + 1, len(offsets) - 1), np.int64)
    for d in range(len(offsets) - 1):
        for line in range(offsets[d], offsets[d + 1]):
            counts[kinds[line], d] += 1
    return counts
