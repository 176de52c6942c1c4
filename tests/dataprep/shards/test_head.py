"""The first kilobytes of a shard tell where its buffers are."""

import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from dataprep.shards import open_shard, shard_name, write_shard
from dataprep.shards.head import head_length, parse_head


def written(folder: Path, documents: int, vocabulary: int, longest: int = 50) -> Path:
    generator = np.random.default_rng(documents)
    offsets = np.concatenate([[0], np.cumsum(generator.integers(1, longest, documents))]).astype(np.int64)
    tokens = generator.integers(1, vocabulary, offsets[-1]).astype(np.uint16 if vocabulary <= 1 << 16 else np.uint32)
    tokens[offsets[1:] - 1] = 0
    ids = generator.integers(0, 256, (documents, 16)).astype(np.uint8)
    rest = {"source": "s", "split": "train", "tokenizer_fingerprint": "f", "eos_id": 0, "text_bytes": 1}
    write_shard(str(folder), shard_name("s", "train", 0), tokens, offsets, ids, vocabulary_size=vocabulary, **rest)
    return folder / "s" / "train-00000.arrow"


@pytest.mark.parametrize(("documents", "vocabulary"), [(1, 300), (7, 300), (1000, 300), (1000, 100_000)])
def test_the_places_hold_the_bytes_that_a_mapped_shard_shows(tmp_path: Path, documents: int, vocabulary: int) -> None:
    path = written(tmp_path, documents, vocabulary)
    content, shard = path.read_bytes(), open_shard(str(path))
    head = parse_head(content[: head_length(content)])
    assert head.metadata == shard.metadata
    for name, (start, size) in head.places.items():
        assert content[start : start + size] == shard.buffers()[name].tobytes()


def test_the_length_is_found_by_asking_again(tmp_path: Path) -> None:
    content = written(tmp_path, 50, 300).read_bytes()
    length, asked = 0, []
    data = content[:8]
    while head_length(data) > len(data):
        length = head_length(data)
        asked.append(length)
        data = content[:length]
    assert length == head_length(content)
    assert asked == sorted(set(asked))
    assert len(asked) == 3


def test_damage_is_a_reason_and_never_another_place(tmp_path: Path) -> None:
    path = written(tmp_path, 30, 300)
    content = path.read_bytes()
    length = head_length(content)
    head = parse_head(content)
    draw = random.Random(1)
    refused = 0
    for _ in range(400):
        broken = bytearray(content[:length])
        broken[draw.randrange(length)] ^= 1 << draw.randrange(8)
        try:
            assert parse_head(bytes(broken)).metadata == head.metadata
        except ValueError:
            refused += 1
    assert refused > 200
    for short in range(0, length, 7):
        with pytest.raises(ValueError, match=r"damaged|not an Arrow file"):
            parse_head(content[:short])


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not an Arrow file"):
        head_length(b"PAR1" + bytes(100))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, pa.schema([("x", pa.int32())])) as writer:
        writer.write_batch(pa.record_batch({"x": pa.array([1], pa.int32())}))
    with pytest.raises(ValueError, match="not a token shard"):
        parse_head(sink.getvalue().to_pybytes())
