"""The mixing of 64-bit keys, and their partitions.

Decisions:
- The bytes of a shingle are hashed with XXH3 (`dataprep.text.xxh3`), seed 0, and its low 32 bits are taken, as
  text-dedup takes them: ``xxhash.xxh3_64_intdigest(b) & 0xFFFFFFFF`` is the same number.
"""

import numba as nb
import numpy as np
import numpy.typing as npt

U8 = npt.NDArray[np.uint8]
I64 = npt.NDArray[np.int64]
U64 = npt.NDArray[np.uint64]

_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


@nb.njit(inline="always")
def mix_one(x):  # type: ignore[no-untyped-def]
    """SplitMix64's finalizer (Steele, Lea and Flood 2014) of one uint64: a bijection that spreads every bit."""
    x = np.uint64(np.uint64(x ^ (x >> np.uint64(30))) * _MIX_1)
    x = np.uint64(np.uint64(x ^ (x >> np.uint64(27))) * _MIX_2)
    return np.uint64(x ^ (x >> np.uint64(31)))


@nb.njit(nogil=True, cache=True)
def mix(keys: U64) -> U64:
    """``mix_one`` of every element."""
    out = np.empty_like(keys)
    for i in range(keys.size):
        out[i] = mix_one(keys[i])
    return out


@nb.njit(nogil=True, cache=True)
def partition_of(keys: U64, partitions: int) -> I64:
    """The partition, 0 to ``partitions`` - 1, of every key: a function of the key and the number only."""
    out = np.empty(keys.size, np.int64)
    for i in range(keys.size):
        high = mix_one(keys[i]) >> np.uint64(32)
        out[i] = np.int64(np.uint64(high * np.uint64(partitions)) >> np.uint64(32))
    return out
