"""``manifest.json``: every shard in a fixed order, totals per source and split, and a hash of it all.

Decisions:
- Shards are ordered by (source, split, path), so a manifest does not depend on who wrote which shard when.
- Length histograms are kept per source and split, not per shard: the file stays small for ten thousand shards.
- The hash covers every other field; each shard's line holds the root of that shard's checksums. So one hash stands for
  every token, and a trainer that remembers it can prove it reads the same data.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any

import xxhash

from dataprep import storage
from dataprep.shards.histogram import LengthHistogram
from dataprep.shards.layout import FORMAT_VERSION, ShardInfo, WrittenShard, fingerprint
from dataprep.shards.reader import Shard, open_shard

FILE_NAME = "manifest.json"


@dataclass(frozen=True)
class Totals:
    """Sums over the shards of one source and split."""

    shards: int
    documents: int
    tokens: int
    bytes: int
    lengths: LengthHistogram

    def to_json(self) -> dict[str, Any]:
        return {
            "shards": self.shards,
            "documents": self.documents,
            "tokens": self.tokens,
            "bytes": self.bytes,
            "lengths": self.lengths.to_json(),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Totals":
        return cls(**(value | {"lengths": LengthHistogram.from_json(value["lengths"])}))

    @classmethod
    def of(cls, written: Iterable[WrittenShard]) -> "Totals":
        shards = list(written)
        return cls(
            len(shards),
            sum(one.info.documents for one in shards),
            sum(one.info.tokens for one in shards),
            sum(one.info.bytes for one in shards),
            LengthHistogram.total(one.lengths for one in shards),
        )


@dataclass(frozen=True)
class Manifest:
    """``path`` is the shards directory; ``totals`` is keyed by (source, split)."""

    path: str
    tokenizer_fingerprint: str
    vocabulary_size: int
    eos_id: int
    shards: tuple[ShardInfo, ...]
    totals: dict[tuple[str, str], Totals]
    bos_id: int | None = None

    @classmethod
    def build(cls, path: str, written: Iterable[WrittenShard]) -> "Manifest":
        """Raises ``ValueError`` when there are no shards or they were not written with one tokenizer."""
        ordered = sorted(written, key=lambda one: (one.info.source, one.info.split, one.info.path))
        if not ordered:
            raise ValueError(f"{path}: no shards: there were no documents to tokenize")
        first = ordered[0]
        for one in ordered:
            if one.tokenizer_fingerprint != first.tokenizer_fingerprint:
                raise ValueError(
                    f"{path}: {one.info.path} was written with tokenizer {one.tokenizer_fingerprint}, "
                    f"{first.info.path} with {first.tokenizer_fingerprint}"
                )
        totals = {
            key: Totals.of(group) for key, group in groupby(ordered, lambda one: (one.info.source, one.info.split))
        }
        shards = tuple(one.info for one in ordered)
        tokenizer = (first.tokenizer_fingerprint, first.vocabulary_size, first.eos_id)
        return cls(path, *tokenizer, shards, totals, first.bos_id)

    @classmethod
    def load(cls, path: str) -> "Manifest":
        """``path``: the shards directory. Raises ``FileNotFoundError``, or ``ValueError`` when the file was changed."""
        file = storage.join(path, FILE_NAME)
        try:
            value = json.loads(storage.read_bytes(file))
            recorded = value.pop("hash")
            version = value["format"]
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise ValueError(f"{file}: damaged, not a manifest ({error})") from None
        if _hash(value) != recorded:
            raise ValueError(f"{file}: damaged or edited, its content does not have the hash {recorded}")
        if version != FORMAT_VERSION:
            raise ValueError(f"{file}: shard format {version}, this version reads format {FORMAT_VERSION}")
        try:
            return cls(
                path=path,
                tokenizer_fingerprint=value["tokenizer_fingerprint"],
                vocabulary_size=value["vocabulary_size"],
                eos_id=value["eos_id"],
                shards=tuple(ShardInfo(**shard) for shard in value["shards"]),
                totals={
                    (source, split): Totals.from_json(totals)
                    for source, splits in value["totals"].items()
                    for split, totals in splits.items()
                },
                bos_id=value.get("bos_id"),
            )
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise ValueError(f"{file}: not a manifest ({error})") from None

    def save(self) -> None:
        storage.write_bytes(storage.join(self.path, FILE_NAME), self.encoded())

    def encoded(self) -> bytes:
        """The bytes of ``manifest.json``."""
        return storage.json_bytes(self._content() | {"hash": self.hash})

    @cached_property
    def hash(self) -> str:
        """xxh3-128, hex, of the content as JSON without spaces and with sorted keys."""
        return _hash(self._content())

    @property
    def documents(self) -> int:
        return sum(totals.documents for totals in self.totals.values())

    @property
    def tokens(self) -> int:
        return sum(totals.tokens for totals in self.totals.values())

    @property
    def bytes(self) -> int:
        return sum(totals.bytes for totals in self.totals.values())

    def select(self, split: str, source: str | None = None) -> tuple[ShardInfo, ...]:
        return tuple(one for one in self.shards if one.split == split and source in (None, one.source))

    def open(self, info: ShardInfo) -> Shard:
        """Open a listed shard. Raises ``ValueError`` when the file is not the one the manifest lists."""
        shard = open_shard(storage.join(self.path, info.path))
        if shard.metadata.root != info.checksum:
            raise ValueError(
                f"{shard.path}: not the shard in {FILE_NAME} (its checksum is {shard.metadata.root}, listed is "
                f"{info.checksum}; its tokenizer is {shard.metadata.tokenizer_fingerprint}, "
                f"listed is {self.tokenizer_fingerprint})"
            )
        return shard

    def check_tokenizer(self, path: str) -> None:
        """Raise ``ValueError`` unless the ``tokenizer.json`` at ``path`` is the one these shards were written with."""
        found = fingerprint(storage.read_bytes(path))
        if found != self.tokenizer_fingerprint:
            raise ValueError(
                f"{path}: tokenizer {found} is not the one the shards in {self.path} were written with "
                f"({self.tokenizer_fingerprint})"
            )

    def _content(self) -> dict[str, Any]:
        totals: dict[str, dict[str, Any]] = {}
        for (source, split), sums in self.totals.items():
            totals.setdefault(source, {})[split] = sums.to_json()
        bos = {} if self.bos_id is None else {"bos_id": self.bos_id}
        return bos | {
            "format": FORMAT_VERSION,
            "tokenizer_fingerprint": self.tokenizer_fingerprint,
            "vocabulary_size": self.vocabulary_size,
            "eos_id": self.eos_id,
            "shards": [shard.to_json() for shard in self.shards],
            "totals": totals,
        }


def _hash(content: dict[str, Any]) -> str:
    return xxhash.xxh3_128_hexdigest(
        json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    )
