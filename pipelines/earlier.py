"""Earlier runs beside the unique stage: the index it leaves for later ones, and how it is compared with theirs."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from dataprep import storage
from dataprep.dedup import rows
from dataprep.dedup.bands import candidate_keys
from dataprep.dedup.hashing import I64, U64, partition_of
from dataprep.dedup.index import EarlierRun, rows_file, signature_file, tombstones_file, write_keys
from dataprep.dedup.settings import DedupSettings
from dataprep.dedup.sidecar import Signatures, joined
from dataprep.parts import PartWriter
from pipelines.batches import Split
from pipelines.receipts import Receipt
from pipelines.shuffle import work_file

TOMBSTONE_SCHEMA = pa.schema(
    [
        pa.field("id", pa.binary(16), nullable=False),
        *(field for field in rows.VERDICT_SCHEMA if field.name != "reference"),
    ]
)


@dataclass(frozen=True)
class Corpus:
    """Where the documents are that references mean: those of this run, then those of earlier ones."""

    directory: str  # of this run's stage
    documents: str  # of its input
    parts: int
    runs: tuple[EarlierRun, ...]

    @property
    def all_parts(self) -> int:
        return self.parts + sum(run.parts for run in self.runs)

    def run_of(self, part: int) -> EarlierRun | None:
        return next((run for run in self.runs if run.holds(part)), None)

    def signatures(self, part: int) -> Signatures:
        run = self.run_of(part)
        return run.signatures(part) if run else Signatures.load(signature_file(self.directory, part))

    def alive(self, part: int, ids: U64) -> npt.NDArray[np.bool_]:
        """Which documents of a part have not yielded to another of the runs."""
        run = self.run_of(part)
        return run.alive(ids) if run else np.ones(len(ids), np.bool_)

    def place(self, part: int, wanted: I64) -> tuple[str, I64]:
        """The Parquet file that has the rows ``wanted`` of a part, and which of its rows they are."""
        run = self.run_of(part)
        if run:
            return run.kept_file(part), run.kept_rows(part, wanted)
        return storage.list_files(self.documents, ".parquet")[part].path, wanted

    def take(self, part: int, wanted: I64, columns: list[str]) -> pa.Table:
        """Columns of some documents of a part, in the order asked for."""
        path, places = self.place(part, wanted)
        with storage.open_read(path) as handle:
            return pq.read_table(handle, columns=columns).take(places)

    def is_earlier(self, references: U64) -> npt.NDArray[np.bool_]:
        return rows.part_of(references) >= self.parts

    def look_up(self, keys: U64) -> Iterator[tuple[U64, U64]]:
        """The documents of earlier runs that have one of ``keys``."""
        for run in self.runs:
            yield run.look_up(keys)


def read_verdicts(directory: str, partition: int) -> pa.RecordBatch:
    path = work_file(directory, "verdicts", partition)
    return rows.read_rows(path) if storage.exists(path) else pa.RecordBatch.from_pylist([], schema=rows.VERDICT_SCHEMA)


def verdicts_of_part(verdicts: pa.RecordBatch, part: int) -> pa.RecordBatch:
    """Those on a part's documents, of verdicts in the order of their references."""
    known = verdicts.column("reference").to_numpy()
    low, high = np.searchsorted(known, np.array([part, part + 1], np.uint64) << np.uint64(32)).tolist()
    return verdicts.slice(low, high - low)


@dataclass(frozen=True)
class IndexPart:
    """Mapper: a part's signatures → which rows were kept, and their keys by partition."""

    directory: str
    settings: DedupSettings
    width: int
    partitions: int

    def __call__(self, split: Split, receipt: Receipt) -> Iterator[tuple[int, pa.RecordBatch]]:
        verdicts = verdicts_of_part(read_verdicts(self.directory, split.index // self.width), split.index)
        signatures = Signatures.load(signature_file(self.directory, split.index))
        stays = np.ones(len(signatures.ids), np.bool_)
        stays[rows.row_of(verdicts.column("reference").to_numpy())] = False
        kept = np.flatnonzero(stays)
        rows.write_rows(rows_file(self.directory, split.index), pa.RecordBatch.from_arrays([pa.array(kept)], ["row"]))
        signatures = signatures.take(kept)
        references = rows.references(split.index, len(stays))[kept]
        keys, references = candidate_keys(signatures, references, self.settings)
        ids = signatures.ids[np.searchsorted(kept, rows.row_of(references)), 0]
        batch = pa.RecordBatch.from_arrays(
            [pa.array(keys), pa.array(references), pa.array(ids)], ["key", "reference", "id"]
        )
        receipt.extra["partitions"] = self.partitions
        yield from rows.divided(batch, partition_of(keys, self.partitions))


@dataclass(frozen=True)
class WriteIndex:
    """Reducer: one partition of keys → its file of the index."""

    directory: str

    def __call__(self, partition: int, batches: Iterable[pa.RecordBatch], receipt: Receipt) -> dict[str, Any]:
        return {"keys": write_keys(self.directory, partition, batches)}


@dataclass(frozen=True)
class WriteTombstones:
    """Task: the documents of one earlier run that yield to new ones → ``tombstones/run-00000.parquet``."""

    corpus: Corpus
    width: int

    def __call__(self, split: Split, receipt: Receipt) -> dict[str, Any]:
        run = self.corpus.runs[split.index]
        path = tombstones_file(self.corpus.directory, split.index)
        with PartWriter(path, TOMBSTONE_SCHEMA) as writer:
            for part in range(run.first_part, run.first_part + run.parts):
                verdicts = verdicts_of_part(read_verdicts(self.corpus.directory, part // self.width), part)
                if verdicts.num_rows:
                    ids = run.signatures(part).ids[rows.row_of(verdicts.column("reference").to_numpy())]
                    columns = [joined(ids), *(verdicts.column(name) for name in TOMBSTONE_SCHEMA.names[1:])]
                    writer.write(pa.RecordBatch.from_arrays(columns, schema=TOMBSTONE_SCHEMA))
        return {"run": run.directory, "tombstones": writer.rows}
