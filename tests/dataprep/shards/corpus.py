"""A small directory of shards: two sources, two train shards and one of validation each, random tokens."""

import numpy as np

from dataprep.shards import Manifest, shard_name, write_shard


def corpus(folder, vocabulary=300, documents=40, longest=60):
    rng = np.random.default_rng(1)
    written = []
    for source in ("books", "web"):
        for split, index in (("train", 0), ("train", 1), ("validation", 0)):
            offsets = np.concatenate([[0], np.cumsum(rng.integers(1, longest, documents))]).astype(np.int64)
            tokens = rng.integers(1, vocabulary, offsets[-1]).astype(np.uint16 if vocabulary <= 65536 else np.uint32)
            tokens[offsets[1:] - 1] = 0
            written.append(
                write_shard(
                    str(folder),
                    shard_name(source, split, index),
                    tokens,
                    offsets,
                    rng.integers(0, 256, (documents, 16)).astype(np.uint8),
                    source=source,
                    split=split,
                    tokenizer_fingerprint="f" * 32,
                    vocabulary_size=vocabulary,
                    eos_id=0,
                    text_bytes=1,
                )
            )
    return Manifest.build(str(folder), written)
