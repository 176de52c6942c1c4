"""What a recipe may say about deduplication."""

from functools import cache
from typing import Any, Literal

from datasketch.lsh import _optimal_param
from pydantic import Field, model_validator

from dataprep.settings import Settings

# weights of false positives and false negatives in datasketch's optimiser. A false candidate costs one comparison,
# since candidates are verified; a pair that was never a candidate is lost
FALSE_POSITIVE_WEIGHT, FALSE_NEGATIVE_WEIGHT = 0.002, 0.998

NormalisationName = Literal[
    "words-1", "datatrove-0.10", "datatrove-en-0.10", "text-dedup-0.4", "bigcode-1", "redpajama-2"
]
PresetName = Literal["corpusmill", "fineweb", "datatrove", "text-dedup", "bigcode", "redpajama"]

# What the tools that presets are named after compare. Their hashes are not copied, nor that they verify nothing.
PRESETS: dict[PresetName, dict[str, Any]] = {
    "corpusmill": {},
    # The FineWeb Datasets (Penedo et al. 2024), section 3.4: "documents that are at least 75% similar"
    "fineweb": {
        "normalisation": "datatrove-en-0.10",
        "shingle": 5,
        "permutations": 112,
        "bands": 14,
        "rows": 8,
        "seed": 1,
        "threshold": 0.75,
    },
    # datatrove 0.10, MinhashConfig; the threshold is its own figure, (1/14)^(1/8)
    "datatrove": {
        "normalisation": "datatrove-en-0.10",
        "shingle": 5,
        "permutations": 112,
        "bands": 14,
        "rows": 8,
        "seed": 1,
        "threshold": 0.72,
    },
    # text-dedup 0.4, MinHashArgs; bands × rows are its optimiser's, with equal weights
    "text-dedup": {
        "normalisation": "text-dedup-0.4",
        "shingle": 5,
        "permutations": 250,
        "bands": 25,
        "rows": 10,
        "seed": 42,
        "threshold": 0.7,
    },
    # bigcode-dataset, near_deduplication/minhash_deduplication.py (The Stack 1.x); the same optimiser
    "bigcode": {
        "normalisation": "bigcode-1",
        "shingle": 5,
        "permutations": 256,
        "bands": 25,
        "rows": 10,
        "seed": 42,
        "threshold": 0.7,
    },
    # RedPajama-Data, configs/rp_v2.0.conf: signatures for 0.7 (14 × 9), 0.8 (9 × 13) and 0.9 (5 × 25) are published
    "redpajama": {
        "normalisation": "redpajama-2",
        "shingle": 13,
        "permutations": 128,
        "bands": 9,
        "rows": 13,
        "seed": 42,
        "threshold": 0.8,
    },
}


class DedupSettings(Settings):
    """Exact and near duplicates: MinHash over word shingles, verified against the kept copy.

    A ``preset`` sets what the tool of that name compares: normalisation, shingle, permutations, bands, rows, seed and
    threshold; fields given beside it override it.

    ``bands`` × ``rows`` are chosen for ``threshold`` by datasketch's optimiser unless both are given. ``keep`` says
    which copy of several stays: the longest (code points), the newest or earliest by date, the one with the largest
    value of the signal column ``signal``, or the one whose source stands first in ``sources``. Documents without the
    value come last; ties go to the smaller id.

    ``against`` names earlier runs, whose kept documents are compared with, too: a new document that is a copy of one of
    them yields and is removed, or supersedes it, and the old one's id is written to ``unique/tombstones``.

    ``verify`` says what must reach ``threshold`` between a document and the kept copy: the Jaccard similarity of their
    sets of shingles, its estimate from the signatures, or the containment, the share of the removed document's shingles
    that the kept copy has.

    With ``urls`` documents of one page are duplicates, whatever their texts. ``scope`` names a column of the documents,
    such as ``source`` or ``language.label``: only those with the same value are compared.
    """

    preset: PresetName = "corpusmill"
    exact: Literal["spaces-1"] = "spaces-1"
    normalisation: NormalisationName = "words-1"
    shingle: int = Field(default=5, ge=1, le=64, description="words in a shingle")
    permutations: int = Field(default=128, ge=8, le=1024, description="values in a signature")
    seed: int = Field(default=1, ge=0, lt=2**32, description="seed of the permutations")
    threshold: float = Field(default=0.8, gt=0, le=1, description="similarity that makes a duplicate")
    verify: Literal["estimate", "jaccard", "containment"] = "jaccard"
    bands: int | None = Field(default=None, ge=1)
    rows: int | None = Field(default=None, ge=1)
    urls: Literal["url-1"] | None = None
    scope: str = Field(default="corpus", min_length=1)
    index: bool = Field(default=False, description="keep an index of what was kept, for later runs")
    against: tuple[str, ...] = Field(default=(), description="output directories of earlier runs with an index")
    copies: Literal["yield", "supersede"] = "yield"
    keep: Literal["longest", "newest", "earliest", "signal", "source"] = "longest"
    signal: str | None = None
    sources: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _of_preset(cls, given: Any) -> Any:
        preset = given.get("preset") if isinstance(given, dict) else None
        return {**PRESETS[preset], **given} if preset in PRESETS else given

    @model_validator(mode="after")
    def _has_earlier_runs(self) -> "DedupSettings":
        if self.copies == "supersede" and not self.against:
            raise ValueError("copies: supersede needs earlier runs in against")
        return self

    @model_validator(mode="after")
    def _consistent(self) -> "DedupSettings":
        if (self.bands is None) != (self.rows is None):
            raise ValueError("bands and rows are given together, or neither and threshold decides")
        if self.bands and self.rows and self.bands * self.rows > self.permutations:
            raise ValueError(
                f"bands × rows is {self.bands} × {self.rows} = {self.bands * self.rows}, "
                f"at most permutations = {self.permutations} is allowed"
            )
        if (self.keep == "signal") != (self.signal is not None):
            raise ValueError("signal names a column exactly when keep is 'signal'")
        if (self.keep == "source") != bool(self.sources):
            raise ValueError("sources lists names exactly when keep is 'source'")
        return self

    def shape(self) -> tuple[int, int]:
        """(bands, rows) in effect."""
        if self.bands and self.rows:
            return self.bands, self.rows
        return _optimal_shape(self.threshold, self.permutations)


@cache
def _optimal_shape(threshold: float, permutations: int) -> tuple[int, int]:
    bands, rows = _optimal_param(threshold, permutations, FALSE_POSITIVE_WEIGHT, FALSE_NEGATIVE_WEIGHT)
    return int(bands), int(rows)
