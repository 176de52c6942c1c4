"""Identity and shape of documents."""

from datetime import UTC, datetime

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from dataprep.document import (
    BATCH_BYTES,
    BATCH_ROWS,
    SCHEMA,
    BatchBuilder,
    Regrouped,
    document_id,
    document_ids,
    metadata_column,
)


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


@given(st.lists(st.text(st.characters(exclude_categories=[]), max_size=9)), st.text(max_size=5))
def test_the_ids_of_a_batch_are_those_of_its_documents(locators, source):
    ids = document_ids(source, locators)
    ids.validate(full=True)
    assert ids.to_pylist() == [document_id(source, locator) for locator in locators]


maps = st.lists(st.dictionaries(st.sampled_from(["b", "a", "ä", ""]), st.text(max_size=4)), max_size=9)


@given(maps)
def test_metadata_from_columns_is_what_it_is_from_rows(rows):
    names = {name for row in rows for name in row}
    columns = {name: pa.array([row.get(name) for row in rows], pa.string()) for name in names}
    found = metadata_column(len(rows), columns)
    found.validate(full=True)
    assert found.equals(pa.array([sorted(row.items()) for row in rows], SCHEMA.field("metadata").type))


def test_regrouped_batches_hold_every_row_in_order_and_stay_within_the_limits():
    written = []
    regrouped = Regrouped(written.append)
    number = 0
    for rows in (1000, 3000, 0, 97, 4096, 1, 1):
        builder = BatchBuilder("web")
        for _ in range(rows):
            builder.rows.append(("text", f"f#{number}", None, None, {}))
            number += 1
        regrouped.add(builder.finish() or empty())
    regrouped.add(large())
    regrouped.add(large())
    regrouped.finish()
    regrouped.finish()
    assert [batch.num_rows for batch in written] == [4000, 97, 4096, 3, 1]
    locators = pa.Table.from_batches(written[:-1])["locator"].to_pylist()
    assert locators == [*(f"f#{i}" for i in range(number)), "large"]


def empty():
    return pa.RecordBatch.from_pylist([], schema=SCHEMA)


def large():
    builder = BatchBuilder("web")
    return builder.add("x" * BATCH_BYTES, "large")
