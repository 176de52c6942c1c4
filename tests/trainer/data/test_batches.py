"""The batch of step t is a function of (manifest, recipe, seed, t); each token is a target exactly once in an epoch."""

import ast
import subprocess
import sys
import tracemalloc
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import trainer.data.batches
import trainer.data.documents
import trainer.data.mixture
import trainer.data.packing
import trainer.data.permutation
import trainer.data.stream
from dataprep.shards import Manifest, open_shard
from dataprep.shards.layout import ShardInfo
from tests.trainer.conftest import EOS, columns_of, random_documents, shard
from trainer.data.batches import (
    IGNORE,
    TrainingOrder,
    Windows,
    evaluation_windows,
)
from trainer.data.permutation import permute
from trainer.data.prefetch import Prefetch
from trainer.data.stream import DamagedShardError, TokenStream
from trainer.feed import step_batches
from trainer.parallel import Ranks

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
            share = order.share(order.step(step), rank, world_size)
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
    assert (~valid.all(1)).sum() == 2, "only the last window of each source is short"
    assert valid.sum() == sum(windows.targets(np.arange(windows.count)).values()) == len(stream)


@pytest.mark.parametrize("world_size", [2, 3, 4, 8])
def test_another_world_size_gives_the_same_global_batches(shards: Path, world_size: int) -> None:
    order = order_of(shards, windows_per_step=9)
    for step in (0, 1, 5, 1000):
        shares = [order.share(order.step(step), rank, world_size) for rank in range(world_size)]
        assert sorted(np.concatenate(shares).tolist()) == sorted(order.step(step).tolist())


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


@pytest.mark.parametrize("packing", ["windows", "documents"])
@pytest.mark.parametrize("mixed", [False, True])
def test_an_order_over_a_trillion_tokens_takes_no_memory_to_speak_of(
    packing: Literal["windows", "documents"], mixed: bool
) -> None:
    listed = tuple(
        ShardInfo(f"{s}/train-{i:05d}.arrow", s, "train", 1, 61_035_157, 1, 9, "uint16", "", "")
        for s in "abcd"
        for i in range(4_096)
    )
    manifest = Manifest("nowhere", "", 10, EOS, listed, {})
    tracemalloc.start()
    try:
        windows = Windows(TokenStream(manifest, "train", 64), 2048, packing=packing)
        phases = [(0, {"a": 0.7, "b": 0.2, "c": 0.1}), (900_000, {"c": 1, "d": 2})] if mixed else []
        order = TrainingOrder(windows, 1, 256, phases)
        assert len(set(order.step(10**6).tolist())) == 256
        assert windows.stream.tokens > 10**12 - 10**8
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
    finally:
        tracemalloc.stop()


PHASES = ((0, {"a": 0.3, "b": 0.7}), (4, {"a": 0.8, "b": 0.2}))


def recipe_order(shards: Path, packing: Any, phases: Any, windows_per_step: int = 16) -> TrainingOrder:
    stream = TokenStream(Manifest.load(str(shards)), "train", 64)
    windows = Windows(stream, CONTEXT, packing=packing, mask_documents=True)
    return TrainingOrder(windows, 7, windows_per_step, phases or ())


def flat(batches: list[Any]) -> Tensor:
    """Ids, targets and positions of all rows, [3, B, T]."""
    rows = [torch.stack([b.ids_bt, b.targets_bt, b.positions_bt]) for b in batches]
    return torch.cat(rows, 1)


@pytest.mark.parametrize("packing", ["windows", "documents"])
@pytest.mark.parametrize("phases", [None, PHASES], ids=["as it is", "mixture"])
@pytest.mark.parametrize("workers", [0, 2, 4])
@pytest.mark.parametrize("world_size", [1, 2, 4, 8])
def test_any_world_size_workers_and_interruptions_give_the_global_batches_of_one_uninterrupted_process(
    shards: Path, world_size: int, workers: int, phases: Any, packing: Any
) -> None:
    """Ranks read their shares in passes of 1 to 4 windows, and start anew at random steps with nothing but the step."""
    whole = recipe_order(shards, packing, phases)
    expected = [flat([whole.windows.batch(whole.step(step))]) for step in range(12)]
    draw = np.random.default_rng(100 * world_size + workers)
    for rank in range(world_size):
        ranks = Ranks(rank, world_size, torch.device("cpu"), None)
        order, step = recipe_order(shards, packing, phases), 0
        while step < 12:
            per_pass = int(draw.integers(1, 5))
            until = min(12, step + int(draw.integers(1, 6)))
            make = partial(step_batches, order, windows_per_pass=per_pass, ranks=ranks)
            with Prefetch(make, step, until, workers, ahead=3) as steps:
                for at, (batches, targets) in zip(range(step, until), steps, strict=True):
                    assert torch.equal(flat(batches), expected[at][:, rank::world_size])
                    assert sum(targets.values()) == int((expected[at][1] != IGNORE).sum())
            step, order = until, recipe_order(shards, packing, phases)


@pytest.mark.parametrize("packing", ["windows", "documents"])
@pytest.mark.parametrize("phases", [None, PHASES], ids=["as it is", "mixture"])
def test_no_chunk_is_never_read_each_token_comes_once_in_an_epoch_of_its_source(
    shards: Path, phases: Any, packing: Any
) -> None:
    order = recipe_order(shards, packing, phases)
    for number, source in enumerate(order.windows.sources):
        epochs, steps = 0, 40
        dealt = np.concatenate([order.mixture.step(step)[0] for step in range(steps)])
        windows = np.concatenate([order.step(step) for step in range(steps)])[dealt == number]
        orders = []
        for start in range(0, len(windows) - source.layout.count + 1, source.layout.count):
            epoch = windows[start : start + source.layout.count]
            batch = order.windows.batch(np.sort(epoch))
            targets = batch.targets_bt.numpy()[batch.targets_bt.numpy() != IGNORE]
            assert sorted(epoch.tolist()) == list(range(source.first, source.first + source.layout.count))
            assert len(targets) == source.tokens == sum(order.windows.targets(epoch).values())
            if packing == "windows":
                first = [info.source for info in order.windows.stream.shards].index(source.name)
                start_of_source = int(order.windows.stream.starts[first])
                stream = whole_stream(shards)[start_of_source : start_of_source + source.tokens]
                assert np.array_equal(targets, stream)
            orders.append(epoch.tolist())
            epochs += 1
        assert epochs >= 2
        assert orders[0] != orders[1]


def test_packed_and_contiguous_windows_hold_the_same_documents(shards: Path) -> None:
    stream = whole_stream(shards)
    for packing in ("windows", "documents"):
        order = recipe_order(shards, packing, None)
        pieces = order.windows.documents.split(order.windows.pieces(np.arange(order.windows.count)))
        batch = order.windows.batch(np.arange(order.windows.count))
        for row, column, start, length in columns_of(pieces):
            inputs = [EOS, *stream][start : start + length]
            assert batch.ids_bt[row, column : column + length].tolist() == inputs
            assert batch.targets_bt[row, column : column + length].tolist() == stream[start : start + length].tolist()
            assert batch.positions_bt is not None
            assert batch.positions_bt[row, column : column + length].tolist() == list(range(length))


def test_the_first_token_of_a_document_is_predicted_from_eos_alone(shards: Path) -> None:
    order = recipe_order(shards, "documents", None)
    windows = order.windows
    batch = windows.batch(np.arange(windows.count))
    places = windows.places(np.arange(windows.count))
    begins = 0
    pieces = columns_of(windows.pieces(np.arange(windows.count)))
    for (row, column, _, _), offset in zip(pieces, places.start.tolist(), strict=True):
        if offset == 0:
            assert batch.ids_bt[row, column] == EOS
            assert batch.positions_bt is not None
            assert batch.positions_bt[row, column] == 0
            begins += 1
    assert begins == 40


@pytest.mark.parametrize("packing", ["windows", "documents"])
@pytest.mark.parametrize("phases", [None, PHASES], ids=["as it is", "mixture"])
def test_every_document_of_a_step_is_named_with_its_shard_row_and_tokens(
    shards: Path, packing: Any, phases: Any
) -> None:
    order = recipe_order(shards, packing, phases)
    for step in (0, 5, 31):
        batch = order.windows.batch(order.step(step))
        places = order.documents_of(step)
        named: list[list[int]] = [[] for _ in batch.windows]
        for row, number, document, start, length in zip(*(a.tolist() for a in places), strict=True):
            whole = order.windows.stream.manifest.open(order.windows.stream.shards[number]).document(document)
            assert start + length <= len(whole)
            named[row] += whole[start : start + length].tolist()
        for row, targets in enumerate(batch.targets_bt.tolist()):
            assert named[row] == [target for target in targets if target != IGNORE]


def test_cu_seqlens_bound_the_documents_of_the_rows_laid_end_to_end(shards: Path) -> None:
    order = recipe_order(shards, "documents", None)
    batch = order.windows.batch(np.arange(order.windows.count))
    bounds, longest = batch.cu_seqlens()
    assert bounds.dtype == torch.int32
    assert bounds[0] == 0
    assert bounds[-1] == batch.ids_bt.numel()
    assert batch.positions_bt is not None
    lengths = bounds.diff().tolist()
    assert batch.positions_bt.flatten().tolist() == [i for length in lengths for i in range(length)]
    assert longest == max(lengths)
    padding = batch.targets_bt.flatten() == IGNORE
    assert padding.any()
    for start, stop in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        assert padding[start:stop].all() or not padding[start:stop].any()
    plain = order_of(shards)
    assert plain.windows.batch(plain.step(0)).cu_seqlens()[0].tolist() == [0, 16, 32, 48, 64, 80]


def test_seeds_come_from_the_sources_name_another_source_disturbs_nothing(tmp_path: Path) -> None:
    """What source b gives, epoch after epoch, is the same with and without a source that sorts before it."""
    written = {name: shard(tmp_path, name, "train", 0, random_documents(ord(name), 25, 60), 60) for name in "abc"}

    def of_b(names: str, weights: Mapping[str, float]) -> list[list[int]]:
        Manifest.build(str(tmp_path), [written[name] for name in names]).save()
        order = recipe_order(tmp_path, "windows", ((0, weights),))
        found = []
        for step in range(30):
            dealt, windows = order.mixture.step(step)[0], order.step(step)
            mine = windows[dealt == names.index("b")]
            found += order.windows.batch(mine).targets_bt.tolist()
        return found

    alone, added = of_b("bc", {"b": 1, "c": 1}), of_b("abc", {"a": 2, "b": 1, "c": 1})
    assert 60 < len(added) < len(alone)
    assert alone[: len(added)] == added


def test_a_flipped_byte_in_the_offsets_is_named_before_a_document_is_packed(shards: Path) -> None:
    path = shards / "b" / "train-00000.arrow"
    offsets = open_shard(str(path)).offsets.tobytes()
    content = bytearray(path.read_bytes())
    content[content.index(offsets) + 24] ^= 1
    path.write_bytes(content)
    order = recipe_order(shards, "documents", ((0, {"a": 1}), (1, {"b": 1})))
    order.windows.batch(order.step(0))
    with pytest.raises(DamagedShardError, match=r"b/train-00000\.arrow.*tokens\.offsets"):
        order.windows.batch(order.step(1))


def test_evaluation_reads_the_same_windows_of_each_source_every_time_and_no_window_twice(shards: Path) -> None:
    windows = order_of(shards).windows
    sample = evaluation_windows(windows, 10 * CONTEXT)
    assert {name: len(set(found.tolist())) for name, found in sample.items()} == {"a": 5, "b": 5}
    again = evaluation_windows(windows, 10 * CONTEXT)
    assert all(np.array_equal(found, again[name]) for name, found in sample.items())
    whole = evaluation_windows(windows, 10**9)
    assert np.array_equal(np.concatenate(list(whole.values())), np.arange(windows.count))


def test_evaluation_reads_a_small_source_whole_and_more_of_the_others_but_a_window_of_each(tmp_path: Path) -> None:
    sizes = {"a": 30, "b": 1, "c": 200}
    written = [shard(tmp_path, name, "train", 0, random_documents(1, n, 60), 60) for name, n in sizes.items()]
    Manifest.build(str(tmp_path), written).save()
    windows = order_of(tmp_path).windows
    counts = {source.name: source.layout.count for source in windows.sources}
    sample = {name: len(found) for name, found in evaluation_windows(windows, 40 * CONTEXT).items()}
    assert sum(sample.values()) == 40
    assert sample["b"] == counts["b"] < 13
    assert abs(sample["a"] - sample["c"]) <= 1
    assert list(evaluation_windows(windows, 1)) == list(sizes)
    assert all(len(found) == 1 for found in evaluation_windows(windows, 1).values())


def test_a_manifest_that_mixes_the_shards_of_sources_is_refused(shards: Path) -> None:
    manifest = Manifest.load(str(shards))
    a, b, other = manifest.select("train")
    mixed = replace(manifest, shards=(a, other, b))
    with pytest.raises(ValueError, match="a source's shards are not listed one after the other"):
        Windows(TokenStream(mixed, "train", 64), CONTEXT)


def test_an_empty_split_is_refused_by_name(shards: Path) -> None:
    stream = TokenStream(Manifest.load(str(shards)), "test", 64)
    with pytest.raises(ValueError, match="no tokens in the split 'test'"):
        TrainingOrder(Windows(stream, CONTEXT), 1, 1)


def test_the_loader_imports_only_numpy_torch_and_shards() -> None:
    foreign = set()
    rooms = (
        trainer.data.batches,
        trainer.data.documents,
        trainer.data.mixture,
        trainer.data.packing,
        trainer.data.permutation,
        trainer.data.stream,
    )
    for module in rooms:
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
        "import sys, trainer.data.batches\n"
        "print([m for m in ('apache_beam', 'tokenizers', 'pydantic') if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
