"""New text in the place of spans: what Python's slicing gives, and untouched buffers where nothing changes."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from dataprep.edits.base import NO_SPANS, count_by_document, replace_spans
from dataprep.text.utf8 import Utf8


def batch_of(*texts: str) -> pa.RecordBatch:
    return pa.record_batch({"text": pa.array(texts, pa.large_string()), "n": pa.array(range(len(texts)))})


@given(data=st.data(), texts=st.lists(st.text(max_size=20), min_size=1, max_size=6))
def test_spans_are_replaced_and_all_else_stays(data: st.DataObject, texts: list[str]) -> None:
    batch = batch_of("cut", *texts, "cut").slice(1, len(texts))
    offsets = Utf8.of(batch.column("text")).offsets
    spans, new, expected, counts = [], [], [], []
    for text, offset in zip(texts, offsets.tolist(), strict=False):
        cuts = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=6)))
        result, end, count = "", 0, 0
        for a, b in zip(cuts[::2], cuts[1::2], strict=False):
            new.append(data.draw(st.text(max_size=4)))
            spans.append((offset + len(text[:a].encode()), offset + len(text[:b].encode())))
            result += text[end:a] + new[-1]
            end, count = b, count + 1
        expected.append(result + text[end:])
        counts.append(count)
    array = np.array(spans, np.int64).reshape(-1, 2)
    edited = replace_spans(batch, array, pa.array(new, pa.large_string()))
    assert edited.column("text").to_pylist() == expected
    assert edited.column("n").equals(batch.column("n"))
    assert count_by_document(offsets, array).tolist() == counts


def test_a_batch_without_spans_keeps_its_text_column() -> None:
    batch = batch_of("one", "two")
    edited = replace_spans(batch, NO_SPANS, pa.array([], pa.large_string()))
    assert edited.column("text").buffers()[2].address == batch.column("text").buffers()[2].address


def test_the_type_of_the_text_column_stays() -> None:
    batch = pa.record_batch({"text": pa.array(["one", "two"], pa.string())})
    edited = replace_spans(batch, np.array([[0, 1]]), pa.array(["T"], pa.large_string()))
    assert edited.schema == batch.schema
    assert edited.column("text").to_pylist() == ["Tne", "two"]
