"""``dataprep contamination``: what the clean stage found of evaluation sets, set by set and item by item."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from rich.console import Console

from dataprep.document import SCHEMA, BatchBuilder, document_id
from dataprep.parts import PartWriter
from dataprep.recipe import parse_recipe
from dataprep.report.contamination import find_contamination
from pipelines import cli
from pipelines.batches import Split
from pipelines.clean import CleanStage
from pipelines.contamination import contamination
from pipelines.local import in_process_runner

DUCKS = "Janet’s ducks lay 16 eggs per day, and she eats three for breakfast every morning with her friends."
ROBE = "A robe takes 2 bolts of blue fiber and half that much white fiber, so how many bolts does it take?"
HOUSE = "Josh decides to try flipping a house that he buys for a great deal of money he does not have."
TEXTS = [
    ["Nothing of the kind.", f"Someone wrote: {DUCKS.upper()} And {ROBE}", ""],
    [" ".join(DUCKS.split()[:13]), f"Removed, for its length: {DUCKS} Yes.", "Nothing here."],
]


def make_run(out: Path, *steps: dict[str, Any]) -> CleanStage:
    files = {"paths": ["unused"], "format": "text"}
    clean = {"steps": steps, "rules": [{"reject": "chosen", "when": "gopher.words", "equals": 23}]}
    recipe = parse_recipe({"name": "test", "sources": [{"name": "s", "files": files}], "clean": clean})
    for number, texts in enumerate(TEXTS):
        builder = BatchBuilder("s")
        for position, text in enumerate(texts):
            url = f"https://example.org/{number}/{position}" if number == 0 else None
            builder.add(text, f"file-{number}:{position}", url=url)
        with PartWriter(str(out / "documents" / "kept" / f"part-{number:05d}.parquet"), SCHEMA) as part:
            batch = builder.finish()
            assert batch is not None
            part.write(batch)
    stage = CleanStage(recipe, str(out))

    def pipeline(_: str, build: Any, splits: list[Split]) -> None:
        with beam.Pipeline(runner=in_process_runner(0)) as root:
            build(root | beam.Create(splits).with_output_types(Split))

    stage.execute(pipeline)
    stage.write_manifest(stage.fingerprint_parts(), 0.0)
    return stage


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    for name, items in (("a", [ROBE]), ("b", [HOUSE, DUCKS]), ("short", ["Too short."])):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps({"q": item}) + "\n" for item in items))
    sets = {
        "math": {"paths": [str(folder / "a.jsonl"), str(folder / "b.jsonl")]},
        "tiny": {"paths": [str(folder / "short.jsonl")]},
    }
    make_run(folder / "out", {"decontamination": {"evaluations": sets}})
    return folder


def printed(*arguments: Any) -> str:
    console = Console(file=io.StringIO(), width=160)
    contamination(console, *arguments)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_items_are_counted_by_set_with_the_documents_that_hold_them(run: Path) -> None:
    math, tiny = find_contamination(str(run / "out"))
    assert (math.name, math.items, math.sought, math.documents) == ("math", 3, 3, {"kept": 2, "removed": 1})
    assert (tiny.name, tiny.items, tiny.sought, tiny.documents) == ("tiny", 1, 0, {"kept": 0, "removed": 0})
    assert [(item.number, item.documents, item.covered) for item in math.found] == [
        (0, {"kept": 1, "removed": 0}, 1.0),
        (2, {"kept": 2, "removed": 1}, 1.0),
    ]
    assert [item.number for item in math.worst(5)] == [2, 0]
    assert (math.at_least(0.0), math.at_least(1.0), tiny.at_least(0.0)) == (2, 2, 0)


def test_the_document_shown_holds_most_and_is_kept_if_one_is(run: Path) -> None:
    math, _ = find_contamination(str(run / "out"))
    for item in math.found:
        assert item.place == "https://example.org/0/1"
        assert item.document == document_id("s", "file-0:1").hex()


def test_what_is_printed_names_sets_items_and_documents(run: Path) -> None:
    lines = [line.split() for line in printed(str(run / "out")).splitlines()]
    assert ["math", "3", "3", "2", "66.7%", "2", "2", "2", "1"] in lines
    assert ["tiny", "1", "0", "0", "0%", "0", "0", "0", "0"] in lines
    assert ["2", "1.00", "2", "1", document_id("s", "file-0:1").hex(), "https://example.org/0/1"] in lines
    assert [line[0] for line in (text.split() for text in printed(str(run / "out"), None, 1).splitlines()) if line][
        -1
    ] == "2"


def test_found_items_are_written_with_the_row_they_come_from(run: Path, tmp_path: Path) -> None:
    file = tmp_path / "items.jsonl"
    assert "2 items written to" in printed(str(run / "out"), str(file))
    first, second = map(json.loads, file.read_text().splitlines())
    assert first == {
        "set": "math",
        "item": 0,
        "file": str(run / "a.jsonl"),
        "row": 0,
        "covered": 1.0,
        "documents_kept": 1,
        "documents_removed": 0,
        "document": document_id("s", "file-0:1").hex(),
        "place": "https://example.org/0/1",
    }
    assert (second["item"], second["file"], second["row"]) == (2, str(run / "b.jsonl"), 1)


def test_a_directory_given_for_the_items_is_named_in_one_line(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["dataprep", "contamination", str(run / "out"), "--items", str(run)])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", f"error: {run}: cannot be written: Is a directory\n")


def test_a_run_that_did_not_look_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(tmp_path / "out")
    for directory, words in (
        (tmp_path / "out", "has no step 'decontamination' in clean, so"),
        (tmp_path, "not a run directory"),
    ):
        monkeypatch.setattr(sys, "argv", ["dataprep", "contamination", str(directory)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        assert stop.value.code == 2
        error = capsys.readouterr().err
        assert words in error
        assert len(error.splitlines()) == 1
    (tmp_path / "out" / "clean" / "_stage.json").unlink()
    with pytest.raises(ValueError, match="clean stage of this run is not finished"):
        find_contamination(str(tmp_path / "out"))
