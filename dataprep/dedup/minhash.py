"""MinHash signatures (Broder 1997), bit-identical to ``datasketch.MinHash(num_perm, seed, scheme="affine32")``.

Decisions:
- The element hash is the low 32 bits of xxh3 of the shingle's UTF-8 bytes, so a ``MinHash`` with that ``hashfunc`` fed
  with the same shingles has the same ``hashvalues``, and datasketch's ``jaccard()`` and LSH indexes work on our files.
- datasketch's ``affine32``: the hash is mixed once by MurmurHash3's finalizer, then permutation k is
  ``a[k] * h + b[k]`` modulo 2^32 with ``a`` odd; the signature is the minimum over all shingles. A text shorter than
  one shingle keeps the initial value, 2^32 - 1 everywhere, as an empty ``MinHash`` does.
"""

from functools import cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dataprep.compiled import njit
from dataprep.dedup.hashing import I64, U8
from dataprep.dedup.normalise import NORMALISATIONS
from dataprep.dedup.settings import DedupSettings
from dataprep.dedup.words import fold, hash_shingles, room
from dataprep.text.utf8 import Utf8

U32 = npt.NDArray[np.uint32]


@cache
def permutations(count: int, seed: int) -> tuple[U32, U32]:
    """The multipliers and offsets that datasketch draws for ``affine32``: uint32[count] each."""
    generator = np.random.RandomState(seed)
    a = generator.randint(0, 1 << 31, count, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    b = generator.randint(0, 1 << 32, count, dtype=np.uint32)
    return a, b


def signatures(text: pa.Array, settings: DedupSettings) -> tuple[U32, U32]:
    """Signatures uint32[n, permutations] of a ``large_string`` array; shingles in each, uint32[n]."""
    normal = NORMALISATIONS[settings.normalisation]
    column = normal.rewrite(Utf8.of(text))
    a, b = permutations(settings.permutations, settings.seed)
    return _signatures(column.values, column.offsets, normal.table(), normal.empty_words, settings.shingle, a, b)


@njit(nogil=True, cache=True)
def _signatures(
    data: U8, bounds: I64, table: npt.NDArray[np.int32], empty_words: bool, shingle: int, a: U32, b: U32
) -> tuple[U32, U32]:
    n = bounds.size - 1
    values = np.full((n, a.size), np.uint32(0xFFFFFFFF), np.uint32)
    counts = np.zeros(n, np.uint32)
    size, entries = room(bounds, empty_words)
    folded = np.empty(size, np.uint8)
    starts = np.empty(entries, np.int64)
    hashes = np.empty(entries, np.uint32)
    for i in range(n):
        words, _ = fold(data, bounds[i], bounds[i + 1], table, empty_words, folded, starts)
        count = hash_shingles(folded, starts, words, shingle, hashes)
        counts[i] = count
        _finalize(hashes, count)
        _minimum(hashes, count, a, b, values[i])
    return values, counts


@njit(nogil=True, cache=True)
def _finalize(hashes, count):  # type: ignore[no-untyped-def]
    """MurmurHash3's 32-bit finalizer in place (datasketch mixes its input with it)."""
    for i in range(count):
        h = hashes[i]
        h = np.uint32(np.uint32(h ^ np.uint32(h >> np.uint32(16))) * np.uint32(0x85EBCA6B))
        h = np.uint32(np.uint32(h ^ np.uint32(h >> np.uint32(13))) * np.uint32(0xC2B2AE35))
        hashes[i] = np.uint32(h ^ np.uint32(h >> np.uint32(16)))


@njit(nogil=True, cache=True)
def _minimum(hashes, count, a, b, signature):  # type: ignore[no-untyped-def]
    # four shingles at a time: each load of a[k], b[k] and the signature serves four products
    whole = count - count % 4
    for i in range(0, whole, 4):
        h0, h1, h2, h3 = hashes[i], hashes[i + 1], hashes[i + 2], hashes[i + 3]
        for k in range(a.size):
            x0 = np.uint32(np.uint32(a[k] * h0) + b[k])
            x1 = np.uint32(np.uint32(a[k] * h1) + b[k])
            x2 = np.uint32(np.uint32(a[k] * h2) + b[k])
            x3 = np.uint32(np.uint32(a[k] * h3) + b[k])
            signature[k] = min(min(min(x0, x1), min(x2, x3)), signature[k])
    for i in range(whole, count):
        for k in range(a.size):
            signature[k] = min(np.uint32(np.uint32(a[k] * hashes[i]) + b[k]), signature[k])
