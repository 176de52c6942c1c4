"""Deciding again: other rules over the columns of a finished clean stage.

Decisions:
- Only the columns that rules compare are read, a few row groups at a time; texts only of the few documents shown.
- What was decided is in ``rejected_by``; what would be is decided by `dataprep.rules.decide`, as the stage does.
- Both funnels are sums over one table, *reason as it was* × *reason as it would be*, so they always agree.
- An edit is not undone: steps measured what earlier steps had left of the text, and rules cannot change that.
"""

import heapq
import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dataprep import storage
from dataprep.document import CHARACTERS
from dataprep.report.inspect import TEXT_CHARACTERS, Document, Place, fetch, sample_keys
from dataprep.report.layout import id_bytes, parts, read_groups, schema, signal_names
from dataprep.report.measured import Measured
from dataprep.rules import REJECTED_BY, Reject, check_signals, compared_signals, decide

SIDES = ("kept", "removed")
ROWS_AT_ONCE = 1 << 16

KEPT = ""  # as a reason


class Numbers(NamedTuple):
    """How much: of a reason, of a side."""

    documents: int = 0
    characters: int = 0

    def __add__(self, other: "Numbers") -> "Numbers":  # type: ignore[override]
        return Numbers(self.documents + other.documents, self.characters + other.characters)


Counts = dict[tuple[str, str], Numbers]  # reason as it was, reason as it would be


@dataclass(frozen=True)
class Move:
    """A document that would change sides: ``was`` removed it, or ``would`` remove it; the other one is None.

    ``same``: the rule of the same name among the other rules, if there is one.
    """

    document: Document
    was: Reject | None
    would: Reject | None
    same: Reject | None


@dataclass(frozen=True)
class Redecision:
    """``counts``: reason as it was, reason as it would be → how much; a kept document's reason is ``KEPT``.

    ``kept_again``, ``removed_now``: a sample of the documents that would change sides. Characters are 0 where the parts
    do not have their number, as those of older versions.
    """

    counts: Counts
    kept_again: tuple[Move, ...]
    removed_now: tuple[Move, ...]

    def funnel(self, which: Literal[0, 1]) -> dict[str, Numbers]:
        """How much has each reason, as it was (0) and as it would be (1)."""
        sums: dict[str, Numbers] = {}
        for reasons, numbers in self.counts.items():
            sums[reasons[which]] = sums.get(reasons[which], Numbers()) + numbers
        return sums

    def moved(self, side: str) -> Numbers:
        """How much would leave ``side``."""
        left = [n for (was, would), n in self.counts.items() if (was == KEPT) == (side == "kept") != (would == KEPT)]
        return sum(left, Numbers())

    @property
    def renamed(self) -> int:
        """Documents that would be removed as before, for another reason."""
        return sum(n.documents for (was, would), n in self.counts.items() if KEPT not in (was, would) and was != would)


def recount(batch: pa.RecordBatch, rules: Sequence[Reject], counts: Counts) -> tuple[pa.Array, NDArray[np.intp]]:
    """Add decided documents to ``counts``; returns their new reasons and the rows that would change sides."""
    was = batch.column(REJECTED_BY.name)
    would = decide(batch, rules).column(REJECTED_BY.name)
    index = batch.schema.get_field_index(CHARACTERS.name)
    characters = batch.column(index) if index >= 0 else pa.nulls(batch.num_rows, pa.int64())
    pairs = pa.table({"was": was, "would": would, "characters": characters}).group_by(["was", "would"])
    for row in pairs.aggregate([([], "count_all"), ("characters", "sum")]).to_pylist():
        reasons = row["was"] or KEPT, row["would"] or KEPT
        numbers = Numbers(row["count_all"], row["characters_sum"] or 0)
        counts[reasons] = counts.get(reasons, Numbers()) + numbers
    moved = pc.not_equal(pc.is_null(was), pc.is_null(would))
    return would, np.flatnonzero(moved.to_numpy(zero_copy_only=False))


def decide_again(
    out: str,
    measured: Measured,
    rules: Sequence[Reject],
    *,
    samples: int = 3,
    seed: int = 0,
    characters: int = TEXT_CHARACTERS,
) -> Redecision:
    """What ``rules`` would make of the documents that the run's clean stage measured.

    Raises ``ValueError`` when a rule needs a signal that was not measured.
    """
    columns = signal_columns(out)
    check_signals(rules, columns)
    counts: Counts = {}
    # a kept document fires none of the run's own rules
    tried = {"kept": [rule for rule in rules if rule not in measured.rules], "removed": rules}
    moves = {side: _side(out, side, tried[side], counts, samples, seed) for side in SIDES}
    as_it_was = {rule.reject: rule for rule in measured.rules}
    as_it_would_be = {rule.reject: rule for rule in rules}

    def shown(side: str) -> tuple[Move, ...]:
        found = fetch(out, "clean", side, [place for place, _ in moves[side]], characters)
        if side == "removed":
            names = [one.reason or KEPT for one in found]
            return tuple(
                Move(one, as_it_was.get(name), None, as_it_would_be.get(name))
                for one, name in zip(found, names, strict=True)
            )
        names = [reason for _, reason in moves[side]]
        return tuple(
            Move(one, None, as_it_would_be.get(name), as_it_was.get(name))
            for one, name in zip(found, names, strict=True)
        )

    return Redecision(counts, shown("removed"), shown("kept"))


def _side(
    out: str, side: str, rules: Sequence[Reject], counts: Counts, samples: int, seed: int
) -> list[tuple[Place, str]]:
    """Count one side; returns those with the smallest hash of their id among the rows that would change it."""
    names = ["id", *sorted(compared_signals(rules)), CHARACTERS.name, REJECTED_BY.name]
    chosen: list[tuple[Place, str]] = []
    for file in parts(out, "clean", side):
        for groups, starts, batch in _read(file.path, names):
            would, moved = recount(batch, rules, counts)
            ids = id_bytes(batch.column("id"))
            keys = sample_keys(ids[moved], seed)
            best = np.argsort(keys, kind="stable")[:samples]
            rows = moved[best]
            inside = np.searchsorted(starts, rows, "right") - 1
            for key, row, at in zip(keys[best].tolist(), rows.tolist(), inside.tolist(), strict=True):
                place = Place(key, ids[row].tobytes(), file.path, groups[at], row - int(starts[at]))
                chosen.append((place, would[row].as_py() or KEPT))
            chosen = heapq.nsmallest(samples, chosen, key=operator.itemgetter(0))
    return chosen


def signal_columns(out: str) -> pa.Schema:
    """The signals that the run's clean stage measured, with their types."""
    columns = schema([file for side in SIDES for file in parts(out, "clean", side)])
    return pa.schema([columns.field(name) for name in signal_names(columns)])


def _read(path: str, columns: list[str]) -> Iterator[tuple[list[int], NDArray[np.int64], pa.RecordBatch]]:
    """Row groups of one part, as many at once as have ``ROWS_AT_ONCE`` rows: their numbers, first rows, and rows."""
    with storage.open_read(path) as handle:
        file = pq.ParquetFile(handle)
        sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
        first = 0
        while first < len(sizes):
            end, rows = first, 0
            while end < len(sizes) and (end == first or rows + sizes[end] <= ROWS_AT_ONCE):
                rows += sizes[end]
                end += 1
            groups = list(range(first, end))
            starts = np.cumsum([0, *sizes[first : end - 1]], dtype=np.int64)
            for batch in read_groups(file, groups, columns).combine_chunks().to_batches():
                yield groups, starts, batch
            first = end
