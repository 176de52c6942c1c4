"""Seeded hashes of document ids: the only source of chance between a document and its place in a shard.

Decisions:
- xxh3-64 of the 16 id bytes, seeded with xxh3-64 of ``seed/purpose``: anyone with xxhash can recompute where a document
  went, and choices made for different purposes are independent of each other.
"""

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from dataprep.text.xxh3 import xxh3_of_16

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
    return xxh3_of_16(id_bytes(ids), np.uint64(key))
