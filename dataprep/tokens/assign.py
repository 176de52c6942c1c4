"""Which split and shard a document belongs to, and its place there: a global shuffle that needs no coordination.

Decisions:
- Two hashes of the id. One decides the split, by comparison with a threshold. The other is the document's place in a
  random order of its source and split; shard k of n holds the k-th n-th part of that order. So the shards one after the
  other are one shuffled sequence, and another number of shards only cuts the same sequence elsewhere.
- The number of shards comes from the text's bytes and the tokenizer's bytes per token on its sample: known before
  anything is encoded, the same for any workers. With few documents a shard can come out empty; its file is not written.
- A validation fraction above 0 asks for validation: with two documents or more, at least one document of the corpus is
  validation (the one with the lowest hash) and at least one is train (the highest). One document alone is train.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dataprep.shards.layout import SPLITS
from dataprep.tokens.hashing import ORDER, SPACE, SPLIT, keyed_hashes
from dataprep.tokens.measure import CorpusMeasure
from dataprep.tokens.settings import ShardSettings

TRAIN, VALIDATION = SPLITS


@dataclass(frozen=True)
class ShardPlan:
    """``counts``: (source, shards of train, shards of validation), sources by name.

    Partitions are numbered source by source, train before validation. Documents whose split hash is below
    ``validation_below`` are validation.
    """

    seed: int
    validation_below: int
    counts: tuple[tuple[str, int, int], ...]

    @classmethod
    def of(
        cls, corpus: CorpusMeasure, sample_bytes: int, sample_tokens: int, settings: ShardSettings, seed: int
    ) -> "ShardPlan":
        counts = []
        for source, (documents, size) in sorted(corpus.sources.items()):
            tokens = size * sample_tokens // max(sample_bytes, 1) + documents
            validation = int(tokens * settings.validation_fraction)
            counts.append((source, _shards(tokens - validation, settings), _shards(validation, settings)))
        return cls(seed, validation_threshold(corpus, settings.validation_fraction), tuple(counts))

    @property
    def partitions(self) -> int:
        return sum(train + validation for _, train, validation in self.counts)

    def place(self, partition: int) -> tuple[str, str, int]:
        """Partition → (source, split, index of the shard)."""
        left = partition
        for source, *shards in self.counts:
            for split, n in zip(SPLITS, shards, strict=True):
                if left < n:
                    return source, split, left
                left -= n
        raise ValueError(f"partition {partition} is not below {self.partitions}")

    def assign(self, source: str, ids: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
        """Partition and order hash of each document of one source."""
        first, train, validation = self._first(source)
        held_out = keyed_hashes(ids, self.seed, SPLIT) < np.uint64(self.validation_below)
        order = keyed_hashes(ids, self.seed, ORDER)
        shards = np.where(held_out, np.uint64(validation), np.uint64(train))
        shard = ((order >> np.uint64(32)) * shards) >> np.uint64(32)
        return first + np.where(held_out, train, 0) + shard.astype(np.int64), order

    def _first(self, source: str) -> tuple[int, int, int]:
        first = 0
        for name, train, validation in self.counts:
            if name == source:
                return first, train, validation
            first += train + validation
        raise ValueError(f"source {source!r} was not there when the corpus was measured")

    def to_json(self) -> dict[str, Any]:
        return {
            "seed": self.seed,
            "validation_below": self.validation_below,
            "counts": [list(entry) for entry in self.counts],
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "ShardPlan":
        counts = tuple((source, train, validation) for source, train, validation in value["counts"])
        return cls(value["seed"], value["validation_below"], counts)


def validation_threshold(corpus: CorpusMeasure, fraction: float) -> int:
    """Split hashes below this are validation."""
    if fraction == 0 or corpus.documents < 2:
        return 0
    return min(max(int(fraction * SPACE), corpus.lowest_split + 1), corpus.highest_split)


def _shards(tokens: int, settings: ShardSettings) -> int:
    return max(-(-tokens // settings.tokens_per_shard), 1)
