"""The keys of a run's kept documents, sorted, so that later runs can be compared with it.

A run that keeps an index has, in ``unique/index``:

- ``keys-00000.arrow``, one for each partition of keys: ``key`` and ``reference`` (see ``rows``), by key;
- ``rows-00000.arrow``, one for each part: ``row``, the rows of its signature file that were kept, so that the n-th of
  them is row n of ``unique/kept``.

A later run looks its own keys up by bisection in files that are mapped to memory: a cost in proportion to its keys.

A key that many kept documents share (pages of one template) is listed for `BUCKET_COPIES` of them, by id: as many as a
verdict in a large component compares with.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dataprep import storage
from dataprep.dedup.bands import group_starts
from dataprep.dedup.hashing import I64, U64, partition_of
from dataprep.dedup.settings import DedupSettings
from dataprep.dedup.sidecar import Signatures, joined

BUCKET_COPIES = 64
# what two runs must agree on, or their keys mean different things
SHARED = ("exact", "normalisation", "shingle", "permutations", "seed", "urls", "scope")


class EarlierRunError(ValueError):
    """An earlier run that documents cannot be compared with; the message says why and what to do."""


def index_settings(settings: DedupSettings) -> dict[str, Any]:
    """What the keys of an index depend on."""
    bands, rows = settings.shape()
    return {**{name: getattr(settings, name) for name in SHARED}, "bands": bands, "rows": rows}


def first_of_each_key(keys: U64, references: U64, ids: U64) -> tuple[U64, U64]:
    """The pairs by key, each once, of each key the `BUCKET_COPIES` with the smallest ``ids`` (the ids' high halves)."""
    order = np.lexsort((references, ids, keys))
    keys, references = keys[order], references[order]
    new = np.ones(keys.size, np.bool_)
    new[1:] = (keys[1:] != keys[:-1]) | (references[1:] != references[:-1])
    keys, references = keys[new], references[new]
    starts = group_starts(keys)
    place = np.arange(keys.size) - np.repeat(starts[:-1], np.diff(starts))
    return keys[place < BUCKET_COPIES], references[place < BUCKET_COPIES]


def keys_file(directory: str, partition: int) -> str:
    return storage.join(directory, "index", f"keys-{partition:05d}.arrow")


def rows_file(directory: str, part: int) -> str:
    return storage.join(directory, "index", f"rows-{part:05d}.arrow")


def tombstones_file(directory: str, run: int) -> str:
    """The documents of one of a run's earlier runs that have yielded to it."""
    return storage.join(directory, "tombstones", f"run-{run:05d}.parquet")


def signature_file(directory: str, part: int) -> str:
    return storage.join(directory, "signatures", f"part-{part:05d}.arrow")


@dataclass(frozen=True)
class EarlierRun:
    """The finished ``unique`` stage of another run; its parts have numbers from ``first_part`` on in this one."""

    directory: str
    first_part: int
    parts: int
    partitions: int
    tombstones: tuple[str, ...] = ()  # files of other runs, with those of its documents that have yielded to them

    def look_up(self, keys: U64) -> tuple[U64, U64]:
        """(keys, references) of this run's documents that have one of ``keys``."""
        partitions = partition_of(keys, self.partitions)
        found_keys, found = [np.empty(0, np.uint64)], [np.empty(0, np.uint64)]
        for partition in np.unique(partitions).tolist():
            path = keys_file(self.directory, partition)
            if not storage.exists(path):
                continue
            mine = np.sort(keys[partitions == partition])
            table = storage.open_arrow(path).get_batch(0)
            theirs = table.column("key").to_numpy()
            low, high = np.searchsorted(theirs, mine, "left"), np.searchsorted(theirs, mine, "right")
            hits = high > low
            rows = _ranges(low[hits], high[hits])
            found_keys.append(np.repeat(mine[hits], (high - low)[hits]))
            found.append(table.column("reference").to_numpy()[rows])
        offset = np.uint64(self.first_part) << np.uint64(32)
        return np.concatenate(found_keys), np.concatenate(found) + offset

    def holds(self, part: int) -> bool:
        return self.first_part <= part < self.first_part + self.parts

    def signatures(self, part: int) -> Signatures:
        return Signatures.load(signature_file(self.directory, part - self.first_part))

    def alive(self, ids: U64) -> npt.NDArray[np.bool_]:
        """Which of its documents have not yielded."""
        return ~pc.is_in(joined(ids), _ids_of(self.tombstones)).to_numpy(zero_copy_only=False)

    def kept_rows(self, part: int, rows: I64) -> I64:
        """Where rows of the signature file are in the kept part."""
        kept = storage.open_arrow(rows_file(self.directory, part - self.first_part)).get_batch(0)
        return np.searchsorted(kept.column("row").to_numpy(), rows).astype(np.int64)

    def kept_file(self, part: int) -> str:
        return storage.join(self.directory, "kept", f"part-{part - self.first_part:05d}.parquet")


@cache
def _ids_of(paths: tuple[str, ...]) -> pa.Array:
    ids = [pa.array([], pa.binary(16))]
    for path in paths:
        with storage.open_read(path) as handle:
            ids += pq.read_table(handle, columns=["id"]).column("id").chunks
    return pa.concat_arrays(ids)


def _ranges(low: I64, high: I64) -> I64:
    """All of ``low[0] … high[0] - 1``, ``low[1] … high[1] - 1`` and so on."""
    sizes = high - low
    ends = np.cumsum(sizes)
    return np.arange(ends[-1] if ends.size else 0) - np.repeat(ends - sizes - low, sizes)


def open_runs(manifests: Sequence[tuple[str, Any]], settings: DedupSettings, parts: int) -> list[EarlierRun]:
    """The runs of ``settings.against``, given each one's directory and the manifest of its unique stage (or None).

    ``parts`` is how many the run that asks has. Raises `EarlierRunError`.
    """
    runs = []
    for number, (directory, manifest) in enumerate(manifests):
        field = f"deduplicate.against[{number}]: {settings.against[number]!r}"
        if manifest is None:
            raise EarlierRunError(f"{field} has no finished unique stage; give the output directory of an earlier run")
        index = manifest["extra"].get("index")
        if not index:
            raise EarlierRunError(f"{field} kept no index; run it again with deduplicate.index: true")
        for name, value in index_settings(settings).items():
            if index["settings"].get(name) != value:
                raise EarlierRunError(
                    f"{field} was made with deduplicate.{name} {index['settings'].get(name)}, here it is {value}; "
                    "both must be the same"
                )
        tombstones = tuple(_tombstones(manifest["fingerprint"], manifests))
        runs.append(EarlierRun(directory, parts, index["parts"], index["partitions"], tombstones))
        parts += index["parts"]
    return runs


def _tombstones(run: str, manifests: Sequence[tuple[str, Any]]) -> Iterator[str]:
    """The files in which other runs of ``manifests`` have what yielded of the one with this fingerprint."""
    for directory, manifest in manifests:
        settings = manifest["settings"] if manifest else {}
        if settings and settings["deduplicate"].get("copies") == "supersede":
            numbers = [number for number, earlier in enumerate(settings["against"]) if earlier == run]
            yield from (tombstones_file(directory, number) for number in numbers)


def write_keys(directory: str, partition: int, batches: Iterable[pa.RecordBatch]) -> int:
    """One partition of the index from rows of (key, reference, id); how many pairs it has."""
    columns = [[batch.column(k).to_numpy() for k in range(3)] for batch in batches]
    keys, references = first_of_each_key(*(np.concatenate(column) for column in zip(*columns, strict=True)))
    batch = pa.RecordBatch.from_arrays([pa.array(keys), pa.array(references)], ["key", "reference"])
    with storage.open_atomic(keys_file(directory, partition)) as sink, pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return keys.size
