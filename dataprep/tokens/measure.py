"""How large the corpus is, per source and language: what sample thresholds and shard counts are computed from.

A measure is a function of the set of documents: parts are measured apart and merged in any order.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dataprep.tokens.hashing import SAMPLE, SPACE, SPLIT, keyed_hashes

LANGUAGE = "language.label"  # of `dataprep.signals.language`; a corpus may lack it
NO_LANGUAGE = ""  # of a document without label

Group = tuple[str, str]  # source, language


def rows_by_source(batch: pa.RecordBatch) -> dict[str, NDArray[np.int64]]:
    """Source name → its rows, sources in name order."""
    column = batch.column("source")
    codes = column if isinstance(column, pa.DictionaryArray) else column.dictionary_encode()
    indices = codes.indices.to_numpy(zero_copy_only=False)
    found: dict[str, NDArray[np.int64]] = {}
    for code, name in sorted(enumerate(codes.dictionary.to_pylist()), key=lambda item: item[1]):
        rows = np.flatnonzero(indices == code)
        if len(rows):
            found[name] = np.concatenate([found[name], rows]) if name in found else rows
    return found


def languages(batch: pa.RecordBatch) -> pa.Array:
    """The label of each document, ``NO_LANGUAGE`` where there is none."""
    if LANGUAGE not in batch.schema.names:
        return pa.repeat(NO_LANGUAGE, batch.num_rows)
    column = batch.column(LANGUAGE)
    plain = column.dictionary_decode() if isinstance(column, pa.DictionaryArray) else column
    return pc.fill_null(plain, NO_LANGUAGE)


def rows_by_group(batch: pa.RecordBatch) -> dict[Group, NDArray[np.int64]]:
    """(source, language) → its rows, groups in name order."""
    labels = languages(batch).dictionary_encode()
    codes = labels.indices.to_numpy(zero_copy_only=False)
    found: dict[Group, NDArray[np.int64]] = {}
    for source, rows in rows_by_source(batch).items():
        for code, language in sorted(enumerate(labels.dictionary.to_pylist()), key=lambda item: item[1]):
            members = rows[codes[rows] == code]
            if len(members):
                found[source, language] = members
    return found


def byte_lengths(texts: pa.Array) -> NDArray[np.int64]:
    """UTF-8 bytes of each text."""
    return pc.binary_length(texts).to_numpy(zero_copy_only=False).astype(np.int64)


@dataclass
class GroupMeasure:
    """``lowest_sample``: the extreme hash of its documents."""

    documents: int = 0
    bytes: int = 0
    lowest_sample: int = SPACE - 1

    def extend(self, other: "GroupMeasure") -> None:
        self.documents += other.documents
        self.bytes += other.bytes
        self.lowest_sample = min(self.lowest_sample, other.lowest_sample)


@dataclass
class CorpusMeasure:
    """``groups``: (source, language) → its size; the others are the extreme hashes over all documents."""

    groups: dict[Group, GroupMeasure] = field(default_factory=dict)
    lowest_split: int = SPACE - 1
    highest_split: int = 0

    def add(self, batch: pa.RecordBatch, seed: int) -> None:
        """Count a batch with the columns id, text and source, and maybe ``LANGUAGE``."""
        if batch.num_rows == 0:
            return
        lengths = byte_lengths(batch.column("text"))
        sample = keyed_hashes(batch.column("id"), seed, SAMPLE)
        for group, rows in rows_by_group(batch).items():
            found = GroupMeasure(len(rows), int(lengths[rows].sum()), int(sample[rows].min()))
            self.groups.setdefault(group, GroupMeasure()).extend(found)
        split = keyed_hashes(batch.column("id"), seed, SPLIT)
        self._extend(int(split.min()), int(split.max()))

    def _extend(self, lowest_split: int, highest_split: int) -> None:
        self.lowest_split = min(self.lowest_split, lowest_split)
        self.highest_split = max(self.highest_split, highest_split)

    @property
    def sources(self) -> dict[str, tuple[int, int]]:
        """Name → documents, UTF-8 bytes."""
        found: dict[str, tuple[int, int]] = {}
        for (source, _), group in self.groups.items():
            documents, size = found.get(source, (0, 0))
            found[source] = documents + group.documents, size + group.bytes
        return found

    @property
    def documents(self) -> int:
        return sum(group.documents for group in self.groups.values())

    @property
    def bytes(self) -> int:
        return sum(group.bytes for group in self.groups.values())

    def to_json(self) -> dict[str, Any]:
        return {
            "groups": [
                [*name, group.documents, group.bytes, group.lowest_sample]
                for name, group in sorted(self.groups.items())
            ],
            "lowest_split": self.lowest_split,
            "highest_split": self.highest_split,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "CorpusMeasure":
        groups = {(source, language): GroupMeasure(*sizes) for source, language, *sizes in value["groups"]}
        return cls(groups, value["lowest_split"], value["highest_split"])

    @classmethod
    def total(cls, parts: Iterable["CorpusMeasure"]) -> "CorpusMeasure":
        result = cls()
        for part in parts:
            for name, group in part.groups.items():
                result.groups.setdefault(name, GroupMeasure()).extend(group)
            result._extend(part.lowest_split, part.highest_split)
        return result
