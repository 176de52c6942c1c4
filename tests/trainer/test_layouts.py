"""However ranks share the work, a run is the run of one process; and it may move from one layout to another."""

import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer, models
from torch import multiprocessing
from torch._C._distributed_c10d import TCPStore
from torch.distributed.tensor import DTensor

from dataprep.shards import Manifest
from tests.trainer.conftest import exact, random_documents, shard, tiny_config
from trainer import loop, parallel
from trainer.optim import optimizer_tensors
from trainer.prepare import Run, prepare
from trainer.saved.checkpoint import checkpoints
from trainer.saved.metrics import read_metrics
from trainer.watch.ledger import read_decisions

FSDP = "parallel.strategy=fsdp"
ONE: tuple[int, tuple[str, ...]] = (1, ())
OTHERS = {
    "untied": "model.tied_embeddings=false",
    "muon": "optimizer.kind=muon",
    "bfloat16": "precision=bfloat16",
}
LAYOUTS: dict[str, tuple[int, tuple[str, ...]]] = {
    "ddp 2": (2, ()),
    "fsdp 2": (2, (FSDP,)),
    "fsdp 4": (4, (FSDP,)),
    "hsdp 2x2": (4, (FSDP, "parallel.shard=2")),
    "fsdp 2, tensor 2": (4, (FSDP, "parallel.tensor=2")),
    "untied, fsdp 2, tensor 2": (4, (FSDP, "parallel.tensor=2", OTHERS["untied"])),
    "muon, fsdp 2": (2, (FSDP, OTHERS["muon"])),
    "muon, fsdp 2, tensor 2": (4, (FSDP, "parallel.tensor=2", OTHERS["muon"])),
    "bfloat16, fsdp 2": (2, (FSDP, OTHERS["bfloat16"])),
}
ALARMS = ("watch.window=4", "watch.deviations=0.01", "watch.spike=rollback", "watch.pass_over=1", "steps=6")
WATCHED = {name: LAYOUTS[name] for name in ("ddp 2", "fsdp 2", "hsdp 2x2", "fsdp 2, tensor 2")}
COMPRESSED = {name: (2, (f"parallel.compress={name}",)) for name in ("bfloat16", "powersgd")}
MOVES = ["fsdp 2", "fsdp 2, tensor 2", "hsdp 2x2", "ddp 2"]
# 5 windows to evaluate on and passes of 3: some ranks have fewer than others
COMMON = ("evaluate_tokens=80", "read.threads=0", "steps=4", "checkpoint_every=2")


def jobs() -> Iterator[tuple[str, int, tuple[str, ...]]]:
    """(folder, ranks, assignments), one after the other; a folder that comes again is continued."""
    yield "one", *ONE
    for name, assignment in OTHERS.items():
        yield f"{name}, one", 1, (assignment,)
    for name, (ranks, sets) in (LAYOUTS | COMPRESSED).items():
        yield name, ranks, sets
    for name, (ranks, sets) in ({"one": ONE} | WATCHED).items():
        yield f"watched, {name}", ranks, (*sets, *ALARMS)
    yield "damaged", *LAYOUTS["fsdp 2"]
    yield "damaged", *LAYOUTS["fsdp 2"]
    for folder, moves in (("stays", [ONE] * 6), ("moves", [ONE, *map(LAYOUTS.__getitem__, MOVES), ONE])):
        for number, (ranks, sets) in enumerate(moves, 1):
            yield folder, ranks, (*sets, f"steps={2 * number}")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of them, in the same four processes."""
    folder = tmp_path_factory.mktemp("layouts")
    Tokenizer(models.WordLevel({f"w{number} ": number for number in range(60)})).save(str(folder / "tokenizer.json"))
    content = (folder / "tokenizer.json").read_bytes()
    written = [
        shard(folder / "shards", "a", split, 0, random_documents(1, documents, 60), 60, content)
        for split, documents in (("train", 40), ("validation", 8))
    ]
    Manifest.build(str(folder / "shards"), written).save()
    # as torchrun has one: a port that is only known to be free is another's by the time it is wanted
    stores = [TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False) for _ in jobs()]
    ports = [store.port for store in stores]
    multiprocessing.start_processes(_process, (ports, folder), nprocs=4, start_method="forkserver")
    return folder


def _process(rank: int, ports: list[int], folder: Path) -> None:
    parallel.POWERSGD_AFTER = 2
    for number, (name, world_size, sets) in enumerate(jobs()):
        if rank >= world_size:
            continue
        os.environ |= {
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": str(world_size),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(ports[number]),
            "TORCHELASTIC_USE_AGENT_STORE": "True",
        }
        if rank == 0 and name == "damaged" and (folder / name).exists():
            flip(folder / name / "checkpoints" / "step-00000004" / "optimizer-00001.safetensors")
        shards, tokenizer, said = str(folder / "shards"), str(folder / "tokenizer.json"), list[str]()
        config = tiny_config(*COMMON, *sets)
        with parallel.start(config) as ranks:
            run = prepare(shards, folder / name, config, tokenizer, ranks, said.append)
            found = whole(run)
            loop.train(run)
            left = whole(run)
        if rank == 0:
            np.savez(folder / f"{name} {number}.npz", **found)
            np.savez(folder / f"{name} {number} left.npz", **left)
        (folder / f"{name} said by rank {rank}").write_text("\n".join(said))
        np.savez(folder / f"{name} of rank {rank}.npz", **left)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def whole(run: Run) -> dict[str, Any]:
    tensors = dict(run.model.named_parameters()) | optimizer_tensors(run.model, run.optimizer)
    return {
        name: (tensor.full_tensor() if isinstance(tensor, DTensor) else tensor).detach().numpy().copy()
        for name, tensor in tensors.items()
    }


def losses(folder: Path) -> list[list[float]]:
    return [[value for value in row.values() if isinstance(value, float)] for row in exact(read_metrics(folder))]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_has_the_losses_and_gradient_norms_of_one_process(runs: Path, layout: str) -> None:
    """Muon's steps are taken in bfloat16, too."""
    other = next((name for name in OTHERS if name in layout), None)
    alone = losses(runs / (f"{other}, one" if other else "one"))
    assert len(alone) == 7
    for one, many in zip(alone, losses(runs / layout), strict=True):
        assert many == pytest.approx(one, rel=1e-2 if other in ("muon", "bfloat16") else 1e-4)


@pytest.mark.parametrize("layout", WATCHED)
def test_every_layout_finds_the_same_documents_in_a_step_that_stands_out_and_goes_back(runs: Path, layout: str) -> None:
    alone, many = (read_decisions(runs / f"watched, {name}") for name in ("one", layout))
    assert any(one.action == "rollback" for one in alone)
    assert [(one.step, one.batch, one.action) for one in many] == [(one.step, one.batch, one.action) for one in alone]
    for here, there in zip(many, alone, strict=True):
        found = [{row["document"]: row["loss"] for row in one.documents} for one in (here, there)]
        assert found[0] == pytest.approx(found[1], rel=1e-3)
    for one, other in zip(losses(runs / "watched, one"), losses(runs / f"watched, {layout}"), strict=True):
        assert other == pytest.approx(one, rel=1e-3)


def test_a_run_that_moves_through_all_layouts_loses_no_bit_on_the_way_and_has_the_losses_of_one_that_stays(
    runs: Path,
) -> None:
    numbers = [number for number, (folder, _, _) in enumerate(jobs()) if folder == "moves"]
    for before, after in pairwise(numbers):
        left, found = (dict(np.load(runs / f"moves {name}.npz")) for name in (f"{before} left", f"{after}"))
        assert len(left) > 60
        assert left.keys() == found.keys()
        assert all(np.array_equal(left[name], found[name]) for name in left)
    for stays, moves in zip(losses(runs / "stays"), losses(runs / "moves"), strict=True):
        assert moves == pytest.approx(stays, rel=1e-4)


def test_a_run_in_shards_ends_with_a_sample_as_any_other(runs: Path) -> None:
    for layout in ("one", "ddp 2", "fsdp 2", "fsdp 2, tensor 2"):
        assert (runs / layout / "sample.txt").exists()


def test_ranks_that_share_a_shard_write_it_once(runs: Path) -> None:
    def values(layout: str) -> dict[str, int]:
        newest = checkpoints(runs / layout / "checkpoints")[0]
        return {path.name: path.stat().st_size for path in newest.glob("*.safetensors")}

    assert set(values("one")) == {"model-00000.safetensors", "optimizer-00000.safetensors"}
    assert set(values("ddp 2")) == set(values("one"))
    assert len(values("fsdp 4")) == len(values("fsdp 2, tensor 2")) == 8
    assert set(values("hsdp 2x2")) == {
        f"{kind}-0000{rank}.safetensors" for kind in ("model", "optimizer") for rank in (0, 1)
    }
    parameters = sum(tensor.size for name, tensor in np.load(runs / "one of rank 0.npz").items() if ":" not in name)
    for layout in LAYOUTS:
        if not any(other in layout for other in OTHERS):
            size = sum(size for name, size in values(layout).items() if name.startswith("model"))
            assert parameters * 4 < size < parameters * 4 + 12_000


def test_a_shard_with_a_flipped_byte_is_named_and_all_ranks_take_the_checkpoint_before(runs: Path) -> None:
    """Its file is proven by the second rank alone."""
    for rank in (0, 1):
        said = (runs / f"damaged said by rank {rank}").read_text()
        assert "step-00000004 is damaged and passed over: optimizer-00001.safetensors does not have its" in said
        assert "after step 2 of 4" in said
    assert losses(runs / "damaged") == losses(runs / "fsdp 2")


@pytest.mark.parametrize(("compress", "near"), [("bfloat16", 1e-2), ("powersgd", 5e-2)])
def test_compressed_gradients_lose_a_little_and_leave_the_ranks_equal(runs: Path, compress: str, near: float) -> None:
    alone, compressed = (dict(enumerate(losses(runs / name))) for name in ("one", compress))
    assert compressed != alone
    assert all(compressed[row][0] == pytest.approx(alone[row][0], rel=near) for row in alone)
    ranks = [dict(np.load(runs / f"{compress} of rank {rank}.npz")) for rank in (0, 1)]
    assert all(np.array_equal(ranks[0][name], ranks[1][name]) for name in ranks[0])


@pytest.mark.parametrize(
    ("ranks", "sets", "message"),
    [
        (3, (FSDP, "parallel.tensor=2"), r"parallel\.tensor is 2: allowed are divisors of the number of ranks \(3\)"),
        (4, (FSDP, "parallel.tensor=4"), r"parallel\.tensor is 4: allowed are divisors of model\.kv_heads \(2\)"),
        (
            2,
            (FSDP, "parallel.tensor=2", "deterministic=false"),
            r"deterministic is False: allowed is True with",
        ),
        (4, (FSDP, "parallel.tensor=2", "precision=float8"), r"precision is 'float8': allowed is 'bfloat16' with"),
        (4, (FSDP, "parallel.shard=3"), r"parallel\.shard is 3: allowed are divisors of ranks / tensor \(4\)"),
        (3, (FSDP,), r"tokens_per_step is 128: allowed are multiples of .*\(48\) with parallel\.strategy fsdp"),
        (16, (), r"tokens_per_step is 128: allowed is at least one window of 16 tokens for each of 16 ranks"),
    ],
)
def test_what_ranks_cannot_share_is_one_line(ranks: int, sets: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parallel.check_ranks(tiny_config(*sets), ranks)


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        (("parallel.shard=2",), r"parallel\.shard is 2: allowed is null with strategy ddp"),
        (("parallel.tensor=2",), r"parallel\.tensor is 2: allowed is 1 with strategy ddp"),
        (
            (FSDP, "parallel.compress=powersgd"),
            r"compress is 'powersgd': allowed is 'none' with strategy fsdp",
        ),
    ],
)
def test_strategies_that_do_not_go_together_are_one_line(sets: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tiny_config(*sets)
