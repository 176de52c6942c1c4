"""The shards of a split as one long array of tokens, proven before they are used.

Decisions:
- A shard's tokens are compared with its recorded checksums, MiB by MiB, when a chunk is first touched; or a seeded
  share of the chunks, or none. Which chunks are sampled is a function of the seed, so every rank and every replay
  proves the same ones.
- A damaged chunk stops the run, or by choice its windows come back marked. Whether a window is damaged depends on the
  bytes alone, never on who reads it: no rank has to tell another.
- Whether a chunk is known is one byte for each MiB, 2 MB for a trillion tokens; shards are opened when they are first
  read, and an open one is a memory map without a file descriptor.
- Every method may be called from several threads.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from dataprep.shards import Manifest, ShardInfo, verify_shard
from dataprep.shards.checksums import CHUNK_BYTES, chunks_of, is_whole
from dataprep.shards.layout import OFFSETS, VALUES

UNKNOWN, PROVEN, DAMAGED = 0, 1, 2
NOTHING = np.zeros(0, np.int64)


class DamagedShardError(ValueError):
    """A shard whose bytes are not the ones that were written; names the file, the place and the documents."""


@dataclass(frozen=True)
class Proof:
    """How much is proven. ``share``: of the chunks, 1 for all, 0 for none. ``skip``: go on after damage, on record.

    Shards on a store are always proven in full: what came over a network is not kept before it is.
    """

    share: float = 1.0
    seed: int = 0
    skip: bool = False


ALL = Proof()


@dataclass(frozen=True)
class Damage:
    """A chunk that cannot be used: tokens ``start`` … ``stop`` - 1 of the stream. ``message`` names shard, chunk and
    documents.
    """

    message: str
    start: int
    stop: int


class Place(NamedTuple):
    """A chunk of a buffer of the shard ``number``, counted through the stream."""

    number: int
    buffer: str
    chunk: int


class Tokens(Protocol):
    """A shard's tokens: an array, or what looks them up in a cache."""

    def __getitem__(self, part: slice, /) -> NDArray[Any]: ...


class Shards(Protocol):
    """Where a stream's shards are; ``number`` is a shard's place in the stream."""

    def tokens(self, number: int) -> Tokens: ...

    def offsets(self, number: int) -> NDArray[np.int64]: ...

    def proven(self, chunks: Sequence[Place]) -> list[bool]:
        """Whether each chunk has the checksum that its shard recorded."""
        ...


class _Views(NamedTuple):
    tokens: NDArray[Any]
    offsets: NDArray[np.int64]
    buffers: dict[str, NDArray[np.uint8]]
    checksums: dict[str, str]


class LocalShards:
    """Shards on this machine's disk, memory-mapped."""

    def __init__(self, manifest: Manifest, shards: Sequence[ShardInfo]) -> None:
        self._manifest = manifest
        self._shards = shards
        self._open: dict[int, _Views] = {}

    def tokens(self, number: int) -> Tokens:
        return self._views(number).tokens

    def offsets(self, number: int) -> NDArray[np.int64]:
        return self._views(number).offsets

    def proven(self, chunks: Sequence[Place]) -> list[bool]:
        found = []
        for number, buffer, chunk in chunks:
            views = self._views(number)
            found.append(is_whole(views.buffers[buffer], chunk, views.checksums[buffer]))
        return found

    def _views(self, number: int) -> _Views:
        views = self._open.get(number)
        if views is None:
            path = self._shards[number].path
            try:
                shard = self._manifest.open(self._shards[number])
            except FileNotFoundError:
                raise DamagedShardError(f"{self._manifest.path}/{path}: missing") from None
            except ValueError as error:
                raise DamagedShardError(str(error)) from None
            views = _Views(shard.tokens, shard.offsets, shard.buffers(), shard.metadata.checksums)
            self._open[number] = views
        return views


class TokenStream:
    """The tokens of one split as one long array; ``vocabulary`` is the model's, in rows of its embedding.

    ``shards`` is where they are: on this machine's disk unless given. ``report`` is told of each damaged chunk once,
    before the call that found it returns. Raises ``ValueError`` when a shard holds an id the model has no row for.
    """

    def __init__(
        self,
        manifest: Manifest,
        split: str,
        vocabulary: int,
        *,
        proof: Proof = ALL,
        shards: Callable[[Manifest, Sequence[ShardInfo]], Shards] = LocalShards,
        report: Callable[[Damage], None] | None = None,
    ) -> None:
        self.manifest = manifest
        self.split = split
        self.shards = manifest.select(split)
        for info in self.shards:
            if info.largest_id >= vocabulary:
                raise ValueError(
                    f"{manifest.path}/{info.path}: its largest token id is {info.largest_id}, "
                    f"the model's vocabulary allows 0 to {vocabulary - 1}"
                )
        self._sizes = np.array([info.tokens for info in self.shards], np.int64)
        self._widths = np.array([np.dtype(info.dtype).itemsize for info in self.shards], np.int64)
        self.starts = _running(self._sizes)
        self.tokens = int(self.starts[-1])
        self.bytes = sum(info.bytes for info in self.shards)
        self.damage: list[Damage] = []
        self._skip = proof.skip
        self._report = report
        self._places = shards(manifest, self.shards)
        self._chunks = _running(-(-self._sizes * self._widths // CHUNK_BYTES))
        self._state = np.zeros(int(self._chunks[-1]), np.uint8)
        if proof.share < 1 and isinstance(self._places, LocalShards):
            drawn = np.random.default_rng([proof.seed, *split.encode()]).random(len(self._state), np.float32)
            self._state[drawn >= proof.share] = PROVEN
        self._left = int(np.count_nonzero(self._state != PROVEN))
        self._proven_offsets: set[int] = set()
        self._lock = threading.Lock()

    def read(self, start: int, stop: int) -> NDArray[np.int64]:
        """Tokens ``start`` … ``stop`` - 1. Raises ``DamagedShardError`` before it would return a changed token."""
        out = np.empty(stop - start, np.int64)
        if len(self.read_runs(np.array([start]), np.array([stop - start]), out)):
            touched = [one.message for one in self.damage if one.start < stop and one.stop > start]
            raise DamagedShardError("; ".join(touched))
        return out

    def read_windows(self, starts: NDArray[np.int64], length: int, out: NDArray[np.int64]) -> NDArray[np.int64]:
        """As ``read_runs`` for runs of one length; ``out`` is [n, length], contiguous."""
        return self.read_runs(starts, np.full(len(starts), length), out.reshape(-1))

    def read_runs(
        self, starts: NDArray[np.int64], lengths: NDArray[np.int64], out: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Fill ``out``, flat, with the ``lengths`` [n] tokens from each of ``starts`` [n] on, laid end to end.

        Returns the runs, ascending, that touch damage: always none unless ``Proof.skip``, else they are filled with
        EOS. Raises ``DamagedShardError`` before it would hand out a changed token, ``IndexError`` outside the stream.
        """
        found, damaged = self.runs(starts, lengths)
        np.concatenate([NOTHING, *found], out=out)
        return damaged

    def runs(
        self, starts: NDArray[np.int64], lengths: NDArray[np.int64]
    ) -> tuple[list[NDArray[Any]], NDArray[np.int64]]:
        """As ``read_runs``, the tokens of each run as its shard holds them: views, not copies, on a local disk."""
        if not len(starts):
            return [], NOTHING
        stops = starts + lengths
        if starts.min() < 0 or stops.max() > self.tokens:
            raise IndexError(f"tokens {starts.min()} to {stops.max() - 1}: there are {self.tokens}")
        numbers = self.starts.searchsorted(starts, "right") - 1
        begins, ends = starts - self.starts[numbers], stops - self.starts[numbers]
        runs = np.arange(len(starts))
        if (ends > self._sizes[numbers]).any():
            runs, numbers, begins, ends = self.by_shard(starts, stops)
        spoilt = set(runs[self._prove(numbers, begins, ends)].tolist())
        tokens = {number: self._places.tokens(number) for number in set(numbers.tolist())}
        places = zip(runs.tolist(), numbers.tolist(), begins.tolist(), ends.tolist(), strict=True)
        found = [
            np.full(end - begin, self.manifest.eos_id) if run in spoilt else tokens[number][begin:end]
            for run, number, begin, end in places
        ]
        if len(found) > len(starts):
            bounds = np.searchsorted(runs, np.arange(len(starts) + 1)).tolist()
            found = [np.concatenate(found[first:end]) for first, end in pairwise(bounds)]
        return found, np.array(sorted(spoilt), np.int64)

    def offsets(self, number: int) -> NDArray[np.int64]:
        """Where the documents of shard ``number`` begin and end, int64 [documents + 1], from the shard's first token.

        Raises ``DamagedShardError`` when they are damaged, skipping or not: without them no document has its place.
        """
        if number not in self._proven_offsets:
            count = chunks_of(8 * (self.shards[number].documents + 1))
            if not all(self._places.proven([Place(number, OFFSETS, chunk) for chunk in range(count)])):
                raise DamagedShardError(self._name(number, OFFSETS, None))
            self._proven_offsets.add(number)
        return self._places.offsets(number)

    def by_shard(self, starts: NDArray[np.int64], stops: NDArray[np.int64]) -> tuple[NDArray[np.int64], ...]:
        """(run, shard, begin and end in the shard) of what each shard has of the runs, in their order; int64 [m]."""
        first, last = self.starts.searchsorted(starts, "right") - 1, self.starts.searchsorted(stops, "left") - 1
        runs = np.repeat(np.arange(len(starts)), last - first + 1)
        numbers = np.arange(len(runs)) - np.searchsorted(runs, runs) + first[runs]
        base = self.starts[numbers]
        return runs, numbers, np.maximum(starts[runs] - base, 0), np.minimum(stops[runs] - base, self._sizes[numbers])

    def _prove(
        self, numbers: NDArray[np.int64], begins: NDArray[np.int64], ends: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Get to know every chunk the pieces [n] touch; the indices of those that touch damage, if that is skipped."""
        if not self._left:
            return NOTHING
        width, base = self._widths[numbers], self._chunks[numbers]
        first, last = base + begins * width // CHUNK_BYTES, base + (ends * width - 1) // CHUNK_BYTES
        touched = np.minimum(first + np.arange(int((last - first).max()) + 1)[:, None], last)
        states = self._state[touched]
        if not states.all():
            self._examine(sorted(set(touched[states == UNKNOWN].tolist())))
        return np.flatnonzero((self._state[touched] == DAMAGED).any(axis=0)) if self.damage else NOTHING

    def _examine(self, chunks: list[int]) -> None:
        numbers = self._chunks.searchsorted(chunks, "right") - 1
        inside = np.array(chunks) - self._chunks[numbers]
        places = [Place(number, VALUES, one) for number, one in zip(numbers.tolist(), inside.tolist(), strict=True)]
        for chunk, place, good in zip(chunks, places, self._places.proven(places), strict=True):
            with self._lock:
                if self._state[chunk] != UNKNOWN:  # another thread was first
                    continue
                if good:
                    self._left -= 1
                else:
                    self._record(place)
                self._state[chunk] = PROVEN if good else DAMAGED

    def _record(self, place: Place) -> None:
        message = self._name(*place)
        if not self._skip:
            raise DamagedShardError(message)
        width, first = int(self._widths[place.number]), int(self.starts[place.number])
        start, stop = (first + chunk * CHUNK_BYTES // width for chunk in (place.chunk, place.chunk + 1))
        found = Damage(message, start, min(stop, int(self.starts[place.number + 1])))
        self.damage.append(found)
        if self._report:
            self._report(found)

    def _name(self, number: int, buffer: str, chunk: int | None) -> str:
        """What is damaged, down to the documents; for that the shard is read once more, whole."""
        path = f"{self.manifest.path}/{self.shards[number].path}"
        problems = [
            problem
            for problem in verify_shard(path)
            if problem.buffer is None or (problem.buffer == buffer and chunk in (None, problem.chunk))
        ]
        where = f"{path}: buffer {buffer}" + ("" if chunk is None else f", chunk {chunk}")
        return "; ".join(map(str, problems)) or f"{where}: it did not have the recorded checksum"


def _running(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """0 and the sums of the first 1, 2, … of ``sizes``, int64 [n + 1]."""
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
