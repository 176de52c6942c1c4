"""Rows on their way between workers: of a key, how often it was seen in a part and where first; and anchors by part.

Rows of one key in one part are one row before they travel, so a line that a million documents of a part have leaves it
once. *First* is the smallest document id, then the smallest place in the document: no order of files has a say in it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from dataprep.compiled import njit
from dataprep.passages.settings import PassageSettings
from dataprep.passages.table import group
from dataprep.passages.units import PASSAGE, Units, limits
from dataprep.text.utf8 import Bytes, Hashes, Longs

NOWHERE = -1  # the place of what is kept nowhere
ROW_BYTES = 53

SCHEMA = pa.schema(
    [
        pa.field("kind", pa.uint8(), nullable=False),
        pa.field("key_high", pa.uint64(), nullable=False),
        pa.field("key_low", pa.uint64(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),
        pa.field("id_high", pa.uint64(), nullable=False),  # of the first document that has it
        pa.field("id_low", pa.uint64(), nullable=False),
        pa.field("place", pa.int64(), nullable=False),  # where in that document
        pa.field("part", pa.int32(), nullable=False),
    ]
)


@dataclass(frozen=True)
class Seen:
    """Keys with their numbers and their first places: of one part, or in verdicts of the whole corpus."""

    kinds: Bytes
    keys: Hashes  # (n, 2)
    counts: Longs
    ids: Hashes  # (n, 2)
    places: Longs
    parts: Longs

    def __len__(self) -> int:
        return len(self.kinds)

    @classmethod
    def of(cls, units: Units, ids: Hashes, part: int) -> "Seen":
        """What a batch has, each key once; ``ids`` are those of its documents."""
        ones = np.ones(len(units.kinds), np.int64)
        rows = cls(units.kinds, units.keys, ones, ids[units.documents], units.places, np.full(len(ones), part))
        numbers, firsts = group(rows.keys)
        return rows.summed(numbers, firsts)

    @classmethod
    def concatenate(cls, parts: "Iterable[Seen]") -> "Seen":
        return cls.from_batches(part.to_batch() for part in parts)

    @classmethod
    def from_batches(cls, batches: Iterable[pa.RecordBatch]) -> "Seen":
        table = pa.Table.from_batches(list(batches), SCHEMA)
        columns = {name: table.column(name).to_numpy() for name in SCHEMA.names}
        return cls(
            columns["kind"],
            np.column_stack([columns["key_high"], columns["key_low"]]),
            columns["count"],
            np.column_stack([columns["id_high"], columns["id_low"]]),
            columns["place"],
            columns["part"].astype(np.int64),
        )

    def to_batch(self) -> pa.RecordBatch:
        columns = [self.kinds, self.keys[:, 0], self.keys[:, 1], self.counts, self.ids[:, 0], self.ids[:, 1]]
        columns += [self.places, self.parts.astype(np.int32)]
        return pa.RecordBatch.from_arrays([pa.array(np.ascontiguousarray(c)) for c in columns], schema=SCHEMA)

    def take(self, rows: Longs) -> "Seen":
        return Seen(*(getattr(self, name)[rows] for name in ("kinds", "keys", "counts", "ids", "places", "parts")))

    def summed(self, numbers: Longs, firsts: Longs) -> "Seen":
        """One row for each of the groups that ``numbers`` name: the sum of its counts, and its first place."""
        counts, earliest = _sums(numbers, len(firsts), self.counts, self.ids, self.places)
        first = self.take(earliest)
        return Seen(first.kinds, first.keys, counts, first.ids, first.places, first.parts)


def combined(rows: Seen) -> Seen:
    """The rows of one part with each key once."""
    return rows.summed(*group(rows.keys))


def verdicts(rows: Seen, settings: PassageSettings) -> tuple[Seen, int]:
    """For every part the keys of which something must go from it, with what the corpus has of them; how many units go.

    ``rows`` are all rows of the keys they mention, in any order.
    """
    numbers, firsts = group(rows.keys)
    whole = rows.summed(numbers, firsts)
    most = np.array([np.iinfo(np.int64).max if limit is None else limit for limit in limits(settings)])
    goes = whole.counts > most[whole.kinds]
    nowhere = (whole.kinds != PASSAGE) & (settings.keep == "none")
    units = int((whole.counts - ~nowhere)[goes].sum())
    places = np.where(nowhere, NOWHERE, whole.places)
    told = replace(whole, places=places).take(numbers)
    # a part that has nothing of it but what stays need not know
    stays = (rows.counts == 1) & (rows.ids == told.ids).all(axis=1) & (rows.places == told.places)
    wanted = np.flatnonzero(goes[numbers] & ~stays)
    return replace(told, parts=rows.parts).take(wanted), units


@njit(nogil=True, cache=True)
def _sums(numbers: Longs, groups: int, counts: Longs, ids: Hashes, places: Longs) -> tuple[Longs, Longs]:
    """The sum of counts of each group, and the row of the smallest id, then place."""
    sums = np.zeros(groups, np.int64)
    firsts = np.full(groups, -1, np.int64)
    for i in range(numbers.size):
        g = numbers[i]
        sums[g] += counts[i]
        f = firsts[g]
        if f < 0:
            firsts[g] = i
        elif ids[i, 0] != ids[f, 0]:
            if ids[i, 0] < ids[f, 0]:
                firsts[g] = i
        elif ids[i, 1] != ids[f, 1]:
            if ids[i, 1] < ids[f, 1]:
                firsts[g] = i
        elif places[i] < places[f]:
            firsts[g] = i
    return sums, firsts


ANCHOR_SCHEMA = pa.schema(
    [
        pa.field("anchor", pa.uint64(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),
        pa.field("part", pa.int32(), nullable=False),
    ]
)
ANCHOR_BYTES = 20


def anchor_rows(anchors: Hashes, part: int) -> pa.RecordBatch:
    """A part's anchors, each once, with their numbers."""
    ordered = np.sort(anchors)
    firsts = np.flatnonzero(np.concatenate([np.ones(min(1, ordered.size), np.bool_), ordered[1:] != ordered[:-1]]))
    counts = np.diff(np.append(firsts, ordered.size))
    columns = [ordered[firsts], counts, np.full(len(firsts), part, np.int32)]
    return pa.RecordBatch.from_arrays([pa.array(column) for column in columns], schema=ANCHOR_SCHEMA)


def repeated_anchors(batches: Iterable[pa.RecordBatch]) -> pa.RecordBatch:
    """Of all rows of some anchors, those of anchors that were seen more than once."""
    table = pa.Table.from_batches(list(batches), ANCHOR_SCHEMA)
    anchors, counts = (table.column(name).to_numpy() for name in ("anchor", "count"))
    order = np.argsort(anchors, kind="stable")
    ordered = anchors[order]
    again = np.zeros(ordered.size, np.bool_)
    again[1:] = ordered[1:] == ordered[:-1]
    again[:-1] |= again[1:]
    rows = np.sort(order[again | (counts[order] > 1)])
    return _rows_of(table, rows)


def in_order_of_anchors(batches: Iterable[pa.RecordBatch]) -> pa.RecordBatch:
    return _ordered(batches, ANCHOR_SCHEMA, ("anchor", "part"))


def in_order_of_keys(batches: Iterable[pa.RecordBatch]) -> pa.RecordBatch:
    return _ordered(batches, SCHEMA, ("key_high", "key_low", "part"))


def _ordered(batches: Iterable[pa.RecordBatch], schema: pa.Schema, names: tuple[str, ...]) -> pa.RecordBatch:
    table = pa.Table.from_batches(list(batches), schema)
    order = np.lexsort([table.column(name).to_numpy() for name in reversed(names)])
    return _rows_of(table, order)


def _rows_of(table: pa.Table, rows: Longs) -> pa.RecordBatch:
    columns = [pa.array(table.column(name).to_numpy()[rows]) for name in table.schema.names]
    return pa.RecordBatch.from_arrays(columns, schema=table.schema)
