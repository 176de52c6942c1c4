"""A seeded bijection of 0 … n - 1 in constant memory: another order for every key, any place of it at once.

A generalised Feistel network on a · b ≥ n values, a and b near √n, with cycle walking (Black & Rogaway 2002, "Ciphers
with Arbitrary Finite Domains"): nothing is built, stored or restored.
"""

import hashlib
import math

import numpy as np
from numpy.typing import NDArray

ROUNDS = 6


def permute(index: NDArray[np.int64], size: int, key: str) -> NDArray[np.int64]:
    """The images of ``index`` (each in 0 … size - 1) under the bijection of 0 … size - 1 that ``key`` names.

    A number is a pair (left below a, right below b); rounds in turn add to one half, modulo its range, what a hash
    makes of the other. A value that falls outside is sent through again: fewer than one in √size does.
    """
    a = math.isqrt(size - 1) + 1 if size else 1
    b = -(-size // a) or 1
    digest = hashlib.blake2b(key.encode(), digest_size=8 * ROUNDS).digest()
    keys = np.frombuffer(digest, "<u8")
    image = index.astype(np.uint64)
    outside: NDArray[np.int64] | slice = slice(None)
    while True:
        left, right = np.divmod(image[outside], np.uint64(b))
        for number, round_key in enumerate(keys):
            # half of the hash's range, so that the sum does not overflow
            if number % 2 == 0:
                left = (left + (_mix(right + round_key) >> np.uint64(1))) % np.uint64(a)
            else:
                right = (right + (_mix(left + round_key) >> np.uint64(1))) % np.uint64(b)
        image[outside] = left * np.uint64(b) + right
        outside = np.flatnonzero(image >= np.uint64(size))
        if not len(outside):
            return image.astype(np.int64)


def seeded_number(size: int, key: str) -> int:
    """A number in 0 … size - 1 that ``key`` names."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=16).digest(), "little") % size


def _mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele, Lea & Flood 2014): every input bit reaches every output bit."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
