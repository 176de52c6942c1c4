"""Signature files: for every part of documents an Arrow file beside it, row for row, that other tools can use too.

Columns: ``id`` (16 bytes), ``exact`` (16 bytes, xxh3-128 of the normalised text), ``page`` (16 bytes, xxh3-128 of the
URL's normal form, or zeros), ``scope`` (uint64, see `origin`), ``shingles`` (uint32, how many; with 0 the signature
says nothing), ``preference`` (float64, by the keep policy, larger is better), ``signature`` (uint32).
The schema's metadata says how they were made, so that
``datasketch.MinHash(hashvalues=row, seed=seed, scheme="affine32")`` is right.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dataprep import storage
from dataprep.dedup.hashing import U64
from dataprep.dedup.minhash import U32, signatures
from dataprep.dedup.origin import pages, scopes
from dataprep.dedup.policy import preference
from dataprep.dedup.settings import DedupSettings
from dataprep.dedup.words import exact_hashes

FORMAT = "2"
ELEMENT_HASH = "xxh3-64, low 32 bits"


@dataclass(frozen=True)
class Signatures:
    """The rows of one signature file, or of some. ``ids``, ``exact``, ``pages``: uint64[n, 2], high half first."""

    ids: U64
    exact: U64
    pages: U64
    scopes: U64
    shingles: U32
    preference: npt.NDArray[np.float64]
    values: U32  # uint32[n, permutations]

    @classmethod
    def of(cls, batches: Iterable[pa.RecordBatch], settings: DedupSettings) -> "Signatures":
        """Computed from document batches that have at least ``id``, ``text`` and the keep policy's columns."""
        rows = [cls._of_batch(batch, settings) for batch in batches]
        return cls.concatenate(rows) if rows else cls.empty(settings.permutations)

    @classmethod
    def _of_batch(cls, batch: pa.RecordBatch, settings: DedupSettings) -> "Signatures":
        text = batch.column("text")
        values, shingles = signatures(text, settings)
        return cls(
            halves(batch.column("id")),
            exact_hashes(text),
            pages(batch, settings),
            scopes(batch, settings),
            shingles,
            preference(batch, settings),
            values,
        )

    @classmethod
    def empty(cls, permutations: int) -> "Signatures":
        pairs = np.empty((0, 2), np.uint64)
        values = np.empty((0, permutations), np.uint32)
        nothing = np.empty(0, np.uint64)
        return cls(pairs, pairs, pairs, nothing, nothing.astype(np.uint32), nothing.astype(np.float64), values)

    @classmethod
    def concatenate(cls, rows: Iterable["Signatures"]) -> "Signatures":
        parts = list(rows)
        names = [field.name for field in fields(cls)]
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    @classmethod
    def from_batch(cls, batch: pa.RecordBatch) -> "Signatures":
        """From a batch with the columns of ``to_batch``; views where Arrow allows."""
        values = batch.column("signature")
        return cls(
            halves(batch.column("id")),
            halves(batch.column("exact")),
            halves(batch.column("page")),
            batch.column("scope").to_numpy(),
            batch.column("shingles").to_numpy(),
            batch.column("preference").to_numpy(),
            values.flatten().to_numpy().reshape(len(values), values.type.list_size),
        )

    def to_batch(self) -> pa.RecordBatch:
        flat = pa.array(np.ascontiguousarray(self.values).ravel())
        return pa.RecordBatch.from_pydict(
            {
                "id": joined(self.ids),
                "exact": joined(self.exact),
                "page": joined(self.pages),
                "scope": pa.array(self.scopes),
                "shingles": pa.array(self.shingles),
                "preference": pa.array(self.preference),
                "signature": pa.FixedSizeListArray.from_arrays(flat, self.values.shape[1]),
            }
        )

    def take(self, rows: npt.NDArray[np.int64]) -> "Signatures":
        return Signatures(*(getattr(self, field.name)[rows] for field in fields(self)))

    def save(self, path: str, settings: DedupSettings) -> None:
        """One record batch; metadata keys begin with ``corpusmill.``."""
        metadata = {
            "format": FORMAT,
            "scheme": "affine32",
            "element_hash": ELEMENT_HASH,
            "normalisation": settings.normalisation,
            "exact": settings.exact,
            "shingle": str(settings.shingle),
            "permutations": str(settings.permutations),
            "seed": str(settings.seed),
        }
        batch = self.to_batch().replace_schema_metadata(
            {f"corpusmill.{name}": value for name, value in metadata.items()}
        )
        with storage.open_atomic(path) as sink, pa.ipc.new_file(sink, batch.schema) as writer:
            writer.write_batch(batch)

    @classmethod
    def load(cls, path: str) -> "Signatures":
        return cls.from_batch(storage.open_arrow(path).get_batch(0))


def halves(column: pa.Array) -> U64:
    """uint64[n, 2] of a ``binary(16)`` array, big-endian, so that numbers stand in the order of the bytes."""
    _, data = column.buffers()
    if data is None:
        return np.empty((0, 2), np.uint64)
    return np.frombuffer(data, ">u8", 2 * len(column), 16 * column.offset).astype(np.uint64).reshape(-1, 2)


def joined(pairs: U64) -> pa.Array:
    """The inverse of ``halves``."""
    data = np.ascontiguousarray(pairs).astype(">u8").tobytes()
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), len(pairs), [None, pa.py_buffer(data)])
