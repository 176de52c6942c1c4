"""Two gloo processes are one run: same batches, same losses, one decision."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import multiprocessing

from tests.trainer.conftest import TINY, exact, tiny_config, train_here
from trainer import loop, parallel
from trainer.metrics import read_metrics


def torchrun(world_size: int, shards: Path, folder: Path, *assignments: str) -> str:
    sets = [argument for text in (*TINY, *assignments) for argument in ("--set", text)]
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={world_size}"]
    # "--", because torchrun would take our --run for an abbreviation of its own --run-path
    command = [*launch, "-m", "--", "trainer", "train", str(shards), "--run", str(folder), *sets]
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
        run = loop.prepare(str(shards), tmp_path / "alone", tiny_config(), None, alone, lambda _line: None)
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
        run = loop.prepare(shards, Path(folder) / "run", config, None, ranks, lambda _line: None)
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
