"""A run that was interrupted is the run that was not."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from dataprep.shards import Manifest
from tests.trainer.conftest import TINY, exact, random_documents, shard, tiny_config, train_here
from trainer import loop, parallel
from trainer.checkpoint import checkpoints
from trainer.metrics import read_metrics
from trainer.optim import optimizer_tensors


def command(shards: Path, folder: Path, *assignments: str) -> list[str]:
    sets = [argument for text in (*TINY, *assignments) for argument in ("--set", text)]
    return [sys.executable, "-m", "trainer", "train", str(shards), "--run", str(folder), *sets]


def test_interrupted_after_any_step_and_resumed_is_bit_identical_to_uninterrupted(shards: Path, tmp_path: Path) -> None:
    whole = train_here(shards, tmp_path / "whole")
    expected = list(exact(read_metrics(tmp_path / "whole")))
    assert [row["step"] for row in expected if "loss" in row] == list(range(1, 9))
    for step in range(1, 8):
        folder = tmp_path / f"from-{step}"
        shutil.copytree(tmp_path / "whole", folder)
        for path in checkpoints(folder / "checkpoints"):
            if int(path.name.removeprefix("step-")) > step:
                shutil.rmtree(path)
        (folder / "checkpoints" / "latest").write_text(f"step-{step:08d}")
        started: list[int] = []
        resumed = train_here(shards, folder, before=lambda run, started=started: started.append(run.step))
        assert started == [step]
        assert list(exact(read_metrics(folder))) == expected
        assert all(torch.equal(a, b) for a, b in zip(whole.model.parameters(), resumed.model.parameters(), strict=True))


def test_a_process_killed_outright_resumes_with_the_losses_it_would_have_had(shards: Path, tmp_path: Path) -> None:
    many = ("steps=60", "checkpoint_every=7", "evaluate_every=20", "keep_checkpoints=3")
    folder = tmp_path / "killed"
    process = subprocess.Popen(command(shards, folder, *many), stdout=subprocess.DEVNULL)
    wait_for_step(folder, 14, process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    reached = int(checkpoints(folder / "checkpoints")[0].name.removeprefix("step-"))
    assert 0 < reached < 60
    answer = subprocess.run(command(shards, folder, *many), capture_output=True, text=True, check=True)
    assert "resuming" in answer.stdout
    train_here(shards, tmp_path / "whole", *many)
    assert list(exact(read_metrics(folder))) == list(exact(read_metrics(tmp_path / "whole")))


def test_sigterm_saves_and_leaves_cleanly_and_the_same_command_continues(shards: Path, tmp_path: Path) -> None:
    many = ("steps=100000", "checkpoint_every=50000", "evaluate_every=50000")
    folder = tmp_path / "run"
    process = subprocess.Popen(command(shards, folder, *many), stdout=subprocess.PIPE, text=True)
    wait_for_metrics(folder, process)
    process.terminate()
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "the same command continues" in output
    (saved,) = checkpoints(folder / "checkpoints")
    last = [row for row in read_metrics(folder) if "loss" in row][-1]
    assert int(saved.name.removeprefix("step-")) == last["step"]


def wait_for_step(folder: Path, step: int, process: subprocess.Popen[Any]) -> None:
    while not (folder / "checkpoints" / f"step-{step:08d}").exists():
        assert process.poll() is None, "ended before it could be killed"
        time.sleep(0.002)


def wait_for_metrics(folder: Path, process: subprocess.Popen[Any]) -> None:
    while len(read_metrics(folder)) < 10:
        assert process.poll() is None, "ended before it could be stopped"
        time.sleep(0.01)


def test_a_finished_run_says_so_and_changes_nothing(shards: Path, tmp_path: Path) -> None:
    train_here(shards, tmp_path / "run")
    before = (tmp_path / "run" / "metrics.jsonl").read_bytes()
    said: list[str] = []
    config = tiny_config()
    with parallel.start(config) as ranks:
        assert loop.train(loop.prepare(str(shards), tmp_path / "run", config, None, ranks, said.append))
    assert any("this run is finished" in line for line in said)
    assert sum(line.startswith("validation") for line in said) == 2
    assert (tmp_path / "run" / "metrics.jsonl").read_bytes() == before


def test_a_longer_run_continues_a_finished_one(shards: Path, tmp_path: Path) -> None:
    train_here(shards, tmp_path / "run")
    train_here(shards, tmp_path / "run", "steps=10")
    assert [row["step"] for row in read_metrics(tmp_path / "run") if "loss" in row] == list(range(1, 11))


def test_a_run_is_not_continued_as_another_run(shards: Path, tmp_path: Path) -> None:
    train_here(shards, tmp_path / "run", "steps=1")
    with pytest.raises(ValueError, match=r"model\.width is 32: the run in .* has 16; allowed"):
        train_here(shards, tmp_path / "run", "steps=1", "model.width=32")
    Manifest.build(str(shards), [shard(shards, "a", "train", 0, random_documents(9, 9, 60), 60)]).save()
    with pytest.raises(ValueError, match=r"this run is on the shards .*another --run directory"):
        train_here(shards, tmp_path / "run", "steps=1")


def test_a_run_continued_with_other_threads_says_so(shards: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    train_here(shards, folder, "steps=1")
    rounding = json.loads((folder / "run.json").read_text())["rounding"]
    assert rounding == {"device": "cpu", "ranks": 1, "threads": 1, "torch": torch.__version__}
    changes = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        said: list[str] = []
        try:
            with parallel.start(tiny_config("steps=1")) as ranks:
                loop.prepare(str(shards), folder, tiny_config("steps=1"), None, ranks, said.append)
        finally:
            torch.set_num_threads(1)
        changes.append([line for line in said if line.startswith("changed")])
    assert changes == [[], ["changed    threads from 1 to 2: the last bits of losses may differ from here on"]]


def test_a_gradient_that_is_not_finite_leaves_parameters_and_optimizer_bit_identical(
    shards: Path, tmp_path: Path
) -> None:
    bits: list[list[torch.Tensor]] = []

    def poison(run: loop.Run) -> None:
        step = 0

        def hook(gradient: torch.Tensor) -> torch.Tensor:
            nonlocal step
            step += 1
            if step in (4, 5):  # before the fourth update, and after it has been passed over
                tensors = [*run.model.parameters(), *optimizer_tensors(run.model, run.optimizer).values()]
                bits.append([tensor.detach().clone() for tensor in tensors])
            return gradient * float("inf") if step == 4 else gradient

        run.model.norm.weight.register_hook(hook)

    train_here(shards, tmp_path / "run", "windows_per_pass=8", before=poison)
    before, after = bits
    assert len(before) == len(after) > 3
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    rows = [row for row in read_metrics(tmp_path / "run") if "loss" in row]
    assert [row["skipped"] for row in rows] == [False] * 3 + [True] + [False] * 4
    assert rows[3]["gradient_norm"] is None
    assert all(torch.isfinite(torch.tensor(row["gradient_norm"])) for row in rows[4:])


def test_cutting_a_step_into_passes_changes_its_loss_by_no_more_than_rounding(shards: Path, tmp_path: Path) -> None:
    losses = []
    for windows in (1, 3, 8):
        train_here(shards, tmp_path / str(windows), f"windows_per_pass={windows}")
        losses.append([row["loss"] for row in read_metrics(tmp_path / str(windows)) if "loss" in row])
    assert losses[0] == pytest.approx(losses[2], rel=1e-4)
    assert losses[1] == pytest.approx(losses[2], rel=1e-4)


def test_the_loss_falls_on_real_text(real_shards: Path, tmp_path: Path) -> None:
    longer = ("steps=100", "tokens_per_step=512", "windows_per_pass=32", "optimizer.learning_rate=0.02")
    train_here(
        real_shards, tmp_path / "run", *longer, "evaluate_every=100", "evaluate_tokens=2048", "checkpoint_every=100"
    )
    first, last = (row for row in read_metrics(tmp_path / "run") if "validation_loss" in row)
    assert (first["step"], last["step"]) == (0, 100)
    assert last["validation_loss"] < first["validation_loss"] - 1.5
    manifest = Manifest.load(str(real_shards))
    (info,) = manifest.select("validation")
    ratio = last["validation_bits_per_byte"] / last["validation_loss"]
    assert ratio == pytest.approx(info.tokens / info.bytes / 0.6931471805599453)


def test_a_last_line_of_metrics_cut_off_by_a_kill_is_dropped(shards: Path, tmp_path: Path) -> None:
    train_here(shards, tmp_path / "run")
    whole = read_metrics(tmp_path / "run")
    with open(tmp_path / "run" / "metrics.jsonl", "a") as handle:
        handle.write('{"step": 9, "lo')
    assert read_metrics(tmp_path / "run") == whole
    train_here(shards, tmp_path / "run", "steps=10")
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines if "validation" not in line] == list(range(1, 11))


def test_threads_are_no_more_than_the_process_may_use() -> None:
    assert 1 <= parallel.usable_cpus() <= (os.cpu_count() or 1)
