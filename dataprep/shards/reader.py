"""A shard as numpy views of its memory map: nothing is copied, pages are read when touched."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dataprep import storage
from dataprep.shards.columns import Buffer, buffers
from dataprep.shards.layout import (
    ID_BYTES,
    IDS,
    OFFSETS,
    VALUES,
    ShardMetadata,
    arrow_schema,
    parse_metadata,
    token_dtype,
)


@dataclass(frozen=True)
class Shard:
    """``tokens``: flat uint16/uint32 view; ``offsets``: int64[documents + 1]; ``doc_ids``: uint8[documents, 16].

    ``columns``: the side columns, as views; a damaged one of strings may lead outside of its buffer, so prove first.
    ``layout``: every buffer by name.
    """

    path: str
    metadata: ShardMetadata
    tokens: NDArray[Any]
    offsets: NDArray[np.int64]
    doc_ids: NDArray[np.uint8]
    columns: dict[str, pa.Array]
    layout: dict[str, Buffer]

    @property
    def documents(self) -> int:
        return self.metadata.documents

    def document(self, index: int) -> NDArray[Any]:
        """The tokens of one document with its EOS (and BOS, if there is one), a view."""
        return self.tokens[self.offsets[index] : self.offsets[index + 1]]

    def doc_id(self, index: int) -> bytes:
        return self.doc_ids[index].tobytes()

    def buffers(self) -> dict[str, NDArray[np.uint8]]:
        """The checksummed bytes by buffer name, as flat views."""
        return {name: buffer.data for name, buffer in self.layout.items()}


def open_shard(path: str) -> Shard:
    """Memory-map a shard (an object on a store is read whole). Checks metadata and sizes, not the buffers' checksums.

    Raises ``FileNotFoundError``, or ``ValueError`` naming the file when it is truncated, damaged or not a shard.
    """
    try:
        reader = storage.open_arrow(path)
        if reader.num_record_batches != 1:
            raise ValueError(f"{reader.num_record_batches} record batches, a shard has exactly one")
        metadata = parse_metadata(reader.schema.metadata)
        return _shard(path, reader.get_batch(0), metadata)
    except (FileNotFoundError, PermissionError):
        raise
    except (pa.ArrowException, OSError) as error:  # Arrow reports places outside the file as OSError
        reason = str(error).splitlines()[0]
        raise ValueError(f"{path}: truncated or damaged, not a whole Arrow file ({reason})") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _shard(path: str, batch: pa.RecordBatch, metadata: ShardMetadata) -> Shard:
    dtype = token_dtype(metadata.vocabulary_size)
    wanted = arrow_schema(dtype, metadata.columns)
    for name in wanted.names:
        if name not in batch.schema.names:
            raise ValueError(f"no column {name!r}, only {batch.schema.names}")
        found, kind = batch.schema.field(name).type, wanted.field(name).type
        if found != kind:
            raise ValueError(f"column {name!r} is {found}, expected {kind}")
    if batch.num_rows != metadata.documents:
        raise ValueError(f"{batch.num_rows} rows, the metadata count {metadata.documents} documents")
    layout: dict[str, Buffer] = {}
    for name in wanted.names:
        layout |= buffers(name, batch.column(name), metadata.tokens)
    if layout.keys() != metadata.checksums.keys():
        raise ValueError(f"buffers {', '.join(layout)}, the metadata have checksums of {', '.join(metadata.checksums)}")
    return Shard(
        path,
        metadata,
        layout[VALUES].data.view(dtype),
        layout[OFFSETS].data.view(np.int64),
        layout[IDS].data.reshape(-1, ID_BYTES),
        {name: batch.column(name) for name in metadata.columns},
        layout,
    )
