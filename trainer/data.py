"""Shards become batches, and the batch of step t is a function of (manifest, seed, t) alone.

Decisions:
- All shards of a split, in the manifest's order, are one stream of tokens, cut into windows of ``context`` targets. The
  input of a target is the token before it; before the stream's first token stands EOS, as before every other document.
  So every token is a target exactly once in an epoch, and the last window is padded where it is short, not dropped.
- An epoch's order is a seeded bijection of the window numbers (``trainer/permutation.py``): resuming is asking for
  step t.
- A step's windows are numbered before they are dealt to ranks, so the global batch does not depend on the world size.

Shape suffixes: B windows, T positions.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainer.permutation import permute
from trainer.stream import TokenStream

IGNORE = -100
"""The target of padding; torch's cross-entropy passes over this value by default."""


@dataclass(frozen=True)
class Batch:
    """Rows of a step: ``ids_bt`` and ``targets_bt`` are int64 [B, T]; ``windows`` are their numbers in the stream."""

    windows: NDArray[np.int64]
    ids_bt: Tensor
    targets_bt: Tensor

    def pinned(self) -> "Batch":
        """The same in memory that a GPU copies from on its own."""
        return Batch(self.windows, self.ids_bt.contiguous().pin_memory(), self.targets_bt.pin_memory())


class Windows:
    """A stream cut into windows of ``context`` targets."""

    def __init__(self, stream: TokenStream, context: int) -> None:
        self.stream = stream
        self.context = context
        self.count = -(-stream.tokens // context)

    def batch(self, windows: NDArray[np.int64]) -> Batch:
        """The rows of ``windows``; one that touches damage which the stream is told to skip is padding throughout."""
        width = self.context + 1
        before = windows * self.context - 1  # of each row, the token that is only an input
        tokens = np.full((len(windows), width), self.stream.manifest.eos_id, np.int64)
        whole = (before >= 0) & (before + width <= self.stream.tokens)
        if whole.all():
            damaged = self.stream.read_windows(before, width, tokens)
        else:
            damaged = np.array(
                [row for row in range(len(windows)) if self._read_row(int(before[row]), tokens[row])], int
            )
        targets = tokens[:, 1:].copy()
        targets[damaged] = IGNORE
        for row in np.flatnonzero(before + width > self.stream.tokens):
            targets[row, self.stream.tokens - int(before[row]) - 1 :] = IGNORE
        return Batch(windows, torch.from_numpy(tokens[:, :-1]), torch.from_numpy(targets))

    def _read_row(self, before: int, out: NDArray[np.int64]) -> bool:
        """Fill what the stream has of ``out``, which begins at its token ``before``; whether that touches damage."""
        start, stop = max(before, 0), min(before + len(out), self.stream.tokens)
        part = out[start - before : stop - before]
        return len(self.stream.read_windows(np.array([start]), stop - start, part[None])) > 0

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
