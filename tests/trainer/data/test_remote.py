"""Shards on a store are read like shards on disk: proven, kept within a bound, and asked for again when it fails."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import fsspec
import numpy as np
import pytest

from dataprep.shards import Manifest
from tests.trainer.conftest import exact, shard, train_here
from tests.trainer.data.store import Files, serving
from trainer.data.cache import PieceCache
from trainer.data.remote import RemoteShards
from trainer.data.store import Patience, Store, StoreError
from trainer.data.stream import DamagedShardError, Proof, TokenStream
from trainer.saved.metrics import read_metrics

CHUNK = (1 << 20) // 2
QUICK = Patience(attempts=4, first_wait=0.01, timeout=0.5)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two shards of two chunks each: 1.2 million tokens in 20 documents."""
    generator = np.random.default_rng(6)
    made = tmp_path / "shards"
    written = [shard(made, "a", "train", i, list(generator.integers(1, 60, (10, 60_000))), 60) for i in range(2)]
    Manifest.build(str(made), written).save()
    return made


@pytest.fixture
def store(folder: Path) -> Iterator[Files]:
    with serving(folder) as server:
        yield server


def stream_at(url: str, cache: PieceCache, proof: Proof | None = None) -> TokenStream:
    places = partial(RemoteShards, cache=cache, connections=4, patience=QUICK)
    return TokenStream(Manifest.load(url), "train", 64, proof=proof or Proof(), shards=places)


def everything(folder: Path) -> np.ndarray:
    manifest = Manifest.load(str(folder))
    return np.concatenate([manifest.open(info).tokens for info in manifest.select("train")]).astype(np.int64)


def windows(stream: TokenStream, count: int = 50, length: int = 300) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(1)
    starts = np.append(generator.integers(0, stream.tokens - length, count), [CHUNK - 5, int(stream.starts[1]) - 5])
    out = np.empty((len(starts), length), np.int64)
    assert len(stream.read_windows(starts, length, out)) == 0
    return starts, out


def test_a_store_gives_the_windows_that_the_disk_gives_and_each_chunk_travels_once(
    folder: Path, store: Files, tmp_path: Path
) -> None:
    cache = PieceCache(tmp_path / "cache", 10 << 20)
    tokens = everything(folder)
    store.slow = 0.1
    for _ in range(2):  # the second reader finds everything in the cache
        stream = stream_at(store.url, cache)
        starts, out = windows(stream)
        assert np.array_equal(out, [tokens[start : start + 300] for start in starts])
        for number in range(2):
            local = stream.manifest.shards[number]
            assert np.array_equal(stream.offsets(number), Manifest.load(str(folder)).open(local).offsets)
        for path in ("/a/train-00000.arrow", "/a/train-00001.arrow"):
            assert store.served[path] <= (folder / path[1:]).stat().st_size + (1 << 16)
    assert store.most_at_once > 1


def test_any_scheme_of_fsspec_will_do(folder: Path, tmp_path: Path) -> None:
    memory = fsspec.filesystem("memory")
    memory.put(str(folder), "/corpus/shards", recursive=True)
    try:
        stream = stream_at("memory://corpus/shards", PieceCache(tmp_path / "cache", 10 << 20))
        assert np.array_equal(stream.read(0, stream.tokens), everything(folder))
    finally:
        memory.rm("/corpus", recursive=True)


def test_a_cache_smaller_than_the_shards_only_costs_more_requests(folder: Path, store: Files, tmp_path: Path) -> None:
    cache = PieceCache(tmp_path / "cache", 2 << 20)
    stream, tokens = stream_at(store.url, cache), everything(folder)
    for start in [0, CHUNK, 650_000, 650_000 + CHUNK] * 3:
        assert np.array_equal(stream.read(start, start + 999), tokens[start : start + 999])
        assert sum(path.stat().st_size for path in (tmp_path / "cache").rglob("*")) <= 2 << 20
    assert store.served["/a/train-00000.arrow"] > 2 * (folder / "a" / "train-00000.arrow").stat().st_size


def test_a_chunk_that_was_damaged_in_the_cache_is_fetched_again(folder: Path, store: Files, tmp_path: Path) -> None:
    cache = PieceCache(tmp_path / "cache", 10 << 20)
    windows(stream_at(store.url, cache))
    for piece in [path for path in (tmp_path / "cache").rglob("*") if path.is_file() and path.stat().st_size]:
        content = bytearray(piece.read_bytes())
        content[len(content) // 2] ^= 1
        piece.write_bytes(content)
    tokens = everything(folder)
    starts, out = windows(stream_at(store.url, cache))
    assert np.array_equal(out, [tokens[start : start + 300] for start in starts])


def test_a_failing_store_is_asked_again_and_then_reported_with_its_url_in_one_line(
    folder: Path, store: Files, tmp_path: Path
) -> None:
    stream = stream_at(store.url, PieceCache(tmp_path / "cache", 10 << 20))
    store.failures = 3
    assert np.array_equal(stream.read(0, 100), everything(folder)[:100])
    store.failures = 1000
    before = store.requests
    with pytest.raises(StoreError) as caught:
        stream.read(stream.tokens - 10, stream.tokens)
    assert store.requests - before == 4
    message = str(caught.value)
    assert message.startswith(f"{store.url}/a/train-00001.arrow: not read after 4 attempts in ")
    assert "503" in message
    assert "\n" not in message
    store.failures = 0  # it recovers, and so does the reader
    assert np.array_equal(stream.read(stream.tokens - 10, stream.tokens), everything(folder)[-10:])


def test_a_store_that_does_not_answer_is_given_up(store: Files, tmp_path: Path) -> None:
    stream = stream_at(store.url, PieceCache(tmp_path / "cache", 10 << 20))
    store.slow = 2.0
    with pytest.raises(StoreError, match=r"a/train-00000\.arrow: not read after 4 attempts .*Timeout"):
        stream.read(0, 10)


def test_what_is_missing_is_said_at_once(folder: Path, store: Files, tmp_path: Path) -> None:
    stream = stream_at(store.url, PieceCache(tmp_path / "cache", 10 << 20))
    (folder / "a" / "train-00001.arrow").unlink()
    before = store.requests
    with pytest.raises(StoreError, match=rf"^{store.url}/a/train-00001\.arrow: missing$"):
        stream.read(stream.tokens - 10, stream.tokens)
    assert store.requests == before + 1


def test_bytes_changed_on_the_way_are_fetched_again(folder: Path, store: Files, tmp_path: Path) -> None:
    stream = stream_at(store.url, PieceCache(tmp_path / "cache", 10 << 20))
    store.corrupt = 3
    assert np.array_equal(stream.read(0, 100), everything(folder)[:100])


def test_a_byte_changed_on_the_store_is_named_and_never_kept(folder: Path, store: Files, tmp_path: Path) -> None:
    tokens = everything(folder)
    path = folder / "a" / "train-00001.arrow"
    content = bytearray(path.read_bytes())
    content[-100_000] ^= 1  # of the second chunk
    path.write_bytes(content)
    cache = PieceCache(tmp_path / "cache", 10 << 20)
    stream = stream_at(store.url, cache)
    first = int(stream.starts[1])
    assert np.array_equal(stream.read(first, first + 100), tokens[first : first + 100])
    with pytest.raises(
        DamagedShardError, match=rf"{store.url}/a/train-00001\.arrow: buffer tokens\.values, chunk 1.*doc"
    ):
        stream.read(first + CHUNK, first + CHUNK + 10)
    assert not list((tmp_path / "cache").rglob("tokens.values-00001"))
    skipping = stream_at(store.url, cache, Proof(skip=True))
    out = np.empty((2, 50), np.int64)
    assert skipping.read_windows(np.array([first, first + CHUNK]), 50, out).tolist() == [1]
    assert np.array_equal(out[0], tokens[first : first + 50])


def test_another_shard_under_a_listed_name_is_refused(folder: Path, store: Files, tmp_path: Path) -> None:
    (folder / "a" / "train-00001.arrow").write_bytes((folder / "a" / "train-00000.arrow").read_bytes())
    stream = stream_at(store.url, PieceCache(tmp_path / "cache", 10 << 20))
    with pytest.raises(DamagedShardError, match=r"a/train-00001\.arrow: not the shard listed in the manifest"):
        stream.read(stream.tokens - 10, stream.tokens)


def test_a_whole_file_in_place_of_a_range_is_refused(folder: Path) -> None:
    whole = Store(str(folder), QUICK)
    whole._fs.cat_file = lambda path, start, end: Path(path).read_bytes()
    with pytest.raises(StoreError, match="ranges of them are needed"):
        whole.read("manifest.json", 0, 10, lambda _data: True)


def test_a_run_on_a_store_takes_the_steps_of_a_run_on_disk(shards: Path, tmp_path: Path) -> None:
    short = ("steps=4", "checkpoint_every=4")
    train_here(shards, tmp_path / "disk", *short)
    with serving(shards) as server:
        with pytest.raises(ValueError, match=rf"read\.cache is None: the shards are at {server.url}"):
            train_here(server.url, tmp_path / "store", *short)  # type: ignore[arg-type]
        train_here(server.url, tmp_path / "store", *short, f"read.cache={tmp_path / 'cache'}")  # type: ignore[arg-type]
    rows = [list(exact(read_metrics(tmp_path / name))) for name in ("disk", "store")]
    assert rows[0] == rows[1]
