"""Figures about shards for a person, from the manifest alone: no token is read."""

from dataclasses import dataclass

from dataprep.shards.histogram import LengthHistogram
from dataprep.shards.manifest import Manifest, Totals

PERCENTILES = (1, 5, 25, 50, 75, 95, 99, 100)


@dataclass(frozen=True)
class Figures:
    """One row of the table. ``lengths``: percentile → tokens of a document with its EOS (within 1/16, 100 exact)."""

    source: str
    split: str
    shards: int
    documents: int
    tokens: int
    bytes: int
    lengths: dict[int, int]

    @property
    def tokens_per_document(self) -> float:
        return self.tokens / self.documents

    @property
    def bytes_per_token(self) -> float:
        """UTF-8 bytes of text per token; the closing EOS of each document stands for none and is not counted."""
        return self.bytes / max(self.tokens - self.documents, 1)

    @classmethod
    def of(cls, source: str, split: str, totals: Totals) -> "Figures":
        lengths = {percent: totals.lengths.percentile(percent) for percent in PERCENTILES}
        return cls(source, split, totals.shards, totals.documents, totals.tokens, totals.bytes, lengths)


@dataclass(frozen=True)
class Statistics:
    """``rows``: one for each source and split, in the manifest's order; ``total``: all of them."""

    manifest_hash: str
    tokenizer_fingerprint: str
    vocabulary_size: int
    largest_id: int
    dtype: str
    rows: tuple[Figures, ...]
    total: Figures
    checksums: dict[str, str]  # shard path → root checksum


def shard_statistics(manifest: Manifest) -> Statistics:
    parts = manifest.totals.values()
    total = Totals(
        len(manifest.shards),
        manifest.documents,
        manifest.tokens,
        manifest.bytes,
        LengthHistogram.total(part.lengths for part in parts),
    )
    return Statistics(
        manifest_hash=manifest.hash,
        tokenizer_fingerprint=manifest.tokenizer_fingerprint,
        vocabulary_size=manifest.vocabulary_size,
        largest_id=max(shard.largest_id for shard in manifest.shards),
        dtype=manifest.shards[0].dtype,
        rows=tuple(Figures.of(source, split, sums) for (source, split), sums in manifest.totals.items()),
        total=Figures.of("all", "all", total),
        checksums={shard.path: shard.checksum for shard in manifest.shards},
    )
