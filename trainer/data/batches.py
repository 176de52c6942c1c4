"""Shards become batches, and the batch of step t is a function of (manifest, recipe, seed, t) alone.

Decisions:
- A source's shards of a split, in the manifest's order, are one stretch of tokens, cut into windows of ``context``
  targets: consecutive ones, or whole documents (``packing``). Every token is a target exactly once in an epoch of its
  source; what a window lacks is padding, nothing is dropped.
- Sources take turns by their weights (``mixture``); without weights each has the share of tokens it has, so that all
  epochs end together.
- The input of a target is the token before it in the stream. A document's first token is so predicted from the EOS that
  closes the document before it, and the stream's first token from EOS too: EOS also begins. A document that is cut
  goes on with its own last token as input.
- Where documents are kept apart, positions count from 0 in each of them, and nothing else has to be known: a token may
  look at those from the last position 0 on.
- An epoch's order is a seeded bijection of a source's window numbers: resuming is asking for step t. The seed is the
  source's name, so that no other source disturbs it.
- A step's windows are numbered before they are dealt to ranks, so the global batch does not depend on the world size.

Shape suffixes: B windows, T positions.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainer.data.documents import Documents, Pieces, Places
from trainer.data.mixture import Mixture, Size
from trainer.data.packing import Packed
from trainer.data.permutation import permute
from trainer.data.stream import NOTHING, TokenStream

IGNORE = -100
"""The target of padding; torch's cross-entropy passes over this value by default."""

STRETCH = 1_024
"""So many places of an epoch are put in order together; one at a time would cost more than reading the tokens."""


@dataclass(frozen=True)
class Batch:
    """Rows of a step: ``ids_bt`` and ``targets_bt`` are int64 [B, T]; ``windows`` are their numbers.

    ``positions_bt`` int64 [B, T]: where documents are kept apart, the place of each token in its document (in its part
    of it, when it was cut); padding at a row's end counts as a document. None where they are not.
    """

    windows: NDArray[np.int64]
    ids_bt: Tensor
    targets_bt: Tensor
    positions_bt: Tensor | None = None

    def to(self, device: torch.device) -> tuple[Tensor, Tensor, Tensor | None]:
        """Ids, targets and positions on a device, as ``Decoder`` takes them."""
        positions = None if self.positions_bt is None else self.positions_bt.to(device, non_blocking=True)
        return self.ids_bt.to(device, non_blocking=True), self.targets_bt.to(device, non_blocking=True), positions

    def pinned(self) -> "Batch":
        """The same in memory that a GPU copies from on its own."""
        positions = None if self.positions_bt is None else self.positions_bt.pin_memory()
        ids, targets = (part.contiguous().pin_memory() for part in (self.ids_bt, self.targets_bt))
        return Batch(self.windows, ids, targets, positions)

    def cu_seqlens(self) -> tuple[Tensor, int]:
        """(where documents begin in the rows laid end to end, and the end, int32 [documents + 1]; the longest).

        What attention of variable length asks for (``flash_attn_varlen_func``). Without document boundaries each row
        counts as one.
        """
        rows, length = self.ids_bt.shape
        if self.positions_bt is None:
            bounds = torch.arange(0, (rows + 1) * length, length)
        else:
            starts = torch.nonzero(self.positions_bt.flatten() == 0).flatten()
            bounds = torch.cat([starts, torch.tensor([rows * length])])
        return bounds.to(torch.int32), int(bounds.diff().max())


class Layout(Protocol):
    """How a stretch of a stream is cut into ``count`` windows."""

    count: int

    def order(self, index: NDArray[np.int64], key: str) -> NDArray[np.int64]:
        """The windows at these places of the epoch that ``key`` names."""
        ...

    def pieces(self, windows: NDArray[np.int64]) -> Pieces:
        """What fills these windows; row i is ``windows[i]``."""
        ...

    def targets(self, windows: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many tokens each of these windows holds."""
        ...


class Contiguous:
    """Tokens ``start`` … ``stop`` - 1 of a stream, cut every ``context``; only the last window is short."""

    def __init__(self, start: int, stop: int, context: int) -> None:
        self.start, self.stop, self.context = start, stop, context
        self.count = -(-(stop - start) // context)

    def order(self, index: NDArray[np.int64], key: str) -> NDArray[np.int64]:
        return permute(index, self.count, key)

    def pieces(self, windows: NDArray[np.int64]) -> Pieces:
        return Pieces(np.arange(len(windows)), self.start + windows * self.context, self.targets(windows))

    def targets(self, windows: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.minimum(self.stop - self.start - windows * self.context, self.context)


@dataclass(frozen=True)
class Source:
    """A source's windows are numbered from ``first`` on; ``tokens`` are there in an epoch."""

    name: str
    first: int
    tokens: int
    layout: Layout


class Windows:
    """A stream cut into windows of ``context`` targets, each of one source.

    ``mask_documents`` says whether batches carry the boundaries of documents.
    """

    def __init__(
        self,
        stream: TokenStream,
        context: int,
        *,
        packing: Literal["windows", "documents"] = "windows",
        mask_documents: bool = False,
    ) -> None:
        self.stream = stream
        self.context = context
        self.packing = packing
        self.mask_documents = mask_documents
        self.documents = Documents(stream)
        self.sources: list[Source] = []
        self.count = 0
        for name, start, stop in _stretches(stream):
            layout: Layout = Contiguous(start, stop, context)
            if packing == "documents":
                layout = Packed(self.documents, start, stop, context)
            self.sources.append(Source(name, self.count, stop - start, layout))
            self.count += layout.count
        self._firsts = np.array([source.first for source in self.sources], np.int64)

    def describe(self) -> str:
        padding = 1 - self.stream.tokens / (self.count * self.context)
        return f"{self.count:,} of {self.context:,} tokens in an epoch, {padding:.3%} padding"

    def batch(self, windows: NDArray[np.int64]) -> Batch:
        pieces = self.pieces(windows)
        runs, damaged = self._read(pieces)
        room = self.context - np.bincount(pieces.row, pieces.length, minlength=len(windows)).astype(np.int64)
        whole = len(pieces.row) == len(windows) and not room.any()
        if whole and not self.mask_documents and not len(damaged):
            rows = torch.from_numpy(np.concatenate([NOTHING, *runs]).reshape(len(windows), self.context + 1))
            return Batch(windows, rows[:, :-1], rows[:, 1:])
        # one block: three arrays are given back to the system after each batch and their pages faulted in anew
        block = np.empty((2 + self.mask_documents, len(windows), self.context), np.int64)
        ids, targets, *positions = block.reshape(len(block), -1)
        length, order = _with_padding(pieces, room)
        eos = np.full(self.context + 1, self.stream.manifest.eos_id)
        runs += [eos[: tokens + 1] for tokens in length[len(runs) :].tolist()]
        runs = [runs[run] for run in order.tolist()]
        np.concatenate([NOTHING, *(run[1:] for run in runs)], out=targets)
        ids[1:] = targets[:-1]  # all but the first of each piece
        ids[np.cumsum(length[order]) - length[order]] = [run[0] for run in runs]
        for row in np.flatnonzero(room).tolist():
            block[1, row, -room[row] :] = IGNORE
        block[1, pieces.row[damaged]] = IGNORE
        for array in positions:
            if self.packing == "windows":
                length, order = _with_padding(self.documents.split(pieces), room)
            counting = np.arange(self.context)
            np.concatenate([NOTHING, *(counting[:tokens] for tokens in length[order].tolist())], out=array)
        return Batch(windows, *map(torch.from_numpy, block))

    def _read(self, pieces: Pieces) -> tuple[list[NDArray[Any]], NDArray[np.int64]]:
        """(the tokens of each piece after the one before it; the pieces that touch damage).

        EOS is before the stream's first token.
        """
        begins = pieces.start == 0
        runs, damaged = self.stream.runs(pieces.start - ~begins, pieces.length + ~begins)
        for piece in np.flatnonzero(begins).tolist():
            runs[piece] = np.append(self.stream.manifest.eos_id, runs[piece])
        return runs, damaged

    def pieces(self, windows: NDArray[np.int64]) -> Pieces:
        """The runs of tokens that fill these windows; row i is ``windows[i]``."""
        parts = [Pieces(*np.empty((3, 0), np.int64))]
        for source, rows in self._by_source(windows):
            row, start, length = source.layout.pieces(windows[rows] - source.first)
            parts.append(Pieces(rows[row], start, length))
        if len(parts) == 2:  # of one source
            return parts[1]
        row, start, length = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        order = np.argsort(row, kind="stable")
        return Pieces(row[order], start[order], length[order])

    def places(self, windows: NDArray[np.int64]) -> Places:
        """The documents that fill these windows."""
        return self.documents.places(self.pieces(windows))

    def targets(self, windows: NDArray[np.int64]) -> dict[str, int]:
        """How many targets these windows hold of each source that they are of, without reading a token."""
        return {
            source.name: int(source.layout.targets(windows[rows] - source.first).sum())
            for source, rows in self._by_source(windows)
        }

    def _by_source(self, windows: NDArray[np.int64]) -> Iterator[tuple[Source, NDArray[np.int64]]]:
        """The sources these windows are of, each with the places in ``windows`` that are its."""
        owner = np.searchsorted(self._firsts, windows, side="right") - 1
        for number in np.unique(owner).tolist():
            yield self.sources[number], np.flatnonzero(owner == number)


class TrainingOrder:
    """Which windows each step sees. A source's epochs follow one another without a seam; a step may span two.

    ``phases``: (first step, weights of sources), see ``Mixture``; without any, every source weighs its tokens.
    """

    def __init__(
        self,
        windows: Windows,
        seed: int,
        windows_per_step: int,
        phases: Sequence[tuple[int, Mapping[str, float]]] = (),
    ) -> None:
        if windows.count == 0:
            raise ValueError(f"{windows.stream.manifest.path}: no tokens in the split {windows.stream.split!r}")
        self.windows = windows
        self.seed = seed
        self.windows_per_step = windows_per_step
        sizes = {source.name: Size(source.layout.count, source.tokens) for source in windows.sources}
        natural = {name: size.tokens for name, size in sizes.items()}
        self.mixture = Mixture(phases or [(0, natural)], sizes, windows_per_step)
        self._stretch = lru_cache(maxsize=2 * len(sizes))(self._order_stretch)

    def step(self, step: int) -> NDArray[np.int64]:
        """The window numbers of a whole step, int64 [windows_per_step]."""
        dealt, before = self.mixture.step(step)
        out = np.empty_like(dealt)
        for number, windows in enumerate(np.bincount(dealt).tolist()):
            if windows:
                out[dealt == number] = self.in_order(number, before[number], before[number] + windows)
        return out

    @staticmethod
    def share(windows: NDArray[np.int64], rank: int, world_size: int) -> NDArray[np.int64]:
        """What one rank computes of a step's windows; the ranks' shares are disjoint and together the step."""
        return windows[rank::world_size]

    def documents_of(self, step: int) -> Places:
        """Which tokens of which documents a step sees; row i is window i of ``step``."""
        return self.windows.places(self.step(step))

    def in_order(self, number: int, start: int, stop: int) -> NDArray[np.int64]:
        """The windows at places ``start`` … ``stop`` - 1 of a source's epochs, laid end to end."""
        parts = []
        while start < stop:
            epoch, index = divmod(start, self.windows.sources[number].layout.count)
            part = self._stretch(number, epoch, index // STRETCH)[index % STRETCH :][: stop - start]
            parts.append(part)
            start += len(part)
        return np.concatenate(parts)

    def _order_stretch(self, number: int, epoch: int, stretch: int) -> NDArray[np.int64]:
        source = self.windows.sources[number]
        index = np.arange(stretch * STRETCH, min((stretch + 1) * STRETCH, source.layout.count))
        key = f"{self.windows.stream.split}/{self.seed}/{epoch}/{source.name}"
        return source.first + source.layout.order(index, key)


def evaluation_windows(windows: Windows, tokens: int) -> dict[str, NDArray[np.int64]]:
    """A sample of each source's windows, together about ``tokens`` targets, the same in every run on these shards.

    Sources share alike, whatever their sizes: what is said of a small one should be as sure as of a large one. One that
    has less than its share is read whole and leaves the rest to the others. Each has at least one window.
    """
    left = tokens // windows.context
    sample = {}
    by_size = sorted(windows.sources, key=lambda source: source.layout.count)
    for sources_left, source in zip(range(len(by_size), 0, -1), by_size, strict=True):
        taken = min(source.layout.count, max(1, left // sources_left))
        left -= taken
        sample[source.name] = source.first + source.layout.order(np.arange(taken), "evaluation")
    return {source.name: np.sort(sample[source.name]) for source in windows.sources}


def _stretches(stream: TokenStream) -> list[tuple[str, int, int]]:
    """(source, first token, token after its last) of each source. Raises ``ValueError`` when shards are not sorted."""
    found = []
    for name, group in groupby(range(len(stream.shards)), lambda number: stream.shards[number].source):
        numbers = list(group)
        found.append((name, int(stream.starts[numbers[0]]), int(stream.starts[numbers[-1] + 1])))
    if len({name for name, _, _ in found}) < len(found):
        raise ValueError(f"{stream.manifest.path}: a source's shards are not listed one after the other")
    return found


def _with_padding(pieces: Pieces, room: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(the lengths of the pieces and then of what pads the rows that have ``room``; the order that fills row by row)"""
    short = np.flatnonzero(room)
    row = np.concatenate([pieces.row, short])
    return np.concatenate([pieces.length, room[short]]), np.argsort(row, kind="stable")
