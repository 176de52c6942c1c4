"""Windows come out as they were written, or the damage is named before anything is trained on it."""

import json
import os
import resource
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataprep.shards import Manifest, open_shard
from tests.trainer.conftest import EOS, random_documents, shard, tiny_config, train_here
from trainer.data.batches import IGNORE, Windows
from trainer.data.stream import Damage, DamagedShardError, Proof, TokenStream
from trainer.saved.metrics import read_metrics

CHUNK = (1 << 20) // 2  # tokens of two bytes


def stream_of(folder: Path, proof: Proof | None = None, **rest: object) -> TokenStream:
    return TokenStream(Manifest.load(str(folder)), "train", 64, proof=proof or Proof(), **rest)  # type: ignore[arg-type]


def everything(folder: Path) -> np.ndarray:
    manifest = Manifest.load(str(folder))
    return np.concatenate([manifest.open(info).tokens for info in manifest.select("train")]).astype(np.int64)


def flip(path: Path, token: int) -> None:
    """Change one bit of a token on disk."""
    content = bytearray(path.read_bytes())
    shard = open_shard(str(path))
    content[content.index(shard.tokens[:1000].tobytes()) + shard.tokens.itemsize * token] ^= 1
    path.write_bytes(content)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two shards of three chunks each: 1.3 million tokens in 40 documents."""
    folder = tmp_path_factory.mktemp("large")
    return make_large(folder)


def make_large(folder: Path) -> Path:
    generator = np.random.default_rng(5)
    written = [shard(folder, "a", "train", i, list(generator.integers(1, 60, (40, 32_000))), 60) for i in range(2)]
    Manifest.build(str(folder), written).save()
    return folder


@settings(max_examples=60)
@given(st.data())
def test_windows_are_the_tokens_at_their_place_also_across_shards_and_chunks(large: Path, data: st.DataObject) -> None:
    stream, tokens = stream_of(large), everything(large)
    length = data.draw(st.one_of(st.integers(1, 4096), st.integers(1, len(tokens))))
    edges = [0, CHUNK, len(tokens) // 2, len(tokens) // 2 + CHUNK, len(tokens)]
    places = st.one_of(
        st.integers(0, len(tokens) - length), st.sampled_from(edges).flatmap(lambda e: st.integers(e - length, e))
    )
    starts = np.array(data.draw(st.lists(places, min_size=1, max_size=3))).clip(0, len(tokens) - length)
    out = np.full((len(starts), length), -1, np.int64)
    assert len(stream.read_windows(starts, length, out)) == 0
    assert np.array_equal(out, [tokens[start : start + length] for start in starts])
    assert np.array_equal(stream.read(int(starts[0]), int(starts[0]) + length), out[0])


def test_a_window_of_many_short_shards_is_put_together(tmp_path: Path) -> None:
    written = [shard(tmp_path, "a", "train", i, random_documents(i, 1, 60, 4), 60) for i in range(12)]
    Manifest.build(str(tmp_path), written).save()
    tokens = everything(tmp_path)
    assert np.array_equal(stream_of(tmp_path).read(0, len(tokens)), tokens)


@pytest.mark.parametrize(("start", "length"), [(-1, 2), (850, 10), (0, 10_000)])
def test_a_window_outside_the_stream_is_refused(shards: Path, start: int, length: int) -> None:
    with pytest.raises(IndexError, match=f"tokens {start} to {start + length - 1}: there are"):
        stream_of(shards).read_windows(np.array([start]), length, np.empty((1, length), np.int64))


@pytest.mark.parametrize("token", [0, CHUNK - 1, CHUNK, 1_279_999])
def test_one_flipped_byte_is_named_with_shard_chunk_and_document_before_it_is_trained_on(
    tmp_path: Path, token: int
) -> None:
    path = make_large(tmp_path) / "a" / "train-00001.arrow"
    flip(path, token)
    stream = stream_of(tmp_path)
    out = np.empty((1, 100), np.int64)
    first = int(stream.starts[1])
    other = CHUNK + 10 if token < CHUNK else 10
    stream.read_windows(np.array([first + other]), 100, out)  # another chunk of the same shard is read in peace
    out[:] = -1
    document = token // 32_001
    for _ in range(2):  # and it is not forgotten
        with pytest.raises(
            DamagedShardError, match=rf"a/train-00001\.arrow: buffer tokens\.values, chunk {token // CHUNK}"
        ):
            stream.read_windows(np.array([first + max(token - 99, 0)]), 100, out)
    assert (out == -1).all()
    with pytest.raises(DamagedShardError) as caught:
        stream.read(first + token, first + token + 1)
    named = str(caught.value).split("documents ")[1]
    low, high = (int(word) for word in named.split(" (")[0].split(" to "))
    assert low <= document <= high


def test_a_damaged_boundary_of_documents_is_named_even_where_damage_is_skipped(shards: Path) -> None:
    path = shards / "a" / "train-00000.arrow"
    content = bytearray(path.read_bytes())
    content[content.index(open_shard(str(path)).offsets.tobytes()) + 8] ^= 1
    path.write_bytes(content)
    stream = stream_of(shards, Proof(skip=True))
    assert np.array_equal(stream.offsets(1), open_shard(str(shards / "a" / "train-00001.arrow")).offsets)
    with pytest.raises(DamagedShardError, match=r"train-00000\.arrow: buffer tokens\.offsets"):
        stream.offsets(0)


def test_a_shard_that_is_gone_or_another_is_named_when_it_is_read(shards: Path) -> None:
    stream = stream_of(shards)
    (shards / "b" / "train-00000.arrow").rename(shards / "b" / "elsewhere")
    with pytest.raises(DamagedShardError, match=r"b/train-00000\.arrow: missing"):
        stream.read(stream.tokens - 1, stream.tokens)
    (shards / "b" / "train-00000.arrow").write_bytes((shards / "a" / "train-00000.arrow").read_bytes())
    with pytest.raises(DamagedShardError, match=r"b/train-00000\.arrow: not the shard in manifest"):
        stream.read(stream.tokens - 1, stream.tokens)


def found_by(folder: Path, proof: Proof) -> set[tuple[int, int]]:
    """Tokens in chunks that a reading of everything takes for damaged."""
    stream = stream_of(folder, proof)
    stream.read_windows(
        np.arange(0, stream.tokens - 1000, 1000), 1000, np.empty((stream.tokens // 1000, 1000), np.int64)
    )
    return {(one.start, one.stop) for one in stream.damage}


def test_a_sample_of_chunks_is_the_same_on_every_reading_and_another_for_another_seed(tmp_path: Path) -> None:
    make_large(tmp_path)
    for name in ("train-00000.arrow", "train-00001.arrow"):
        for chunk in range(3):
            flip(tmp_path / "a" / name, chunk * CHUNK + 5)
    everywhere = found_by(tmp_path, Proof(skip=True))
    assert len(everywhere) == 6
    sampled = [found_by(tmp_path, Proof(0.5, seed, skip=True)) for seed in range(20)]
    assert sampled[3] == found_by(tmp_path, Proof(0.5, 3, skip=True))
    assert all(one <= everywhere for one in sampled)
    assert len({frozenset(one) for one in sampled}) > 5
    assert 40 < sum(map(len, sampled)) < 80  # of 120: a binomial's mean is 60, its deviation 5.5
    assert found_by(tmp_path, Proof(0)) == set()


def test_the_configuration_chooses_how_much_is_proven() -> None:
    shares = {name: tiny_config(f"read.verify={name}").read.share for name in ("full", "sampled")}
    assert shares == {"full": 1, "sampled": 0.01}
    assert tiny_config("read.verify=none").read.share == 0
    with pytest.raises(ValueError, match=r"read\.verify is 'some': input should be 'full', 'sampled' or 'none'"):
        tiny_config("read.verify=some")


def test_skipped_windows_are_padding_on_record_and_all_others_are_untouched(tmp_path: Path) -> None:
    make_large(tmp_path)
    whole = Windows(stream_of(tmp_path), 1000)
    numbers = np.arange(whole.count)
    before = whole.batch(numbers)
    flip(tmp_path / "a" / "train-00001.arrow", CHUNK + 3)
    told: list[Damage] = []
    stream = stream_of(tmp_path, Proof(skip=True), report=told.append)
    after = Windows(stream, 1000).batch(numbers)
    assert told == stream.damage
    (damage,) = told
    first = int(stream.starts[1])
    assert (damage.start, damage.stop) == (first + CHUNK, first + 2 * CHUNK)
    assert "a/train-00001.arrow: buffer tokens.values, chunk 1" in damage.message
    starts = numbers * 1000 - 1  # the input before the first target is part of a window
    touched = (starts < damage.stop) & (starts + 1001 > damage.start)
    assert touched.any()
    assert (after.targets_bt.numpy()[touched] == IGNORE).all()
    assert (after.ids_bt.numpy()[touched] == EOS).all()
    assert np.array_equal(after.targets_bt.numpy()[~touched], before.targets_bt.numpy()[~touched])
    assert np.array_equal(after.ids_bt.numpy()[~touched], before.ids_bt.numpy()[~touched])
    # decided by the bytes alone: one window at a time, as another rank or a replay would read them
    alone = Windows(stream_of(tmp_path, Proof(skip=True)), 1000)
    for number in numbers[::37]:
        assert np.array_equal(alone.batch(numbers[number : number + 1]).targets_bt[0], after.targets_bt[number])


def test_many_threads_read_the_same_and_report_damage_once(tmp_path: Path) -> None:
    make_large(tmp_path)
    tokens = everything(tmp_path)
    flip(tmp_path / "a" / "train-00000.arrow", 7)
    told: list[Damage] = []
    stream = stream_of(tmp_path, Proof(skip=True), report=told.append)
    together = threading.Barrier(4)

    def read(seed: int) -> None:
        starts = np.random.default_rng(seed).integers(0, stream.tokens - 500, 200)
        out = np.empty((200, 500), np.int64)
        together.wait()
        damaged = stream.read_windows(starts, 500, out)
        assert damaged.tolist() == np.flatnonzero(starts < CHUNK).tolist()
        for row in np.flatnonzero(starts >= CHUNK):
            assert np.array_equal(out[row], tokens[starts[row] : starts[row] + 500])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(read, range(4)))
    assert len(told) == 1


def test_more_shards_are_read_than_files_may_be_open(tmp_path: Path) -> None:
    written = [shard(tmp_path, "a", "train", i, [np.array([1 + i % 50, 2])], 60) for i in range(100)]
    Manifest.build(str(tmp_path), written).save()
    stream = stream_of(tmp_path)
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 20, allowed[1]))
    try:
        assert stream.read(0, stream.tokens).tolist() == [t for i in range(100) for t in (1 + i % 50, 2, EOS)]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, allowed)


def test_a_run_goes_on_without_damaged_windows_when_asked_and_says_so(
    shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flip(shards / "b" / "train-00000.arrow", 100)
    short = ("steps=4", "checkpoint_every=4", "evaluate_every=4")
    with pytest.raises(DamagedShardError, match=r"b/train-00000\.arrow"):
        train_here(shards, tmp_path / "stopped", *short)
    train_here(shards, tmp_path / "run", "read.on_damage=skip", *short)
    rows = [json.loads(line) for line in (tmp_path / "run" / "damage.jsonl").read_text().splitlines()]
    assert [row["split"] for row in rows] == ["train"]
    assert "b/train-00000.arrow: buffer tokens.values, chunk 0" in rows[0]["message"]
    assert rows[0]["message"] in capsys.readouterr().err
    assert [row["step"] for row in read_metrics(tmp_path / "run") if "loss" in row] == [1, 2, 3, 4]
    train_here(shards, tmp_path / "again", "read.on_damage=skip", "read.threads=0", *short)
    losses = [[row["loss"] for row in read_metrics(tmp_path / name) if "loss" in row] for name in ("run", "again")]
    assert losses[0] == losses[1]
