"""Exported files read back by readers that know nothing of shards, only the other format's definition."""

import struct
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from dataprep.shards.export import export_shards
from tests.dataprep.shards.corpus import corpus


def documents_of(manifest, split):
    shards = [manifest.open(info) for info in manifest.select(split)]
    return [shard.document(i).tolist() for shard in shards for i in range(shard.documents)]


def read_megatron(prefix):
    """As megatron/core/datasets/indexed_dataset.py reads: documents as lists of sequences of ids."""
    with open(f"{prefix}.idx", "rb") as file:
        assert file.read(9) == b"MMIDIDX\x00\x00"
        assert struct.unpack("<Q", file.read(8)) == (1,)
        dtype = {4: np.int32, 8: np.uint16}[struct.unpack("<B", file.read(1))[0]]
        sequences, boundaries = struct.unpack("<QQ", file.read(16))
        lengths = np.fromfile(file, np.int32, sequences)
        pointers = np.fromfile(file, np.int64, sequences)
        documents = np.fromfile(file, np.int64, boundaries)
        assert file.read() == b""
    data = Path(f"{prefix}.bin").read_bytes()
    read = [np.frombuffer(data, dtype, n, at).tolist() for n, at in zip(lengths, pointers, strict=True)]
    assert sum(map(len, read)) * np.dtype(dtype).itemsize == len(data)
    return dtype, [read[first:end] for first, end in pairwise(documents)]


def read_llmc(path):
    """As llm.c's llmc/dataloader.h reads, and train_llama3.py for four bytes."""
    data = path.read_bytes()
    header = np.frombuffer(data, np.int32, 256)
    dtype = {(20240520, 1): np.uint16, (20240801, 7): np.uint32}[tuple(header[:2].tolist())]
    assert len(data) == 1024 + header[2] * np.dtype(dtype).itemsize
    assert not header[3:].any()
    return dtype, np.frombuffer(data, dtype, offset=1024).tolist()


@pytest.mark.parametrize(("vocabulary", "dtype"), [(300, np.uint16), (65_536, np.uint16), (70_000, np.int32)])
def test_megatron_reads_every_document_in_the_manifests_order(tmp_path, vocabulary, dtype):
    manifest = corpus(tmp_path / "shards", vocabulary)
    files = export_shards(manifest, "megatron", str(tmp_path / "out"))
    assert [path.rpartition("/")[2] for path in files] == ["train.bin", "train.idx", "validation.bin", "validation.idx"]
    for split in ("train", "validation"):
        found, documents = read_megatron(tmp_path / "out" / split)
        assert found == dtype
        assert documents == [[document] for document in documents_of(manifest, split)]


def test_nanogpt_reads_one_stream_a_split(tmp_path):
    manifest = corpus(tmp_path / "shards", 65_536)
    (tmp_path / "out").mkdir()
    export_shards(manifest, "nanogpt", str(tmp_path / "out"))
    for split, name in (("train", "train.bin"), ("validation", "val.bin")):
        stream = np.memmap(tmp_path / "out" / name, np.uint16, "r").tolist()
        assert stream == [token for document in documents_of(manifest, split) for token in document]


@pytest.mark.parametrize("vocabulary", [300, 70_000])
@pytest.mark.parametrize("limit", [13, 700, 10_000])
def test_llmc_reads_files_of_one_size(tmp_path, monkeypatch, vocabulary, limit):
    monkeypatch.setattr("dataprep.shards.export.LLMC_TOKENS", limit)
    manifest = corpus(tmp_path / "shards", vocabulary, documents=5 if limit == 13 else 40)
    export_shards(manifest, "llmc", str(tmp_path / "out"))
    for split, name in (("train", "train"), ("validation", "val")):
        files = [read_llmc(path) for path in sorted((tmp_path / "out").glob(f"{name}_*.bin"))]
        sizes = [len(tokens) for _, tokens in files]
        assert max(sizes) <= limit
        assert len(set(sizes[:-1])) <= 1
        assert max(sizes) - min(sizes) < len(sizes)
        assert {dtype for dtype, _ in files} == {np.uint16 if vocabulary == 300 else np.uint32}
        expected = [token for document in documents_of(manifest, split) for token in document]
        assert [token for _, tokens in files for token in tokens] == expected


def test_shards_of_several_chunks_are_exported_whole(tmp_path):
    manifest = corpus(tmp_path / "shards", 70_000, documents=300, longest=4_000)
    assert min(info.tokens for info in manifest.shards) * 4 > 2 << 20
    seen = []
    export_shards(manifest, "megatron", str(tmp_path / "out"), seen.append)
    _, documents = read_megatron(tmp_path / "out" / "train")
    assert documents == [[document] for document in documents_of(manifest, "train")]
    assert sum(seen) == manifest.tokens * 4


def test_a_split_without_shards_has_no_files(tmp_path):
    manifest = corpus(tmp_path / "shards")
    train = {key: sums for key, sums in manifest.totals.items() if key[1] == "train"}
    export_shards(replace(manifest, shards=manifest.select("train"), totals=train), "nanogpt", str(tmp_path / "out"))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["train.bin"]


def test_ids_of_four_bytes_are_refused_where_two_are_all_there_is(tmp_path):
    manifest = corpus(tmp_path / "shards", 70_000)
    message = (
        "--format nanogpt: its ids are uint16, below 65,536, and the vocabulary has 70,000; allowed are megatron, llmc"
    )
    with pytest.raises(ValueError, match=message):
        export_shards(manifest, "nanogpt", str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_written_is_said_before_anything_is(tmp_path):
    manifest = corpus(tmp_path / "shards")
    with pytest.raises(ValueError, match="--format webdataset: allowed are megatron, nanogpt, llmc"):
        export_shards(manifest, "webdataset", str(tmp_path / "out"))
    with pytest.raises(ValueError, match="--out gs://x: must be a local directory"):
        export_shards(manifest, "llmc", "gs://x")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").touch()
    with pytest.raises(ValueError, match="must be empty or not there yet"):
        export_shards(manifest, "llmc", str(tmp_path / "out"))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("form", ["megatron", "nanogpt", "llmc"])
@pytest.mark.parametrize("buffer", ["tokens.values", "tokens.offsets"])
def test_a_damaged_shard_is_named_and_nothing_is_left(tmp_path, form, buffer):
    manifest = corpus(tmp_path / "shards")
    path = tmp_path / "shards" / manifest.select("validation")[1].path
    content = bytearray(path.read_bytes())
    place = content.index(manifest.open(manifest.select("validation")[1]).buffers()[buffer].tobytes())
    content[place + 9] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"{path}: buffer {buffer}, chunk 0"):
        export_shards(manifest, form, str(tmp_path / "out"))
    assert [found.name for found in tmp_path.iterdir()] == ["shards"]
