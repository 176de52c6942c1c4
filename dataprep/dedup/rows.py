"""Rows on their way between workers: references, pairs, members and verdicts as Arrow batches and work files.

A *reference* is a document's place in the input, part number and row in one uint64. It names documents inside a run,
where 16-byte ids would double what is moved; it never decides which of them is kept.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataprep import storage
from dataprep.dedup.hashing import I64, U64
from dataprep.dedup.sets import ShingleSets
from dataprep.dedup.sidecar import Signatures, joined
from dataprep.dedup.verdict import Verdicts

_ROW_BITS = np.uint64(32)
# the measure of those with the same fingerprint, and of those of one page
EXACT, PAGE = "exact", "url"
REASONS = ("url_duplicate", "exact_duplicate", "near_duplicate")
_ADDED = ("duplicate_of", "similarity", "measure", "component")

VERDICT_SCHEMA = pa.schema(
    [
        pa.field("reference", pa.uint64(), nullable=False),
        pa.field("duplicate_of", pa.binary(16), nullable=False),  # id of the kept copy
        pa.field("similarity", pa.float32()),  # to that copy; null if only their pages were compared
        pa.field("measure", pa.string(), nullable=False),  # of what: url, exact, estimate, jaccard, containment
        pa.field("component", pa.int32(), nullable=False),  # documents in the component both were found in
    ]
)


def references(part: int, rows: int) -> U64:
    """The references of all rows of a part."""
    return (np.uint64(part) << _ROW_BITS) + np.arange(rows, dtype=np.uint64)


def part_of(reference: U64) -> I64:
    return (reference >> _ROW_BITS).astype(np.int64)


def row_of(reference: U64) -> I64:
    return (reference & np.uint64(0xFFFFFFFF)).astype(np.int64)


def pairs(first: U64, second: U64) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array(first), pa.array(second)], ["first", "second"])


def read_pairs(batches: Iterable[pa.RecordBatch]) -> tuple[U64, U64]:
    """All pairs of ``batches``, one pass, in whatever order they come."""
    columns = [(batch.column(0).to_numpy(), batch.column(1).to_numpy()) for batch in batches]
    empty = np.empty(0, np.uint64)
    return np.concatenate([empty, *(a for a, _ in columns)]), np.concatenate([empty, *(b for _, b in columns)])


def divided(batch: pa.RecordBatch, partitions: I64) -> Iterator[tuple[int, pa.RecordBatch]]:
    """The rows of ``batch`` for each partition, given each row's: (partition, rows in their order), ascending."""
    order = np.argsort(partitions, kind="stable")
    counts = np.bincount(partitions) if partitions.size else np.empty(0, np.int64)
    ends = np.cumsum(counts)
    for partition in np.flatnonzero(counts):
        rows = order[ends[partition] - counts[partition] : ends[partition]]
        yield int(partition), batch.take(pa.array(rows))


def write_rows(path: str, batch: pa.RecordBatch) -> None:
    with storage.open_atomic(path) as sink, pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)


def read_rows(path: str) -> pa.RecordBatch:
    return storage.open_arrow(path).get_batch(0)


def member_rows(component: U64, reference: U64, signatures: Signatures, sets: ShingleSets) -> pa.RecordBatch:
    """Members of components with all that judging needs."""
    columns = {"component": pa.array(component), "reference": pa.array(reference), "set": sets.to_column()}
    batch = signatures.to_batch()
    return pa.RecordBatch.from_pydict(columns | dict(zip(batch.schema.names, batch.columns, strict=True)))


def read_members(batches: Iterable[pa.RecordBatch]) -> tuple[U64, U64, Signatures, ShingleSets]:
    """(components, references, signatures, sets of shingles) of all members, by reference."""
    parts = list(batches)
    reference = np.concatenate([part.column("reference").to_numpy() for part in parts])
    order = np.argsort(reference, kind="stable")
    component = np.concatenate([part.column("component").to_numpy() for part in parts])
    signatures = Signatures.concatenate(Signatures.from_batch(part) for part in parts)
    sets = ShingleSets.gather([part.column("set") for part in parts])
    return component[order], reference[order], signatures.take(order), sets.take(order)


def removal_rows(verdicts: Verdicts, reference: U64, signatures: Signatures, measure: str) -> pa.RecordBatch:
    """``VERDICT_SCHEMA`` rows of the removed members, given the rows that were judged and the measure of likeness."""
    n = verdicts.order.size
    removed = np.flatnonzero(verdicts.kept_by != np.arange(n))
    sizes = np.repeat(np.diff(verdicts.starts), np.diff(verdicts.starts))
    copies = verdicts.order[verdicts.kept_by[removed]]
    measures = np.select([verdicts.page[removed], verdicts.exact[removed]], [PAGE, EXACT], measure)
    columns = [
        pa.array(reference[verdicts.order[removed]]),
        joined(signatures.ids[copies]),
        pa.array(verdicts.similarity[removed].astype(np.float32), mask=verdicts.page[removed]),
        pa.array(measures.tolist(), pa.string()),
        pa.array(sizes[removed].astype(np.int32)),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=VERDICT_SCHEMA)


def sorted_rows(batches: Iterable[pa.RecordBatch]) -> pa.RecordBatch:
    """All verdicts of ``batches`` in the order of their references."""
    table = pa.Table.from_batches(list(batches), VERDICT_SCHEMA).combine_chunks()
    order = np.argsort(table.column("reference").to_numpy(), kind="stable")
    return table.take(pa.array(order)).combine_chunks().to_batches()[0]


def split_batch(
    batch: pa.RecordBatch, reference: U64, verdicts: pa.RecordBatch
) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """(kept, removed) rows of a document batch whose rows have the consecutive ``reference``.

    ``verdicts`` are rows of ``VERDICT_SCHEMA`` in order. Removed rows get ``rejected_by`` (one of ``REASONS``) and the
    columns ``duplicate_of``, ``similarity``, ``measure`` and ``component`` at the end.
    """
    known = verdicts.column("reference").to_numpy()
    low, high = np.searchsorted(known, np.array([reference[0], reference[-1] + np.uint64(1)])).tolist()
    mine = verdicts.slice(low, high - low)
    rows = (known[low:high] - reference[0]).astype(np.int64)
    stays = np.ones(batch.num_rows, np.bool_)
    stays[rows] = False
    removed = batch.take(pa.array(rows))
    measure = mine.column("measure")
    cases = pa.StructArray.from_arrays([pc.equal(measure, PAGE), pc.equal(measure, EXACT)], ["page", "exact"])
    reason = pc.case_when(cases, *REASONS)
    columns = dict(zip(removed.schema.names, removed.columns, strict=True))
    columns["rejected_by"] = reason
    for name in _ADDED:
        columns[name] = mine.column(name)
    schema = removed_schema(batch.schema)
    return batch.filter(pa.array(stays)), pa.RecordBatch.from_arrays([columns[n] for n in schema.names], schema=schema)


def removed_schema(documents: pa.Schema) -> pa.Schema:
    """What removed rows have: the documents' columns, ``rejected_by`` if they lack it, and what the verdict says."""
    schema = documents
    if schema.get_field_index("rejected_by") < 0:
        schema = schema.append(pa.field("rejected_by", pa.string()))
    for name in _ADDED:
        schema = schema.append(VERDICT_SCHEMA.field(name))
    return schema


def largest_components(
    verdicts: Verdicts, reference: U64, signatures: Signatures, most: int, samples: int
) -> list[dict[str, object]]:
    """The ``most`` components with most members, as JSON: size, kept copies, the best one's id, some members."""
    sizes = np.diff(verdicts.starts)
    ids = signatures.ids[verdicts.order[verdicts.starts[:-1]]]
    keeps = verdicts.kept_by == np.arange(verdicts.order.size)
    found: list[dict[str, object]] = []
    for component in np.lexsort((ids[:, 1], ids[:, 0], -sizes))[:most].tolist():
        start, end = verdicts.starts[component : component + 2].tolist()
        found.append(
            {
                "size": end - start,
                "kept_copies": int(np.count_nonzero(keeps[start:end])),
                "kept": joined(ids[component : component + 1])[0].as_py().hex(),
                "members": reference[verdicts.order[start : min(start + samples, end)]].tolist(),
            }
        )
    return found
