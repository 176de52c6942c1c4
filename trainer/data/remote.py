"""Shards on a store (S3, GCS, HTTP, …), chunk by chunk through a cache on this machine.

Decisions:
- The unit is the MiB that has a checksum: it is fetched as a range, proven, and kept. Windows in random order touch all
  shards at once, so whole shards would mean waiting for the whole split; and a window alone, 4 KB, could not be proven.
- The chunks a batch needs are fetched side by side. Reading ahead is making the batches of coming steps
  (``trainer/data/prefetch.py``), so what is fetched early is exactly what will be used.
- Pieces are named by the shard's own checksum: runs and manifests that share shards share the cache, and a shard that
  was made anew is another one.
"""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataprep.shards import Manifest, ShardInfo
from dataprep.shards.checksums import CHUNK_BYTES, chunk_checksum, chunks_of, recorded_checksum
from dataprep.shards.head import FIRST_READ, Head, head_length, parse_head
from dataprep.shards.layout import OFFSETS, VALUES
from trainer.data.cache import PieceCache
from trainer.data.store import PATIENT, Patience, Store
from trainer.data.stream import DamagedShardError, Place, Tokens

HEAD = "head"


class RemoteShards:
    """The shards of a stream on the manifest's store; ``connections`` ranges are asked for at once."""

    def __init__(
        self,
        manifest: Manifest,
        shards: Sequence[ShardInfo],
        cache: PieceCache,
        connections: int = 16,
        patience: Patience = PATIENT,
    ) -> None:
        self._shards = shards
        self._cache = cache
        self._store = Store(manifest.path, patience)
        self._pool = ThreadPoolExecutor(connections, "fetch")
        self._heads: dict[int, Head] = {}
        self._flights: dict[Place, Future[bytes | None]] = {}
        self._lock = Lock()

    def tokens(self, number: int) -> Tokens:
        return _RemoteTokens(self, number)

    def offsets(self, number: int) -> NDArray[np.int64]:
        size = self._head(number).places[OFFSETS][1]
        chunks = [Place(number, OFFSETS, chunk) for chunk in range(chunks_of(size))]
        return np.frombuffer(b"".join(self.part(place, 0, self._size(place)) for place in chunks), np.int64)

    def proven(self, chunks: Sequence[Place]) -> list[bool]:
        missing = {place.number for place in chunks} - self._heads.keys()
        list(self._pool.map(self._head, missing))
        return [flight.result() is not None for flight in [self._flight(place) for place in chunks]]

    def part(self, place: Place, start: int, stop: int) -> bytes:
        """Bytes of a chunk that has been proven; fetched again when it had to make room since."""
        data = self._cache.read(self._name(place), start, stop)
        if data is None:
            whole = self._flight(place).result()
            if whole is None:
                where = f"{self._store.url}/{self._shards[place.number].path}: buffer {place.buffer}"
                raise DamagedShardError(f"{where}, chunk {place.chunk} has changed since it was first read")
            data = whole[start:stop]
        return data

    def _flight(self, place: Place) -> Future[bytes | None]:
        with self._lock:
            flight = self._flights.get(place)
            if flight is None:
                flight = self._flights[place] = self._pool.submit(self._obtain, place)
                flight.add_done_callback(lambda _: self._flights.pop(place, None))
            return flight

    def _obtain(self, place: Place) -> bytes | None:
        """A chunk with the recorded checksum, from the cache or the store; None when the store's is another."""
        head = self._head(place.number)
        recorded = recorded_checksum(head.metadata.checksums[place.buffer], place.chunk)

        def good(data: bytes) -> bool:
            return len(data) == self._size(place) and chunk_checksum(np.frombuffer(data, np.uint8), 0) == recorded

        kept = self._cache.read(self._name(place))
        if kept is not None and good(kept):
            return kept
        start = head.places[place.buffer][0] + place.chunk * CHUNK_BYTES
        data = self._store.read(self._shards[place.number].path, start, start + self._size(place), good)
        if data is not None:
            self._cache.write(self._name(place), data)
        return data

    def _head(self, number: int) -> Head:
        """Raises ``DamagedShardError`` when the file does not begin as the shard that the manifest lists."""
        if number in self._heads:
            return self._heads[number]
        info = self._shards[number]
        name = f"{self._folder(number)}/{HEAD}"
        data = self._cache.read(name)
        if data is None or not _is_head(data, info.checksum):
            data, length = b"", FIRST_READ
            while len(data) < length:
                good = partial(_may_be_head, asked=length, checksum=info.checksum)
                found = self._store.read(info.path, 0, length, good)
                if found is None:
                    raise DamagedShardError(f"{self._store.url}/{info.path}: not the shard listed in the manifest")
                data, length = found, head_length(found)
            data = data[:length]
            self._cache.write(name, data)
        return self._heads.setdefault(number, parse_head(data))

    def _size(self, place: Place) -> int:
        return min(CHUNK_BYTES, self._head(place.number).places[place.buffer][1] - place.chunk * CHUNK_BYTES)

    def _folder(self, number: int) -> str:
        checksum = self._shards[number].checksum
        return f"{checksum[:2]}/{checksum}"

    def _name(self, place: Place) -> str:
        return f"{self._folder(place.number)}/{place.buffer}-{place.chunk:05d}"


def _is_head(data: bytes, checksum: str) -> bool:
    try:
        return parse_head(data).metadata.root == checksum
    except ValueError:
        return False


def _may_be_head(data: bytes, asked: int, checksum: str) -> bool:
    """The head of that shard, or the beginning of one that is longer than what was ``asked`` for."""
    try:
        return len(data) == asked < head_length(data) or _is_head(data, checksum)
    except ValueError:
        return False


class _RemoteTokens:
    """``tokens[start:stop]`` of one remote shard."""

    def __init__(self, shards: RemoteShards, number: int) -> None:
        self._shards = shards
        self._number = number
        self._dtype = np.dtype(shards._shards[number].dtype)

    def __getitem__(self, part: slice, /) -> NDArray[Any]:
        start, stop = part.start * self._dtype.itemsize, part.stop * self._dtype.itemsize
        pieces = []
        while start < stop:
            chunk, inside = divmod(start, CHUNK_BYTES)
            end = min(stop - chunk * CHUNK_BYTES, CHUNK_BYTES)
            pieces.append(self._shards.part(Place(self._number, VALUES, chunk), inside, end))
            start += end - inside
        return np.frombuffer(b"".join(pieces), self._dtype)
