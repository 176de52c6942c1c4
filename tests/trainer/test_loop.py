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

import numpy as np
import pytest
import torch

from dataprep.shards import Manifest
from tests.trainer.conftest import (
    TINY,
    byte_tokenizer,
    columns_of,
    exact,
    random_documents,
    shard,
    tiny_config,
    train_here,
)
from trainer import files, loop, parallel
from trainer import prepare as made_ready
from trainer.data.stream import TokenStream
from trainer.evaluate import evaluate
from trainer.feed import training_order
from trainer.model.decoder import Decoder
from trainer.model.float8 import Float8Linear, convert
from trainer.optim import optimizer_tensors
from trainer.prepare import Run, prepare
from trainer.saved.checkpoint import checkpoints
from trainer.saved.metrics import read_metrics


def command(shards: Path, folder: Path, *assignments: str) -> list[str]:
    sets = [argument for text in (*TINY, *assignments) for argument in ("--set", text)]
    return [sys.executable, "-m", "trainer", "train", str(shards), "--run", str(folder), *sets]


MIXED = "data.mixture=[{weights: {a: 0.4, b: 0.6}}]"
PACKED = ("data.packing=documents", "data.mask_documents=true")


MUON = ("optimizer.kind=muon", "model.qk_norm=true", "recompute=blocks")


@pytest.mark.parametrize("recipe", [(), (MIXED, *PACKED), MUON], ids=["plain", "packed mixture", "muon"])
def test_interrupted_after_any_step_and_resumed_is_bit_identical_to_uninterrupted(
    shards: Path, tmp_path: Path, recipe: tuple[str, ...]
) -> None:
    whole = train_here(shards, tmp_path / "whole", *recipe)
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
        resumed = train_here(shards, folder, *recipe, before=lambda run, started=started: started.append(run.step))
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


def test_sigterm_saves_and_leaves_cleanly_and_the_same_command_continues(
    shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it runs, nobody else may."""
    many = ("steps=100000", "checkpoint_every=50000", "evaluate_every=50000")
    folder = tmp_path / "run"
    process = subprocess.Popen(command(shards, folder, *many), stdout=subprocess.PIPE, text=True)
    wait_for_metrics(folder, process)
    with monkeypatch.context() as patch:
        patch.setattr(files, "LOCK_SECONDS", 0.0)
        with pytest.raises(ValueError, match="another trainer is at work here"), files.locked(folder):
            pass
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
        assert loop.train(prepare(str(shards), tmp_path / "run", config, None, ranks, said.append))
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


def test_a_run_records_what_it_planned_and_what_it_read_of_each_source(shards: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    train_here(shards, folder, MIXED, *PACKED, "steps=3")
    said: list[str] = []
    config = tiny_config(MIXED, *PACKED)
    with parallel.start(config) as ranks:
        loop.train(prepare(str(shards), folder, config, None, ranks, said.append))
    written = json.loads((folder / "run.json").read_text())
    rows = [row for row in read_metrics(folder) if "loss" in row]
    assert all(row["tokens"] == row["tokens.a"] + row["tokens.b"] for row in rows)
    planned = {source["source"]: source for source in written["plan"]}
    for name, share in (("a", 0.4), ("b", 0.6)):
        achieved = written["achieved"][name]
        assert achieved == sum(row[f"tokens.{name}"] for row in rows)
        assert achieved == pytest.approx(planned[name]["tokens"], rel=0.1)
        assert planned[name]["wanted_share"] == pytest.approx(share)
        assert planned[name]["epochs"] == pytest.approx(planned[name]["tokens"] / planned[name]["available"], abs=0.01)
        assert any(line.split()[:2] == ["read", name] and f"{achieved:,}" in line for line in said)


def test_planned_and_achieved_shares_of_tokens_agree_within_a_thousandth(shards: Path) -> None:
    config = tiny_config(MIXED, *PACKED, "steps=4000")
    order = training_order(TokenStream(Manifest.load(str(shards)), "train", 64), config)
    achieved = {"a": 0, "b": 0}
    for step in range(config.steps):
        for name, tokens in order.windows.targets(order.step(step)).items():
            achieved[name] += tokens
    for plan in order.mixture.plan(config.steps):
        assert plan.share == pytest.approx(plan.wanted_share, rel=1e-3)
        assert achieved[plan.source] / sum(achieved.values()) == pytest.approx(plan.wanted_share, rel=1e-3)


def test_a_mixture_may_change_from_a_step_that_is_not_taken_yet_and_only_from_there(
    shards: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    train_here(shards, folder, MIXED, "steps=3")
    later = "data.mixture=[{weights: {a: 0.4, b: 0.6}}, {from_step: 3, weights: {a: 1}}]"
    train_here(shards, folder, later, "steps=5")
    rows = [row for row in read_metrics(folder) if "loss" in row]
    assert [("tokens.a" in row, "tokens.b" in row) for row in rows] == [(True, True)] * 3 + [(True, False)] * 2
    for other in ("data.mixture=[{weights: {a: 1}}]", MIXED, "data.mixture=[]"):
        with pytest.raises(ValueError, match=r"data\.mixture is .*has taken 5 steps.*others from step 5"):
            train_here(shards, folder, other, "steps=6")
    with pytest.raises(ValueError, match=r"data\.packing is 'documents'"):
        train_here(shards, folder, later, "data.packing=documents", "steps=6")


def test_more_epochs_of_a_source_than_allowed_stop_the_run_before_it_starts(shards: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"data\.max_epochs\.b is 0\.5: .*a share of at most"):
        train_here(shards, tmp_path / "run", MIXED, "data.max_epochs={b: 0.5}")
    assert not (tmp_path / "run").exists()
    with pytest.raises(ValueError, match=r"data\.mixture: no source 'web' in these shards; allowed are a, b"):
        train_here(shards, tmp_path / "run", "data.mixture=[{weights: {web: 1}}]")


@pytest.mark.parametrize("packing", ["windows", "documents"])
def test_a_masked_step_has_the_loss_of_its_documents_each_computed_alone(shards: Path, packing: str) -> None:
    """So the mask is not only made but used, by training and by evaluation."""
    config = tiny_config("data.mask_documents=true", f"data.packing={packing}")
    order = training_order(TokenStream(Manifest.load(str(shards)), "train", 64), config)
    model = Decoder(config.model, 64)
    model.initialise(1)
    windows = order.step(0)
    batch = order.windows.batch(windows)
    alone = 0.0
    for row, column, _, length in columns_of(order.windows.documents.split(order.windows.pieces(windows))):
        part = slice(row, row + 1), slice(column, column + length)
        alone += model(batch.ids_bt[part], batch.targets_bt[part]).item()
    targets = sum(order.windows.targets(windows).values())
    with parallel.start(config) as ranks:
        assert loop.accumulate(model, loop.step_batches(order, 0, 3, ranks)[0], targets, ranks).item() == pytest.approx(
            alone / targets, rel=1e-5
        )
        everything = evaluate(model, order.windows, 10**9, 3, ranks).total.nats
    batch = order.windows.batch(np.arange(order.windows.count))
    with torch.no_grad():
        whole = model(*batch.to(torch.device("cpu"))).item()
    assert everything == pytest.approx(whole / order.windows.stream.tokens, rel=1e-5)


def test_a_step_whose_windows_are_all_padding_changes_no_weight_to_something_not_finite(
    shards: Path, tmp_path: Path
) -> None:
    """Documents of exactly one window: the slack of a packed block is whole windows, and here a step is one window."""
    folder = tmp_path / "shards"
    documents = [np.arange(1, 16)] * 600
    Manifest.build(str(folder), [shard(folder, "a", "train", 0, documents, 60)]).save()
    config = tiny_config(*PACKED, "tokens_per_step=16")
    order = training_order(TokenStream(Manifest.load(str(folder)), "train", 64), config)
    assert order.windows.count == 602
    empty = [step for step in range(602) if not sum(order.windows.targets(order.step(step)).values())]
    assert len(empty) == 2
    with parallel.start(config) as ranks:
        model = Decoder(config.model, 64)
        loss = loop.accumulate(model, loop.step_batches(order, empty[0], 1, ranks)[0], 1, ranks)
    assert loss == 0
    assert all(torch.isfinite(parameter.grad).all() for parameter in model.parameters() if parameter.grad is not None)


def test_a_run_whose_validation_has_no_loss_ends_as_any_other(shards: Path, tmp_path: Path) -> None:
    path = shards / "b" / "validation-00000.arrow"
    content = bytearray(path.read_bytes())
    content[content.index(random_documents(4, 5, 60)[2].astype("uint16").tobytes())] ^= 1
    path.write_bytes(content)
    said: list[str] = []
    config = tiny_config("read.on_damage=skip")
    with parallel.start(config) as ranks:
        assert loop.train(prepare(str(shards), tmp_path / "run", config, None, ranks, said.append))
    assert "validation after  nan nats/token, nan bits/byte (step 8)" in said
    assert (read_metrics(tmp_path / "run")[0])["validation_loss"] is None


def test_a_run_in_float8_ends_with_a_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a CPU, where PyTorch emulates the products and a run would be refused."""
    monkeypatch.setattr(made_ready, "use_float8", lambda model, _device: convert(model))
    byte_tokenizer().save(str(tmp_path / "tokenizer.json"))
    content = (tmp_path / "tokenizer.json").read_bytes()
    folder = tmp_path / "shards"
    Manifest.build(str(folder), [shard(folder, "a", "train", 0, random_documents(1, 20, 257), 257, content)]).save()
    config = tiny_config(
        "precision=float8", "model.width=32", "model.heads=2", "model.kv_heads=1", "model.feed_forward=32", "steps=2"
    )
    with parallel.start(config) as ranks:
        run = prepare(str(folder), tmp_path / "run", config, str(tmp_path / "tokenizer.json"), ranks, lambda _: None)
        assert any(isinstance(part, Float8Linear) for part in run.model.modules())
        assert loop.train(run)
    assert (tmp_path / "run" / "sample.txt").exists()


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
                prepare(str(shards), folder, tiny_config("steps=1"), None, ranks, said.append)
        finally:
            torch.set_num_threads(1)
        changes.append([line for line in said if line.startswith("changed")])
    assert changes == [[], ["changed    threads from 1 to 2: the last bits of losses may differ from here on"]]


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_a_gradient_that_is_not_finite_leaves_parameters_and_optimizer_bit_identical(
    shards: Path, tmp_path: Path, kind: str
) -> None:
    bits: list[list[torch.Tensor]] = []

    def poison(run: Run) -> None:
        step = 0

        def hook(gradient: torch.Tensor) -> torch.Tensor:
            nonlocal step
            step += 1
            if step in (4, 5):  # before the fourth update, and after it has been passed over
                tensors = [*run.model.parameters(), *optimizer_tensors(run.model, run.optimizer).values()]
                bits.append([tensor.detach().clone() for tensor in tensors])
            return gradient * float("inf") if step == 4 else gradient

        run.model.norm.weight.register_hook(hook)

    train_here(shards, tmp_path / "run", "windows_per_pass=8", f"optimizer.kind={kind}", before=poison)
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
