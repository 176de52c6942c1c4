"""A list of words and phrases as a trie over their UTF-8 bytes, for kernels that look for all of them at once.

A kernel goes from node to node, ``node = nodes[node, columns[byte]]``, until it is back at node 0: no entry goes on.
From one place it reads at most one byte more than the longest entry has, and at most places nothing: ``may_begin`` sees
in three bytes that no entry begins there.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from dataprep.compiled import njit
from dataprep.text.utf8 import BASE, Bytes, Ints

_BITS = 14  # of the table of beginnings: 16 kB, which stay in the first-level cache
_SHIFT = np.uint64(64 - _BITS)
_BYTE = np.uint64(8)


@dataclass(frozen=True)
class Trie:
    """The flat arrays. A node takes four bytes for each different byte in the list: 0.4 MB for 400 English phrases."""

    columns: Bytes  # uint8[256]: the column of each byte; 0, which leads nowhere, for a byte that no entry has
    nodes: Ints  # int32[nodes, columns]: the next node, or 0
    ends: Bytes  # uint8[nodes]: 1 where an entry ends
    beginnings: Bytes  # uint8[2**14]: see may_begin

    @property
    def arrays(self) -> tuple[Bytes, Ints, Bytes]:
        """What a kernel walks through."""
        return self.columns, self.nodes, self.ends

    @classmethod
    def of(cls, entries: Iterable[str]) -> "Trie":
        """Raises ``ValueError`` for an empty entry, which would be everywhere."""
        encoded = [entry.encode() for entry in entries]
        columns = np.zeros(256, np.uint8)
        used = sorted(set(b"".join(encoded)))
        columns[used] = np.arange(1, len(used) + 1)
        steps: dict[tuple[int, int], int] = {}
        last: list[int] = []
        for entry in encoded:
            if not entry:
                raise ValueError("a list of words has an empty entry")
            node = 0
            for byte in entry:
                node = steps.setdefault((node, int(columns[byte])), len(steps) + 1)
            last.append(node)
        nodes = np.zeros((len(steps) + 1, len(used) + 1), np.int32)
        for (node, column), following in steps.items():
            nodes[node, column] = following
        ends = np.zeros(len(nodes), np.uint8)
        ends[last] = 1
        beginnings = np.zeros(1 << _BITS, np.uint8)
        for entry in encoded:
            _note(beginnings, np.frombuffer(entry, np.uint8))
        return cls(columns, nodes, ends, beginnings)


@njit(nogil=True, cache=True, inline="always")
def may_begin(beginnings: Bytes, values: Bytes, i: int) -> int:
    """0 where no entry begins at byte ``i``, else 1; what lies behind the end of a text makes no difference."""
    last = len(values) - 1
    return beginnings[_slot(values[i], values[min(i + 1, last)], values[min(i + 2, last)])]


@njit(nogil=True, cache=True, inline="always")
def _slot(first: Any, second: Any, third: Any) -> np.uint64:
    together = (np.uint64(first) << _BYTE | np.uint64(second)) << _BYTE | np.uint64(third)
    return (together * BASE) >> _SHIFT


@njit(nogil=True, cache=True)
def _note(beginnings: Bytes, entry: Bytes) -> None:
    """Mark the entry's first three bytes; where it has fewer, all that may follow it."""
    for second in range(256) if len(entry) < 2 else range(entry[1], entry[1] + 1):
        for third in range(256) if len(entry) < 3 else range(entry[2], entry[2] + 1):
            beginnings[_slot(entry[0], second, third)] = 1
