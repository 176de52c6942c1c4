"""Distributions agree with counting one document after the other."""

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataprep.parts import read_part
from dataprep.report import distributions
from dataprep.report.distributions import bin_edge, length_bin
from dataprep.report.layout import parts
from tests.dataprep.report.conftest import MadeRun


def column(run: MadeRun, stage: str, kind: str, name: str) -> list[object]:
    batches = [batch for file in parts(run.out, stage, kind) for batch in read_part(file.path, [name])]
    return pa.Table.from_batches(batches)[name].to_pylist()


def test_lengths_are_those_of_all_texts_in_characters(run: MadeRun) -> None:
    found = distributions.text_lengths(run.out, "unique", "kept")
    lengths = [len(str(text)) for text in column(run, "unique", "kept", "text")]
    assert found is not None
    assert (found.documents, found.characters, found.step) == (len(lengths), sum(lengths), 1)
    assert found.counts.sum() == len(lengths)


def test_of_much_text_every_nth_row_group_is_measured_across_parts(
    run: MadeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = distributions.text_lengths(run.out, "documents", "kept")
    monkeypatch.setattr(distributions, "TEXT_BYTES", 1 << 16)
    found = distributions.text_lengths(run.out, "documents", "kept")
    assert whole is not None
    assert found is not None
    assert found.step == 3  # 4 row groups of 50 documents, of which the first and the last are read
    assert (whole.documents, found.documents) == (200, 100)


@given(st.lists(st.integers(0, 10**9), min_size=1))
def test_every_length_is_in_the_bin_whose_edges_enclose_it(lengths: list[int]) -> None:
    for length, index in zip(lengths, length_bin(np.array(lengths, np.int64)).tolist(), strict=True):
        assert index == 0 or bin_edge(index) <= length
        assert length < bin_edge(index + 1)


def test_labels_are_counted_in_full(run: MadeRun) -> None:
    assert distributions.language_column(run.out) == "language.label"
    for name in ("language.label", "source"):
        wanted = Counter(str(value) for value in column(run, "clean", "kept", name))
        assert distributions.label_counts(run.out, "clean", "kept", name) == wanted
    assert distributions.label_counts(run.out, "clean", "kept", "no.such") == Counter()


def test_every_numeric_signal_has_a_histogram_of_all_documents(run: MadeRun) -> None:
    found = distributions.signal_histograms(run.out)
    assert [one.name for one in found] == ["gopher.stop_words", "gopher.words", "language.score"]
    for one in found:
        assert (one.kept.sum(), one.removed.sum()) == (160, 40)
        assert one.low < one.high


def test_the_most_copied_documents_come_first(run: MadeRun) -> None:
    first, second = distributions.largest_clusters(run.out)
    assert [(one.id, one.removed) for one in (first, second)] == [(run.ids["kept"][0], 6), (run.ids["kept"][1], 4)]
    assert first.kept is not None
    assert first.kept.id == first.id
    assert distributions.largest_clusters(run.out, limit=1) == [first]
    assert len(distributions.similarities(run.out)) == 10


def test_stages_that_are_not_there_have_no_distributions(tmp_path: Path) -> None:
    out = str(tmp_path)
    assert distributions.text_lengths(out, "clean", "kept") is None
    assert distributions.language_column(out) is None
    assert distributions.signal_histograms(out) == []
    assert distributions.largest_clusters(out) == []
