"""``dataprep classifier train`` from files to a recipe that runs: what is printed can be pasted."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

from dataprep.classifier.measure import measure
from dataprep.models import model_fingerprint
from dataprep.recipe import parse_recipe
from pipelines.classifier_cli import recipe_part, rough_rows
from pipelines.clean import CleanStage
from pipelines.cli import main
from tests.dataprep.classifier.conftest import encyclopedia, write_jsonl
from tests.pipelines.test_clean import rows, run, write_documents

COMMAND = [sys.executable, "-m", "pipelines.cli", "classifier", "train"]


def dataprep(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=120)


def test_the_printed_yaml_keeps_good_documents_and_names_why_the_others_go(shared_data: Path, tmp_path: Path) -> None:
    articles = encyclopedia(shared_data, 170)
    good = write_jsonl(tmp_path / "articles, 2019.jsonl", articles[:150])
    out = tmp_path / "model"
    web = f"{shared_data}/quality/c4_demo.jsonl.gz,weight=2,text_column=text"
    settings = ["--set", "epoch=30", "--set", "word_ngrams=1", "--set", "first_characters=3000", "--keep-rate", "0.2"]
    done = dataprep("--positive", str(good), "--negative", web, "--out", str(out), *settings)
    assert done.returncode == 0, done.stderr
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    pasted = done.stdout[done.stdout.index("clean:") :]
    assert pasted == recipe_part(report, str(out))
    assert f"area under the ROC curve {report['held_out']['roc_auc']:.4f}" in done.stdout
    held_out = report["documents"]["held_out"] // 2
    note = f"Up to 50% the figures are rough: they keep fewer than 10 of {held_out} held-out negatives."
    assert note in " ".join(done.stdout.split())
    threshold = report["held_out"]["chosen"]["threshold"]
    assert report["held_out"]["chosen"]["keep_rate"] == 0.2

    files = {"paths": ["unused"], "format": "text"}
    recipe = parse_recipe({"name": "t", "sources": [{"name": "s", "files": files}], **yaml.safe_load(pasted)})
    spam = ["Cheap deals! Click here to book your hotel today and win our new product for you and your family."] * 5
    write_documents(tmp_path / "run", [articles[150:], spam])
    stage = CleanStage(recipe, str(tmp_path / "run"))
    run(stage)
    tally, _ = stage.finish()
    tally.check("clean")
    kept, removed = (rows(tmp_path / "run" / "clean" / name) for name in ("kept", "removed"))
    assert all(row["classifier.score"] >= threshold for row in kept)
    assert all(row["classifier.score"] < threshold and row["rejected_by"] == "quality" for row in removed)
    assert len(kept) >= 15
    assert sum(row["text"] == spam[0] for row in removed) == 5
    assert stage.settings()["steps"][0]["model"] == model_fingerprint(str(out / "model.bin"))


@pytest.mark.parametrize(
    ("negatives", "rough"),
    [(1, "Up to 50% "), (99, "Up to 10% "), (100, "Up to 5% "), (999, "Up to 1% "), (1000, None)],
)
def test_keep_rates_that_few_negatives_stand_for_are_said_to_be_rough(negatives: int, rough: str | None) -> None:
    note = rough_rows(measure(np.ones(5), np.linspace(0, 1, negatives), 0.1))
    assert note is None if rough is None else note is not None and note.startswith(rough)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--positive x --negative y --out new", "positive: 'x' does not exist or matches nothing"),
        ("--positive x --negative y --out .", "exists already; remove it, or give another directory"),
        ("--positive x,weight=0 --negative y --out new", "--positive x,weight=0: weight: '0': input should be greater"),
        ("--positive x --negative y --out new --set dimm=3", "dimm: unknown field; did you mean 'dim'?"),
        ("--positive x --negative y --out new --set zzz=3", "zzz: unknown field; allowed: bucket, dim, "),
        ("--positive x --negative y --out new --set dim", "--set dim: must be FIELD=VALUE"),
        ("--positive x --negative y --out new --keep-rate 2", "keep_rate: 2.0: input should be less than 1"),
        ("--positive x --out new", "Missing option '--negative'"),
    ],
)
def test_a_mistake_is_one_line_without_a_traceback(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: str,
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["dataprep", "classifier", "train", *arguments.split()])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert words in error
    assert len(error.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_an_interrupted_training_stops_and_leaves_nothing(tmp_path: Path) -> None:
    inputs = tmp_path / "in"
    inputs.mkdir()
    for name in "pn":
        write_jsonl(inputs / f"{name}.jsonl", [f"{name} {n} {'word ' * 200}" for n in range(200)])
    paths = ["--positive", f"{inputs}/p.jsonl", "--negative", f"{inputs}/n.jsonl", "--out", str(tmp_path / "model")]
    # where the tests themselves were started in the background, an interrupt may be ignored, which children inherit
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen([*COMMAND, *paths, "--set", "epoch=1000000"], stdout=subprocess.PIPE, text=True)
    finally:
        signal.signal(signal.SIGINT, before)
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if line == "training\n":
                break
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    finally:
        process.kill()  # it would train for hours
        process.wait()
    assert os.listdir(tmp_path) == ["in"]
