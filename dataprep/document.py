"""The document batch: the one shape in which documents travel, and the identity of a document.

Decisions:
- The unit is a ``pyarrow.RecordBatch`` of at most ``BATCH_ROWS`` rows or about ``BATCH_BYTES`` of text; a document
  alone is never a Python object on a hot path.
- An id is a function of where the document came from (source name and locator), so the same document has the same id on
  every run and machine, however the files are ordered or divided among workers.
- Signals are extra columns named ``family.signal``; ``rejected_by`` is added by the rules.
- Every batch that the documents stage writes has the signals that extraction measures, null where a document was no
  HTML, so that all parts of a run have one schema.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

BATCH_BYTES = 16 << 20
BATCH_ROWS = 4096

SOURCE_TYPE = pa.dictionary(pa.int32(), pa.string())

SCHEMA = pa.schema(
    [
        pa.field("id", pa.binary(16), nullable=False),
        pa.field("text", pa.large_string(), nullable=False),
        pa.field("url", pa.string()),
        pa.field("source", SOURCE_TYPE, nullable=False),
        pa.field("locator", pa.string(), nullable=False),
        pa.field("date", pa.timestamp("ms")),
        pa.field("metadata", pa.map_(pa.string(), pa.string())),
    ]
)

PAGE_SIGNALS = pa.schema(
    [
        pa.field("html.profile", pa.string()),  # by which rules the page's blocks were chosen
        pa.field("html.characters", pa.int64()),  # of all visible text
        pa.field("html.kept", pa.float64()),  # share of it that was kept
        pa.field("html.links", pa.float64()),  # share of it that is inside links
        pa.field("html.blocks", pa.int32()),
        pa.field("html.blocks_kept", pa.int32()),
    ]
)
EXTRACTED = pa.schema([*SCHEMA, *PAGE_SIGNALS])

CHARACTERS = pa.field("text.characters", pa.int64())  # code points of ``text``: figures about parts need not read it


def document_id(source: str, locator: str) -> bytes:
    """xxh3-128 of ``source`` NUL ``locator``: 16 bytes, big-endian, the same on every machine."""
    return xxhash.xxh3_128_digest(f"{source}\0{locator}".encode("utf-8", "surrogatepass"))


def document_ids(source: str, locators: Iterable[str]) -> pa.FixedSizeBinaryArray:
    """The ids of one source's documents."""
    ids = b"".join([document_id(source, locator) for locator in locators])
    return pa.Array.from_buffers(pa.binary(16), len(ids) // 16, [None, pa.py_buffer(ids)])


def source_column(source: str, rows: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([source], pa.string()))


def metadata_column(rows: int, columns: Mapping[str, pa.Array]) -> pa.MapArray:
    """The maps of ``rows`` documents from one column of strings for each key: keys sorted, those there are not null."""
    kind = SCHEMA.field("metadata").type
    names = sorted(columns)
    if not names:
        return pa.MapArray.from_arrays(
            np.zeros(rows + 1, np.int32), pa.array([], pa.string()), pa.array([], pa.string())
        )
    there = np.stack([columns[name].is_valid().to_numpy(zero_copy_only=False) for name in names], axis=1)
    row, key = np.nonzero(there)  # by row, then by key
    offsets = np.zeros(rows + 1, np.int32)
    np.cumsum(there.sum(axis=1), out=offsets[1:])
    keys = pa.array(names, pa.string()).take(pa.array(key))
    values = pa.concat_arrays([columns[name] for name in names]).take(pa.array(key * rows + row))
    return pa.MapArray.from_arrays(pa.array(offsets), keys, values, type=kind)


class Regrouped:
    """Small batches of one schema, joined to such as travel and handed to ``write``; ``finish`` hands over the rest."""

    def __init__(self, write: Callable[[pa.RecordBatch], None]) -> None:
        self.write = write
        self.batches: list[pa.RecordBatch] = []
        self.rows = self.bytes = 0

    def add(self, batch: pa.RecordBatch) -> None:
        if self.rows + batch.num_rows > BATCH_ROWS or self.bytes >= BATCH_BYTES:
            self.finish()
        self.batches.append(batch)
        self.rows += batch.num_rows
        self.bytes += batch.column("text").nbytes

    def finish(self) -> None:
        if self.rows:
            self.write(pa.concat_batches(self.batches))
        self.batches, self.rows, self.bytes = [], 0, 0


@dataclass
class BatchBuilder:
    """Collects documents of one source row by row where a reader has nothing better than rows.

    ``add`` returns a finished batch whenever the limits are reached; ``finish`` returns the rest, or None.
    """

    source: str
    rows: list[tuple[str, str, str | None, datetime | None, Mapping[str, str]]] = field(default_factory=list)
    bytes: int = 0

    def add(
        self,
        text: str,
        locator: str,
        url: str | None = None,
        date: datetime | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> pa.RecordBatch | None:
        self.rows.append((text, locator, url, date, metadata or {}))
        self.bytes += len(text)
        if self.bytes >= BATCH_BYTES or len(self.rows) >= BATCH_ROWS:
            return self.finish()
        return None

    def finish(self) -> pa.RecordBatch | None:
        if not self.rows:
            return None
        texts, locators, urls, dates, metadata = zip(*self.rows, strict=True)
        columns = [
            document_ids(self.source, locators),
            pa.array(texts, pa.large_string()),
            pa.array(urls, pa.string()),
            source_column(self.source, len(texts)),
            pa.array(locators, pa.string()),
            pa.array([d.replace(tzinfo=None) if d else None for d in dates], pa.timestamp("ms")),
            pa.array([sorted(m.items()) for m in metadata], pa.map_(pa.string(), pa.string())),
        ]
        self.rows, self.bytes = [], 0
        return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def characters(batch: pa.RecordBatch) -> int:
    """How many code points the texts of a batch have."""
    return pc.sum(pc.utf8_length(batch.column("text")), min_count=0).as_py()
