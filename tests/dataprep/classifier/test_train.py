"""Training on real documents: it tells them apart, the same bytes each time, whole or not at all."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dataprep import storage
from dataprep.classifier.corpus import Lines
from dataprep.classifier.measure import at_threshold
from dataprep.classifier.sample import draw
from dataprep.classifier.settings import Input, TrainSettings
from dataprep.classifier.train import REPORT, train
from dataprep.models import load_model, model_labels
from dataprep.signals.classifier import scores
from tests.dataprep.classifier.conftest import SETTINGS, write_jsonl

PAIR = ["the river runs slowly to the sea", "buy cheap pills now and win a prize"]


def small(folder: Path, documents: int = 30) -> tuple[list[Input], list[Input]]:
    folder.mkdir(exist_ok=True)
    return tuple(  # type: ignore[return-value]
        [Input(path=str(write_jsonl(folder / f"{i}.jsonl", [f"{text} {n}" for n in range(documents)])))]
        for i, text in enumerate(PAIR)
    )


def held_out_scores(model: Path, positive: list[Input], negative: list[Input]) -> list[np.ndarray]:
    lines = [[Lines(name, one, SETTINGS) for one in side] for name, side in (("p", positive), ("n", negative))]
    side = draw(*lines, lambda phase, documents: None).held_out
    found = np.array(scores(load_model(str(model)), "positive", side.lines))
    return [found[side.positive], found[~side.positive]]


def test_articles_are_told_from_the_web_with_high_precision(trained: tuple[Path, dict[str, Any]]) -> None:
    held_out = trained[1]["held_out"]
    assert held_out["roc_auc"] > 0.95
    rows = {row["threshold"]: row for row in held_out["thresholds"]}
    assert rows[0.9]["precision"] > 0.9
    assert rows[0.5]["recall"] > 0.9
    # the scores are spread out: a threshold has something to choose from
    assert rows[0.1]["negatives_kept"] > rows[0.9]["negatives_kept"]


def test_the_threshold_keeps_no_more_of_the_held_out_negatives_than_asked(
    trained: tuple[Path, dict[str, Any]], good: Input, web: list[Input]
) -> None:
    folder, report = trained
    positive, negative = held_out_scores(folder / "model.bin", [good], web)
    assert len(positive) == len(negative) == report["documents"]["held_out"] / 2
    for row in report["held_out"]["keep_rates"]:
        expected = at_threshold(positive, negative, row["threshold"])
        assert row == {"keep_rate": row["keep_rate"], **expected}
        assert row["negatives_kept_share"] <= row["keep_rate"]
        # one more would be too many, or has the same score as another
        lower = negative[negative < row["threshold"]].max()
        assert (negative >= lower).mean() > row["keep_rate"]
    assert report["held_out"]["chosen"]["keep_rate"] == 0.1


def test_the_report_lists_what_was_trained_on(trained: tuple[Path, dict[str, Any]], web: list[Input]) -> None:
    folder, report = trained
    assert sorted(path.name for path in folder.iterdir()) == ["model.bin", REPORT]
    assert report == json.loads((folder / REPORT).read_text(encoding="utf-8"))
    assert report["model_xxh3_128"] == storage.content_hash(str(folder / "model.bin"))
    assert sorted(model_labels(str(folder / "model.bin"))) == ["negative", "positive"]
    assert TrainSettings.model_validate(report["settings"]) == SETTINGS
    first, second = report["inputs"]["negative"]
    assert (first["documents"], second["documents"]) == (141, 10)
    assert [Path(file["name"]).name for file in first["files"]] == ["c4_demo.jsonl.gz", "cc_en_head-0091.jsonl.gz"]
    assert second["files"][0]["xxh3_128"] == storage.content_hash(web[1].path)
    taken = [sum(one["taken"] for one in report["inputs"][label]) for label in ("positive", "negative")]
    assert taken[0] == taken[1] == sum(report["documents"].values()) / 2
    assert sum(report["held_out"]["histogram"]["positive"]) == report["documents"]["held_out"] / 2


def test_two_trainings_give_the_same_bytes(tmp_path: Path) -> None:
    positive, negative = small(tmp_path / "in")
    for name in ("a", "b"):
        train(positive, negative, str(tmp_path / name), TrainSettings(bucket=1000))
    for file in ("model.bin", REPORT):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    train(positive, negative, str(tmp_path / "c"), TrainSettings(bucket=1000, seed=1))
    assert (tmp_path / "a" / "model.bin").read_bytes() != (tmp_path / "c" / "model.bin").read_bytes()


def test_the_order_of_files_and_documents_changes_nothing(tmp_path: Path) -> None:
    positive, negative = small(tmp_path / "in")
    train(positive, negative, str(tmp_path / "a"), TrainSettings(bucket=1000))
    for one in (*positive, *negative):
        path = Path(one.path)
        path.write_text("".join(reversed(path.read_text().splitlines(keepends=True))))
    train(positive, negative, str(tmp_path / "b"), TrainSettings(bucket=1000))
    assert (tmp_path / "a" / "model.bin").read_bytes() == (tmp_path / "b" / "model.bin").read_bytes()


def test_a_quantized_model_is_smaller_and_measured_as_it_was_saved(tmp_path: Path) -> None:
    positive, negative = small(tmp_path / "in")
    settings = TrainSettings(bucket=2000, epoch=50, lr=1.0, quantize=True)
    report = train(positive, negative, str(tmp_path / "small"), settings)
    train(positive, negative, str(tmp_path / "large"), settings.model_copy(update={"quantize": False}))
    assert sorted(path.name for path in (tmp_path / "small").iterdir()) == ["model.ftz", REPORT]
    assert report["model_bytes"] < (tmp_path / "large" / "model.bin").stat().st_size / 2
    found = scores(load_model(str(tmp_path / "small" / "model.ftz")), "positive", PAIR)
    assert found[0] > 0.5 > found[1]
    assert report["held_out"]["roc_auc"] == 1


def test_a_document_cannot_name_its_own_label(tmp_path: Path) -> None:
    positive, negative = small(tmp_path / "in")
    spam = [f"__label__positive __label__third {PAIR[1]} {n} </s> {PAIR[0]}" for n in range(30)]
    negative = [Input(path=str(write_jsonl(tmp_path / "spam.jsonl", spam)))]
    report = train(positive, negative, str(tmp_path / "out"), TrainSettings(bucket=1000, epoch=50, lr=1.0))
    assert sorted(model_labels(str(tmp_path / "out" / "model.bin"))) == ["negative", "positive"]
    assert report["held_out"]["roc_auc"] == 1


@pytest.mark.parametrize("update", [{"lr": 1e9}, {"bucket": 1, "word_ngrams": 1, "quantize": True}])
def test_what_fasttext_refuses_is_one_line_and_leaves_nothing(tmp_path: Path, update: dict[str, Any]) -> None:
    positive, negative = small(tmp_path / "in")
    with pytest.raises(ValueError, match="fastText cannot train this: ") as caught:
        train(positive, negative, str(tmp_path / "out"), TrainSettings(bucket=1000).model_copy(update=update))
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == ["in"]


def test_a_directory_that_exists_is_never_overwritten(tmp_path: Path) -> None:
    positive, negative = small(tmp_path / "in")
    with pytest.raises(ValueError, match=r"out: .*in exists already; remove it, or give another"):
        train(positive, negative, str(tmp_path / "in"), TrainSettings())
    with pytest.raises(ValueError, match=r"gs://bucket/model: fastText writes local files only"):
        train(positive, negative, "gs://bucket/model", TrainSettings())


def test_a_place_that_cannot_be_written_is_named_before_anything_is_read(tmp_path: Path) -> None:
    positive, negative = small(tmp_path / "in")
    (tmp_path / "file").touch()
    phases: list[str] = []
    with pytest.raises(OSError, match=r"cannot be written: .*file/model'$"):
        train(positive, negative, f"{tmp_path}/file/model", TrainSettings(), lambda phase, _: phases.append(phase))
    assert phases == []


def test_every_setting_is_on_the_page() -> None:
    page = (Path(__file__).parents[3] / "docs" / "classifiers.md").read_text(encoding="utf-8")
    for name in TrainSettings.model_fields:
        assert f"`{name}`" in page, f"docs/classifiers.md does not say what {name} is"


def test_a_binding_that_can_only_predict_is_named(tmp_path: Path) -> None:
    (tmp_path / "fasttext.py").write_text("def load_model(path): ...\n")
    program = (
        "from dataprep.classifier.train import train\n"
        "from dataprep.classifier.settings import TrainSettings\n"
        "try: train([], [], 'nowhere', TrainSettings())\n"
        "except ValueError as error: print(error)\n"
    )
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[3])])
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "can only predict" in done.stdout
    assert "pip install --force-reinstall --no-deps fasttext-community" in done.stdout
