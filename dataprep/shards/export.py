"""Shards as files for other trainers: the same tokens, documents in the manifest's order, one set of files a split.

megatron  ``train.bin`` with ``train.idx``, ``validation.*``: Megatron-LM's IndexedDataset, a sequence a document
          (github.com/NVIDIA/Megatron-LM, megatron/core/datasets/indexed_dataset.py)
nanogpt   ``train.bin``, ``val.bin``: uint16 and nothing else (github.com/karpathy/nanoGPT, data/openwebtext/prepare.py)
llmc      ``train_000000.bin`` …, ``val_000000.bin`` …: 256 int32 of header, then uint16 as for GPT-2 or uint32 as for
          Llama 3 (github.com/karpathy/llm.c, dev/data/data_common.py)

Decisions:
- A chunk is compared with its checksum before it is written, so what is exported is what was tokenized.
- The directory appears when everything in it is whole. In memory are one chunk and one shard's document lengths.
- llm.c wants several files of at least a step's tokens each: as few as there can be, all of one size.
"""

import struct
from collections.abc import Callable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataprep import storage
from dataprep.shards.checksums import CHUNK_BYTES, chunks_of, damaged_chunks, is_whole
from dataprep.shards.layout import OFFSETS, SPLITS, VALUES, ShardInfo
from dataprep.shards.manifest import Manifest
from dataprep.shards.reader import Shard
from dataprep.shards.verify import verify_shard

FORMATS = ("megatron", "nanogpt", "llmc")
SHORT = {"train": "train", "validation": "val"}

MEGATRON_HEADER = b"MMIDIDX\x00\x00" + struct.pack("<Q", 1)
MEGATRON_CODES = {"uint16": 8, "int32": 4}  # it has no uint32, and no vocabulary has 2**31 ids
LONGEST = (1 << 31) - 1  # tokens of a document: lengths are int32

LLMC_HEADER = 256
LLMC_MAGIC = {"uint16": (20240520, 1), "uint32": (20240801, 7)}  # and version
LLMC_TOKENS = 100_000_000  # at most in a file: shard_size of llm.c's dev/data/fineweb.py

Seen = Callable[[int], None]


def export_shards(manifest: Manifest, form: str, out: str, seen: Seen | None = None) -> list[str]:
    """Write the shards to the local directory ``out``, which must be empty or not there; returns its files.

    ``seen`` is told how many bytes of tokens have been written since it was last told. Raises ``ValueError`` naming
    what the format cannot express, or the shard, chunk and documents that are damaged; then nothing is written.
    """
    check(manifest, form, out)
    target = storage.absolute(out)
    with storage.directory_atomic(target) as folder:
        for split in SPLITS:
            shards = manifest.select(split)
            if shards and form == "megatron":
                _megatron(manifest, shards, storage.join(folder, split), seen)
            elif shards and form == "nanogpt":
                with storage.open_atomic(storage.join(folder, f"{SHORT[split]}.bin")) as file:
                    for block in _blocks(manifest, shards, seen):
                        file.write(block.data)
            elif shards:
                _llmc(manifest, shards, storage.join(folder, SHORT[split]), seen)
    return [file.path for file in storage.list_files(target)]


def check(manifest: Manifest, form: str, out: str) -> None:
    """Raise ``ValueError`` for what can be told without reading a token."""
    if form not in FORMATS:
        raise ValueError(f"--format {form}: allowed are {', '.join(FORMATS)}")
    if not storage.is_local(out):
        raise ValueError(f"--out {out}: must be a local directory")
    if storage.list_files(out, recursive=True):
        raise ValueError(f"--out {out}: must be empty or not there yet, and there are files in it")
    if form == "nanogpt" and manifest.shards[0].dtype != "uint16":
        raise ValueError(
            f"--format nanogpt: its ids are uint16, below {1 << 16:,}, and the vocabulary has "
            f"{manifest.vocabulary_size:,}; allowed are megatron, llmc"
        )
    longest = max(totals.lengths.longest for totals in manifest.totals.values())
    if form == "megatron" and longest > LONGEST:
        raise ValueError(f"--format megatron: a document has at most {LONGEST:,} tokens, and one has {longest:,}")


def _megatron(manifest: Manifest, shards: tuple[ShardInfo, ...], prefix: str, seen: Seen | None) -> None:
    dtype = np.dtype(np.uint16 if shards[0].dtype == "uint16" else np.int32)
    with storage.open_atomic(f"{prefix}.bin") as file:
        for block in _blocks(manifest, shards, seen):
            file.write(block.astype(dtype, copy=False).data)
    documents = sum(info.documents for info in shards)
    with storage.open_atomic(f"{prefix}.idx") as file:
        file.write(MEGATRON_HEADER)
        file.write(struct.pack("<BQQ", MEGATRON_CODES[dtype.name], documents, documents + 1))
        for shard in _opened(manifest, shards):
            file.write(np.diff(shard.offsets).astype(np.int32).data)
        before = 0
        for shard in _opened(manifest, shards):
            file.write(((shard.offsets[:-1] + before) * dtype.itemsize).data)
            before += len(shard.tokens)
        first = 0  # which sequence begins each document, and the end: every sequence is one
        for info in shards:
            file.write(np.arange(first, first + info.documents, dtype=np.int64).data)
            first += info.documents
        file.write(struct.pack("<q", documents))


def _llmc(manifest: Manifest, shards: tuple[ShardInfo, ...], prefix: str, seen: Seen | None) -> None:
    tokens = sum(info.tokens for info in shards)
    size = -(-tokens // -(-tokens // LLMC_TOKENS))
    for number, blocks in groupby(_divided(_blocks(manifest, shards, seen), size), itemgetter(0)):
        with storage.open_atomic(f"{prefix}_{number:06d}.bin") as file:
            header = np.zeros(LLMC_HEADER, np.int32)
            header[:3] = (*LLMC_MAGIC[shards[0].dtype], min(size, tokens - number * size))
            file.write(header.data)
            for _, block in blocks:
                file.write(block.data)


def _divided(blocks: Iterator[NDArray[Any]], size: int) -> Iterator[tuple[int, NDArray[Any]]]:
    """The same tokens with the number of the file, of ``size`` tokens, that each block is of."""
    place = 0
    for block in blocks:
        while len(block):
            part = block[: size - place % size]
            yield place // size, part
            place += len(part)
            block = block[len(part) :]


def _blocks(manifest: Manifest, shards: tuple[ShardInfo, ...], seen: Seen | None) -> Iterator[NDArray[Any]]:
    """The tokens of the shards one after the other, a proven chunk at a time."""
    for shard in _opened(manifest, shards):
        data, recorded = shard.layout[VALUES].data, shard.metadata.checksums[VALUES]
        for chunk in range(chunks_of(len(data))):
            if not is_whole(data, chunk, recorded):
                _refuse(shard)
            block = data[chunk * CHUNK_BYTES : (chunk + 1) * CHUNK_BYTES].view(shard.tokens.dtype)
            yield block
            if seen:
                seen(block.nbytes)


def _opened(manifest: Manifest, shards: tuple[ShardInfo, ...]) -> Iterator[Shard]:
    for info in shards:
        shard = manifest.open(info)
        if damaged_chunks(shard.layout[OFFSETS].data, shard.metadata.checksums[OFFSETS]):
            _refuse(shard)
        yield shard


def _refuse(shard: Shard) -> None:
    raise ValueError("; ".join(map(str, verify_shard(shard.path))))
