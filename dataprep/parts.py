"""Part files: Parquet written atomically, batch by batch, with bytes that depend on nothing but the batches."""

from collections.abc import Iterator
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import dataclass
from types import TracebackType

import pyarrow as pa
import pyarrow.parquet as pq

from dataprep import storage
from dataprep.document import BATCH_ROWS

QUARANTINE_SCHEMA = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("locator", pa.string(), nullable=False),  # file and record or byte offset
        pa.field("url", pa.string()),
        pa.field("step", pa.string(), nullable=False),  # what was being done: reader, extractor, signal …
        pa.field("reason", pa.string(), nullable=False),  # a short name that is counted
        pa.field("error", pa.string(), nullable=False),  # one line for a person
    ]
)


@dataclass(frozen=True)
class Quarantined:
    """One record that could not be processed; see ``QUARANTINE_SCHEMA``."""

    source: str
    locator: str
    step: str
    reason: str
    error: str
    url: str | None = None


def quarantine_batch(rows: list[Quarantined]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(
        [{name: getattr(row, name) for name in QUARANTINE_SCHEMA.names} for row in rows], schema=QUARANTINE_SCHEMA
    )


class PartWriter:
    """A Parquet file that appears whole at ``path`` when the ``with`` block ends well.

    ``schema`` is what an empty part has; the first batch written may bring more columns, all later ones must equal it.
    One row group a batch; zstd; so the same batches give the same bytes.
    """

    def __init__(self, path: str, schema: pa.Schema) -> None:
        self.path = path
        self.schema = schema
        self.rows = 0
        self._stack = ExitStack()
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> "PartWriter":
        self._file = self._stack.enter_context(storage.open_atomic(self.path))
        return self

    def write(self, batch: pa.RecordBatch) -> None:
        if batch.num_rows == 0:
            return
        if self._writer is None:
            self.schema = batch.schema
            self._open()
        assert self._writer is not None
        self._writer.write_batch(batch)
        self.rows += batch.num_rows

    def _open(self) -> None:
        self._writer = pq.ParquetWriter(self._file, self.schema, compression="zstd", compression_level=3)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and self._writer is None:
            self._open()
        if self._writer is not None:
            # after a failure too, while the doomed file is still open: a writer that is never closed closes itself late
            with suppress(pa.ArrowException, OSError) if kind else nullcontext():
                self._writer.close()
        self._stack.__exit__(kind, error, trace)


def read_part(path: str, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    """The record batches of one part, in order, one row group in memory at a time."""
    with storage.open_read(path) as handle:
        file = pq.ParquetFile(handle)
        for group in range(file.num_row_groups):
            yield from file.read_row_group(group, columns=columns).to_batches(BATCH_ROWS)
