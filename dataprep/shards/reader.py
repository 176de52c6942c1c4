"""A shard as numpy views of its memory map: nothing is copied, pages are read when touched."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dataprep import storage
from dataprep.shards.layout import ID_BYTES, IDS, OFFSETS, VALUES, ShardMetadata, parse_metadata, token_dtype


@dataclass(frozen=True)
class Shard:
    """``tokens``: flat uint16/uint32 view; ``offsets``: int64[documents + 1]; ``doc_ids``: uint8[documents, 16]."""

    path: str
    metadata: ShardMetadata
    tokens: NDArray[Any]
    offsets: NDArray[np.int64]
    doc_ids: NDArray[np.uint8]

    @property
    def documents(self) -> int:
        return self.metadata.documents

    def document(self, index: int) -> NDArray[Any]:
        """The tokens of one document with its closing EOS, a view."""
        return self.tokens[self.offsets[index] : self.offsets[index + 1]]

    def doc_id(self, index: int) -> bytes:
        return self.doc_ids[index].tobytes()

    def buffers(self) -> dict[str, NDArray[np.uint8]]:
        """The checksummed bytes by buffer name, as flat views."""
        return {
            OFFSETS: self.offsets.view(np.uint8),
            VALUES: self.tokens.view(np.uint8),
            IDS: self.doc_ids.reshape(-1),
        }


def open_shard(path: str) -> Shard:
    """Memory-map a shard (an object on a store is read whole). Checks metadata and sizes, not the buffers' checksums.

    Raises ``FileNotFoundError``, or ``ValueError`` naming the file when it is truncated, damaged or not a shard.
    """
    try:
        reader = storage.open_arrow(path)
        if reader.num_record_batches != 1:
            raise ValueError(f"{reader.num_record_batches} record batches, a shard has exactly one")
        metadata = parse_metadata(reader.schema.metadata)
        batch = reader.get_batch(0)
        tokens, offsets, doc_ids = _views(batch, metadata)
    except (FileNotFoundError, PermissionError):
        raise
    except (pa.ArrowException, OSError) as error:  # Arrow reports places outside the file as OSError
        reason = str(error).splitlines()[0]
        raise ValueError(f"{path}: truncated or damaged, not a whole Arrow file ({reason})") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return Shard(path, metadata, tokens, offsets, doc_ids)


def _views(batch: pa.RecordBatch, metadata: ShardMetadata) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[np.uint8]]:
    dtype = token_dtype(metadata.vocabulary_size)
    for name, wanted in (("tokens", pa.large_list(pa.from_numpy_dtype(dtype))), ("doc_id", pa.binary(ID_BYTES))):
        if name not in batch.schema.names:
            raise ValueError(f"no column {name!r}, only {batch.schema.names}")
        found = batch.schema.field(name).type
        if (
            found.id != wanted.id
            or (name == "tokens" and found.value_type != wanted.value_type)
            or (name == "doc_id" and found != wanted)
        ):
            raise ValueError(f"column {name!r} is {found}, expected {wanted}")
    n, m = metadata.documents, metadata.tokens
    if batch.num_rows != n:
        raise ValueError(f"{batch.num_rows} rows, the metadata count {n} documents")
    column = batch.column("tokens")
    raw = {OFFSETS: column.buffers()[1], VALUES: column.values.buffers()[1], IDS: batch.column("doc_id").buffers()[1]}
    sizes = {OFFSETS: 8 * (n + 1), VALUES: dtype.itemsize * m, IDS: ID_BYTES * n}
    for name, size in sizes.items():
        if raw[name] is None or raw[name].size < size:
            raise ValueError(f"buffer {name} has {0 if raw[name] is None else raw[name].size} bytes, expected {size}")
    return (
        np.frombuffer(raw[VALUES], dtype, m),
        np.frombuffer(raw[OFFSETS], np.int64, n + 1),
        np.frombuffer(raw[IDS], np.uint8, ID_BYTES * n).reshape(n, ID_BYTES),
    )
