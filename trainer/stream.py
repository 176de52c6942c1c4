"""The shards of a split as one long array of tokens, proven before they are used.

Every MiB of a shard is compared with its recorded checksum when it is first touched.
"""

import numpy as np
from numpy.typing import NDArray

from dataprep.shards import Manifest, Shard, verify_shard
from dataprep.shards.checksums import CHUNK_BYTES, HEX_DIGITS, chunk_checksum, chunks_of
from dataprep.shards.layout import VALUES


class DamagedShardError(ValueError):
    """A shard whose bytes are not the ones that were written; names the file, the place and the documents."""


class TokenStream:
    """The tokens of one split as one long array; ``vocabulary`` is the model's, in rows of its embedding.

    Shards are opened when they are first read. Raises ``ValueError`` when a shard holds an id the model has no row for.
    """

    def __init__(self, manifest: Manifest, split: str, vocabulary: int) -> None:
        self.manifest = manifest
        self.split = split
        self.shards = manifest.select(split)
        for info in self.shards:
            if info.largest_id >= vocabulary:
                raise ValueError(
                    f"{manifest.path}/{info.path}: its largest token id is {info.largest_id}, "
                    f"the model's vocabulary allows 0 to {vocabulary - 1}"
                )
        self.starts = np.cumsum([0, *(info.tokens for info in self.shards)], dtype=np.int64)
        self.tokens = int(self.starts[-1])
        self.bytes = sum(info.bytes for info in self.shards)
        self._open: dict[int, tuple[Shard, NDArray[np.bool_]]] = {}

    def read(self, start: int, stop: int) -> NDArray[np.int64]:
        """Tokens ``start`` … ``stop`` - 1. Raises ``DamagedShardError`` before it would return a changed token."""
        pieces = []
        number = int(np.searchsorted(self.starts, start, side="right")) - 1
        while start < stop:
            end = min(stop, int(self.starts[number + 1]))
            offset = int(self.starts[number])
            pieces.append(self._read_shard(number, start - offset, end - offset))
            start, number = end, number + 1
        return np.concatenate(pieces).astype(np.int64)

    def _read_shard(self, number: int, start: int, stop: int) -> NDArray[np.integer]:
        if number not in self._open:
            shard = self.manifest.open(self.shards[number])
            self._open[number] = shard, np.zeros(chunks_of(shard.tokens.nbytes), bool)
        shard, proven = self._open[number]
        width = shard.tokens.itemsize
        for chunk in range(
            start * width // CHUNK_BYTES, ((stop - 1) * width) // CHUNK_BYTES + 1 if stop > start else 0
        ):
            if not proven[chunk]:
                recorded = shard.metadata.checksums[VALUES][chunk * HEX_DIGITS : (chunk + 1) * HEX_DIGITS]
                if chunk_checksum(shard.buffers()[VALUES], chunk) != recorded:
                    problems = verify_shard(shard.path)
                    raise DamagedShardError("; ".join(map(str, problems)) or f"{shard.path}: chunk {chunk} is damaged")
                proven[chunk] = True
        return shard.tokens[start:stop]
