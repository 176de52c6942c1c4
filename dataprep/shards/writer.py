"""Arrays → one shard file, whole or not at all, the same bytes for the same arrays."""

from collections.abc import Mapping
from typing import IO, Any

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from dataprep import storage
from dataprep.shards.checksums import chunk_checksums
from dataprep.shards.columns import LOSS_MASK, NAMES, buffers, mask_column, side_column
from dataprep.shards.histogram import LengthHistogram
from dataprep.shards.layout import (
    ID_BYTES,
    SPLITS,
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
    bos_id: int | None = None,
    columns: Mapping[str, pa.Array] | None = None,
    loss_mask: NDArray[np.bool_] | None = None,
) -> WrittenShard:
    """Write ``directory/path`` (see ``layout.shard_name``) atomically.

    tokens: ids of all documents one after the other, each document ending with ``eos_id``; of the dtype
    token_dtype(vocabulary_size).
    offsets: int64[documents + 1], document i is tokens[offsets[i]:offsets[i + 1]]. doc_ids: uint8[documents, 16].
    text_bytes: UTF-8 bytes of the documents' texts. bos_id: the id that begins each document, if one does.
    columns: side columns by name, a value for each document. loss_mask: bool[tokens], True where a token is a target.
    Raises ``ValueError`` when the arrays do not describe such documents.
    """
    tokens, offsets, doc_ids = (
        np.ascontiguousarray(tokens),
        np.ascontiguousarray(offsets),
        np.ascontiguousarray(doc_ids),
    )
    lengths = np.diff(offsets)
    _check(path, tokens, offsets, lengths, doc_ids, split, vocabulary_size)
    _check_ends(path, tokens, offsets, eos_id, bos_id)
    n = len(lengths)
    sides = {name: side_column(path, name, values, n) for name, values in (columns or {}).items()}
    if loss_mask is not None:
        sides[LOSS_MASK] = mask_column(path, loss_mask, offsets)
    kinds = {name: NAMES[values.type] for name, values in sides.items()}
    types = arrow_schema(tokens.dtype, kinds)
    values = pa.Array.from_buffers(types.field("tokens").type.value_type, len(tokens), [None, pa.py_buffer(tokens)])
    arrays = {
        "tokens": pa.Array.from_buffers(
            types.field("tokens").type, n, [None, pa.py_buffer(offsets)], children=[values]
        ),
        "doc_id": pa.Array.from_buffers(pa.binary(ID_BYTES), n, [None, pa.py_buffer(doc_ids)]),
        **sides,
    }
    checksums = {
        part: chunk_checksums(buffer.data)
        for name, array in arrays.items()
        for part, buffer in buffers(name, array, len(tokens))
    }
    metadata = ShardMetadata(
        tokenizer_fingerprint=tokenizer_fingerprint,
        vocabulary_size=vocabulary_size,
        eos_id=eos_id,
        source=source,
        split=split,
        documents=n,
        tokens=len(tokens),
        bytes=text_bytes,
        largest_id=int(tokens.max()),
        lengths=LengthHistogram.of(lengths),
        checksums=checksums,
        bos_id=bos_id,
        columns=kinds,
    )
    schema = types.with_metadata(metadata.entries())
    batch = pa.RecordBatch.from_arrays(list(arrays.values()), schema=schema)
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


def _check_ends(path: str, tokens: NDArray[Any], offsets: NDArray[np.int64], eos_id: int, bos_id: int | None) -> None:
    if (tokens[offsets[1:] - 1] != eos_id).any():
        raise ValueError(f"shard {path}: a document does not end with the EOS id {eos_id}")
    if bos_id is not None and (tokens[offsets[:-1]] != bos_id).any():
        raise ValueError(f"shard {path}: a document does not begin with the BOS id {bos_id}")
