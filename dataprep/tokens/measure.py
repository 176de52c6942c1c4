"""How large the corpus is, per source: what sample thresholds and shard counts are computed from.

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


def byte_lengths(texts: pa.Array) -> NDArray[np.int64]:
    """UTF-8 bytes of each text."""
    return pc.binary_length(texts).to_numpy(zero_copy_only=False).astype(np.int64)


@dataclass
class CorpusMeasure:
    """``sources``: name → [documents, UTF-8 bytes]; the others are the extreme hashes over all documents."""

    sources: dict[str, list[int]] = field(default_factory=dict)
    lowest_split: int = SPACE - 1
    highest_split: int = 0
    lowest_sample: int = SPACE - 1

    def add(self, batch: pa.RecordBatch, seed: int) -> None:
        """Count a batch with the columns id, text and source."""
        if batch.num_rows == 0:
            return
        lengths = byte_lengths(batch.column("text"))
        for source, rows in rows_by_source(batch).items():
            entry = self.sources.setdefault(source, [0, 0])
            entry[0] += len(rows)
            entry[1] += int(lengths[rows].sum())
        split = keyed_hashes(batch.column("id"), seed, SPLIT)
        sample = keyed_hashes(batch.column("id"), seed, SAMPLE)
        self._extend(int(split.min()), int(split.max()), int(sample.min()))

    def _extend(self, lowest_split: int, highest_split: int, lowest_sample: int) -> None:
        self.lowest_split = min(self.lowest_split, lowest_split)
        self.highest_split = max(self.highest_split, highest_split)
        self.lowest_sample = min(self.lowest_sample, lowest_sample)

    @property
    def documents(self) -> int:
        return sum(documents for documents, _ in self.sources.values())

    @property
    def bytes(self) -> int:
        return sum(size for _, size in self.sources.values())

    def to_json(self) -> dict[str, Any]:
        return {
            "sources": {name: self.sources[name] for name in sorted(self.sources)},
            "lowest_split": self.lowest_split,
            "highest_split": self.highest_split,
            "lowest_sample": self.lowest_sample,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "CorpusMeasure":
        return cls(**(value | {"sources": {name: list(counts) for name, counts in value["sources"].items()}}))

    @classmethod
    def total(cls, parts: Iterable["CorpusMeasure"]) -> "CorpusMeasure":
        result = cls()
        for part in parts:
            for source, (documents, size) in part.sources.items():
                entry = result.sources.setdefault(source, [0, 0])
                entry[0] += documents
                entry[1] += size
            result._extend(part.lowest_split, part.highest_split, part.lowest_sample)
        return result
