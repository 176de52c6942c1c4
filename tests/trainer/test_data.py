"""The batch of step t is a function of (manifest, seed, t); every token is a target exactly once in an epoch."""

import ast
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import trainer.data
import trainer.permutation
import trainer.stream
from dataprep.shards import Manifest, open_shard
from dataprep.shards.layout import ShardInfo
from tests.trainer.conftest import EOS, random_documents, shard
from trainer.data import (
    IGNORE,
    TrainingOrder,
    Windows,
    evaluation_windows,
)
from trainer.permutation import permute
from trainer.stream import DamagedShardError, TokenStream

CONTEXT = 16


def order_of(shards: Path, seed: int = 7, windows_per_step: int = 5) -> TrainingOrder:
    return TrainingOrder(Windows(TokenStream(Manifest.load(str(shards)), "train", 64), CONTEXT), seed, windows_per_step)


def whole_stream(shards: Path) -> np.ndarray:
    manifest = Manifest.load(str(shards))
    return np.concatenate([manifest.open(info).tokens for info in manifest.select("train")]).astype(np.int64)


@given(st.integers(1, 3000), st.text(max_size=5))
def test_the_order_of_an_epoch_is_a_bijection_for_every_size_and_key(size: int, key: str) -> None:
    assert np.array_equal(np.sort(permute(np.arange(size), size, key)), np.arange(size))


@given(st.integers(1, 1 << 45), st.integers(0, 1 << 62), st.text(max_size=5))
def test_a_window_number_does_not_depend_on_what_else_is_asked(size: int, index: int, key: str) -> None:
    asked = np.array([index % size, 0, size - 1])
    together = permute(asked, size, key)
    assert together.tolist() == [permute(asked[i : i + 1], size, key)[0] for i in range(3)]
    assert (together >= 0).all()
    assert (together < size).all()


def test_the_order_mixes_the_whole_stream() -> None:
    image = permute(np.arange(10_000), 10_000, "key")
    assert abs(np.corrcoef(np.arange(10_000), image)[0, 1]) < 0.05
    assert np.count_nonzero(np.abs(np.diff(image)) == 1) < 20


@pytest.mark.parametrize("world_size", [1, 2, 3, 4])
def test_every_token_is_a_target_exactly_once_in_an_epoch_at_any_world_size(shards: Path, world_size: int) -> None:
    order = order_of(shards, windows_per_step=4)
    stream = whole_stream(shards)
    count = order.windows.count
    assert len(stream) % CONTEXT, "the last window must be short for this test to mean anything"
    seen: list[int] = []
    targets = np.zeros(64, np.int64)
    for step in range(-(-count // 4)):
        for rank in range(world_size):
            share = order.share(step, rank, world_size)
            position = np.arange(step * 4, step * 4 + 4)[rank::world_size]
            batch = order.windows.batch(share[position < count])
            seen += batch.windows.tolist()
            valid = batch.targets_bt.numpy()
            targets += np.bincount(valid[valid != IGNORE], minlength=64)
    assert sorted(seen) == list(range(count))
    assert np.array_equal(targets, np.bincount(stream, minlength=64))


def test_the_windows_in_order_are_the_stream_and_inputs_are_the_tokens_before_their_targets(shards: Path) -> None:
    windows = order_of(shards).windows
    stream = whole_stream(shards)
    batch = windows.batch(np.arange(windows.count))
    valid = batch.targets_bt.numpy() != IGNORE
    assert np.array_equal(batch.targets_bt.numpy()[valid], stream)
    assert np.array_equal(batch.ids_bt.numpy()[valid], np.concatenate([[EOS], stream[:-1]]))
    assert valid[:-1].all()
    assert valid.sum() == sum(windows.targets(np.arange(windows.count)).values()) == len(stream)


@pytest.mark.parametrize("world_size", [2, 3, 4, 8])
def test_another_world_size_gives_the_same_global_batches(shards: Path, world_size: int) -> None:
    order = order_of(shards, windows_per_step=9)
    for step in (0, 1, 5, 1000):
        shares = [order.share(step, rank, world_size) for rank in range(world_size)]
        assert sorted(np.concatenate(shares).tolist()) == sorted(order.share(step, 0, 1).tolist())


def test_step_t_needs_no_step_before_it(shards: Path) -> None:
    order = order_of(shards)
    walked = [order.step(step).tolist() for step in range(60)]
    assert order_of(shards).step(47).tolist() == walked[47]


def test_two_epochs_differ_in_order_and_both_can_be_reproduced(shards: Path) -> None:
    def epochs(seed: int) -> list[list[int]]:
        order = order_of(shards, seed)
        count = order.windows.count
        flat = np.concatenate([order.step(step) for step in range(-(-2 * count // 5))])
        return [flat[:count].tolist(), flat[count : 2 * count].tolist()]

    first, second = epochs(7)
    assert sorted(first) == sorted(second) == list(range(len(first)))
    assert first != second
    assert epochs(7) == [first, second]
    assert epochs(8)[0] != first


def test_a_token_id_the_model_has_no_row_for_is_refused_with_the_file_and_the_limit(shards: Path) -> None:
    largest = max(info.largest_id for info in Manifest.load(str(shards)).select("train"))
    with pytest.raises(ValueError, match=rf"a/train-00000.arrow.*{largest}.*0 to 39"):
        TokenStream(Manifest.load(str(shards)), "train", 40)
    TokenStream(Manifest.load(str(shards)), "train", largest + 1)


def test_one_flipped_byte_in_a_shard_is_named_before_it_is_trained_on(shards: Path) -> None:
    path = shards / "b" / "train-00000.arrow"
    tokens = open_shard(str(path)).tokens.tobytes()
    content = bytearray(path.read_bytes())
    content[content.index(tokens) + 100] ^= 1
    path.write_bytes(content)
    windows = order_of(shards).windows
    windows.batch(np.array([0]))
    with pytest.raises(DamagedShardError, match=r"b/train-00000\.arrow.*tokens\.values"):
        windows.batch(np.array([windows.count - 1]))


def test_a_window_may_span_shards(tmp_path: Path) -> None:
    written = [shard(tmp_path, "a", "train", i, random_documents(i, 1, 60, 4), 60) for i in range(12)]
    Manifest.build(str(tmp_path), written).save()
    windows = order_of(tmp_path).windows
    batch = windows.batch(np.arange(windows.count))
    assert np.array_equal(batch.targets_bt.numpy()[batch.targets_bt.numpy() != IGNORE], whole_stream(tmp_path))


def test_an_order_over_a_trillion_tokens_takes_no_memory_to_speak_of() -> None:
    listed = tuple(
        ShardInfo(f"s/train-{i:05d}.arrow", "s", "train", 1, 10**8, 4 * 10**8, 9, "uint16", "", "")
        for i in range(10_000)
    )
    manifest = Manifest("nowhere", "", 10, EOS, listed, {})
    tracemalloc.start()
    try:
        order = TrainingOrder(Windows(TokenStream(manifest, "train", 64), 2048), 1, 256)
        assert len(set(order.step(10**6).tolist())) == 256
        assert order.windows.stream.tokens == 10**12
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
    finally:
        tracemalloc.stop()


def test_evaluation_reads_the_same_windows_every_time_and_no_window_twice(shards: Path) -> None:
    windows = order_of(shards).windows
    sample = evaluation_windows(windows, 10 * CONTEXT)
    assert len(set(sample.tolist())) == 10
    assert np.array_equal(sample, evaluation_windows(windows, 10 * CONTEXT))
    assert len(evaluation_windows(windows, 10**9)) == windows.count


def test_an_empty_split_is_refused_by_name(shards: Path) -> None:
    stream = TokenStream(Manifest.load(str(shards)), "test", 64)
    with pytest.raises(ValueError, match="no tokens in the split 'test'"):
        TrainingOrder(Windows(stream, CONTEXT), 1, 1)


def test_the_loader_imports_only_numpy_torch_and_shards() -> None:
    foreign = set()
    for module in (trainer.data, trainer.permutation, trainer.stream):
        tree = ast.parse(Path(module.__file__).read_text())
        imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        foreign |= {name for name in imported if name.split(".")[0] not in sys.stdlib_module_names}
    assert {name for name in foreign if not name.startswith(("dataprep.shards", "trainer."))} == {
        "numpy",
        "numpy.typing",
        "torch",
    }
    loaded = (
        "import sys, trainer.data; print([m for m in ('apache_beam', 'tokenizers', 'pydantic') if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
