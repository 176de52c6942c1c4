"""Formulas, which the scanner leaves as TeX, between dollar signs."""

from typing import Any

import numpy as np

from dataprep.compiled import njit
from dataprep.html.dom.attributes import next_attribute
from dataprep.html.dom.entities import NOTHING, refer
from dataprep.html.dom.records import Records
from dataprep.html.dom.tags import name_hash
from dataprep.html.rendering.lines import MARKDOWN, ROW, fill
from dataprep.text.utf8 import Bytes, Longs, encode

_TYPE, _DISPLAY = (np.uint64(name_hash(name)) for name in ["type", "display"])


@njit(nogil=True, cache=True)
def formula(b: Bytes, nodes: Records, segments: Records, out: Bytes, now: Longs, s: int, at: int) -> int:
    """TeX between dollar signs, two of them for one that stands alone; what has its own delimiters keeps them."""
    i: Any = np.int64(segments[s]["start"])
    end: Any = np.int64(segments[s]["end"])
    dollars = 2 if stands_alone(b, nodes, segments[s]["node"]) else 1
    start = at = fill(out, at, dollars, 36)
    blank = False
    while i < end:
        code: Any = np.int64(b[i])
        second = NOTHING
        byte = code
        if byte == 38:
            i, code, second = refer(b, i, end, False)
        else:
            i += 1
        if code == 32 or 9 <= code <= 13 or (byte == 38 and code == 0xA0):
            blank = at > start
            continue
        if code < 32 or code == 127:
            continue
        if blank:
            out[at] = 32
            at += 1
            blank = False
        if code == 124 and now[ROW] >= 0 and now[MARKDOWN]:
            out[at] = 92
            at += 1
        if byte == 38:
            at += encode(code, out, at)
            if second != NOTHING:
                at += encode(second, out, at)
        else:
            out[at] = b[i - 1]
            at += 1
    if at - start > 12 and out[start] == 123 and out[start + 1] == 92 and out[at - 1] == 125:
        name = 2  # {\displaystyle …} or {\textstyle …}
        while start + name < at and 97 <= out[start + name] <= 122:
            name += 1
        if out[start + name - 5] == 115 and out[start + name - 1] == 101 and out[start + name] == 32:
            size = at - 1 - (start + name + 1)
            for j in range(size):
                out[start + j] = out[start + name + 1 + j]
            at = start + size
            while at > start and out[at - 1] == 32:
                at -= 1
    own = out[start] == 36 or (out[start] == 92 and (out[start + 1] == 40 or out[start + 1] == 91))
    if own and at - start > 2:
        for j in range(start, at):
            out[j - dollars] = out[j]
        return at - dollars
    return fill(out, at, dollars, 36)


@njit(nogil=True, cache=True)
def stands_alone(b: Bytes, nodes: Records, node: int) -> bool:
    """Whether a formula's element says that it has a line of its own: ``mode=display`` or ``display="block"``."""
    i = int(nodes[node]["attributes"])
    hashed = np.uint64(1)
    while hashed != np.uint64(0):
        i, hashed, start, end = next_attribute(b, i)
        if hashed == _DISPLAY:
            return end - start == 5 and b[start] == 98
        if hashed == _TYPE and end > start:
            return b[end - 1] == 121
    return False
