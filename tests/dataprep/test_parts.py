"""Part files: the same batches, the same bytes."""

import pyarrow as pa
import pytest

from dataprep import storage
from dataprep.document import SCHEMA, BatchBuilder
from dataprep.parts import QUARANTINE_SCHEMA, PartWriter, Quarantined, quarantine_batch, read_part


def _batch(texts):
    builder = BatchBuilder("s")
    for i, text in enumerate(texts):
        builder.add(text, f"f#{i}")
    return builder.finish()


def test_what_is_written_is_read_back_in_order_with_extra_columns(tmp_path):
    path = str(tmp_path / "part-00000.parquet")
    batches = [_batch(["a", "b"]), _batch(["c"])]
    batches = [b.append_column("x.signal", pa.array(range(b.num_rows), pa.float64())) for b in batches]
    with PartWriter(path, SCHEMA) as part:
        for batch in batches:
            part.write(batch)
    table = pa.Table.from_batches(list(read_part(path)))
    assert table["text"].to_pylist() == ["a", "b", "c"]
    assert table["x.signal"].to_pylist() == [0, 1, 0]
    assert table.schema.field("source").type == SCHEMA.field("source").type
    assert [b.schema.names for b in read_part(path, ["id"])] == [["id"], ["id"]]


def test_the_same_batches_give_the_same_bytes(tmp_path):
    for name in "ab":
        with PartWriter(str(tmp_path / name), SCHEMA) as part:
            part.write(_batch(["one", "two"]))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_an_empty_part_is_a_valid_file_and_a_failed_one_is_none(tmp_path):
    with PartWriter(str(tmp_path / "empty"), SCHEMA):
        pass
    assert list(read_part(str(tmp_path / "empty"))) == []
    with pytest.raises(RuntimeError), PartWriter(str(tmp_path / "failed"), SCHEMA) as part:
        part.write(_batch(["x"]))
        raise RuntimeError
    assert not storage.exists(str(tmp_path / "failed"))


def test_quarantine_rows_survive_the_trip(tmp_path):
    rows = [Quarantined("web", "a.warc.gz#12", "reader", "truncated", "ends in the middle of a record")]
    with PartWriter(str(tmp_path / "q"), QUARANTINE_SCHEMA) as part:
        part.write(quarantine_batch(rows))
    assert next(read_part(str(tmp_path / "q"))).to_pylist() == [
        {
            "source": "web",
            "locator": "a.warc.gz#12",
            "url": None,
            "step": "reader",
            "reason": "truncated",
            "error": "ends in the middle of a record",
        }
    ]
