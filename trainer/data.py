"""Shards become batches, and the batch of step t is a function of (manifest, seed, t) alone.

Decisions:
- All shards of a split, in the manifest's order, are one stream of tokens, cut into windows of ``context`` targets. The
  input of a target is the token before it; before the stream's first token stands EOS, as before every other document.
  So every token is a target exactly once in an epoch, and the last window is padded where it is short, not dropped.
- An epoch's order is a seeded bijection of the window numbers, computed where it is asked for: a Feistel network on the
  next power of four with cycle walking (Black & Rogaway 2002). Nothing is built, stored or restored: resuming is asking
  for step t.
- A step's windows are numbered before they are dealt to ranks, so the global batch does not depend on the world size.
- Every MiB of a shard is compared with its recorded checksum when a window first touches it.

Shape suffixes: B windows, T positions.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dataprep.shards import Manifest, Shard, verify_shard
from dataprep.shards.checksums import CHUNK_BYTES, HEX_DIGITS, chunk_checksum, chunks_of
from dataprep.shards.layout import VALUES

IGNORE = -100
"""The target of padding; torch's cross-entropy passes over this value by default."""

ROUNDS = 6


class DamagedShardError(ValueError):
    """A shard whose bytes are not the ones that were written; names the file, the place and the documents."""


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


def _mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele, Lea & Flood 2014): every input bit reaches every output bit."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


class TokenStream:
    """The tokens of one split as one long array; ``vocabulary`` is the model's, in rows of its embedding.

    Shards are opened when they are first read. Raises ``ValueError`` when a shard holds an id the model has no row for.
    """

    def __init__(self, manifest: Manifest, split: str, vocabulary: int) -> None:
        self.manifest = manifest
        self.split = split
        self.shards = manifest.select(split)
        for info in self.shards:
            if info.largest_id >= vocabulary:
                raise ValueError(
                    f"{manifest.path}/{info.path}: its largest token id is {info.largest_id}, "
                    f"the model's vocabulary allows 0 to {vocabulary - 1}"
                )
        self.starts = np.cumsum([0, *(info.tokens for info in self.shards)], dtype=np.int64)
        self.tokens = int(self.starts[-1])
        self.bytes = sum(info.bytes for info in self.shards)
        self._open: dict[int, tuple[Shard, NDArray[np.bool_]]] = {}

    def read(self, start: int, stop: int) -> NDArray[np.int64]:
        """Tokens ``start`` … ``stop`` - 1. Raises ``DamagedShardError`` before it would return a changed token."""
        pieces = []
        number = int(np.searchsorted(self.starts, start, side="right")) - 1
        while start < stop:
            end = min(stop, int(self.starts[number + 1]))
            offset = int(self.starts[number])
            pieces.append(self._read_shard(number, start - offset, end - offset))
            start, number = end, number + 1
        return np.concatenate(pieces).astype(np.int64)

    def _read_shard(self, number: int, start: int, stop: int) -> NDArray[np.integer]:
        if number not in self._open:
            shard = self.manifest.open(self.shards[number])
            self._open[number] = shard, np.zeros(chunks_of(shard.tokens.nbytes), bool)
        shard, proven = self._open[number]
        width = shard.tokens.itemsize
        for chunk in range(
            start * width // CHUNK_BYTES, ((stop - 1) * width) // CHUNK_BYTES + 1 if stop > start else 0
        ):
            if not proven[chunk]:
                recorded = shard.metadata.checksums[VALUES][chunk * HEX_DIGITS : (chunk + 1) * HEX_DIGITS]
                if chunk_checksum(shard.buffers()[VALUES], chunk) != recorded:
                    problems = verify_shard(shard.path)
                    raise DamagedShardError("; ".join(map(str, problems)) or f"{shard.path}: chunk {chunk} is damaged")
                proven[chunk] = True
        return shard.tokens[start:stop]


@dataclass(frozen=True)
class Batch:
    """Rows of a step: ``ids_bt`` and ``targets_bt`` are int64 [B, T]; ``windows`` are their numbers in the stream."""

    windows: NDArray[np.int64]
    ids_bt: Tensor
    targets_bt: Tensor


class Windows:
    """A stream cut into windows of ``context`` targets."""

    def __init__(self, stream: TokenStream, context: int) -> None:
        self.stream = stream
        self.context = context
        self.count = -(-stream.tokens // context)

    def batch(self, windows: NDArray[np.int64]) -> Batch:
        ids = np.full((len(windows), self.context), self.stream.manifest.eos_id, np.int64)
        targets = np.full((len(windows), self.context), IGNORE, np.int64)
        for row, window in enumerate(windows.tolist()):
            start = window * self.context
            stop = min(start + self.context, self.stream.tokens)
            tokens = self.stream.read(max(start - 1, 0), stop)
            length = stop - start
            targets[row, :length] = tokens[-length:]
            known = tokens[:-1]
            ids[row, length - len(known) : length] = known
        return Batch(windows, torch.from_numpy(ids), torch.from_numpy(targets))

    def valid(self, windows: NDArray[np.int64]) -> int:
        """How many targets these windows hold, without reading them."""
        short = self.count * self.context - self.stream.tokens
        return len(windows) * self.context - short * int(np.count_nonzero(windows == self.count - 1))


class TrainingOrder:
    """Which windows each step sees. Epochs follow one another without a seam; a step may span two."""

    def __init__(self, windows: Windows, seed: int, windows_per_step: int) -> None:
        if windows.count == 0:
            raise ValueError(f"{windows.stream.manifest.path}: no tokens in the split {windows.stream.split!r}")
        self.windows = windows
        self.seed = seed
        self.windows_per_step = windows_per_step

    def step(self, step: int) -> NDArray[np.int64]:
        """The window numbers of a whole step, int64 [windows_per_step]."""
        position = np.arange(step * self.windows_per_step, (step + 1) * self.windows_per_step, dtype=np.int64)
        epochs, index = np.divmod(position, self.windows.count)
        out = np.empty_like(index)
        for epoch in range(int(epochs[0]), int(epochs[-1]) + 1):
            here = epochs == epoch
            out[here] = permute(index[here], self.windows.count, f"{self.windows.stream.split}/{self.seed}/{epoch}")
        return out

    def share(self, step: int, rank: int, world_size: int) -> NDArray[np.int64]:
        """What one rank computes of a step; the ranks' shares are disjoint and together the step."""
        return self.step(step)[rank::world_size]


def evaluation_windows(windows: Windows, tokens: int) -> NDArray[np.int64]:
    """A sample of windows with about ``tokens`` targets, the same in every run on these shards; all when they fit."""
    wanted = min(windows.count, max(1, tokens // windows.context))
    return np.sort(permute(np.arange(wanted, dtype=np.int64), windows.count, "evaluation"))
