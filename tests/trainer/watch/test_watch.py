"""A planted document makes a step stand out: it is found, named, skipped or gone back from, and a replay agrees."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from dataprep.shards import Manifest
from tests.trainer.conftest import Documents, exact, shard, tiny_config, train_here
from tests.trainer.test_cli import call
from tests.trainer.test_parallel import torchrun
from trainer import loop, parallel
from trainer.data.stream import TokenStream
from trainer.feed import training_order
from trainer.model.decoder import Decoder
from trainer.optim import optimizer_tensors
from trainer.prepare import Run, prepare
from trainer.saved import checkpoint
from trainer.saved.checkpoint import checkpoints
from trainer.saved.metrics import read_metrics
from trainer.use.lookup import documents_of_step
from trainer.watch import trace, watch
from trainer.watch.ledger import read_decisions

BATCH = 23
RECIPE = (
    "data.packing=documents",
    "steps=32",
    "optimizer.learning_rate=0.02",
    "watch.window=8",
    "watch.pass_over=2",
    "checkpoint_every=5",
    "evaluate_every=16",
)
BACK = (*RECIPE, "watch.spike=rollback")


class Spiked(NamedTuple):
    shards: Path
    document: str


def easy(seed: int, count: int) -> Documents:
    """Documents of 15 tokens: 1 2 3 4 5 1 2 …, from anywhere on."""
    starts = np.random.default_rng(seed).integers(0, 5, count).tolist()
    return [np.tile(np.arange(1, 6), 4)[start : start + 15] for start in starts]


def build(folder: Path, documents: Documents) -> Path:
    written = [
        shard(folder, "a", "train", 0, documents[:200], 60),
        shard(folder, "a", "train", 1, documents[200:], 60),
        shard(folder, "a", "validation", 0, easy(3, 8), 60),
    ]
    Manifest.build(str(folder), written).save()
    return folder


def plant(folder: Path, *batches: int) -> Spiked:
    """Easy documents, but for one of rare tokens in each of ``batches``; the id is that of the last."""
    documents = easy(1, 300)
    build(folder, documents)
    order = training_order(TokenStream(Manifest.load(str(folder)), "train", 64), tiny_config(*RECIPE))
    for batch in batches:
        places = order.documents_of(batch)
        number, row = int(places.shard[2]), int(places.document[2])
        documents[200 * number + row] = np.random.default_rng(batch).integers(40, 60, 15)
    shutil.rmtree(folder)
    return Spiked(build(folder, documents), hashlib.md5(f"atrain{number}/{row}".encode()).hexdigest())


@pytest.fixture
def spiked(tmp_path: Path) -> Spiked:
    return plant(tmp_path / "out" / "shards", BATCH)


def rows(folder: Path) -> list[dict[str, Any]]:
    return list(exact(read_metrics(folder)))


def losses(folder: Path) -> list[float]:
    return [row["loss"] for row in rows(folder) if "loss" in row]


def weights(run: Run) -> list[torch.Tensor]:
    state = optimizer_tensors(run.model, run.optimizer)
    tensors = [*run.model.parameters(), *(state[name] for name in sorted(state))]
    return [tensor.detach().clone() for tensor in tensors]


def same(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
    return len(one) == len(other) > 3 and all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("policy", ["ignore", "skip", "rollback"])
def test_the_alarm_names_the_planted_document(spiked: Spiked, tmp_path: Path, policy: str) -> None:
    folder = tmp_path / "run"
    train_here(spiked.shards, folder, *RECIPE, f"watch.spike={policy}")
    (decision,) = read_decisions(folder)
    assert (decision.step, decision.batch, decision.kind, decision.action) == (BATCH + 1, BATCH, "loss", policy)
    assert decision.deviations is not None
    assert decision.deviations > 6
    worst, second = decision.documents[:2]
    assert worst["document"] == spiked.document
    assert worst["loss"] > 5 > second["loss"]
    assert (worst["start"], worst["stop"], worst["source"]) == (0, 16, "a")


def test_a_canary_that_stands_out_is_named_and_not_the_document_it_lies_over(tmp_path: Path) -> None:
    said: list[str] = []
    planted = ("canaries.count=1", "canaries.length=12", f"canaries.from_step={BATCH}", "canaries.repetitions=1")
    config = tiny_config(*RECIPE, *planted, "data.packing=windows", "watch.spike=ignore")
    shards = build(tmp_path / "shards", easy(1, 300))
    with parallel.start(config) as ranks:
        run = prepare(str(shards), tmp_path / "run", config, None, ranks, said.append)
        loop.train(run)
    (decision,) = (one for one in read_decisions(tmp_path / "run") if one.batch == BATCH)
    found = run.watch.canaries.planted(BATCH)
    assert found is not None
    assert f"           the beginning of window {found[1]} is canary 0" in said
    assert all(row["loss"] is None or row["loss"] < 3 for row in decision.documents)
    trace_says = list(documents_of_step(tmp_path / "run", BATCH + 1, 10, with_loss=True))
    assert f"  the beginning of window {found[1]} is canary 0" in trace_says
    assert not any(float(line.split()[0]) > 3 for line in trace_says if "nats/token" in line)


def test_a_skipped_step_leaves_parameters_and_optimizer_bit_identical(spiked: Spiked, tmp_path: Path) -> None:
    run = train_here(spiked.shards, tmp_path / "before", *RECIPE, f"steps={BATCH}", "schedule.shape=wsd")
    before = weights(run)
    run = train_here(spiked.shards, tmp_path / "before", *RECIPE, f"steps={BATCH + 1}", "schedule.shape=wsd")
    assert [row["step"] for row in rows(tmp_path / "before") if row.get("skipped")] == [BATCH + 1]
    assert same(before, weights(run))


def test_going_back_leaves_out_the_batches_and_nothing_of_them_stays(spiked: Spiked, tmp_path: Path) -> None:
    train_here(spiked.shards, tmp_path / "through", *RECIPE, "watch.spike=ignore")
    run = train_here(spiked.shards, tmp_path / "back", *BACK)
    (decision,) = read_decisions(tmp_path / "back")
    assert (decision.passed_from, decision.redo_from) == (BATCH - 1, BATCH - 1)
    seen = [run.watch.ledger.batch(update) for update in range(32)]
    assert seen == [*range(BATCH - 1), *range(BATCH + 1, 34)]
    through, back = losses(tmp_path / "through"), losses(tmp_path / "back")
    assert back[: BATCH - 1] == through[: BATCH - 1]
    assert max(back[BATCH - 1 :]) < through[BATCH] - 0.5
    assert [row["step"] for row in rows(tmp_path / "back") if "loss" in row] == list(range(1, 33))


@pytest.mark.parametrize("policy", ["skip", "rollback"])
@pytest.mark.parametrize("recorded", [True, False])
def test_a_replay_agrees_bit_for_bit_from_the_beginning_and_from_every_checkpoint(
    spiked: Spiked, tmp_path: Path, policy: str, recorded: bool
) -> None:
    recipe = (*RECIPE, f"watch.spike={policy}")
    whole = train_here(spiked.shards, tmp_path / "whole", *recipe)
    expected, decided = rows(tmp_path / "whole"), read_decisions(tmp_path / "whole")
    for step in (0, 20, 25):
        folder = tmp_path / f"from-{step}"
        shutil.copytree(tmp_path / "whole", folder)
        for path in checkpoints(folder / "checkpoints"):
            if int(path.name.removeprefix("step-")) > step or not step:
                shutil.rmtree(path)
        if not recorded:
            (folder / "decisions.jsonl").unlink()
        resumed = train_here(spiked.shards, folder, *recipe)
        assert rows(folder) == expected
        assert same(weights(whole), weights(resumed))
        assert [(one.batch, one.action, one.passed_from) for one in resumed.watch.ledger.decisions] == [
            (one.batch, one.action, one.passed_from) for one in decided
        ]


def test_what_was_decided_stands_under_another_policy(spiked: Spiked, tmp_path: Path) -> None:
    train_here(spiked.shards, tmp_path / "run", *BACK)
    expected = rows(tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    train_here(spiked.shards, tmp_path / "run", *RECIPE, "watch.spike=ignore", "watch.deviations=1000000")
    assert rows(tmp_path / "run") == expected


def test_going_back_to_the_very_beginning_leaves_nothing_of_the_optimizer_either(
    spiked: Spiked, tmp_path: Path
) -> None:
    """Before the first update it has no state, so none is in the checkpoint to lie over what there is."""
    recipe = (*BACK, "checkpoint_every=1000")
    back = train_here(spiked.shards, tmp_path / "run", *recipe)
    assert any(one.action == "rollback" for one in read_decisions(tmp_path / "run"))
    expected = rows(tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    replayed = train_here(spiked.shards, tmp_path / "run", *recipe)
    assert rows(tmp_path / "run") == expected
    assert same(weights(back), weights(replayed))


@pytest.mark.parametrize("removed", [None, 0, 1])
def test_a_run_killed_between_its_decision_and_going_back_goes_back_when_it_starts_again(
    spiked: Spiked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, removed: int | None
) -> None:
    """``checkpoint_every`` 1: checkpoints of the batches that are left out are the newest there are. ``removed``: so
    many of them are gone when it is killed; None: it has said what it will do.
    """
    recipe = (*BACK, "checkpoint_every=1", "watch.pass_over=3")
    train_here(spiked.shards, tmp_path / "whole", *recipe)
    left, remove = removed, checkpoint._remove

    def kill(line: str) -> None:
        if removed is None and "stands out" in line:
            raise KeyboardInterrupt

    def counted(path: Path) -> None:
        nonlocal left
        if left == 0:
            raise KeyboardInterrupt
        left = left and left - 1
        remove(path)

    config, folder = tiny_config(*recipe), tmp_path / "killed" / "checkpoints"
    with monkeypatch.context() as patch, parallel.start(config) as ranks, pytest.raises(KeyboardInterrupt):
        patch.setattr(checkpoint, "_remove", counted)
        loop.train(prepare(str(spiked.shards), tmp_path / "killed", config, None, ranks, kill))
    assert checkpoints(folder)[0].name == f"step-{BATCH - (removed or 0):08d}"
    started: list[tuple[int, str]] = []
    train_here(
        spiked.shards,
        tmp_path / "killed",
        *recipe,
        before=lambda run: started.append((run.step, checkpoints(folder)[0].name)),
    )
    assert started == [(BATCH - 2, f"step-{BATCH - 2:08d}")]
    assert rows(tmp_path / "killed") == rows(tmp_path / "whole")


def test_two_ranks_decide_as_one(spiked: Spiked, tmp_path: Path) -> None:
    train_here(spiked.shards, tmp_path / "one", *BACK)
    torchrun(2, spiked.shards, tmp_path / "two", *BACK)
    (alone,), (together,) = read_decisions(tmp_path / "one"), read_decisions(tmp_path / "two")
    assert (together.batch, together.action, together.passed_from) == (alone.batch, "rollback", alone.passed_from)
    assert together.documents[0]["document"] == alone.documents[0]["document"] == spiked.document
    assert together.documents[0]["loss"] == pytest.approx(alone.documents[0]["loss"], rel=1e-4)
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), rel=1e-3)


def test_without_a_checkpoint_to_go_back_to_the_step_is_skipped(spiked: Spiked, tmp_path: Path) -> None:
    recipe = (*BACK, "checkpoint_every=1000")
    train_here(spiked.shards, tmp_path / "run", *recipe, f"steps={BATCH}", "schedule.shape=wsd")
    shutil.rmtree(tmp_path / "run" / "checkpoints" / "step-00000000")
    train_here(spiked.shards, tmp_path / "run", *recipe, "schedule.shape=wsd")
    (decision,) = read_decisions(tmp_path / "run")
    assert (decision.step, decision.action) == (BATCH + 1, "skip")


def test_where_all_checkpoints_to_go_back_to_are_damaged_the_run_ends_and_says_so(
    spiked: Spiked, tmp_path: Path
) -> None:
    def damage(line: str) -> None:
        if "stands out" in line:
            for path in checkpoints(tmp_path / "run" / "checkpoints"):
                (path / "index.json").write_bytes(b"{}")

    config = tiny_config(*BACK)
    with parallel.start(config) as ranks, pytest.raises(watch.DivergedError, match=r"none of 5 checkpoints is whole"):
        loop.train(prepare(str(spiked.shards), tmp_path / "run", config, None, ranks, damage))


def test_a_new_level_is_gone_back_from_three_times_and_then_gone_through(tmp_path: Path) -> None:
    planted = range(BATCH, BATCH + 5)
    shards = plant(tmp_path / "shards", *planted).shards
    train_here(shards, tmp_path / "run", *BACK, "watch.pass_over=1")
    decisions = read_decisions(tmp_path / "run")
    assert [(one.batch, one.action) for one in decisions][:4] == [
        *((batch, "rollback") for batch in planted[:3]),
        (BATCH + 3, "ignore"),
    ]
    expected = rows(tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    train_here(shards, tmp_path / "run", *BACK, "watch.pass_over=1")
    assert rows(tmp_path / "run") == expected
    assert read_decisions(tmp_path / "run") == decisions


def test_a_run_whose_gradients_stay_infinite_stops_and_says_so(spiked: Spiked, tmp_path: Path) -> None:
    def poison(run: Run) -> None:
        run.model.norm.weight.register_hook(lambda gradient: gradient * torch.inf)

    with pytest.raises(watch.DivergedError, match="the last 8 steps were all skipped"):
        train_here(spiked.shards, tmp_path / "run", *RECIPE, before=poison)
    assert [one.kind for one in read_decisions(tmp_path / "run")] == ["not finite"] * 8


def parquet(out: Path, document: str) -> None:
    folder = out / "unique" / "kept"
    folder.mkdir(parents=True)
    table = pa.table(
        {
            "id": pa.array([bytes(16), bytes.fromhex(document)], pa.binary(16)),
            "url": ["https://example.org/other", "https://example.org/<b>spike</b>"],
            "locator": ["x", "dump.warc.gz:123"],
        }
    )
    pq.write_table(table, folder / "part-0.parquet")


def test_trace_and_report_give_url_and_locator_and_escape_them(
    spiked: Spiked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    parquet(spiked.shards.parent, spiked.document)
    folder = tmp_path / "run"
    train_here(spiked.shards, folder, *BACK, "canaries.count=1", "canaries.length=4", "canaries.repetitions=1")
    assert watch.read_origins(folder)[spiked.document]["locator"] == "dump.warc.gz:123"
    assert call(monkeypatch, "trace", folder, "--step", BATCH + 1, "--loss", "--top", 2) == 0
    said = capsys.readouterr().out.splitlines()
    assert f"saw batch {BATCH} and stood out (loss): rollback" in said[0]
    assert spiked.document in said[1]
    assert "https://example.org/<b>spike</b>  dump.warc.gz:123" in said[1]
    assert f"sees batch {BATCH + 2}" in said[3]
    assert f"as the model of step {BATCH - 3} finds them" in said[3]
    assert len(said) == 6
    assert call(monkeypatch, "trace", folder, "--step", 1) == 0
    assert "is canary 0" in capsys.readouterr().out
    assert call(monkeypatch, "trace", folder, "--step", 33) == 2
    assert "--step 33: allowed is 1 to 32" in capsys.readouterr().err
    assert call(monkeypatch, "report", folder) == 0
    page = (folder / "report.html").read_text()
    assert "https://example.org/&lt;b&gt;spike&lt;/b&gt;" in page
    assert "<b>" not in page
    for wanted in (spiked.document, "Canaries", "Source a", "J a useful token", "environment.python", "<polyline"):
        assert wanted in page


def test_a_look_up_ends_with_the_file_it_is_in_when_the_run_is_told_to_stop(spiked: Spiked) -> None:
    parquet(spiked.shards.parent, spiked.document)
    folder = spiked.shards.parent / "unique" / "kept"
    shutil.copy(folder / "part-0.parquet", folder / "part-1.parquet")
    asked = 0

    def told(after: int) -> bool:
        nonlocal asked
        asked += 1
        return asked > after

    shards, elsewhere = str(spiked.shards), "f" * 32
    assert set(trace.origins(shards, [spiked.document, elsewhere])) == {spiked.document}
    assert set(trace.origins(shards, [spiked.document, elsewhere], lambda: told(1))) == {spiked.document}
    assert asked == 2
    assert trace.origins(shards, [spiked.document], lambda: True) == {}


def test_trace_finds_for_every_step_the_documents_that_the_batch_was_made_of(spiked: Spiked) -> None:
    config = tiny_config(*RECIPE)
    order = training_order(TokenStream(Manifest.load(str(spiked.shards)), "train", 64), config)
    model = Decoder(config.model, 64)
    model.initialise(1)
    with parallel.start(config) as ranks:
        batches, targets = loop.step_batches(order, BATCH, 3, ranks)
        found = trace.token_losses(model, batches, 8, ranks)
        loss = loop.accumulate(model, batches, sum(targets.values()), ranks).item()
    assert np.nanmean(found) == pytest.approx(loss, rel=1e-5)
    targets_wt = torch.cat([batch.targets_bt for batch in batches]).numpy()
    pieces = sorted(trace.pieces(order, BATCH, found), key=lambda piece: piece.window)
    at = dict.fromkeys(range(8), 0)
    for piece in pieces:  # one document of 16 tokens fills a window here
        (info,) = (each for each in order.windows.stream.shards if each.path == piece.shard)
        tokens = order.windows.stream.manifest.open(info).document(piece.row)[piece.start : piece.stop]
        place = slice(at[piece.window], at[piece.window] + len(tokens))
        at[piece.window] = place.stop
        assert targets_wt[piece.window, place].tolist() == tokens.tolist()
        assert piece.loss == pytest.approx(found[piece.window, place].mean(dtype=np.float64))
    assert sum(at.values()) == sum(targets.values())


def test_energy_and_useful_tokens_are_carried_across_restarts(spiked: Spiked, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    train_here(spiked.shards, folder, *BACK, "cost.price_per_hour=36", "steps=10", "schedule.shape=wsd")
    first = json.loads((folder / "run.json").read_text())["usage"]
    with parallel.start(config := tiny_config(*BACK, "schedule.shape=wsd")) as ranks:
        prepare(str(spiked.shards), folder, config, None, ranks, lambda _line: None)
    assert json.loads((folder / "run.json").read_text())["usage"] == first  # a start that was killed at once
    train_here(spiked.shards, folder, *BACK, "cost.price_per_hour=36", "schedule.shape=wsd")
    second = json.loads((folder / "run.json").read_text())["usage"]
    steps = [row for row in rows(folder) if "loss" in row]
    assert (first["starts"], second["starts"]) == (1, 2)
    assert second["useful_tokens"] == sum(row["tokens"] for row in steps)
    (decision,) = read_decisions(folder)
    redone = decision.step - 20  # the checkpoint of step 20 is the newest from before
    assert second["tokens"] == second["useful_tokens"] + 128 * redone
    assert second["seconds"] > first["seconds"] > 0
    assert 0 < second["goodput"] < 1
    assert second["money"] == pytest.approx(second["device_hours"] * 36)
    assert second["joules"] > first["joules"] > 0
    assert second["joules_per_token"] < second["joules_per_useful_token"]
    assert second["kwh"] == pytest.approx(second["joules"] / 3.6e6)


def test_a_document_without_a_finite_loss_is_named_first(spiked: Spiked) -> None:
    order = training_order(TokenStream(Manifest.load(str(spiked.shards)), "train", 64), tiny_config(*RECIPE))
    losses = np.full((8, 16), 2.0, np.float32)
    losses[0] = 9.0
    losses[5, 3] = np.inf
    first, second, *_ = trace.pieces(order, BATCH, losses)
    assert (first.window, first.loss, second.window) == (5, None, 0)
    losses[:] = np.nan
    assert {piece.loss for piece in trace.pieces(order, BATCH, losses)} == {None}


def test_no_record_lets_a_gradient_through_that_is_not_finite(spiked: Spiked, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    train_here(spiked.shards, folder, *RECIPE, "watch.spike=ignore")
    shutil.rmtree(folder / "checkpoints")

    def poison(run: Run) -> None:
        run.model.norm.weight.register_hook(lambda gradient: gradient * torch.inf if run.step == BATCH else gradient)

    run = train_here(spiked.shards, folder, *RECIPE, "watch.spike=ignore", before=poison)
    assert [(one.kind, one.action) for one in read_decisions(folder)] == [("not finite", "skip")]
    assert all(torch.isfinite(tensor).all() for tensor in weights(run))
