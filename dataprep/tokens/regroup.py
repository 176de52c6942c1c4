"""Encoded rows on their way to their shard, and a shard's rows in their order.

Decisions:
- Only ids travel, two or four bytes a token: a quarter to a half of the text.
- A shard's rows are sorted by (order hash, document id). That is a total order, so a shard is a function of the set of
  its documents, however their parts arrive.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numba
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
    """All documents of one shard in their order, as ``write_shard`` takes them. ``bytes``: UTF-8 of their texts.

    ``columns``: side columns by name.
    """

    tokens: NDArray[Any]
    offsets: NDArray[np.int64]
    doc_ids: NDArray[np.uint8]
    bytes: int
    columns: dict[str, pa.Array]


def row_schema(dtype: np.dtype[Any], columns: Sequence[pa.Field] = ()) -> pa.Schema:
    return pa.schema(
        [
            pa.field("order", pa.uint64(), nullable=False),
            pa.field("id", pa.binary(16), nullable=False),
            pa.field("bytes", pa.int64(), nullable=False),
            pa.field(
                "tokens", pa.large_list(pa.field("item", pa.from_numpy_dtype(dtype), nullable=False)), nullable=False
            ),
            *columns,
        ]
    )


def encode_rows(
    batch: pa.RecordBatch, encoder: Encoder, plan: ShardPlan, sides: Sequence[str] = ()
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Encode a batch with the columns id, text and source; yields (partition, its rows), partitions ascending.

    ``sides``: columns of the batch that go along.
    """
    if batch.num_rows == 0:
        return
    ids, texts = batch.column("id"), batch.column("text")
    partitions = np.empty(batch.num_rows, np.int64)
    order = np.empty(batch.num_rows, np.uint64)
    for source, rows in rows_by_source(batch).items():
        partitions[rows], order[rows] = plan.assign(source, ids.take(pa.array(rows)))
    tokens, offsets = encoder.encode(texts)
    schema = row_schema(encoder.dtype, [batch.schema.field(name) for name in sides])
    lists = pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(tokens), type=schema.field("tokens").type)
    columns = [pa.array(order), ids, pa.array(byte_lengths(texts)), lists, *(batch.column(name) for name in sides)]
    grouped = np.argsort(partitions, kind="stable")
    whole = pa.RecordBatch.from_arrays(columns, schema=schema).take(pa.array(grouped))
    borders = np.flatnonzero(np.diff(partitions[grouped], prepend=-1))
    for start, stop in zip(borders, [*borders[1:], len(grouped)], strict=True):
        yield int(partitions[grouped[start]]), whole.slice(start, stop - start)


def collect_shard(batches: Iterable[pa.RecordBatch]) -> ShardRows:
    """Put the rows of one partition in order, copying each token once.

    Raises ``ValueError`` naming a document id that comes twice: which of the two came first would be chance.
    """
    parts = list(batches)  # with files as carrier these are views of mapped files, not memory
    ids = np.concatenate([id_bytes(part.column("id")) for part in parts])
    hashes = np.concatenate([part.column("order").to_numpy() for part in parts])
    lengths = np.concatenate([np.diff(part.column("tokens").offsets.to_numpy()) for part in parts])
    order = sort_by_hash(hashes, ids)
    sorted_ids = ids[order]
    twice = np.flatnonzero((sorted_ids[1:] == sorted_ids[:-1]).all(axis=1))
    if len(twice):
        raise ValueError(f"document {sorted_ids[twice[0]].tobytes().hex()} is in the corpus more than once")
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths[order])])
    starts = np.empty(len(order), np.int64)
    starts[order] = offsets[:-1]
    tokens = np.empty(offsets[-1], parts[0].column("tokens").values.to_numpy().dtype)
    row = 0
    for part in parts:
        lists = part.column("tokens")
        _scatter(lists.values.to_numpy(), lists.offsets.to_numpy(), starts[row : row + len(lists)], tokens)
        row += len(lists)
    size = sum(int(part.column("bytes").to_numpy().sum()) for part in parts)
    known, rows = row_schema(tokens.dtype).names, pa.array(order)
    sides = [name for name in parts[0].schema.names if name not in known]
    columns = {name: pa.concat_arrays([part.column(name) for part in parts]).take(rows) for name in sides}
    return ShardRows(tokens, offsets, sorted_ids, size, columns)


@numba.njit(nogil=True, cache=True)
def _scatter(values: NDArray[Any], offsets: NDArray[np.int64], starts: NDArray[np.int64], tokens: NDArray[Any]) -> None:
    """Copy list i of ``values`` to ``tokens`` at ``starts[i]``."""
    for i in range(len(starts)):
        length = offsets[i + 1] - offsets[i]
        tokens[starts[i] : starts[i] + length] = values[offsets[i] : offsets[i + 1]]
