"""The kernel and its tables for one tokenizer: a batch's UTF-8 → ids."""

from threading import Lock

import numpy as np
from numpy.typing import NDArray

from dataprep.text.utf8 import Bytes, Longs, Utf8
from dataprep.tokens import kernel
from dataprep.tokens.kernel import Cache, Whole
from dataprep.tokens.marks import PADDING
from dataprep.tokens.merges import Merges, Words
from dataprep.tokens.pieces import Added, pieces
from dataprep.tokens.pretokens import classes
from dataprep.tokens.support import Plan


class Engine:
    """Ids of texts. Safe in threads, which take turns: kernels write to one cache."""

    def __init__(self, plan: Plan, eos_id: int) -> None:
        self.eos_id = eos_id
        self.pattern = (classes(), plan.pattern.cl100k, plan.pattern.digits, plan.pattern.at_end)
        columns = (np.ascontiguousarray(column) for column in plan.merges.T)
        self.merges = Merges.of(plan.byte_ids, *columns)
        self.added = Added.of(plan.added) if plan.added else None
        self.lock = Lock()
        self.cache = Cache.empty()
        self.whole = _no_whole()
        # a text has the tokens of the vocabulary for pre-tokens before all others, the first ones most often
        tokens = sorted(plan.vocabulary, key=plan.vocabulary.__getitem__)
        values, offsets = _joined(tokens)
        out = np.empty(int(np.diff(offsets).max()), np.uint32)
        if plan.whole:
            self.whole = self._whole(tokens, plan.vocabulary)
        kernel.learn(values, offsets, out, self.cache, self.merges, self.whole)

    def encode(self, text: Utf8) -> tuple[Words, Longs]:
        """ids uint32, each text closed with EOS; offsets int64[n + 1]."""
        texts = text.documents
        size = int(text.offsets[-1] - text.offsets[0])
        offsets = np.zeros(texts + 1, np.int64)
        # kernels read a little behind a text: those at the end of the buffer are copied
        inside = int(np.searchsorted(text.offsets[1:], len(text.values) - PADDING, "right"))
        parts = [(text.values, text.offsets[: inside + 1])] if inside else []
        if inside < texts:
            rest = text.offsets[inside:]
            copied = np.concatenate([text.values[rest[0] : rest[-1]], np.zeros(PADDING, np.uint8)])
            copied.flags.writeable = False
            parts.append((copied, rest - rest[0]))
        cut = [(values, *pieces(values, borders, self.eos_id, self.added)) for values, borders in parts]
        out = np.empty(size + sum(len(starts) for _, starts, *_ in cut) + kernel.MOST, np.uint32)
        k = done = 0
        with self.lock:
            for values, starts, ends, closing, last in cut:
                stops = np.empty(len(starts), np.int64)
                longest = int((ends - starts).max())
                marks = tuple(np.empty(longest // 64 + 1, np.uint64) for _ in range(3))
                k = kernel.encode(
                    *(values, starts, ends, closing, out, k, stops),
                    *(self.pattern, marks, self.cache, self.merges, self.whole),
                )
                offsets[done + 1 : done + 1 + len(last)] = stops[last]
                done += len(last)
        return out[:k], offsets

    def _whole(self, tokens: list[bytes], ids: dict[bytes, int]) -> Whole:
        """The tokens that merging their bytes does not give."""
        values, offsets = _joined(tokens)
        count = kernel.merged_alone(values, offsets, np.array([ids[t] for t in tokens], np.uint32), self.merges)
        other = [token for token, alone in zip(tokens, count, strict=True) if not alone]
        return _whole_of(other, ids)


def _no_whole() -> Whole:
    return _whole_of([], {})


def _whole_of(tokens: list[bytes], ids: dict[bytes, int]) -> Whole:
    values, offsets = _joined(tokens)
    keys = kernel.hashes(values, offsets)
    order = np.argsort(keys)
    values, offsets = _joined([tokens[at] for at in order])
    return Whole(keys[order], np.array([ids[tokens[at]] for at in order], np.uint32), offsets, values)


def _joined(tokens: list[bytes]) -> tuple[Bytes, Longs]:
    """Padded bytes, read-only, and where each begins."""
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.array([len(t) for t in tokens], np.int64))])
    values: NDArray[np.uint8] = np.frombuffer(b"".join(tokens) + bytes(PADDING), np.uint8)
    return values, offsets
