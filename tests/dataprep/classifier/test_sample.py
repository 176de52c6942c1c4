"""What is learnt from: both classes equally, every input as it should, no text on both sides, whatever the files."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataprep.classifier.corpus import Lines
from dataprep.classifier.sample import Sample, draw, spread
from dataprep.classifier.settings import Input, TrainSettings
from dataprep.signals.classifier import as_lines
from tests.dataprep.classifier.conftest import write_jsonl


def texts(name: str, count: int, start: int = 0) -> list[str]:
    return [f"{name} {number}" for number in range(start, start + count)]


def sampled(positive: list[Input], negative: list[Input], **settings: Any) -> Sample:
    chosen = TrainSettings.model_validate(settings)
    sides = ([Lines("positive", one, chosen) for one in positive], [Lines("negative", one, chosen) for one in negative])
    return draw(*sides, lambda phase, documents: None)


def source(path: Path, content: list[str], **options: Any) -> Input:
    return Input(path=str(write_jsonl(path, content)), **options)


def test_both_classes_give_the_same_number_to_each_side(tmp_path: Path) -> None:
    found = sampled([source(tmp_path / "p.jsonl", texts("p", 95))], [source(tmp_path / "n.jsonl", texts("n", 40))])
    assert found.taken == [[40], [40]]
    for side, size in ((found.train, 72), (found.held_out, 8)):
        assert len(side.lines) == size
        assert side.positive.sum() == size / 2
        assert [line.startswith("p") for line in side.lines] == side.positive.tolist()
    assert not set(found.train.lines) & set(found.held_out.lines)


def test_the_number_of_documents_is_bounded_and_the_sample_of_a_smaller_bound_is_part_of_it(tmp_path: Path) -> None:
    inputs = [source(tmp_path / f"{name}.jsonl", texts(name, 100)) for name in "pn"]
    few, many = (sampled(inputs[:1], inputs[1:], documents=bound) for bound in (40, 80))
    assert len(few.train.lines) + len(few.held_out.lines) == 40
    assert {*few.train.lines, *few.held_out.lines} < {*many.train.lines, *many.held_out.lines}


def test_the_sample_is_a_function_of_the_texts_alone(tmp_path: Path) -> None:
    one = sampled(
        [source(tmp_path / "a.jsonl", texts("p", 60))], [source(tmp_path / "b.jsonl", texts("n", 60))], documents=60
    )
    for i in range(2):
        source(tmp_path / f"{i}.jsonl", texts("p", 30, 30 * (1 - i)) * 2)
    glob = Input(path=str(tmp_path / "[01].jsonl"))
    negative = [source(tmp_path / "b.jsonl", texts("n", 60)[::-1])]
    other = sampled([glob], negative, documents=60)
    assert (one.train.lines, one.held_out.lines) == (other.train.lines, other.held_out.lines)
    assert sampled([glob], negative, documents=60, seed=1).train.lines != one.train.lines


def test_a_text_counts_once_and_one_that_both_classes_have_not_at_all(tmp_path: Path) -> None:
    shared = texts("shared", 5)
    found = sampled(
        [source(tmp_path / "p1.jsonl", texts("p", 20) * 3 + shared), source(tmp_path / "p2.jsonl", texts("p", 30))],
        [source(tmp_path / "n.jsonl", texts("n", 50) + shared * 2)],
    )
    assert found.different == [[20, 10], [50]]
    assert found.in_both == 5
    lines = found.train.lines + found.held_out.lines
    assert len(lines) == len(set(lines)) == 60
    assert not set(lines) & set(shared)


def test_texts_that_fasttext_would_read_alike_are_one(tmp_path: Path) -> None:
    positive = source(
        tmp_path / "p.jsonl", [f"Line\none {n}" for n in range(20)] + [f"line one {n}" for n in range(20)]
    )
    negative = source(tmp_path / "n.jsonl", texts("n", 50))
    assert sampled([positive], [negative], lower_case=True).different[0] == [20]
    assert sampled([positive], [negative]).different[0] == [40]


def test_inputs_give_by_weight_and_what_one_lacks_the_others_give(tmp_path: Path) -> None:
    negative = [source(tmp_path / "n.jsonl", texts("n", 60))]
    positive = [
        source(tmp_path / f"{name}.jsonl", texts(name, count)) for name, count in (("a", 50), ("b", 50), ("c", 4))
    ]
    assert sampled(positive, negative).taken[0] == [28, 28, 4]
    positive[0] = positive[0].model_copy(update={"weight": 3.0})
    assert sampled(positive, negative, documents=40).taken[0] == [12, 4, 4]


@given(
    st.lists(st.tuples(st.floats(1e-3, 1e3), st.integers(0, 10**6)), min_size=1, max_size=8), st.integers(0, 3 * 10**6)
)
def test_quotas_add_up_and_are_there(inputs: list[tuple[float, int]], total: int) -> None:
    weights, available = zip(*inputs, strict=True)
    quotas = spread(total, weights, available)
    assert sum(quotas) == min(total, sum(available))
    assert all(0 <= quota <= there for quota, there in zip(quotas, available, strict=True))
    # none that has more to give gives less than its share beside another
    for quota, weight, there in zip(quotas, weights, available, strict=True):
        if quota < there:
            assert all(other / w <= (quota + 1) / weight + 1 / w for other, w in zip(quotas, weights, strict=True))


def test_a_runs_removed_documents_can_be_taken_by_their_reason(tmp_path: Path) -> None:
    reasons = ["short", "list", None]
    table = pa.table({"rejected_by": [reasons[n % 3] for n in range(60)], "text": texts("r", 60)})
    (tmp_path / "removed").mkdir()
    pq.write_table(table.slice(0, 30), tmp_path / "removed" / "part-00000.parquet")
    pq.write_table(table.slice(30), tmp_path / "removed" / "part-00001.parquet")
    positive = [source(tmp_path / "p.jsonl", texts("p", 60))]
    found = sampled(positive, [Input(path=str(tmp_path / "removed"), rejected_by="list")])
    negative = {line for line in found.train.lines + found.held_out.lines if line.startswith("r")}
    assert negative == {f"r {n}" for n in range(60) if n % 3 == 1}
    assert sampled(positive, [Input(path=str(tmp_path / "removed"))]).different[1] == [60]


def test_every_format_is_read_and_what_cannot_be_is_counted(tmp_path: Path) -> None:
    rows = [json.dumps({"body": text}) for text in texts("j", 12)]
    (tmp_path / "rows.jsonl").write_text("\n".join([*rows, '{"body": 3}', "not JSON", ""]), encoding="utf-8")
    pq.write_table(pa.table({"body": [*texts("q", 12), None]}), tmp_path / "table.parquet")
    folder = tmp_path / "notes"
    folder.mkdir()
    for n in range(12):
        (folder / f"{n}.txt").write_bytes(f"\ufefffirst line\r\nsecond\u2028third {n} ".encode() + b"\xff")
    (folder / "blank.md").write_text(" \n\t\n")
    settings = TrainSettings()
    counts = []
    for path in ("rows.jsonl", "table.parquet", "notes"):
        lines = Lines("positive", Input(path=str(tmp_path / path), text_column="body"), settings)
        found = [line for batch in lines for line in batch]
        counts.append((len(found), lines.documents, lines.unreadable))
        assert not any("\n" in line or not line.strip() for line in found)
    assert counts == [(12, 12, 2), (12, 12, 1), (12, 13, 0)]
    assert sorted(found)[0] == "first line second third 0 \ufffd"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"path": "nowhere"}, "positive: 'nowhere' does not exist or matches nothing"),
        ({"path": "few.jsonl"}, "positive: 9 different documents; 10 are needed"),
        ({"path": "n.jsonl"}, "positive: 0 different documents, besides 50 that both classes have; 10 are needed"),
        ({"path": "few.jsonl", "text_column": "body"}, "positive: text_column: 'body' is in none of the first 9 rows"),
        ({"path": "few.jsonl", "rejected_by": "x"}, "few.jsonl has no rejected_by; a run's Parquet parts have it"),
        ({"path": "t.parquet", "rejected_by": "x"}, "t.parquet has no column 'rejected_by'; it has text"),
        ({"path": "t.parquet", "text_column": "body"}, "positive: text_column: "),
        ({"path": "r.parquet", "text_column": "n"}, "r.parquet is int64, expected a string column"),
        ({"path": "r.parquet", "rejected_by": "x"}, "r.parquet has no documents with rejected_by 'x'"),
        ({"path": "broken.parquet"}, "broken.parquet has no documents"),
        ({"path": "blank.jsonl"}, "blank.jsonl has no documents"),
        ({"path": "a.warc.gz"}, "a.warc.gz holds pages, not text; run `dataprep ingest` on it first"),
        ({"path": "a.html"}, "a.html holds pages, not text; run `dataprep ingest` on it first"),
    ],
)
def test_a_mistaken_input_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: Any, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    negative = [source(tmp_path / "n.jsonl", texts("n", 50))]
    write_jsonl(tmp_path / "few.jsonl", texts("p", 9))
    write_jsonl(tmp_path / "blank.jsonl", [" ", "\n"])
    pq.write_table(pa.table({"text": texts("p", 9)}), "t.parquet")
    reasons = pa.nulls(9, pa.string())
    pq.write_table(pa.table({"text": texts("p", 9), "rejected_by": reasons, "n": range(9)}), "r.parquet")
    for name in ("broken.parquet", "a.warc.gz", "a.html"):
        (tmp_path / name).write_bytes(b"<p>not quite what the name says")
    with pytest.raises(ValueError, match="positive") as caught:
        sampled([Input.model_validate(options)], negative)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.lists(st.text(), max_size=5), st.none() | st.integers(1, 20), st.booleans())
def test_reading_a_line_again_changes_nothing(given_texts: list[str], first: int | None, lower: bool) -> None:
    lines = as_lines(pa.array(given_texts, pa.large_string()), first, lower)
    assert as_lines(pa.array(lines, pa.large_string()), first, lower) == lines
    assert not any(break_ in line for line in lines for break_ in "\n\r\u2028\x85")
