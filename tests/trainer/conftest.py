"""Small shards and a model of a few thousand parameters."""

import gzip
import hashlib
import json
import multiprocessing
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from dataprep.shards import Manifest, WrittenShard, fingerprint, shard_name, token_dtype, write_shard
from trainer import loop, parallel
from trainer.config import TrainConfig, load_config
from trainer.data.documents import Pieces
from trainer.prepare import Run, prepare

# one thread: models this small only wait for a second one. The subprocesses of the tests inherit it
os.environ["OMP_NUM_THREADS"] = "1"
torch.set_num_threads(1)
# processes that a test starts find torch loaded
multiprocessing.set_forkserver_preload(["tests.trainer.conftest"])

Documents = list[NDArray[Any]]
TINY = (
    "model.layers=2",
    "model.width=16",
    "model.heads=4",
    "model.kv_heads=2",
    "model.feed_forward=24",
    "model.context=16",
    "tokens_per_step=128",
    "windows_per_pass=3",
    "steps=8",
    "evaluate_every=3",
    "evaluate_tokens=64",
    "checkpoint_every=1",
    "keep_checkpoints=50",
    "device=cpu",
)
EOS = 0


def shard(
    folder: Path,
    source: str,
    split: str,
    index: int,
    documents: Documents,
    vocabulary: int,
    tokenizer_json: bytes = b"",
) -> WrittenShard:
    """Each document is its tokens without EOS."""
    closed = [np.append(document, EOS) for document in documents]
    ids = [hashlib.md5(f"{source}{split}{index}/{i}".encode()).digest() for i in range(len(documents))]
    return write_shard(
        str(folder),
        shard_name(source, split, index),
        np.concatenate(closed).astype(token_dtype(vocabulary)),
        np.cumsum([0, *map(len, closed)], dtype=np.int64),
        np.frombuffer(b"".join(ids), np.uint8).reshape(-1, 16),
        source=source,
        split=split,
        tokenizer_fingerprint=fingerprint(tokenizer_json),
        vocabulary_size=vocabulary,
        eos_id=EOS,
        text_bytes=sum(map(len, documents)),
    )


def byte_tokenizer(ids: Sequence[int] = range(257)) -> Tokenizer:
    """``ids``: of EOS and the 256 bytes."""
    pieces = ["<eos>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE(dict(zip(pieces, ids, strict=True)), []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def random_documents(seed: int, count: int, vocabulary: int, longest: int = 40) -> Documents:
    generator = np.random.default_rng(seed)
    return [generator.integers(1, vocabulary, generator.integers(1, longest)) for _ in range(count)]


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    """Two sources, three training shards of 853 tokens in all (not a multiple of any window), one validation shard."""
    folder = tmp_path / "shards"
    written = [
        shard(folder, "a", "train", 0, random_documents(1, 20, 60), 60),
        shard(folder, "a", "train", 1, random_documents(2, 3, 60), 60),
        shard(folder, "b", "train", 0, random_documents(3, 17, 60), 60),
        shard(folder, "b", "validation", 0, random_documents(4, 5, 60), 60),
    ]
    Manifest.build(str(folder), written).save()
    return folder


@pytest.fixture
def real_shards(tmp_path: Path, shared_data: Path) -> Path:
    """The bytes of ten PEPs as tokens 1 … 256."""
    with gzip.open(shared_data / "prose" / "peps-rst.jsonl.gz", "rt", encoding="utf-8") as lines:
        texts = [json.loads(line)["text"].encode() for line in islice(lines, 10)]
    documents: Documents = [np.frombuffer(text, np.uint8).astype(np.int64) + 1 for text in texts]
    folder = tmp_path / "real"
    written = [
        shard(folder, "peps", "train", 0, documents[:9], 257),
        shard(folder, "peps", "validation", 0, documents[9:], 257),
    ]
    Manifest.build(str(folder), written).save()
    return folder


def tiny_config(*assignments: str) -> TrainConfig:
    return load_config(assignments=(*TINY, *assignments))


def train_here(shards: Path, folder: Path, *assignments: str, before: Callable[[Run], None] | None = None) -> Run:
    """Train in this process; ``before`` may touch the prepared run."""
    config = tiny_config(*assignments)
    with parallel.start(config) as ranks:
        run = prepare(str(shards), folder, config, None, ranks, lambda _line: None)
        if before:
            before(run)
        loop.train(run)
    return run


def exact(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Metrics without what was measured of the machine."""
    measured = ("tokens_per_second", "mfu", "goodput", "memory")
    for row in rows:
        yield {name: value for name, value in row.items() if name not in measured}


def columns_of(pieces: Pieces) -> Iterator[tuple[int, int, int, int]]:
    """(row, column, start, length) of what fills rows from the left."""
    filled: Counter[int] = Counter()
    for row, start, length in zip(*(array.tolist() for array in pieces), strict=True):
        yield row, filled[row], start, length
        filled[row] += length
