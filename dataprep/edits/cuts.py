"""A text column without some spans of it, and a batch with another text column."""

import numpy as np
import pyarrow as pa
from numba import njit

from dataprep.text.utf8 import Bytes, Longs, Utf8, text_column


def without(column: pa.Array, starts: Longs, ends: Longs) -> pa.Array:
    """``column`` without the spans of bytes, which lie inside documents, in order, and do not overlap."""
    text = Utf8.of(column)
    return text_column(*_without(text.values, text.offsets, starts, ends), column.type)


def with_text(batch: pa.RecordBatch, column: pa.Array) -> pa.RecordBatch:
    """``batch`` with ``column`` as its text."""
    index = batch.schema.get_field_index("text")
    return batch.set_column(index, batch.schema.field(index), column)


@njit(nogil=True, cache=True)
def _without(values: Bytes, offsets: Longs, starts: Longs, ends: Longs) -> tuple[Bytes, Longs]:
    documents = len(offsets) - 1
    result = np.empty(offsets[documents] - offsets[0], np.uint8)
    result_offsets = np.zeros(documents + 1, np.int64)
    size = 0
    cut = 0
    for d in range(documents):
        i = offsets[d]
        while True:
            more = cut < len(starts) and starts[cut] < offsets[d + 1]
            stop = starts[cut] if more else offsets[d + 1]
            result[size : size + stop - i] = values[i:stop]
            size += stop - i
            if not more:
                break
            i = ends[cut]
            cut += 1
        result_offsets[d + 1] = size
    return result[:size], result_offsets
