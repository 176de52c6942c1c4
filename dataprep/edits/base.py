"""What editors share: putting new text in the place of spans of the old, without a Python string for the rest.

An editor finds spans (bytes in the column's values, as in `dataprep.text.spans`) and gives what each becomes; deleting
is replacing by nothing. A batch in which nothing changes keeps its text column, buffers and all.
"""

import numpy as np
import pyarrow as pa

from dataprep.compiled import njit
from dataprep.text.utf8 import Bytes, Longs, Utf8, text_column

Spans = Longs  # (n, 2): where each begins and ends
NO_SPANS: Spans = np.empty((0, 2), np.int64)


def replace_spans(batch: pa.RecordBatch, spans: Spans, replacements: pa.Array) -> pa.RecordBatch:
    """``batch`` with ``replacements[k]`` where its ``text`` has ``spans[k]``.

    Spans are in order, do not overlap, lie in one document each and between characters.
    """
    if len(spans) == 0:
        return batch
    text, new = Utf8.of(batch.column("text")), Utf8.of(replacements)
    return with_text(batch, *_splice(text.values, text.offsets, spans, new.values, new.offsets))


def delete_spans(batch: pa.RecordBatch, spans: Spans) -> pa.RecordBatch:
    """``batch`` without ``spans`` of its ``text``; they are as those of `replace_spans`."""
    nothing = text_column(np.empty(0, np.uint8), np.zeros(len(spans) + 1, np.int64), pa.large_string())
    return replace_spans(batch, spans, nothing)


def with_text(batch: pa.RecordBatch, values: Bytes, offsets: Longs) -> pa.RecordBatch:
    """``batch`` with the texts of these buffers."""
    index = batch.schema.get_field_index("text")
    field = batch.schema.field(index)
    return batch.set_column(index, field, text_column(values, offsets, field.type))


def document_of(offsets: Longs, spans: Spans) -> Longs:
    """The number of the document in which each span lies; spans are not empty."""
    return np.searchsorted(offsets[1:], spans[:, 0], side="right")


def count_by_document(offsets: Longs, spans: Spans) -> Longs:
    """How many of ``spans`` lie in each document."""
    return np.bincount(document_of(offsets, spans), minlength=len(offsets) - 1)


@njit(nogil=True, cache=True, inline="always")
def append(spans: Spans, count: int, start: int, end: int) -> tuple[Spans, int]:
    """One span more, in an array that doubles when it is full."""
    if count == len(spans):
        spans = np.concatenate((spans, np.empty((count, 2), np.int64)))
    spans[count, 0] = start
    spans[count, 1] = end
    return spans, count + 1


@njit(nogil=True, cache=True)
def _splice(values: Bytes, offsets: Longs, spans: Spans, new_values: Bytes, new_offsets: Longs) -> tuple[Bytes, Longs]:
    documents = len(offsets) - 1
    size = offsets[documents] - offsets[0] + new_offsets[len(spans)] - new_offsets[0]
    for k in range(len(spans)):
        size -= spans[k, 1] - spans[k, 0]
    result = np.empty(size, np.uint8)
    result_offsets = np.zeros(documents + 1, np.int64)
    out = 0
    k = 0
    for d in range(documents):
        i = offsets[d]
        while k < len(spans) and spans[k, 0] < offsets[d + 1]:
            kept = spans[k, 0] - i
            result[out : out + kept] = values[i : spans[k, 0]]
            out += kept
            added = new_offsets[k + 1] - new_offsets[k]
            result[out : out + added] = new_values[new_offsets[k] : new_offsets[k + 1]]
            out += added
            i = spans[k, 1]
            k += 1
        kept = offsets[d + 1] - i
        result[out : out + kept] = values[i : offsets[d + 1]]
        out += kept
        result_offsets[d + 1] = out
    return result, result_offsets
