"""From a token to its document: position in a split → shard and token → row and document id."""

from dataclasses import dataclass

import numpy as np

from dataprep.shards.layout import ShardInfo
from dataprep.shards.manifest import Manifest


@dataclass(frozen=True)
class TokenPlace:
    """Token ``token`` of a shard is token ``index`` of the document in row ``row``: its ``first`` to ``end`` - 1."""

    info: ShardInfo
    token: int
    row: int
    first: int
    end: int
    doc_id: bytes

    @property
    def index(self) -> int:
        return self.token - self.first


def shard_of(manifest: Manifest, split: str, position: int) -> tuple[ShardInfo, int]:
    """Which token of which shard is number ``position`` of a split, all its shards in the manifest's order.

    Raises ``ValueError`` when the split has no such token.
    """
    shards = manifest.select(split)
    ends = np.cumsum([info.tokens for info in shards], dtype=np.int64)
    tokens = int(ends[-1]) if shards else 0
    if not 0 <= position < tokens:
        raise ValueError(f"token {position:,} of split {split!r}: there are {tokens:,}, the first is 0")
    number = int(np.searchsorted(ends, position, side="right"))
    return shards[number], position - int(ends[number]) + shards[number].tokens


def locate(manifest: Manifest, info: ShardInfo, token: int) -> TokenPlace:
    """The document that holds a token of a shard. Raises ``ValueError`` when the shard has no such token."""
    if not 0 <= token < info.tokens:
        raise ValueError(f"token {token:,} of {info.path}: there are {info.tokens:,}, the first is 0")
    shard = manifest.open(info)
    row = int(np.searchsorted(shard.offsets, token, side="right")) - 1
    first, end = (int(bound) for bound in shard.offsets[row : row + 2])
    return TokenPlace(info, token, row, first, end, shard.doc_id(row))
