"""The stage clean on a real Beam runner: counts add up, reruns give the same bytes, both sides are measured."""

from importlib.metadata import version
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest

from dataprep import storage
from dataprep.clean.settings import CleanSettings
from dataprep.document import SCHEMA, BatchBuilder
from dataprep.models import model_fingerprint
from dataprep.parts import PartWriter, read_part
from dataprep.recipe import Recipe, parse_recipe
from dataprep.tally import Tally
from pipelines.batches import Split
from pipelines.clean import CleanPart, CleanStage
from pipelines.local import in_process_runner
from pipelines.receipts import Receipt

PROSE = (
    "It was a quiet morning in the small town by the river, and the people who lived there had little to worry about. "
    "Some of them would have liked a market, but the mayor said that such things take time. "
)
TEXTS = [
    PROSE + "A baker opened his shop with a smile. Nobody could remember a winter as mild as this one had been. "
    "Children ran along the bank to be first at the bridge.",
    "Too short.",
    "",
    "Der schnelle braune Fuchs springt über den faulen Hund. " * 8,
    PROSE * 12,
]
RULES = [
    {"reject": "language", "when": "language.label", "none_of": ["en"]},
    {"use": "gopher_repetition"},
    {"use": "gopher_quality"},
]


def recipe(**clean: Any) -> Recipe:
    files = {"paths": ["unused"], "format": "text"}
    return parse_recipe(
        {"name": "test", "sources": [{"name": "s", "files": files}], "clean": {"rules": RULES, **clean}}
    )


def write_documents(out: Path, parts: list[list[str]]) -> None:
    for number, texts in enumerate(parts):
        builder = BatchBuilder("s")
        for position, text in enumerate(texts):
            builder.add(text, f"file-{number}:{position}", url=f"https://example.org/{position}")
        with PartWriter(str(out / "documents" / "kept" / f"part-{number:05d}.parquet"), SCHEMA) as part:
            batch = builder.finish()
            if batch is not None:
                part.write(batch)


def run(stage: CleanStage, bundle_repeat: int = 0) -> None:
    def pipeline(_: str, build: Any, splits: list[Split]) -> None:
        with beam.Pipeline(runner=in_process_runner(bundle_repeat)) as root:
            build(root | beam.Create(splits).with_output_types(Split))

    stage.execute(pipeline)


def rows(folder: Path) -> list[dict[str, Any]]:
    return [
        row for path in sorted(folder.glob("*.parquet")) for batch in read_part(str(path)) for row in batch.to_pylist()
    ]


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.parquet")}


@pytest.fixture
def cleaned(tmp_path: Path) -> tuple[Path, CleanStage]:
    write_documents(tmp_path, [TEXTS, [], TEXTS[:2]])
    stage = CleanStage(recipe(), str(tmp_path))
    run(stage)
    return tmp_path / "clean", stage


def test_every_document_is_kept_or_removed_with_its_reason(cleaned: tuple[Path, CleanStage]) -> None:
    folder, stage = cleaned
    tally, _ = stage.finish()
    tally.check("clean")
    assert (tally.documents_in, tally.kept) == (7, 2)
    assert tally.characters_in == sum(map(len, TEXTS)) + sum(map(len, TEXTS[:2]))
    assert [row["text"] for row in rows(folder / "kept")] == [TEXTS[0], TEXTS[0]]
    assert [row["rejected_by"] for row in rows(folder / "removed")] == [
        *("gopher_repetition.top_2_gram", "language", "language", "gopher_repetition.dup_5_gram"),
        "gopher_repetition.top_2_gram",
    ]
    assert sum(n for n, _ in tally.removed.values()) == 5


def test_kept_and_removed_documents_carry_every_measurement(cleaned: tuple[Path, CleanStage]) -> None:
    folder, stage = cleaned
    expected = [*SCHEMA.names, *stage.recipe.clean.columns().names, "text.characters", "rejected_by"]
    for name in ("kept", "removed"):
        for path in sorted((folder / name).glob("*.parquet")):
            for batch in read_part(str(path)):
                assert batch.schema.names == expected
    assert all(row["gopher.words"] is not None for row in rows(folder / "removed") + rows(folder / "kept"))


def test_bundles_run_twice_give_the_same_bytes(tmp_path: Path, cleaned: tuple[Path, CleanStage]) -> None:
    again = tmp_path / "again"
    write_documents(again, [TEXTS, [], TEXTS[:2]])
    run(CleanStage(recipe(), str(again)), bundle_repeat=2)
    assert files(again / "clean") == files(cleaned[0])
    assert len(files(again / "clean")) == 6


def test_only_what_the_stage_depends_on_changes_its_settings(tmp_path: Path) -> None:
    stage = CleanStage(recipe(), str(tmp_path))
    other_threshold = recipe(rules=[*RULES[:2], {"use": "gopher_quality", "change": {"short_doc": 20}}])
    assert stage.settings() == CleanStage(recipe().model_copy(update={"seed": 7}), str(tmp_path)).settings()
    assert stage.settings() != CleanStage(other_threshold, str(tmp_path)).settings()
    assert stage.settings() != CleanStage(recipe(document_seconds=1), str(tmp_path)).settings()
    exact = recipe(rules=[{"use": "gopher@datatrove-0.10"}])
    assert CleanStage(exact, str(tmp_path)).settings()["steps"][0]["libraries"] == {"spacy": version("spacy")}
    assert stage.settings()["steps"][0]["model"] == model_fingerprint("lid.176")


def test_a_document_that_makes_a_step_raise_spin_or_crash_is_quarantined_and_the_others_are_not(tmp_path: Path) -> None:
    texts = ["RAISE", *TEXTS, "SPIN", "ABORT", "last"]
    write_documents(tmp_path, [texts])
    (part,) = storage.list_files(str(tmp_path / "documents" / "kept"))
    receipt = Receipt(str(tmp_path / "clean"), "clean", 0, part.size)
    split = Split.of(0, part.size, {"path": part.path})
    settings = CleanSettings(steps=({"tests.dataprep.clean.hostile:Hostile": {}}, "fineweb"), document_seconds=0.3)
    CleanPart(str(tmp_path / "clean"), settings)(split, receipt)
    receipt.commit(None)
    kept = rows(tmp_path / "clean" / "kept")
    assert [row["text"] for row in kept] == [*TEXTS, "last"]
    assert [row["hostile.length"] for row in kept] == [len(row["text"]) for row in kept]
    assert None not in [row["fineweb.lines"] for row in kept]
    characters = sum(map(len, [*TEXTS, "last"]))
    taken = sum(map(len, texts))
    bad = {"ValueError": 1, "time_limit": 1, "crash": 1}
    assert receipt.tally == Tally(9, taken, 6, characters, {}, bad)
    assert [(row["step"], row["reason"], row["locator"]) for row in rows(tmp_path / "clean" / "quarantine")] == [
        ("hostile", "ValueError", "file-0:0"),
        ("hostile", "time_limit", "file-0:6"),
        ("hostile", "crash", "file-0:7"),
    ]
