"""Killed outright again and again, in the middle of steps and of saves, a run is the run that was left alone."""

import os
import random
import signal
import time
from multiprocessing import get_context
from pathlib import Path

from tests.trainer.conftest import exact, train_here
from trainer.saved.checkpoint import checkpoints
from trainer.saved.metrics import read_metrics

KILLS = 8
SERVER = get_context("forkserver")


def test_killed_at_random_moments_of_steps_and_saves_it_always_resumes_and_has_the_same_losses(
    shards: Path, tmp_path: Path
) -> None:
    draw = random.Random(7)
    sets = ("steps=100", "evaluate_every=40", "checkpoint_every=3", "keep_checkpoints=3", "keep_every=50")
    folder, reached = tmp_path / "killed", [0]
    for number in range(KILLS):
        # at least a save further each second time, however slow the machine is
        flushes = draw.randint(35, 90) if number % 2 else 0
        process = SERVER.Process(target=_train, args=(shards, folder, sets, flushes))
        process.start()
        if not flushes:
            wait_for_start(folder, process.pid)
            process.join(draw.uniform(0.0, 0.2))
            process.kill()
        process.join()
        if process.exitcode == 0:
            break
        assert process.exitcode == -signal.SIGKILL
        saved = checkpoints(folder / "checkpoints")
        reached.append(int(saved[0].name.removeprefix("step-")) if saved else 0)
    assert reached == sorted(reached)
    assert len(set(reached)) > 3, reached
    train_here(shards, folder, *sets)
    train_here(shards, tmp_path / "whole", *sets)
    assert list(exact(read_metrics(folder))) == list(exact(read_metrics(tmp_path / "whole")))
    newest = [checkpoints(run / "checkpoints")[0] for run in (folder, tmp_path / "whole")]
    for name in ("model-00000.safetensors", "optimizer-00000.safetensors"):
        assert (newest[0] / name).read_bytes() == (newest[1] / name).read_bytes()


def wait_for_start(folder: Path, pid: int | None) -> None:
    """Until the process has taken the run up and is about to step."""
    board = folder / "tensorboard"
    while not (board.exists() and any(f".{pid}." in path.name for path in board.iterdir())):
        time.sleep(0.001)


def _train(shards: Path, folder: Path, sets: tuple[str, ...], flushes: int) -> None:
    """Killed by itself when it is about to flush a file to disk for this many-th time; 0: not at all."""
    flush, left = os.fsync, flushes

    def counted(descriptor: int) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        flush(descriptor)

    os.fsync = counted
    train_here(shards, folder, *sets)
