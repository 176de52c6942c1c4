"""Document lengths in log-linear buckets: percentiles of any corpus without reading its tokens.

Decisions:
- Lengths below 32 have a bucket each; above, every power of two is divided into 16 buckets, so a bucket's lower bound
  is within 1/16 of every length in it (the layout of HdrHistogram with 5 significant bits).
- A bucket is named by its lower bound, which makes the stored form readable and merging an addition.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SIGNIFICANT_BITS = 5


def bucket_bounds(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """The lower bound of each length's bucket: the length with all but its 5 highest bits cleared."""
    bits = np.frexp(lengths.astype(np.float64))[1]  # bit length; exact below 2**53
    shift = np.maximum(bits - SIGNIFICANT_BITS, 0).astype(np.int64)
    return (lengths >> shift) << shift


@dataclass(frozen=True)
class LengthHistogram:
    """``counts``: (lower bound in tokens, documents), ascending, no empty buckets. ``longest``: exact, in tokens."""

    counts: tuple[tuple[int, int], ...] = ()
    longest: int = 0

    @classmethod
    def of(cls, lengths: NDArray[np.int64]) -> "LengthHistogram":
        if len(lengths) == 0:
            return cls()
        bounds = np.sort(bucket_bounds(lengths))
        starts = np.flatnonzero(np.concatenate([[True], bounds[1:] != bounds[:-1]]))
        documents = np.diff(np.append(starts, len(bounds)))
        return cls(
            tuple((int(bound), int(n)) for bound, n in zip(bounds[starts], documents, strict=True)), int(lengths.max())
        )

    @classmethod
    def total(cls, parts: Iterable["LengthHistogram"]) -> "LengthHistogram":
        counts: dict[int, int] = {}
        longest = 0
        for part in parts:
            longest = max(longest, part.longest)
            for bound, documents in part.counts:
                counts[bound] = counts.get(bound, 0) + documents
        return cls(tuple(sorted(counts.items())), longest)

    @property
    def documents(self) -> int:
        return sum(n for _, n in self.counts)

    def percentile(self, percent: float) -> int:
        """Lower bound of the bucket that holds this percentile (nearest rank); 100: the exact maximum; empty: 0."""
        if percent >= 100 or not self.counts:
            return self.longest
        rank = percent / 100 * self.documents
        seen = 0
        for bound, documents in self.counts:
            seen += documents
            if seen >= rank:
                return bound
        return self.longest

    def to_json(self) -> dict[str, object]:
        return {"counts": [list(pair) for pair in self.counts], "longest": self.longest}

    @classmethod
    def from_json(cls, value: dict[str, Sequence[Sequence[int]] | int]) -> "LengthHistogram":
        counts, longest = value["counts"], value["longest"]
        if not isinstance(counts, Sequence) or not isinstance(longest, int):
            raise ValueError(f"lengths: counts must be a list and longest a number, not {counts!r} and {longest!r}")
        return cls(tuple((int(bound), int(n)) for bound, n in counts), longest)
