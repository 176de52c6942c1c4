"""Arrays → one shard file, whole or not at all, the same bytes for the same arrays."""

from typing import IO, Any

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from dataprep import storage
from dataprep.shards.checksums import chunk_checksums
from dataprep.shards.histogram import LengthHistogram
from dataprep.shards.layout import (
    ID_BYTES,
    IDS,
    OFFSETS,
    SPLITS,
    VALUES,
    ShardMetadata,
    WrittenShard,
    arrow_schema,
    token_dtype,
)


class HashingFile:
    """Passes writes on and hashes them, so that a file's checksum costs no second reading."""

    closed = False

    def __init__(self, handle: IO[bytes]) -> None:
        self._handle = handle
        self._hash = xxhash.xxh3_128()

    def write(self, data: Any) -> int:
        self._hash.update(data)
        return self._handle.write(data)

    def flush(self) -> None:
        self._handle.flush()

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def tell(self) -> int:
        return self._handle.tell()

    def close(self) -> None:
        """The owner of the file beneath closes it."""

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


def write_shard(
    directory: str,
    path: str,
    tokens: NDArray[Any],
    offsets: NDArray[np.int64],
    doc_ids: NDArray[np.uint8],
    *,
    source: str,
    split: str,
    tokenizer_fingerprint: str,
    vocabulary_size: int,
    eos_id: int,
    text_bytes: int,
) -> WrittenShard:
    """Write ``directory/path`` (see ``layout.shard_name``) atomically.

    tokens: ids of all documents one after the other, each document ending with ``eos_id``; of the dtype
    token_dtype(vocabulary_size).
    offsets: int64[documents + 1], document i is tokens[offsets[i]:offsets[i + 1]]. doc_ids: uint8[documents, 16].
    text_bytes: UTF-8 bytes of the documents' texts.
    Raises ``ValueError`` when the arrays do not describe such documents.
    """
    tokens, offsets, doc_ids = (
        np.ascontiguousarray(tokens),
        np.ascontiguousarray(offsets),
        np.ascontiguousarray(doc_ids),
    )
    lengths = np.diff(offsets)
    _check(path, tokens, offsets, lengths, doc_ids, split, vocabulary_size, eos_id)
    buffers = {OFFSETS: offsets, VALUES: tokens, IDS: doc_ids}
    metadata = ShardMetadata(
        tokenizer_fingerprint=tokenizer_fingerprint,
        vocabulary_size=vocabulary_size,
        eos_id=eos_id,
        source=source,
        split=split,
        documents=len(lengths),
        tokens=len(tokens),
        bytes=text_bytes,
        largest_id=int(tokens.max()),
        lengths=LengthHistogram.of(lengths),
        checksums={name: chunk_checksums(array.reshape(-1).view(np.uint8)) for name, array in buffers.items()},
    )
    schema = arrow_schema(tokens.dtype, metadata.entries())
    n = len(lengths)
    values = pa.Array.from_buffers(schema.field("tokens").type.value_type, len(tokens), [None, pa.py_buffer(tokens)])
    columns = [
        pa.Array.from_buffers(schema.field("tokens").type, n, [None, pa.py_buffer(offsets)], children=[values]),
        pa.Array.from_buffers(pa.binary(ID_BYTES), n, [None, pa.py_buffer(doc_ids)]),
    ]
    batch = pa.RecordBatch.from_arrays(columns, schema=schema)
    with storage.open_atomic(storage.join(directory, path)) as handle:
        hashing = HashingFile(handle)
        with pa.PythonFile(hashing, mode="w") as sink, pa.ipc.new_file(sink, schema) as writer:
            writer.write_batch(batch)
    return WrittenShard.of(path, metadata, hashing.hexdigest())


def _check(
    path: str,
    tokens: NDArray[Any],
    offsets: NDArray[np.int64],
    lengths: NDArray[np.int64],
    doc_ids: NDArray[np.uint8],
    split: str,
    vocabulary_size: int,
    eos_id: int,
) -> None:
    wanted = token_dtype(vocabulary_size)
    n = len(lengths)
    if split not in SPLITS:
        raise ValueError(f"shard {path}: split is {split!r}, allowed are {', '.join(SPLITS)}")
    if tokens.dtype != wanted or tokens.ndim != 1:
        raise ValueError(f"shard {path}: tokens are {tokens.dtype}{list(tokens.shape)}, expected flat {wanted}")
    if offsets.dtype != np.int64 or doc_ids.dtype != np.uint8 or doc_ids.shape != (n, ID_BYTES):
        raise ValueError(
            f"shard {path}: expected offsets int64[{n + 1}] and doc_ids uint8[{n}, {ID_BYTES}], "
            f"got {offsets.dtype}{list(offsets.shape)} and {doc_ids.dtype}{list(doc_ids.shape)}"
        )
    if n < 1 or offsets[0] != 0 or offsets[-1] != len(tokens) or lengths.min() < 1:
        raise ValueError(f"shard {path}: offsets must rise from 0 to {len(tokens)} (the tokens) in at least one step")
    if int(tokens.max()) >= vocabulary_size:
        raise ValueError(
            f"shard {path}: token id {int(tokens.max())} is not below the vocabulary size {vocabulary_size}"
        )
    if (tokens[offsets[1:] - 1] != eos_id).any():
        raise ValueError(f"shard {path}: a document does not end with the EOS id {eos_id}")
