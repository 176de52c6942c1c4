"""Seeded hashes of document ids: the only source of chance between a document and its place in a shard.

Decisions:
- xxh3-64 of the 16 id bytes, seeded with xxh3-64 of ``seed/purpose``: anyone with xxhash can recompute where a document
  went, and choices made for different purposes are independent of each other.
"""

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

SPACE = 1 << 64

# Purposes: what a hash decides
SPLIT = "split"
ORDER = "order"
SAMPLE = "tokenizer sample"


def id_bytes(ids: pa.Array) -> NDArray[np.uint8]:
    """A fixed_size_binary[16] array as uint8[n, 16], a view."""
    return np.frombuffer(ids.buffers()[1], np.uint8)[ids.offset * 16 : (ids.offset + len(ids)) * 16].reshape(-1, 16)


def keyed_hashes(ids: pa.Array, seed: int, purpose: str) -> NDArray[np.uint64]:
    """uint64[n], uniform over the whole range."""
    key = xxhash.xxh3_64_intdigest(f"{seed}/{purpose}".encode())
    data = id_bytes(ids).tobytes()
    digest = xxhash.xxh3_64_intdigest
    return np.fromiter((digest(data[i : i + 16], key) for i in range(0, len(data), 16)), np.uint64, len(ids))
