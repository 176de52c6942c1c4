"""A page as arrays: the flat DOM that the scanner fills and everything after it reads.

*Nodes* are elements in the order of their start tags; node 0 is the document, a parent comes before its children, and
the descendants of ``n`` are the nodes from ``n + 1`` up to its ``end``. Bytes are never copied: a node knows where its
attributes are (`attributes.next_attribute` reads them again) and where its content begins and ends.

*Blocks* are what lies between two block-level tags: a paragraph, a heading, a table cell, a line of a menu. The blocks
inside a block-level node are its ``first`` to ``last - 1``; an inline node's range takes in the blocks it is part of.

*Segments* are the pieces of a block: text inside one element, a line break, a formula. Those of block ``k`` are
from its ``first`` to that of the next, in order.

Characters are counted as a reader would: a run of white space is one, an entity is one, an ideograph or a Hangul
syllable two.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dataprep.compiled import njit
from dataprep.text.utf8 import Bytes, Longs

TEXT, BREAK, FORMULA = 0, 1, 2  # kinds of segment: bytes of the page; a ``br``; TeX between start and end
NODES, SEGMENTS, BLOCKS = 0, 1, 2  # places in ``counts``

SENTENCE, TRAILING = 1, 2  # flags of a block: its text ends a sentence; white space was counted at its end


NODE = np.dtype(
    [
        ("tag", np.uint8),  # code, see `tags.TAGS`
        ("hidden", np.uint8),  # 1: display none or the attribute hidden
        ("dropped", np.uint8),  # 1: an inline element whose text the selection leaves out, and all inside it
        ("formats", np.uint16),  # of the element and all around it, see `tags.PRE` and following
        ("parent", np.int32),
        ("end", np.int32),  # one past the last descendant
        ("link", np.int32),  # the nearest ``a`` with an href, itself included, or -1
        ("attributes", np.int32),  # byte after the element's name
        ("inner", np.int32),  # first byte of its content
        ("outer", np.int32),  # byte after its content
        ("first", np.int32),  # its first block
        ("last", np.int32),  # one past its last
        ("categories", np.uint64),  # mask of its own tag and words, see `automaton.CATEGORIES`
    ],
    align=True,
)
SEGMENT = np.dtype(
    [("kind", np.uint8), ("node", np.int32), ("start", np.int32), ("end", np.int32), ("chars", np.int32)], align=True
)
BLOCK = np.dtype(
    [
        ("flags", np.uint8),
        ("verdict", np.uint8),  # 0: kept; else why not, see `select.REASONS`
        ("node", np.int32),  # the block-level element it is in
        ("first", np.int32),  # its first segment; there is one record more than blocks, for the end of the last
        ("chars", np.int32),
        ("links", np.int32),  # characters inside links
        ("marks", np.int32),  # punctuation marks
        ("hash", np.uint64),  # of its text
        ("written", np.int64),  # where its text ends in the output, if it is kept
    ],
    align=True,
)
Records = NDArray[np.void]


class Dom(NamedTuple):
    """The arrays of one page; only the first ``counts`` records mean something. Reused from page to page.

    Records, not an array a field: a kernel pays for every array it takes out of a tuple.
    """

    counts: Longs
    nodes: Records  # of NODE
    segments: Records  # of SEGMENT
    blocks: Records  # of BLOCK


@njit(nogil=True, cache=True)
def count_tags(b: Bytes) -> int:
    """How many ``<`` a page has: no page has more elements than that."""
    total = 0
    for byte in b:
        total += byte == 60
    return total


@njit(nogil=True, cache=True)
def tags_of(values: Bytes, offsets: Longs) -> Longs:
    """The same for every page of a batch."""
    tags = np.empty(len(offsets) - 1, np.int64)
    for d in range(len(tags)):
        tags[d] = count_tags(values[offsets[d] : offsets[d + 1]])
    return tags


@njit(nogil=True, cache=True)
def first_from(segments: Records, first: int, last: int, byte: int) -> int:
    """The first of the segments from ``first`` to ``last - 1`` that begins at this byte or after it."""
    while first < last:
        middle = (first + last) // 2
        if segments[middle]["start"] < byte:
            first = middle + 1
        else:
            last = middle
    return first


def room_for(tags: int) -> Dom:
    """Arrays for pages with up to ``tags`` times ``<``."""
    return Dom(
        np.zeros(3, np.int64), np.empty(tags + 2, NODE), np.empty(2 * tags + 4, SEGMENT), np.empty(2 * tags + 5, BLOCK)
    )
