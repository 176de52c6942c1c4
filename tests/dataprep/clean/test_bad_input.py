"""Whatever the text, every step answers for every document, alike alone and in company."""

import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from dataprep.clean.catalogue import STEPS, make_step
from dataprep.document import BatchBuilder
from dataprep.steps import Step
from tests.dataprep.clean.boundary import hostile

GIVEN: dict[str, Any] = {"urls": {"soft_words": ["w.txt"]}, "toxicity": {"lists": "lists"}}
GIVEN["decontamination"] = {"evaluations": {"e": {"paths": ["e.jsonl"]}}}
LARGE = 200_000


def step_of(name: str, folder: Path) -> Step:
    (folder / "lists").mkdir()
    (folder / "lists" / "en").write_text("the\nbad word\n")
    (folder / "w.txt").write_text("example\n")
    (folder / "e.jsonl").write_text('{"text": "one two three four five six seven eight nine ten"}\n')
    return make_step({name: GIVEN[name]} if name in GIVEN else name)


def batch_of(*texts: str) -> pa.RecordBatch:
    builder = BatchBuilder("s")
    for i, text in enumerate(texts):
        builder.add(text, f"f#{i}", None if i % 2 else f"http://example.org/{i}")
    batch = builder.finish()
    assert batch is not None
    return batch


@pytest.mark.parametrize("name", [name for name in STEPS if name != "classifier"])  # needs a model; see its own tests
def test_every_step_answers_for_hostile_texts_alike_alone_and_in_company(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    step = step_of(name, tmp_path)
    texts = ["", " ", "\n", "\x00", "Fine.", *(text for _, text in hostile(LARGE)), "The end is here."]
    given = batch_of(*texts)
    result = step(given)
    assert result.schema.names == [*given.schema.names, *step.columns.names]
    assert [field.type for field in result.schema][len(given.schema.names) :] == [field.type for field in step.columns]
    assert result.column("id").equals(given.column("id"))
    for row in result.select(step.columns.names).to_pylist():
        assert all(not isinstance(value, float) or math.isfinite(value) for value in row.values())
    for i in range(0, len(texts), 3):
        assert step(given.slice(i, 2)).equals(result.slice(i, 2)), texts[i][:50]
    assert step(given.slice(0, 0)).schema.equals(result.schema)


@pytest.mark.parametrize("name", [name for name in STEPS if name != "classifier"])
def test_a_text_column_of_small_strings_is_measured_alike(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    step = step_of(name, tmp_path)
    large = batch_of("One line.\n\nAnother line is here… see it.", "", "漢字 and é 😀")
    small = large.set_column(1, "text", large.column("text").cast(pa.string()))
    names = step.columns.names
    assert step(small).select(names).equals(step(large).select(names))
    assert step(small).column("text").to_pylist() == step(large).column("text").to_pylist()
