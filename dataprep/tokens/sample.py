"""The text a tokenizer learns from: a uniform sample of documents with an exact number of bytes.

Decisions:
- A document's chance is its seeded hash. Those below a threshold are collected (each part on its own, a little more
  than needed), then taken in hash order until the budget is full; the last one is cut at a character. So the sample is
  a function of the set of documents, and its size in memory does not grow with the corpus.
- The threshold is a function of the corpus' bytes. Where it collects too little by chance, the sample is that much
  smaller: still the same on every run.
"""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dataprep.tokens.hashing import SAMPLE, SPACE, id_bytes, keyed_hashes
from dataprep.tokens.measure import CorpusMeasure, byte_lengths

SLACK_PERCENT = 125

SCHEMA = pa.schema(
    [
        pa.field("order", pa.uint64(), nullable=False),
        pa.field("id", pa.binary(16), nullable=False),
        pa.field("text", pa.large_string(), nullable=False),
    ]
)


def sample_threshold(corpus: CorpusMeasure, budget: int) -> int:
    """Documents whose hash is at most this are collected: about 1.25 budgets, or everything; always one document."""
    share = budget * SLACK_PERCENT * SPACE // (max(corpus.bytes, 1) * 100)
    return min(max(share, corpus.lowest_sample), SPACE - 1)


def candidates(batch: pa.RecordBatch, seed: int, threshold: int) -> pa.RecordBatch:
    """The batch's documents at or below the threshold, as rows of ``SCHEMA``."""
    hashes = keyed_hashes(batch.column("id"), seed, SAMPLE)
    rows = np.flatnonzero(hashes <= np.uint64(threshold))
    columns = [pa.array(hashes[rows]), *(batch.column(name).take(pa.array(rows)) for name in ("id", "text"))]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def cut(rows: pa.Table, budget: int) -> pa.ChunkedArray:
    """The first ``budget`` bytes of text in hash order; ``rows`` are candidates in any order."""
    rows = rows.combine_chunks()
    if rows.num_rows == 0:
        return rows.column("text")
    order = sort_by_hash(rows.column("order").chunk(0).to_numpy(), id_bytes(rows.column("id").chunk(0)))
    ends = np.cumsum(byte_lengths(rows.column("text").chunk(0))[order])
    whole = int(np.searchsorted(ends, budget, side="right"))
    texts = rows.column("text").take(pa.array(order[: whole + 1]))
    if whole == len(order):
        return texts
    left = budget - int(ends[whole - 1] if whole else 0)
    part = texts[whole].as_py().encode()[:left].decode(errors="ignore")
    return pa.chunked_array([*texts.slice(0, whole).chunks, pa.array([part], pa.large_string())])


def sort_by_hash(hashes: NDArray[np.uint64], ids: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The rows in order of (hash, id): a total order, whatever order they arrived in."""
    halves = np.ascontiguousarray(ids).view(">u8")
    return np.lexsort((halves[:, 1], halves[:, 0], hashes))
