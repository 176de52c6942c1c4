"""Encoded rows on their way to their shard, and a shard's rows in their order.

Decisions:
- Only ids travel, two or four bytes a token: a quarter to a half of the text.
- A shard's rows are sorted by (order hash, document id). That is a total order, so a shard is a function of the set of
  its documents, however their parts arrive.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dataprep.tokens.assign import ShardPlan
from dataprep.tokens.encode import Encoder
from dataprep.tokens.hashing import id_bytes
from dataprep.tokens.measure import byte_lengths, rows_by_source
from dataprep.tokens.sample import sort_by_hash


@dataclass(frozen=True)
class ShardRows:
    """All documents of one shard in their order, as ``write_shard`` takes them. ``bytes``: UTF-8 of their texts."""

    tokens: NDArray[Any]
    offsets: NDArray[np.int64]
    doc_ids: NDArray[np.uint8]
    bytes: int


def row_schema(dtype: np.dtype[Any]) -> pa.Schema:
    return pa.schema(
        [
            pa.field("order", pa.uint64(), nullable=False),
            pa.field("id", pa.binary(16), nullable=False),
            pa.field("bytes", pa.int64(), nullable=False),
            pa.field(
                "tokens", pa.large_list(pa.field("item", pa.from_numpy_dtype(dtype), nullable=False)), nullable=False
            ),
        ]
    )


def encode_rows(batch: pa.RecordBatch, encoder: Encoder, plan: ShardPlan) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Encode a batch with the columns id, text and source; yields (partition, its rows), partitions ascending."""
    if batch.num_rows == 0:
        return
    ids, texts = batch.column("id"), batch.column("text")
    partitions = np.empty(batch.num_rows, np.int64)
    order = np.empty(batch.num_rows, np.uint64)
    for source, rows in rows_by_source(batch).items():
        partitions[rows], order[rows] = plan.assign(source, ids.take(pa.array(rows)))
    tokens, offsets = encoder.encode(texts)
    schema = row_schema(encoder.dtype)
    lists = pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(tokens), type=schema.field("tokens").type)
    columns = [pa.array(order), ids, pa.array(byte_lengths(texts)), lists]
    grouped = np.argsort(partitions, kind="stable")
    whole = pa.RecordBatch.from_arrays(columns, schema=schema).take(pa.array(grouped))
    borders = np.flatnonzero(np.diff(partitions[grouped], prepend=-1))
    for start, stop in zip(borders, [*borders[1:], len(grouped)], strict=True):
        yield int(partitions[grouped[start]]), whole.slice(start, stop - start)


def collect_shard(batches: Iterable[pa.RecordBatch]) -> ShardRows:
    """Put the rows of one partition in order, in about three times the shard's bytes of memory.

    Raises ``ValueError`` naming a document id that comes twice: which of the two came first would be chance.
    """
    rows = pa.Table.from_batches(list(batches))
    ids = id_bytes(rows.column("id").combine_chunks())
    order = sort_by_hash(rows.column("order").to_numpy(), ids)
    ids = ids[order]
    twice = np.flatnonzero((ids[1:] == ids[:-1]).all(axis=1))
    if len(twice):
        raise ValueError(f"document {ids[twice[0]].tobytes().hex()} is in the corpus more than once")
    size = int(rows.column("bytes").to_numpy().sum())
    lists = rows.column("tokens").combine_chunks().take(pa.array(order))
    return ShardRows(lists.flatten().to_numpy(), lists.offsets.to_numpy(), ids, size)
