"""The document batch: the one shape in which documents travel, and the identity of a document.

Decisions:
- The unit is a ``pyarrow.RecordBatch`` of at most ``BATCH_ROWS`` rows or about ``BATCH_BYTES`` of text; a document
  alone is never a Python object on a hot path.
- An id is a function of where the document came from (source name and locator), so the same document has the same id on
  every run and machine, however the files are ordered or divided among workers.
- Signals are extra columns named ``family.signal``; ``rejected_by`` is added by the rules.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa
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


CHARACTERS = pa.field("text.characters", pa.int64())  # code points of ``text``: figures about parts need not read it


def document_id(source: str, locator: str) -> bytes:
    """xxh3-128 of ``source`` NUL ``locator``: 16 bytes, big-endian, the same on every machine."""
    return xxhash.xxh3_128_digest(f"{source}\0{locator}".encode("utf-8", "surrogatepass"))


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
            pa.array([document_id(self.source, locator) for locator in locators], pa.binary(16)),
            pa.array(texts, pa.large_string()),
            pa.array(urls, pa.string()),
            pa.DictionaryArray.from_arrays(pa.array([0] * len(texts), pa.int32()), pa.array([self.source])),
            pa.array(locators, pa.string()),
            pa.array([d.replace(tzinfo=None) if d else None for d in dates], pa.timestamp("ms")),
            pa.array([sorted(m.items()) for m in metadata], pa.map_(pa.string(), pa.string())),
        ]
        self.rows, self.bytes = [], 0
        return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)
