"""Texts cut at added tokens: what stands between two is encoded on its own.

The leftmost longest of all added tokens counts (the library's Aho-Corasick automaton does the same); one that stays
text, a control token, hides what it overlaps. Time is linear in the text for a given tokenizer: from one place at most
as many bytes are read as the longest token has.
"""

from typing import Any, NamedTuple

import numpy as np

from dataprep.compiled import njit
from dataprep.text.trie import Trie
from dataprep.text.utf8 import Bytes, Ints, Longs
from dataprep.tokens.merges import Words

TEXT = -1  # a token that stays text


class Added(NamedTuple):
    """A trie (`dataprep.text.trie`) and the id of the token that ends at each node."""

    columns: Bytes
    nodes: Ints
    ends: Bytes
    ids: Ints

    @classmethod
    def of(cls, tokens: dict[str, int]) -> "Added":
        columns, nodes, ends = Trie.of(tokens).arrays
        ids = np.full(len(nodes), TEXT, np.int32)
        for token, number in tokens.items():
            node = 0
            for byte in token.encode():
                node = int(nodes[node, columns[byte]])
            ids[node] = number
        return cls(columns, nodes, ends, ids)


@njit(nogil=True, cache=True)
def _cut(
    values: Bytes, offsets: Longs, eos: int, added: Added, starts: Longs, ends: Longs, closing: Words, last: Longs
) -> Any:
    """The number of pieces; they are written as far as there is room. ``last[d]``: the last piece of text ``d``."""
    columns, nodes, finals, ids = added
    room = len(starts)
    pieces = 0
    for d in range(len(offsets) - 1):
        start = i = offsets[d]
        end = offsets[d + 1]
        while i < end:
            node = nodes[0, columns[values[i]]]
            stop = j = i
            number = np.int32(0)
            while node:
                j += 1
                if finals[node]:
                    stop = j
                    number = ids[node]
                node = nodes[node, columns[values[j]]] if j < end else 0
            if stop == i:
                i += 1
                continue
            if number != TEXT:
                if pieces < room:
                    starts[pieces], ends[pieces], closing[pieces] = start, i, number
                pieces += 1
                start = stop
            i = stop
        if pieces < room:
            starts[pieces], ends[pieces], closing[pieces] = start, end, eos
            last[d] = pieces
        pieces += 1
    return pieces


def pieces(values: Bytes, offsets: Longs, eos: int, added: Added | None) -> tuple[Longs, Longs, Words, Longs]:
    """Start and end of each piece, the id behind it (an added token's or EOS), and each text's last piece."""
    texts = len(offsets) - 1
    if added is None:
        return offsets[:-1], offsets[1:], np.full(texts, eos, np.uint32), np.arange(texts)
    room = texts
    while True:
        starts, ends = np.empty(room, np.int64), np.empty(room, np.int64)
        closing, last = np.empty(room, np.uint32), np.empty(texts, np.int64)
        found = int(_cut(values, offsets, eos, added, starts, ends, closing, last))
        if found <= room:
            return starts[:found], ends[:found], closing[:found], last
        room = found
