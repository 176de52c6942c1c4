"""Two gloo processes are one run: same batches, same losses, one decision."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import multiprocessing

from tests.trainer.conftest import TINY, exact, tiny_config, train_here
from trainer import loop, parallel
from trainer.prepare import prepare
from trainer.saved.checkpoint import checkpoints
from trainer.saved.metrics import read_metrics


def torchrun_command(world_size: int, shards: Path, folder: Path, *assignments: str, restarts: int = 0) -> list[str]:
    sets = [argument for text in (*TINY, *assignments) for argument in ("--set", text)]
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={world_size}"]
    launch.append(f"--max-restarts={restarts}")
    # "--", because torchrun would take our --run for an abbreviation of its own --run-path
    return [*launch, "-m", "--", "trainer", "train", str(shards), "--run", str(folder), *sets]


def torchrun(world_size: int, shards: Path, folder: Path, *assignments: str) -> str:
    command = torchrun_command(world_size, shards, folder, *assignments)
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_two_ranks_then_one_then_two_again_are_the_run_of_one(shards: Path, tmp_path: Path) -> None:
    train_here(shards, tmp_path / "one")
    output = torchrun(2, shards, tmp_path / "mixed", "steps=8", "checkpoint_every=3")
    assert "2 ranks" in output
    assert output.count("finished: 8 steps") == 1
    drop_after(tmp_path / "mixed", 3)
    train_here(shards, tmp_path / "mixed", "checkpoint_every=2", "keep_checkpoints=50")
    drop_after(tmp_path / "mixed", 6)
    assert "resuming" in torchrun(2, shards, tmp_path / "mixed", "checkpoint_every=3")
    rows = [list(exact(read_metrics(tmp_path / name))) for name in ("one", "mixed")]
    assert [row["step"] for row in rows[0]] == [row["step"] for row in rows[1]]
    for one, mixed in zip(*rows, strict=True):
        assert list(one.values()) == pytest.approx(list(mixed.values()), rel=1e-4)


def test_torchrun_goes_on_after_a_rank_was_killed_and_saves_when_it_is_told_to_stop(
    shards: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    many = ("steps=200", "checkpoint_every=20", "evaluate_every=100", "parallel.strategy=fsdp")
    command = torchrun_command(2, shards, folder, *many, restarts=1)
    with open(tmp_path / "errors", "w") as errors:
        launcher = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
    wait_for(folder, 30, launcher)
    os.kill(worker(launcher.pid, 1), signal.SIGKILL)
    wait_for(folder, len(read_metrics(folder)) + 30, launcher)
    launcher.terminate()
    output, _ = launcher.communicate(timeout=60)
    assert "resuming" in output
    assert "saved; the same command continues" in output
    last = [row for row in read_metrics(folder) if "loss" in row][-1]["step"]
    assert checkpoints(folder / "checkpoints")[0].name == f"step-{last:08d}"
    assert 30 < last < 200
    train_here(shards, folder, *many)
    train_here(shards, tmp_path / "one", *many)
    rows = [list(exact(read_metrics(tmp_path / name))) for name in ("one", "run")]
    assert [row["step"] for row in rows[0]] == [row["step"] for row in rows[1]]
    # rounding grows with the steps: 1e-4 is what the first 8 keep to
    assert all(
        mixed["loss"] == pytest.approx(one["loss"], rel=1e-2) for one, mixed in zip(*rows, strict=True) if "loss" in one
    )


def wait_for(folder: Path, rows: int, process: subprocess.Popen[str]) -> None:
    while len(read_metrics(folder)) < rows:
        assert process.poll() is None, f"ended before it could be stopped: {(folder.parent / 'errors').read_text()}"
        time.sleep(0.01)


def worker(launcher: int, rank: int) -> int:
    """The process of a rank, found by its environment."""
    for line in Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split():
        if f"RANK={rank}".encode() in Path(f"/proc/{line}/environ").read_bytes().split(b"\0"):
            return int(line)
    raise AssertionError(f"no rank {rank} among the children of torchrun")


def drop_after(folder: Path, step: int) -> None:
    for path in (folder / "checkpoints").glob("step-*"):
        if int(path.name.removeprefix("step-")) > step:
            path.rename(path.with_name(f".tmp-{path.name}"))
    (folder / "checkpoints" / "latest").write_text(f"step-{step:08d}")


def test_ranks_share_each_global_batch_and_pass_over_a_bad_gradient_together(shards: Path, tmp_path: Path) -> None:
    """Only rank 1 sees the infinity; both must skip that update and stay equal."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    multiprocessing.spawn(_rank, (port, str(shards), str(tmp_path)), nprocs=2)
    ranks = [dict(np.load(tmp_path / f"rank-{rank}.npz")) for rank in (0, 1)]
    assert np.array_equal(ranks[0]["parameters"], ranks[1]["parameters"])
    assert [row["skipped"] for row in read_metrics(tmp_path / "run") if "loss" in row] == [False, True, False, False]
    with parallel.start(tiny_config()) as alone:
        run = prepare(str(shards), tmp_path / "alone", tiny_config(), None, alone, lambda _line: None)
    for step in range(4):
        together = np.concatenate([ranks[0][f"step-{step}"], ranks[1][f"step-{step}"]])
        assert sorted(together.tolist()) == sorted(run.order.step(step).tolist())


def _rank(rank: int, port: int, shards: str, folder: str) -> None:
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": "1",
    }
    config = tiny_config("steps=4", "windows_per_pass=8", "read.threads=0")
    with parallel.start(config) as ranks:
        run = prepare(shards, Path(folder) / "run", config, None, ranks, lambda _line: None)
        seen: dict[str, np.ndarray] = {}
        read = run.order.windows.batch

        def remember(windows: np.ndarray) -> object:
            seen[f"step-{run.step}"] = windows
            return read(windows)

        run.order.windows.batch = remember  # type: ignore[method-assign]
        if rank == 1:
            run.model.norm.weight.register_hook(lambda gradient: gradient * torch.inf if run.step == 1 else gradient)
        loop.train(run)
        parameters = torch.cat([parameter.detach().flatten() for parameter in run.model.parameters()])
    np.savez(Path(folder) / f"rank-{rank}.npz", parameters=parameters.numpy(), **seen)
