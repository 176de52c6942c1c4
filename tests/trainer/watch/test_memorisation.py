"""What the model knows by heart is found: canaries, repeated windows, texts."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dataprep.shards import Manifest
from tests.trainer.conftest import EOS, random_documents, tiny_config, train_here
from tests.trainer.watch.test_watch import build, easy
from trainer import loop, parallel
from trainer.config import CanaryConfig, TrainConfig
from trainer.data.batches import IGNORE, TrainingOrder
from trainer.data.stream import TokenStream
from trainer.feed import training_order
from trainer.prepare import prepare
from trainer.saved.metrics import read_metrics
from trainer.use.sample import Sampling, continue_ids
from trainer.watch.memorisation import CONTROLS, DETECTED, Canaries, extractable, samples

CANARY = CanaryConfig(count=2, length=6, every=4, repetitions=3, from_step=2)


def order_of(shards: Path, config: TrainConfig) -> TrainingOrder:
    return training_order(TokenStream(Manifest.load(str(shards)), "train", 64), config)


def canaries(seed: int = 1) -> Canaries:
    return Canaries(CANARY, seed, 60, EOS, 8)


def test_canaries_are_random_have_no_eos_and_follow_from_the_seed() -> None:
    one, other = canaries(), canaries(2)
    assert one.sequences.shape == (2 + CONTROLS, 6)
    assert np.array_equal(one.sequences, canaries().sequences)
    assert not np.array_equal(one.sequences, other.sequences)
    assert (one.sequences.min(), one.sequences.max()) == (1, 59)


def test_each_canary_is_planted_at_its_batches_and_never_more_often_than_said() -> None:
    mine = canaries()
    planted = {batch: found[0] for batch in range(40) if (found := mine.planted(batch))}
    assert planted == {2: 0, 3: 1, 6: 0, 7: 1, 10: 0, 11: 1}
    for batch in range(40):
        before = [planted[earlier] for earlier in range(batch) if earlier in planted]
        assert mine.repetitions(batch) == [before.count(0), before.count(1)]


@pytest.mark.parametrize("recipe", [(), ("data.packing=documents", "data.mask_documents=true")])
def test_a_canary_takes_the_beginning_of_its_window_on_any_number_of_ranks(shards: Path, recipe: tuple[str]) -> None:
    config, mine = tiny_config(*recipe), canaries()
    order = order_of(shards, config)
    found = mine.planted(3)
    assert found is not None
    number, window = found
    for world_size in (1, 2, 4):
        for rank in range(world_size):
            ranks = parallel.Ranks(rank, world_size, torch.device("cpu"), None)
            plain, targets = loop.step_batches(order, 3, 2, ranks)
            with_it, same_targets = loop.step_batches(order, 3, 2, ranks, mine)
            assert targets == same_targets
            ids, before = (torch.cat([batch.ids_bt for batch in each]) for each in (with_it, plain))
            goals, goals_before = (torch.cat([batch.targets_bt for batch in each]) for each in (with_it, plain))
            for row in range(len(ids)):
                if rank + row * world_size != window:
                    assert torch.equal(ids[row], before[row])
                    assert torch.equal(goals[row], goals_before[row])
                    continue
                sequence = [*mine.sequences[number].tolist(), EOS]
                assert goals[row].tolist() == [
                    IGNORE if old == IGNORE else new
                    for old, new in zip(
                        goals_before[row].tolist(), sequence + goals_before[row, 7:].tolist(), strict=True
                    )
                ]
                assert ids[row].tolist() == [EOS, *sequence, *before[row, 8:].tolist()]
                if recipe:
                    positions = torch.cat([batch.positions_bt for batch in with_it if batch.positions_bt is not None])
                    assert positions[row, :8].tolist() == [*range(7), 0]
                    steps = positions[row].diff()
                    assert bool(((steps == 1) | (positions[row, 1:] == 0)).all())


def test_a_canary_is_detected_before_its_fourth_repetition_and_an_unplanted_one_is_not(tmp_path: Path) -> None:
    said: list[str] = []
    config = tiny_config(
        "model.width=64",
        "optimizer.learning_rate=0.01",
        "canaries.count=2",
        "canaries.length=12",
        "canaries.every=6",
        "canaries.from_step=8",
        "steps=27",
        "schedule.shape=wsd",
        "evaluate_every=3",
        "checkpoint_every=28",
        "watch.sample_tokens=0",
    )
    shards = build(tmp_path / "shards", easy(1, 300))
    with parallel.start(config) as ranks:
        run = prepare(str(shards), tmp_path / "run", config, None, ranks, said.append)
        loop.train(run)
        unplanted = Canaries(config.canaries, 99, 60, EOS, 8).exposures(run.model, ranks)
    assert max(unplanted) < DETECTED
    rows = [row for row in read_metrics(tmp_path / "run") if "canary_exposure.0" in row]
    for canary in ("0", "1"):
        curve = [(row[f"canary_repetitions.{canary}"], row[f"canary_exposure.{canary}"]) for row in rows]
        assert max(bits for times, bits in curve if times == 0) < DETECTED
        assert max(bits for times, bits in curve if times == 3) > DETECTED
        (line,) = (line for line in said if f"canary {canary} is remembered after" in line)
        assert int(line.partition("after ")[2].split()[0]) <= 3


def test_what_was_seen_and_what_comes_next_are_told_apart_by_the_order(shards: Path) -> None:
    order = order_of(shards, tiny_config())
    history: list[int] = []
    times = set()
    for batch in range(24):
        for sample in samples(order, batch, 200):
            assert {history.count(window) for window in sample.seen.tolist()} == {sample.times}
            assert {history.count(window) for window in sample.coming.tolist()} == {sample.times - 1}
            assert len(set(sample.seen.tolist())) == len(sample.seen)
            times.add(sample.times)
        history += order.step(batch).tolist()
    assert samples(order, 0, 200) == []
    assert times == {1, 2, 3, 4}


def test_a_text_is_extractable_exactly_when_greedy_decoding_writes_it(tmp_path: Path) -> None:
    """Half of the texts can be learnt, the others are random."""
    random = [np.resize(document, 40) for document in random_documents(1, 120, 60)]
    documents = [*[np.tile(np.arange(1, 6), 8)] * 120, *random]
    shards = build(tmp_path / "shards", documents)
    recipe = ("steps=40", "optimizer.learning_rate=0.02", "evaluate_every=40", "checkpoint_every=40")
    run = train_here(shards, tmp_path / "run", *recipe, "watch.suffix=2", "watch.prompts=[3, 6, 100]")
    sample = np.arange(run.order.windows.count)
    found = extractable(run.model, run.order.windows, sample, run.config.watch, run.ranks)
    assert set(found) == {3, 6}
    for prompt, (came_out, asked) in found.items():
        windows = run.order.windows.batch(sample).targets_bt[:, -(prompt + 2) :].tolist()
        texts = [tokens for tokens in windows if EOS not in tokens and IGNORE not in tokens]
        greedy = continue_ids(run.model, [tokens[:prompt] for tokens in texts], 60, EOS, Sampling(2, temperature=0))
        right = sum(
            list(written) == tokens[prompt:] for written, tokens in zip(zip(*greedy, strict=True), texts, strict=True)
        )
        assert (came_out, asked) == (right, len(texts))
        assert 0 < right < len(texts)
    last = read_metrics(tmp_path / "run")[-1]
    assert 0 < last["extractable.seen.6"] < 1
    assert last["seen_loss.a"] != last["coming_loss.a"]
