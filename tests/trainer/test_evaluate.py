"""Losses by source, computed by hand, and the command that repeats them for any checkpoint."""

import json
import math
from pathlib import Path

import pytest
import torch
from torch.nn.functional import cross_entropy

from dataprep.shards import Manifest
from tests.trainer.conftest import EOS, random_documents, shard, tiny_config, train_here
from trainer import parallel
from trainer.data.stream import Proof, TokenStream
from trainer.evaluate import Losses, evaluate
from trainer.feed import windows_of
from trainer.model.decoder import Decoder
from trainer.saved.metrics import read_metrics
from trainer.saved.trained import load_trained
from trainer.use.evaluation import Evaluation, evaluate_run

LENGTHS = {"a": 30, "b": 5}


@pytest.fixture
def two_sources(tmp_path: Path) -> Path:
    """Sources of 30 and 5 validation documents, whose text has two bytes a token."""
    folder = tmp_path / "two"
    written = [shard(folder, "a", "train", 0, random_documents(9, 30, 60), 60)]
    for name, count in LENGTHS.items():
        written.append(shard(folder, name, "validation", 0, random_documents(ord(name), count, 60), 60))
    Manifest.build(str(folder), written).save()
    return folder


def losses_of(shards: Path, model: Decoder, tokens: int, proof: Proof | None = None) -> Losses:
    config = tiny_config()
    stream = TokenStream(Manifest.load(str(shards)), "validation", 64, **({"proof": proof} if proof else {}))
    with parallel.start(config) as ranks:
        return evaluate(model, windows_of(stream, config), tokens, 3, ranks)


def model_of() -> Decoder:
    model = Decoder(tiny_config().model, 64)
    model.initialise(3)
    return model


def test_bits_per_byte_of_a_source_is_its_nats_over_its_bytes_counted_by_hand(two_sources: Path) -> None:
    model = model_of()
    losses = losses_of(two_sources, model, 10**9)
    nats_in_all = tokens_in_all = bytes_in_all = 0.0
    before = EOS  # a source's first token follows the last of the source before
    for name, count in LENGTHS.items():
        documents = random_documents(ord(name), count, 60)
        tokens = [token for document in documents for token in (*document.tolist(), EOS)]
        nats = 0.0
        for start in range(0, len(tokens), 16):
            row = torch.tensor([before, *tokens[start : start + 16]])
            nats += cross_entropy(model(row[None, :-1])[0], row[1:], reduction="sum").item()
            before = tokens[start : start + 16][-1]
        size = sum(map(len, documents))
        assert losses.sources[name].nats == pytest.approx(nats / len(tokens), rel=1e-5)
        assert losses.sources[name].bits_per_byte == pytest.approx(nats / math.log(2) / size, rel=1e-5)
        nats_in_all, tokens_in_all, bytes_in_all = nats_in_all + nats, tokens_in_all + len(tokens), bytes_in_all + size
    assert losses.total.nats == pytest.approx(nats_in_all / tokens_in_all, rel=1e-5)
    assert losses.total.bits_per_byte == pytest.approx(nats_in_all / math.log(2) / bytes_in_all, rel=1e-5)


def test_a_sample_weighs_each_source_by_its_tokens_in_the_split(two_sources: Path) -> None:
    manifest = Manifest.load(str(two_sources))
    losses = losses_of(two_sources, model_of(), 200)
    assert losses.total.nats != losses_of(two_sources, model_of(), 10**9).total.nats
    tokens = {name: manifest.totals[name, "validation"].tokens for name in LENGTHS}
    weighed = sum(losses.sources[name].nats * tokens[name] for name in LENGTHS) / sum(tokens.values())
    assert losses.total.nats == pytest.approx(weighed)
    for name, loss in losses.sources.items():
        total = manifest.totals[name, "validation"]
        assert loss.bits_per_byte == pytest.approx(loss.nats / math.log(2) * total.tokens / total.bytes)


def test_tokens_skipped_for_damage_are_left_out_and_a_source_without_any_has_no_loss(two_sources: Path) -> None:
    whole = losses_of(two_sources, model_of(), 10**9)
    path = two_sources / "b" / "validation-00000.arrow"
    content = bytearray(path.read_bytes())
    values = random_documents(ord("b"), 5, 60)[2].astype("uint16").tobytes()
    content[content.index(values)] ^= 1
    path.write_bytes(content)
    losses = losses_of(two_sources, model_of(), 10**9, Proof(1.0, 0, True))
    assert losses.sources["a"].nats == pytest.approx(whole.sources["a"].nats)
    assert math.isnan(losses.sources["b"].nats)
    written = Evaluation(1, losses, {}).to_json()["validation"]
    assert written["validation_loss.b"] is None
    assert written["validation_loss.a"] == losses.sources["a"].nats


def test_evaluating_a_checkpoint_repeats_what_the_run_recorded_at_that_step(two_sources: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    train_here(two_sources, folder, "watch.sample_tokens=0")
    recorded = {row.pop("step"): row for row in read_metrics(folder) if "validation_loss" in row}
    assert list(recorded[3]) == [
        f"validation_{unit}{of}" for of in ("", ".a", ".b") for unit in ("loss", "bits_per_byte")
    ]
    for step in (3, None):
        trained = load_trained(folder, step)
        with parallel.start(trained.config) as ranks:
            evaluate_run(trained, trained.config.evaluate_tokens, {}, ranks)
        written = json.loads((folder / f"evaluation-{step or 8:08d}.json").read_text())
        assert written == {"step": step or 8, "validation": recorded[step or 8], "choices": {}}
    with pytest.raises(ValueError, match="no checkpoint of step 4711; there are 1, 2, 3, 4, 5, 6, 7, 8"):
        load_trained(folder, 4711)


def test_other_shards_than_the_runs_and_none_for_validation_are_refused(shards: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    train_here(shards, folder, "steps=1")
    trained = load_trained(folder)
    other = [shard(shards, "a", "train", 0, random_documents(7, 30, 60), 60)]
    Manifest.build(str(shards), other).save()
    with parallel.start(trained.config) as ranks:
        with pytest.raises(ValueError, match="the run was on"):
            evaluate_run(trained, 100, {}, ranks)
        train_here(shards, tmp_path / "without", "steps=1")
        with pytest.raises(ValueError, match="no tokens in the split 'validation'; allowed is --tokens 0"):
            evaluate_run(load_trained(tmp_path / "without"), 100, {}, ranks)


def test_the_tokenizer_is_asked_for_where_questions_are(shards: Path, tmp_path: Path) -> None:
    train_here(shards, tmp_path / "run", "steps=1")
    trained = load_trained(tmp_path / "run")
    with parallel.start(trained.config) as ranks, pytest.raises(ValueError, match="trained without --tokenizer"):
        evaluate_run(trained, 0, {"q": []}, ranks)
