"""Samples are deterministic and filtered; a document is found by its id and its story told."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataprep import storage
from dataprep.parts import PartWriter, read_part
from dataprep.report.inspect import any_of, find, sample, sample_by_reason, sample_keys, starting_with
from dataprep.report.layout import parts
from tests.dataprep.report.conftest import REASONS, MadeRun


def test_a_sample_is_the_same_each_time_and_differs_with_the_seed(run: MadeRun) -> None:
    first = sample(run.out, "clean", "removed", limit=10)
    assert first == sample(run.out, "clean", "removed", limit=10)
    assert first[:3] == sample(run.out, "clean", "removed", limit=3)
    assert [one.id for one in first] != [one.id for one in sample(run.out, "clean", "removed", limit=10, seed=1)]
    assert {one.id for one in first} <= set(run.ids["clean"])


def test_a_sample_does_not_depend_on_how_documents_are_divided_into_parts(run: MadeRun, tmp_path: Path) -> None:
    tables = [batch for file in parts(run.out, "clean", "removed") for batch in read_part(file.path)]
    whole = pa.Table.from_batches(tables).combine_chunks().to_batches()[0]
    directory = tmp_path / "clean" / "removed"
    with PartWriter(str(directory / "part-00000.parquet"), whole.schema) as part:
        for row in range(whole.num_rows - 1, -1, -1):
            part.write(whole.slice(row, 1))
    ids = [one.id for one in sample(run.out, "clean", "removed", limit=12, seed=5)]
    assert ids == [one.id for one in sample(str(tmp_path), "clean", "removed", limit=12, seed=5)]


def test_a_removed_document_shows_its_reason_signals_and_beginning(run: MadeRun) -> None:
    (one,) = sample(run.out, "clean", "removed", limit=1, characters=20)
    assert one.reason in REASONS
    assert set(one.signals) == {"gopher.words", "gopher.stop_words", "language.label", "language.score"}
    assert len(one.text) <= 20 <= (one.characters or 0)
    assert one.url
    assert one.locator


def test_filters_leave_only_what_was_asked_for(run: MadeRun) -> None:
    found = sample(run.out, "clean", "removed", reason="gopher_quality.too_short", source="books", limit=99)
    assert found
    assert {(one.reason, one.source) for one in found} == {("gopher_quality.too_short", "books")}
    family = sample(run.out, "clean", "removed", reason="gopher_quality", limit=99)
    assert {one.reason for one in family} == {"gopher_quality.too_short", "gopher_quality.stop_words"}


def test_a_reason_or_source_that_no_document_has_is_answered_with_those_there_are(run: MadeRun) -> None:
    with pytest.raises(ValueError, match=r"--reason nonsense: .* there are gopher_quality.stop_words, .*not_wanted$"):
        sample(run.out, "clean", "removed", reason="nonsense")
    with pytest.raises(ValueError, match=r"--source nowhere: .* there are books, web$"):
        sample(run.out, "clean", "removed", source="nowhere")
    with pytest.raises(ValueError, match=r"--stage shards: .* documents, clean, unique, passages$"):
        sample(run.out, "shards", "removed")


def test_samples_by_reason_hold_every_reason(run: MadeRun) -> None:
    groups = sample_by_reason(run.out, "clean", "removed", 2)
    assert list(groups) == sorted(REASONS)
    for reason, documents in groups.items():
        assert [one.reason for one in documents] == [reason, reason]
        assert documents == sample(run.out, "clean", "removed", reason=reason, limit=2)


def test_documents_without_text_and_quarantined_records_can_be_looked_at(run: MadeRun) -> None:
    removed = sample(run.out, "documents", "removed", limit=9)
    assert {one.reason for one in removed} == {"not_html", "no_text"}
    assert {(one.text, one.characters) for one in removed} == {("", None)}
    quarantined = {one.reason: one for one in sample(run.out, "documents", "quarantined", limit=9)}
    assert quarantined["truncated"].error == "the gzip member ends early"
    assert quarantined["truncated"].locator == "bad.warc.gz@17"


def test_a_stage_without_such_documents_gives_none(run: MadeRun) -> None:
    assert sample(run.out, "clean", "quarantined") == []


def test_reading_a_sample_of_a_part_without_rows_gives_nothing(tmp_path: Path) -> None:
    schema = pa.schema([("id", pa.binary(16)), ("source", pa.string()), ("rejected_by", pa.string())])
    path = storage.join(str(tmp_path), "clean", "removed", "part-00000.parquet")
    with PartWriter(path, schema):
        pass
    assert sample(str(tmp_path), "clean", "removed") == []
    assert find(str(tmp_path), "clean", "removed", any_of([bytes(16)])) == []


def splitmix_reference(key: bytes, seed: int) -> int:
    mask = 2**64 - 1
    mixed = int.from_bytes(key[:8], "little") ^ seed
    for word in (0, int.from_bytes(key[8:], "little")):
        mixed = ((mixed ^ word) + 0x9E3779B97F4A7C15) & mask
        mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & mask
        mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & mask
        mixed ^= mixed >> 31
    return mixed


@given(st.lists(st.binary(min_size=16, max_size=16), min_size=1, max_size=20), st.integers(0, 2**64 - 1))
def test_sample_keys_are_splitmix_of_the_id(ids: list[bytes], seed: int) -> None:
    rows = np.frombuffer(b"".join(ids), np.uint8).reshape(-1, 16)
    assert sample_keys(rows, seed).tolist() == [splitmix_reference(key, seed) for key in ids]


@given(st.lists(st.binary(min_size=16, max_size=16), min_size=1, max_size=20), st.integers(1, 32), st.booleans())
def test_matchers_agree_with_comparing_hex(ids: list[bytes], digits: int, upper: bool) -> None:
    rows = np.frombuffer(b"".join(ids), np.uint8).reshape(-1, 16)
    prefix = ids[0].hex()[:digits]
    wanted = [key.hex().startswith(prefix) for key in ids]
    assert starting_with(prefix.upper() if upper else prefix)(rows).tolist() == wanted
    assert any_of(ids[:2])(rows).tolist() == [key in ids[:2] for key in ids]
