"""The stack of open elements: nodes, blocks and segments are added, and tags close what HTML says they close.

The state of the loop is one small array, ``now``, and one record for each open element, ``stack``. Searches go up the
stack, which is never higher than `DEPTH`, so each takes constant time.
"""

import numpy as np

from dataprep.compiled import njit
from dataprep.html import tags as T
from dataprep.html.attributes import is_space
from dataprep.html.dom import BLOCKS, BREAK, NODES, SEGMENTS, SENTENCE, TEXT, Records
from dataprep.html.tags import TAG
from dataprep.text.utf8 import Bytes, Longs

DEPTH = 512
NEVER = 1 << 30
STACK = np.dtype([("node", np.int32), ("block", np.int32)])  # an open element, and the nearest block-level one

# places in ``now``, after those of ``counts``: height of the stack, whether a block is open, from which height on text
# is skipped and all is svg or math, blocks too deep to open, whether the open block ends in white space (2: it
# was counted), whether there
# was a body; and what stood before an open ``math``: segments and blocks, and of the open block characters, those in
# links, marks
TOP, OPEN, SKIP, FOREIGN, OVER, SPACED, SEEN_BODY = range(3, 10)
MATH_SEGMENTS, MATH_BLOCKS, MATH_CHARS, MATH_LINKS, MATH_MARKS = range(10, 15)
PLACES = 15

_A, _BUTTON, _DD, _DT, _HEAD, _LI, _NOSCRIPT, _P, _TABLE, _TD, _TH, _TR, _TBODY, _TFOOT, _THEAD = (
    TAG[name]
    for name in [
        "a",
        "button",
        "dd",
        "dt",
        "head",
        "li",
        "noscript",
        "p",
        "table",
        "td",
        "th",
        "tr",
        "tbody",
        "tfoot",
        "thead",
    ]
)
_H1, _H6, _OPTION, _OPTGROUP, _SELECT, _TEMPLATE = (
    TAG[name] for name in ["h1", "h6", "option", "optgroup", "select", "template"]
)


@njit(nogil=True, cache=True)
def add_node(
    nodes: Records, segments: Records, blocks: Records, now: Longs, stack: Records, traits: Records, tag: int, at: int
) -> int:
    node = now[NODES]
    now[NODES] = node + 1
    parent = stack[now[TOP]]["node"] if node else -1
    nodes[node]["tag"] = tag
    nodes[node]["parent"] = parent
    nodes[node]["end"] = node + 1
    nodes[node]["categories"] = traits[tag]["categories"]
    nodes[node]["hidden"] = 0
    nodes[node]["dropped"] = 0
    nodes[node]["formats"] = traits[tag]["formats"] | (nodes[parent]["formats"] if parent >= 0 else 0)
    nodes[node]["link"] = nodes[parent]["link"] if parent >= 0 else -1
    nodes[node]["attributes"] = at
    nodes[node]["inner"] = at
    nodes[node]["outer"] = at
    nodes[node]["first"] = now[BLOCKS]
    nodes[node]["last"] = now[BLOCKS] + now[OPEN]
    return node


@njit(nogil=True, cache=True)
def add_segment(
    nodes: Records,
    segments: Records,
    blocks: Records,
    now: Longs,
    stack: Records,
    traits: Records,
    kind: int,
    node: int,
    start: int,
    end: int,
    chars: int,
) -> None:
    """Add a segment to the open block, or open one."""
    segment = now[SEGMENTS]
    if not now[OPEN]:
        block = now[BLOCKS]
        now[OPEN] = 1
        now[SPACED] = 1
        blocks[block]["node"] = stack[now[TOP]]["block"]
        blocks[block]["first"] = segment
        blocks[block]["chars"] = 0
        blocks[block]["links"] = 0
        blocks[block]["marks"] = 0
        blocks[block]["flags"] = 0
        blocks[block]["verdict"] = 0
        blocks[block]["hash"] = 0
    segments[segment]["kind"] = kind
    segments[segment]["node"] = node
    segments[segment]["start"] = start
    segments[segment]["end"] = end
    segments[segment]["chars"] = chars
    now[SEGMENTS] = segment + 1
    block = now[BLOCKS]
    blocks[block]["chars"] += chars
    if nodes[node]["link"] >= 0:
        blocks[block]["links"] += chars
    if kind != BREAK:
        now[SPACED] = 0


@njit(nogil=True, cache=True)
def flush(
    b: Bytes, nodes: Records, segments: Records, blocks: Records, now: Longs, stack: Records, traits: Records
) -> None:
    """End the open block."""
    if not now[OPEN]:
        return
    block = now[BLOCKS]
    now[BLOCKS] = block + 1
    now[OPEN] = 0
    last = now[SEGMENTS] - 1
    if segments[last]["kind"] == TEXT and _ends_sentence(b, segments[last]["start"], segments[last]["end"]):
        blocks[block]["flags"] |= SENTENCE
    if now[SPACED] == 2:
        while segments[last]["chars"] == 0:
            last -= 1
        segments[last]["chars"] -= 1
        blocks[block]["chars"] -= 1
        if nodes[segments[last]["node"]]["link"] >= 0:
            blocks[block]["links"] -= 1


@njit(nogil=True, cache=True)
def _ends_sentence(b: Bytes, start: int, end: int) -> bool:
    """Whether the text ends with a full stop, an exclamation or question mark or a colon, quotes and brackets aside."""
    i = end - 1
    stop = max(start, end - 16)
    while i >= stop:
        byte = b[i]
        if byte == 46 or byte == 33 or byte == 63 or byte == 58:
            return True
        if is_space(byte) or byte == 34 or byte == 39 or byte == 41 or byte == 93:
            i -= 1
        elif byte & 0xC0 == 0x80:
            if i >= 2 and b[i - 2] == 0xE2 and b[i - 1] == 0x80:
                if byte == 0xA6:  # …
                    return True
                if not 0x98 <= byte <= 0x9F:  # ‘ to ‟
                    return False
                i -= 3
            elif i >= 2 and b[i - 2] == 0xE3 and b[i - 1] == 0x80:
                if byte == 0x82:  # 。
                    return True
                if not 0x8A <= byte <= 0x8F:  # 」 』
                    return False
                i -= 3
            elif i >= 2 and b[i - 2] == 0xEF and b[i - 1] == 0xBC:
                return byte == 0x81 or byte == 0x9F or byte == 0x8E  # ！ ？ ．
            elif i >= 2 and b[i - 2] == 0xE0 and b[i - 1] == 0xA5:
                return byte == 0xA4 or byte == 0xA5  # । ॥
            elif i >= 1 and b[i - 1] == 0xD8:
                return byte == 0x9F  # ؟
            elif i >= 1 and b[i - 1] == 0xDB:
                return byte == 0x94  # ۔
            elif i >= 1 and b[i - 1] == 0xC2 and (byte == 0xBB or byte == 0xAB or byte == 0xA0):
                i -= 2  # » « and the non-breaking space
            else:
                return False
        else:
            return False
    return False


@njit(nogil=True, cache=True)
def pop(
    b: Bytes,
    nodes: Records,
    segments: Records,
    blocks: Records,
    now: Longs,
    stack: Records,
    traits: Records,
    depth: int,
    at: int,
) -> None:
    """Close open elements until the stack is ``depth`` high."""
    top = now[TOP]
    count = now[NODES]
    while top > depth:
        node = stack[top]["node"]
        if traits[nodes[node]["tag"]]["flags"] & T.BLOCK:
            flush(b, nodes, segments, blocks, now, stack, traits)
        nodes[node]["end"] = count
        nodes[node]["outer"] = at
        nodes[node]["last"] = now[BLOCKS] + now[OPEN]
        top -= 1
    now[TOP] = top
    if now[SKIP] > top:
        now[SKIP] = NEVER
    if now[FOREIGN] > top:
        now[FOREIGN] = NEVER


@njit(nogil=True, cache=True)
def leave_head(
    b: Bytes, nodes: Records, segments: Records, blocks: Records, now: Longs, stack: Records, traits: Records, at: int
) -> None:
    """End an open head, unless a template or the like is open in it."""
    depth = now[TOP]
    if nodes[stack[depth]["node"]]["tag"] == _NOSCRIPT:
        depth -= 1
    if depth > 0 and nodes[stack[depth]["node"]]["tag"] == _HEAD:
        pop(b, nodes, segments, blocks, now, stack, traits, depth - 1, at)


@njit(nogil=True, cache=True)
def close_implied(
    b: Bytes,
    tag: int,
    flags: int,
    nodes: Records,
    segments: Records,
    blocks: Records,
    now: Longs,
    stack: Records,
    traits: Records,
    at: int,
) -> None:
    """Close what the start tag of ``tag`` ends (HTML Standard 13.1.2.4)."""
    depth = now[TOP]
    if flags & T.CLOSES_P or tag == _A:
        target = _A if tag == _A else _P
        for d in range(depth, 0, -1):
            other = nodes[stack[d]["node"]]["tag"]
            if other == target:
                pop(b, nodes, segments, blocks, now, stack, traits, d - 1, at)
                break
            if traits[other]["flags"] & T.BLOCK:
                break
    depth = now[TOP]
    if tag in (_LI, _DD, _DT):
        for d in range(depth, 0, -1):
            other = nodes[stack[d]["node"]]["tag"]
            if other == tag or (tag != _LI and (other in (_DD, _DT))):
                pop(b, nodes, segments, blocks, now, stack, traits, d - 1, at)
                return
            if traits[other]["flags"] & (T.LIST | T.SCOPE):
                return
    elif tag in (_TD, _TH, _TR, _TBODY, _THEAD, _TFOOT):
        cell = tag in (_TD, _TH)
        found = -1
        for d in range(depth, 0, -1):
            other = nodes[stack[d]["node"]]["tag"]
            if other == _TABLE or (cell and other == _TR):
                break
            if cell:
                if other in (_TD, _TH):
                    found = d
                    break
            elif other == _TR or (tag != _TR and (other in (_TBODY, _THEAD, _TFOOT))):
                found = d  # the outermost of them
                if tag == _TR:
                    break
        if found > 0:
            pop(b, nodes, segments, blocks, now, stack, traits, found - 1, at)
    elif tag in (_OPTION, _OPTGROUP):
        for d in range(depth, 0, -1):
            other = nodes[stack[d]["node"]]["tag"]
            if other == _OPTION or (other == _OPTGROUP and tag == _OPTGROUP):
                pop(b, nodes, segments, blocks, now, stack, traits, d - 1, at)
                return
            if other in (_SELECT, _OPTGROUP) or traits[other]["flags"] & T.SCOPE:
                return
    elif tag == _BUTTON:
        for d in range(depth, 0, -1):
            other = nodes[stack[d]["node"]]["tag"]
            if other == _BUTTON:
                pop(b, nodes, segments, blocks, now, stack, traits, d - 1, at)
                return
            if traits[other]["flags"] & T.SCOPE:
                return
    elif _H1 <= tag <= _H6 and _H1 <= nodes[stack[depth]["node"]]["tag"] <= _H6:
        pop(b, nodes, segments, blocks, now, stack, traits, depth - 1, at)


@njit(nogil=True, cache=True)
def close_named(
    b: Bytes,
    nodes: Records,
    segments: Records,
    blocks: Records,
    now: Longs,
    stack: Records,
    traits: Records,
    tag: int,
    at: int,
) -> None:
    """Close what the end tag of ``tag`` at byte ``at`` closes."""
    flags = traits[tag]["flags"]
    depth = now[TOP]
    block = flags & T.BLOCK
    if block and now[OVER]:
        now[OVER] -= 1
        return
    heading = _H1 <= tag <= _H6
    in_table = tag in (_TABLE, _TR, _TD, _TH, _TBODY, _THEAD, _TFOOT)
    item = tag in (_LI, _DD, _DT)
    for d in range(depth, 0, -1):
        other = nodes[stack[d]["node"]]["tag"]
        if other == tag or (heading and _H1 <= other <= _H6):
            pop(b, nodes, segments, blocks, now, stack, traits, d - 1, at)
            return
        other_flags = traits[other]["flags"]
        if in_table:
            if other == _TABLE:
                break
        elif (
            (other_flags & T.SCOPE and not (other == _TEMPLATE and tag == _HEAD))
            or (item and other_flags & T.LIST)
            or (not block and other_flags & T.BLOCK)
        ):
            break
    if tag == _P:
        flush(b, nodes, segments, blocks, now, stack, traits)
