"""A seeded bijection of 0 … n - 1 in constant memory: another order for every key, any place of it at once.

A Feistel network on the next power of four with cycle walking (Black & Rogaway 2002, "Ciphers with Arbitrary Finite
Domains"): nothing is built, stored or restored.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

ROUNDS = 6


def permute(index: NDArray[np.int64], size: int, key: str) -> NDArray[np.int64]:
    """The images of ``index`` (each in 0 … size - 1) under the bijection of 0 … size - 1 that ``key`` names.

    Each Feistel round maps (left, right) to (right, left xor f(right)); a value that falls outside is sent through
    again, fewer than four times on average, because the network's domain is less than four times ``size``.
    """
    half = np.uint64(max(1, (max(size - 1, 1).bit_length() + 1) // 2))
    mask = np.uint64((1 << int(half)) - 1)
    digest = hashlib.blake2b(key.encode(), digest_size=8 * ROUNDS).digest()
    keys = np.frombuffer(digest, "<u8")
    image = index.astype(np.uint64)
    outside = np.ones(len(image), bool)
    while outside.any():
        left, right = image[outside] >> half, image[outside] & mask
        for round_key in keys:
            left, right = right, left ^ (_mix(right + round_key) & mask)
        image[outside] = left << half | right
        outside = image >= np.uint64(size)
    return image.astype(np.int64)


def seeded_number(size: int, key: str) -> int:
    """A number in 0 … size - 1 that ``key`` names."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=16).digest(), "little") % size


def _mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele, Lea & Flood 2014): every input bit reaches every output bit."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
