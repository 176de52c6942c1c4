"""Where documents begin in a stream: read from the shards' offsets, 8 bytes a document, proven like the tokens.

Only the offsets of shards that are asked about are touched, and few are kept: a corpus of any size opens at once.
"""

from bisect import bisect_left, bisect_right
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainer.data.stream import TokenStream


class Pieces(NamedTuple):
    """Runs of tokens that fill rows from the left: ``start`` in the stream and ``length``, ordered by ``row``.

    Each int64 [pieces]. A row may have none.
    """

    row: NDArray[np.int64]
    start: NDArray[np.int64]
    length: NDArray[np.int64]


class Places(NamedTuple):
    """What stands where in a batch: tokens ``start`` … ``start + length - 1`` of document ``document`` of a shard.

    ``row`` is the batch's, ``shard`` a number in ``TokenStream.shards``. Each int64 [pieces].
    """

    row: NDArray[np.int64]
    shard: NDArray[np.int64]
    document: NDArray[np.int64]
    start: NDArray[np.int64]
    length: NDArray[np.int64]


class Documents:
    """The document boundaries of a stream."""

    def __init__(self, stream: TokenStream) -> None:
        self.stream = stream
        self._shards: list[int] = stream.starts.tolist()

    def starts(self, start: int, stop: int) -> NDArray[np.int64]:
        """The places in ``start`` … ``stop`` - 1 at which a document begins, ascending."""
        found = []
        for number in range(bisect_right(self._shards, start) - 1, bisect_left(self._shards, stop)):
            base, offsets = self._shards[number], self.stream.offsets(number)[:-1]
            low, high = offsets.searchsorted((start - base, stop - base))
            found.append(offsets[low:high] + base)
        return found[0] if len(found) == 1 else np.concatenate([*found, np.empty(0, np.int64)])

    def split(self, pieces: Pieces) -> Pieces:
        """The same tokens, cut wherever a document begins."""
        piece, shard, begin, end = self.stream.by_shard(pieces.start, pieces.start + pieces.length)
        base = self.stream.starts[shard]
        parts, starts = [np.arange(len(shard))], [base + begin]
        for number in np.unique(shard).tolist():
            here, offsets = np.flatnonzero(shard == number), self.stream.offsets(number)[:-1]
            low, high = offsets.searchsorted(begin[here], side="right"), offsets.searchsorted(end[here])
            parts.append(np.repeat(here, high - low))
            starts.append(self._shards[number] + offsets[np.repeat(low, high - low) + counters(high - low)])
        part = np.concatenate(parts)
        order = np.argsort(part, kind="stable")
        part, start = part[order], np.concatenate(starts)[order]
        stop = np.append(start[1:], 0)
        last = np.append(part[1:], -1) != part
        stop[last] = (base + end)[part[last]]
        return Pieces(pieces.row[piece[part]], start, stop - start)

    def places(self, pieces: Pieces) -> Places:
        """The documents that pieces are of."""
        whole = self.split(pieces)
        shard = np.searchsorted(self.stream.starts, whole.start, side="right") - 1
        local = whole.start - self.stream.starts[shard]
        document, offset = np.empty_like(local), np.empty_like(local)
        for number in np.unique(shard).tolist():
            here, offsets = shard == number, self.stream.offsets(number)
            document[here] = np.searchsorted(offsets, local[here], side="right") - 1
            offset[here] = local[here] - offsets[document[here]]
        return Places(whole.row, shard, document, offset, whole.length)


def counters(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """0 … n - 1 for each n, one after the other."""
    return np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
