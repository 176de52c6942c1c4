"""Windows of whole documents, and how many there are is known without reading a document's length.

Decisions:
- A block is ``BLOCK`` windows' worth of consecutive tokens less one part in ``SLACK``; its documents are packed into
  exactly ``BLOCK`` windows. So counts are arithmetic on the manifest, a plan needs the offsets of one block, and a plan
  is made where it is used and forgotten after.
- Best-fit decreasing (Johnson 1973; for language models Ding et al. 2024, arXiv:2404.10830): longest first, each into
  the window it fills best. A document longer than a window first gives off whole windows. The slack is padding. It is
  what makes cuts rare: with none, 1 to 4 % of the documents that fit a window are cut, with 0.1 % none are; figures in
  docs/loading.md.
- What fits nowhere is cut into the largest rooms that are left: no token is lost, whatever the lengths.
- A block's first and last documents are cut at its edges, one in some ten thousand.
- Blocks follow in a seeded order and so do the windows inside each, rather than all windows in one order: plans would
  be made again for every window. Shards hold documents in random order already, so a block is a random sample.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainer.data.documents import Documents, Pieces, counters
from trainer.data.permutation import permute, seeded_number

BLOCK = 4_096
SLACK = 512
KEPT_PLANS = 2


class Packing(NamedTuple):
    """Which piece lies in which window: the document, tokens of it before the piece, tokens in it. Each int64."""

    window: NDArray[np.int64]
    document: NDArray[np.int64]
    offset: NDArray[np.int64]
    length: NDArray[np.int64]


class Plan(NamedTuple):
    """The pieces of a block by window: window w has pieces ``first[w]`` … ``first[w + 1] - 1``."""

    first: NDArray[np.int64]
    start: NDArray[np.int64]
    length: NDArray[np.int64]


def pack(lengths: NDArray[np.int64], windows: int, context: int) -> Packing:
    """Put documents of these lengths into ``windows`` windows of ``context`` tokens, every token once.

    Linear in documents but for the sort: documents of one length go into a window together. Raises ``ValueError`` when
    there are more tokens than room.
    """
    if int(lengths.sum()) > windows * context:
        raise ValueError(f"{int(lengths.sum())} tokens do not fit {windows} windows of {context}")
    whole, rest = np.divmod(lengths, context)
    filled = int(whole.sum())
    longest_first = np.argsort(-rest, kind="stable")[: int(np.count_nonzero(rest))]
    window, length, last = _best_fit(rest[longest_first], windows - filled, context)
    rank = np.cumsum(last) - last
    document = longest_first[rank]
    before = np.cumsum(rest[longest_first]) - rest[longest_first]
    offset = whole[document] * context + np.cumsum(length) - length - before[rank]
    return Packing(
        np.concatenate([np.arange(filled), filled + window]),
        np.concatenate([np.repeat(np.arange(len(lengths)), whole), document]),
        np.concatenate([counters(whole) * context, offset]),
        np.concatenate([np.full(filled, context), length]),
    )


def _best_fit(lengths: NDArray[np.int64], windows: int, context: int) -> NDArray[np.int64]:
    """(window, tokens, whether it is its document's last) of each piece of the documents laid end to end, [3, pieces].

    ``lengths`` never rise.

    ``rooms`` has bit r set while some window has room for exactly r tokens: the best fit is the lowest bit from the
    length on, the largest room the highest bit. Windows that would be filled alike, one after the other, are filled at
    once: documents of one length into windows with one room, or a document that fits nowhere into the largest rooms.
    """
    with_room: list[list[int]] = [[] for _ in range(context + 1)]
    with_room[context] = list(range(windows))[::-1]
    rooms = 1 << context if windows else 0
    breaks = np.flatnonzero(np.diff(lengths, prepend=0))
    counts = np.diff(np.append(breaks, len(lengths)))
    filled: list[int] = []
    alike = []  # windows that are filled alike, pieces in each, tokens in a piece, whether it is its document's last
    for length, count in zip(lengths[breaks].tolist(), counts.tolist(), strict=True):
        left = length  # of the first document that is not placed yet: less than ``length`` once it is cut
        while count:
            fits = rooms >> left
            if fits:
                room = left + (fits & -fits).bit_length() - 1
                same = count if left == length else 1
                taken, pieces = left, min(same, room // left)
                wanted = same // pieces
            else:
                room = rooms.bit_length() - 1
                taken, pieces = room, 1
                wanted = (left - 1) // room
            found = with_room[room][: -wanted - 1 : -1]
            del with_room[room][-len(found) :]
            if not with_room[room]:
                rooms ^= 1 << room
            filled += found
            alike.append((len(found), pieces, taken, fits > 0))
            remains = room - pieces * taken
            if remains:
                with_room[remains] += found
                rooms |= 1 << remains
            if fits:
                left = length
                count -= len(found) * pieces
            else:
                left -= len(found) * room
    number, each, tokens, last = np.array(alike, np.int64).reshape(-1, 4).T
    window = np.repeat(np.array(filled, np.int64), np.repeat(each, number))
    return np.stack([window, np.repeat(tokens, number * each), np.repeat(last, number * each)])


class Packed:
    """Tokens ``start`` … ``stop`` - 1 of a stream as windows of whole documents. ``count``: windows."""

    def __init__(self, documents: Documents, start: int, stop: int, context: int, block: int = BLOCK) -> None:
        self.documents = documents
        self.start, self.stop = start, stop
        self.context, self.block = context, block
        self.block_tokens = block * context - block * context // SLACK
        self.blocks, rest = divmod(stop - start, self.block_tokens)
        self.short = -(-rest * SLACK // (context * (SLACK - 1)))
        self.count = self.blocks * block + self.short
        self._plan = lru_cache(maxsize=KEPT_PLANS)(self._make_plan)

    def order(self, index: NDArray[np.int64], key: str) -> NDArray[np.int64]:
        """The windows at these places of the epoch that ``key`` names, a bijection of 0 … count - 1.

        The block at the end of the stream is shorter; it gets a drawn place among the whole ones.
        """
        before = seeded_number(self.blocks + 1, f"{key}/short") * self.block
        of_short = (index >= before) & (index < before + self.short)
        among_whole = index - np.where(index < before, 0, self.short)
        block = np.full_like(index, self.blocks)
        block[~of_short] = permute(among_whole[~of_short] // self.block, self.blocks, f"{key}/blocks")
        slot = np.where(of_short, index - before, among_whole % self.block)
        for number in np.unique(block).tolist():
            here = block == number
            slot[here] = permute(slot[here], self._windows(number), f"{key}/{number}")
        return block * self.block + slot

    def pieces(self, windows: NDArray[np.int64]) -> Pieces:
        """What fills these windows; row i is ``windows[i]``."""
        block, slot = np.divmod(windows, self.block)
        first, count = np.empty_like(slot), np.empty_like(slot)
        plans = {number: self._plan(number) for number in np.unique(block).tolist()}
        for number, plan in plans.items():
            here = block == number
            first[here] = plan.first[slot[here]]
            count[here] = plan.first[slot[here] + 1] - first[here]
        row = np.repeat(np.arange(len(windows)), count)
        piece = np.repeat(first, count) + counters(count)
        start, length = np.empty_like(piece), np.empty_like(piece)
        for number, plan in plans.items():
            here = block[row] == number
            start[here], length[here] = plan.start[piece[here]], plan.length[piece[here]]
        return Pieces(row, start, length)

    def targets(self, windows: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many tokens each of these windows holds."""
        pieces = self.pieces(windows)
        return np.bincount(pieces.row, pieces.length, minlength=len(windows)).astype(np.int64)

    def _windows(self, block: int) -> int:
        return self.block if block < self.blocks else self.short

    def _make_plan(self, block: int) -> Plan:
        start = self.start + block * self.block_tokens
        stop = min(start + self.block_tokens, self.stop)
        bounds = np.concatenate([[start], self.documents.starts(start + 1, stop), [stop]])
        packing = pack(np.diff(bounds), self._windows(block), self.context)
        begins = bounds[packing.document] + packing.offset
        order = np.lexsort((begins, packing.window))
        first = np.searchsorted(packing.window[order], np.arange(self._windows(block) + 1))
        return Plan(first, begins[order], packing.length[order])
