"""The commands as a person meets them."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest

import pipelines.cli
from dataprep.shards import Manifest
from tests.trainer.conftest import TINY, byte_tokenizer, random_documents, shard
from trainer.cli import main
from trainer.saved.trained import load_tokenizer, load_trained
from trainer.use.sample import Sampling, generate


def call(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["trainer", *map(str, arguments)])
    with pytest.raises(SystemExit) as left:
        main()
    assert isinstance(left.value.code, int)
    return left.value.code


def tiny(*assignments: str) -> list[str]:
    return [argument for text in (*TINY, *assignments) for argument in ("--set", text)]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """OUT/shards beside OUT/tokenizer/tokenizer.json, which spells every byte."""
    return make_corpus(tmp_path, range(257))


def make_corpus(out: Path, ids: Sequence[int]) -> Path:
    """``ids``: of EOS and the 256 bytes."""
    (out / "tokenizer").mkdir()
    byte_tokenizer(ids).save(str(out / "tokenizer" / "tokenizer.json"))
    content = (out / "tokenizer" / "tokenizer.json").read_bytes()
    folder = out / "shards"
    written = [
        shard(folder, "a", split, 0, random_documents(1, 20, 257), max(ids) + 1, tokenizer_json=content)
        for split in ("train", "validation")
    ]
    Manifest.build(str(folder), written).save()
    return folder


def test_train_ends_with_losses_a_sample_and_where_everything_is_then_says_it_is_finished(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert call(monkeypatch, "train", corpus, "--run", run, "--steps", 3, *tiny()) == 0
    said = capsys.readouterr().out
    for wanted in ("validation before", "validation after", "bits/byte", "sample ", "metrics.jsonl", "checkpoints"):
        assert wanted in said
    assert {path.name for path in run.iterdir()} == {
        "run.json",
        "metrics.jsonl",
        "tensorboard",
        "usage",
        "_lock",
        "checkpoints",
        "tokenizer.json",
        "sample.txt",
    }
    assert json.loads((run / "run.json").read_text())["config"]["steps"] == 3
    assert call(monkeypatch, "train", corpus, "--run", run, "--steps", 3, *tiny()) == 0
    assert "this run is finished" in capsys.readouterr().out

    texts = []
    for seed in (1, 1, 2):
        drawn = ("--tokens", 20, "--temperature", 9, "--seed", seed)
        assert call(monkeypatch, "sample", run, "--prompt", "Once é", *drawn) == 0
        texts.append(capsys.readouterr().out)
    assert texts[0].startswith("Once é")
    assert texts[0] == texts[1] != texts[2]

    (run / "checkpoints" / "step-00000003" / "index.json").write_bytes(b"")
    assert call(monkeypatch, "sample", run, "--prompt", "a", "--prompt", "b") == 0
    said, warned = capsys.readouterr()
    assert [json.loads(line)["prompt"] for line in said.splitlines()] == ["a", "b"]
    assert "step-00000003 is damaged and passed over" in warned


def test_every_id_up_to_the_largest_may_be_drawn_though_the_tokenizer_has_gaps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus, run = make_corpus(tmp_path, [*range(256), 300]), tmp_path / "run"
    assert call(monkeypatch, "train", corpus, "--run", run, "--steps", 1, *tiny()) == 0
    trained = load_trained(run)
    assert trained.vocabulary == 301
    sampling = Sampling(tokens=200, temperature=99, top_p=1, seed=1)  # an id in the gap has no text
    assert all(generate(trained.model, load_tokenizer(run), ["", "a"], trained.vocabulary, trained.eos_id, sampling))


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["--preset", "huge"], ["'huge'", "tiny"]),
        (["--set", "model.depth=3"], ["model.depth", "layers"]),
        (["--steps", "many"], ["--steps", "integer"]),
        (["--stepz", "3"], ["--stepz"]),
        (["--config", "absent.yaml"], ["absent.yaml", "No such file"]),
        (["--tokenizer", "absent.json"], ["absent.json", "No such file"]),
        (["--set", "device=cuda"], ["device", "'cuda'", "'cpu'"]),
    ],
)
def test_what_is_wrong_is_one_line_and_exit_code_2(
    corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    names: list[str],
) -> None:
    if "device=cuda" in arguments and __import__("torch").cuda.is_available():
        pytest.skip("a GPU is here, so it is allowed")
    assert call(monkeypatch, "train", corpus, "--run", tmp_path / "run", *tiny(), *arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith("trainer: ")
    assert said.count("\n") == 1
    assert all(name in said for name in names), said


def test_plan_prints_tokens_epochs_and_shares_by_source_and_takes_no_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written = [shard(tmp_path, name, "train", 0, random_documents(ord(name), 40, 60), 60) for name in "ab"]
    Manifest.build(str(tmp_path), written).save()
    for info in Manifest.load(str(tmp_path)).shards:
        (tmp_path / info.path).unlink()  # a plan needs the manifest alone
    mixed = tiny("data.mixture=[{weights: {a: 1, b: 3}}]", "data.packing=documents", "steps=100")
    assert call(monkeypatch, "plan", tmp_path, *mixed) == 0
    heading, a, b, windows, *needs = capsys.readouterr().out.splitlines()
    assert heading.split() == ["source", "tokens", "available", "epochs", "share", "wanted"]
    tokens, available, epochs, _, wanted = b.split()[1:]
    assert float(epochs) == pytest.approx(int(tokens.replace(",", "")) / int(available.replace(",", "")), abs=0.01)
    assert wanted == "75.000%"
    assert a.split()[-1] == "25.000%"
    assert "padding" in windows
    assert [line.split()[0] for line in needs] == ["parameters", "operations", "GB", "one"]
    assert call(monkeypatch, "plan", tmp_path, *mixed, "--set", "data.max_epochs={b: 1.5}") == 2
    captured = capsys.readouterr()
    assert "data.max_epochs.b is 1.5" in captured.err
    assert captured.err.count("\n") == 1
    assert heading in captured.out


def test_missing_shards_another_tokenizer_and_no_run_are_named(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert call(monkeypatch, "train", tmp_path / "nowhere", "--run", run, *tiny()) == 2
    assert "nowhere/manifest.json: No such file" in capsys.readouterr().err
    (tmp_path / "tokenizer" / "tokenizer.json").write_text("{}")
    assert call(monkeypatch, "train", corpus, "--run", run, *tiny()) == 2
    assert "is not the one the shards" in capsys.readouterr().err
    assert not (run / "run.json").exists()
    assert call(monkeypatch, "sample", run) == 2
    assert "not a run directory" in capsys.readouterr().err


def test_help_does_not_wait_for_torch() -> None:
    loads = "import sys, trainer.cli; print('torch' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", loads], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"


def test_a_run_records_which_code_ran_where_and_says_when_the_code_is_another(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert call(monkeypatch, "train", corpus, "--run", run, "--steps", 1, *tiny()) == 0
    written = json.loads((run / "run.json").read_text())
    assert len(written["code"]["trainer"]) == 32
    assert set(written["environment"]) == {"python", "platform", "libraries", "device", "cuda", "cpus"}
    assert written["environment"]["libraries"]["torch"] in written["rounding"]["torch"]
    assert written["usage"]["starts"] == 1
    capsys.readouterr()
    call(monkeypatch, "train", corpus, "--run", run, "--steps", 1, *tiny())
    assert "the trainer's own code" not in capsys.readouterr().out
    written["code"]["trainer"] = "0" * 32
    (run / "run.json").write_text(json.dumps(written))
    call(monkeypatch, "train", corpus, "--run", run, "--steps", 1, *tiny())
    assert "changed    the trainer's own code" in capsys.readouterr().out


@pytest.mark.skipif(find_spec("wandb") is not None, reason="wandb is installed here")
def test_weights_and_biases_without_its_package_is_one_line(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert call(monkeypatch, "train", corpus, "--run", run, *tiny(), "--set", "wandb=mine") == 2
    assert capsys.readouterr().err == (
        "trainer: wandb is 'mine': the package is not installed; pip install wandb, or leave wandb unset\n"
    )
    assert not run.exists()


def test_trace_and_report_of_something_else_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in (("report", tmp_path), ("trace", tmp_path, "--step", 1)):
        assert call(monkeypatch, *command) == 2
        assert "no run.json, not a run directory of trainer train" in capsys.readouterr().err


def dataprep_trace(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipelines.cli", "trace", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, timeout=120)


def test_dataprep_traces_a_step_as_the_trainer_does(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert call(monkeypatch, "train", corpus, "--run", run, "--steps", 2, *tiny()) == 0
    capsys.readouterr()
    options = ["--step", 2, "--top", 1]
    assert call(monkeypatch, "trace", run, *options) == 0
    found = dataprep_trace(run, *options)
    assert (found.returncode, found.stdout, found.stderr) == (0, capsys.readouterr().out, "")
    assert found.stdout.count("  a  a/train-00000.arrow row ") == 1
    refused = dataprep_trace(run, "--step", 3)
    assert (refused.returncode, refused.stderr) == (2, "trainer: --step 3: allowed is 1 to 2\n")

    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError('as without the extra', name='torch')")
    refused = dataprep_trace(run, "--step", 1, PYTHONPATH=str(tmp_path))
    assert refused.returncode == 2
    assert "the package 'torch' is not installed" in refused.stderr
    assert refused.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--step", 1], "{run}: no run.json; --step asks for a run directory of trainer train"),
        (["--step", 1, "--shard", "a"], "trace: --step goes with"),
        (["--step", 1, "--position", 1], "trace: --step goes with"),
        (["--position", 1, "--top", 1], "trace: --step goes with"),
    ],
)
def test_a_step_of_what_is_not_a_run_or_beside_a_token_is_refused_in_one_line(
    options: list[object],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["dataprep", "trace", str(tmp_path), *map(str, options)])
    with pytest.raises(SystemExit, match="2"):
        pipelines.cli.main()
    error = capsys.readouterr().err
    assert error.startswith(f"error: {said.format(run=tmp_path)}")
    assert error.count("\n") == 1
