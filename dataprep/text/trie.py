"""A list of words and phrases as a trie over their UTF-8 bytes, for kernels that look for all of them at once.

A kernel goes from node to node, ``node = nodes[node, columns[byte]]``, until it is back at node 0: no entry goes on.
From one place it reads at most one byte more than the longest entry has, and mostly one to three.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from dataprep.text.utf8 import Bytes, Ints


@dataclass(frozen=True)
class Trie:
    """The flat arrays. A node takes four bytes for each different byte in the list: 0.5 MB for 400 English phrases."""

    columns: Bytes  # uint8[256]: the column of each byte; 0, which leads nowhere, for a byte that no entry has
    nodes: Ints  # int32[nodes, columns]: the next node, or 0
    entries: Ints  # int32[nodes]: 1 + the number of the entry that ends at the node, or 0
    count: int

    @property
    def arrays(self) -> tuple[Bytes, Ints, Ints]:
        """What a kernel takes."""
        return self.columns, self.nodes, self.entries

    @classmethod
    def of(cls, entries: Iterable[str]) -> "Trie":
        """Of entries without repetition, numbered as they come. Raises ``ValueError`` for an empty one."""
        encoded = [entry.encode() for entry in entries]
        columns = np.zeros(256, np.uint8)
        used = sorted(set(b"".join(encoded)))
        columns[used] = np.arange(1, len(used) + 1)
        steps: dict[tuple[int, int], int] = {}
        ends: dict[int, int] = {}
        for number, entry in enumerate(encoded, 1):
            if not entry:
                raise ValueError("an empty text is found everywhere")
            node = 0
            for byte in entry:
                node = steps.setdefault((node, int(columns[byte])), len(steps) + 1)
            ends[node] = number
        nodes = np.zeros((len(steps) + 1, len(used) + 1), np.int32)
        for (node, column), following in steps.items():
            nodes[node, column] = following
        numbers = np.zeros(len(nodes), np.int32)
        numbers[list(ends)] = list(ends.values())
        return cls(columns, nodes, numbers, len(encoded))
