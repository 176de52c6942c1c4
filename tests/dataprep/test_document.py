"""Identity and shape of documents."""

from datetime import UTC, datetime

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from dataprep.document import BATCH_ROWS, SCHEMA, BatchBuilder, document_id


def test_an_id_depends_on_source_and_locator_and_on_nothing_else():
    # fixed for ever: shards, removals and traces name documents by it
    assert document_id("web", "a.warc.gz#123").hex() == "0f9435f56923c4f0b57d287f4700cd86"


@given(st.text(), st.text(), st.text(), st.text())
def test_different_places_have_different_ids(source, locator, other_source, other_locator):
    same = (source, locator) == (other_source, other_locator)
    joined_alike = f"{source}\0{locator}" == f"{other_source}\0{other_locator}"
    assert (document_id(source, locator) == document_id(other_source, other_locator)) == (same or joined_alike)


def test_a_builder_gives_batches_in_the_schema_and_loses_nothing():
    builder = BatchBuilder("web")
    batches = []
    when = datetime(2024, 5, 1, 12, tzinfo=UTC)
    for i in range(BATCH_ROWS + 3):
        url = None if i % 2 else f"http://x/{i}"
        done = builder.add(f"text {i}", f"f#{i}", url=url, date=when, metadata={"k": "v"})
        if done is not None:
            batches.append(done)
    rest = builder.finish()
    assert rest is not None
    batches.append(rest)
    assert [b.num_rows for b in batches] == [BATCH_ROWS, 3]
    for batch in batches:
        assert batch.schema == SCHEMA
    table = pa.Table.from_batches(batches)
    assert table["locator"].to_pylist() == [f"f#{i}" for i in range(BATCH_ROWS + 3)]
    assert table["date"][0].as_py() == when.replace(tzinfo=None)
    assert builder.finish() is None
