"""The stack of open elements: nodes, blocks and segments are added, and tags close what HTML says they close.

The state of the loop is one small array, ``now``, and one record for each open element, ``stack``. Searches go up the
stack, which is never higher than `DEPTH`, so each takes constant time.
"""

import numpy as np

from dataprep.compiled import njit
from dataprep.html.dom import tags as T
from dataprep.html.dom.measure import COUNTED
from dataprep.html.dom.records import BLOCKS, BREAK, NODES, SEGMENTS, TRAILING, Records
from dataprep.html.dom.tags import TAG
from dataprep.text.utf8 import Longs

DEPTH = 512
STACK = np.dtype(
    [
        ("node", np.int32),
        ("block", np.int32),  # the nearest block-level element, itself included
        ("foreign", np.int16),  # height of the svg or math whose rules hold in it, or 0
        ("flags", np.uint16),
        ("tag", np.uint8),
        ("skip", np.uint8),  # 1: text in it is not the page's
    ],
    align=True,
)

# places in ``now``, after those of ``counts``: height of the stack, whether a block is open, blocks too deep to open,
# whether the open block ends in white space, whether there was a body, whether the page begins like XML; and what
# stood before an open ``math``: segments and blocks, and of the open block characters, those in links, marks
TOP, OPEN, OVER, SPACED, SEEN_BODY, XML = range(3, 9)
MATH_SEGMENTS, MATH_BLOCKS, MATH_CHARS, MATH_LINKS, MATH_MARKS = range(9, 14)
PLACES = 14

_A, _BUTTON, _DD, _DT, _H1, _H6, _HEAD, _LI, _NOSCRIPT, _OPTGROUP, _OPTION, _P, _SELECT, _TEMPLATE = (
    TAG[name]
    for name in (
        *("a", "button", "dd", "dt", "h1", "h6", "head", "li", "noscript", "optgroup", "option", "p", "select"),
        "template",
    )
)
_TABLE, _TBODY, _TD, _TFOOT, _TH, _THEAD, _TR = (
    TAG[name] for name in ["table", "tbody", "td", "tfoot", "th", "thead", "tr"]
)


@njit(nogil=True, cache=True, inline="always")
def add_node(nodes: Records, traits: Records, now: Longs, stack: Records, tag: int, at: int) -> int:
    """A new element, whose attributes begin at byte ``at``, inside the innermost open one."""
    node = now[NODES]
    now[NODES] = node + 1
    parent = stack[now[TOP]]["node"] if node else -1
    nodes[node]["tag"] = tag
    nodes[node]["hidden"] = 0
    nodes[node]["dropped"] = 0
    nodes[node]["formats"] = traits[tag]["formats"] | (nodes[parent]["formats"] if node else 0)
    nodes[node]["parent"] = parent
    nodes[node]["end"] = node + 1
    nodes[node]["link"] = nodes[parent]["link"] if node else -1
    nodes[node]["attributes"] = at
    nodes[node]["inner"] = at
    nodes[node]["outer"] = at
    nodes[node]["first"] = now[BLOCKS]
    nodes[node]["last"] = now[BLOCKS] + now[OPEN]
    nodes[node]["categories"] = traits[tag]["categories"]
    return node


@njit(nogil=True, cache=True)
def push(now: Longs, stack: Records, node: int, tag: int, flags: int, skip: bool) -> int:
    """Open an element; returns the height of the stack."""
    outer = now[TOP]
    depth = outer + 1
    stack[depth]["node"] = node
    stack[depth]["block"] = node if flags & T.BLOCK else stack[outer]["block"]
    stack[depth]["flags"] = flags
    stack[depth]["tag"] = tag
    stack[depth]["skip"] = skip or stack[outer]["skip"]
    foreign = stack[outer]["foreign"]
    if not foreign and flags & T.FOREIGN:
        foreign = depth
    elif flags & T.HOLDS:
        foreign = 0
    stack[depth]["foreign"] = foreign
    now[TOP] = depth
    return depth


@njit(nogil=True, cache=True, inline="always")
def add_segment(
    nodes: Records, segments: Records, blocks: Records, now: Longs, stack: Records,
    kind: int, node: int, start: int, end: int, chars: int, marks: int, spaced: int,
) -> None:  # fmt: skip
    """Add a segment to the open block, or open one."""
    segment = now[SEGMENTS]
    block = now[BLOCKS]
    if not now[OPEN]:
        now[OPEN] = 1
        blocks[block]["node"] = stack[now[TOP]]["block"]
        blocks[block]["first"] = segment
        blocks[block]["chars"] = 0
        blocks[block]["links"] = 0
        blocks[block]["marks"] = 0
        blocks[block]["verdict"] = 0
        blocks[block]["hash"] = 0
        blocks[block]["written"] = 0
    segments[segment]["kind"] = kind
    segments[segment]["node"] = node
    segments[segment]["start"] = start
    segments[segment]["end"] = end
    segments[segment]["chars"] = chars
    now[SEGMENTS] = segment + 1
    blocks[block]["chars"] += chars
    blocks[block]["marks"] += marks
    if nodes[node]["link"] >= 0:
        blocks[block]["links"] += chars
    now[SPACED] = spaced
    blocks[block]["flags"] = TRAILING if spaced == COUNTED else 0


@njit(nogil=True, cache=True)
def add_break(
    nodes: Records, segments: Records, blocks: Records, now: Longs, stack: Records, node: int, at: int
) -> None:
    """A ``br``; at the beginning of a block it means nothing."""
    if now[OPEN] and not stack[now[TOP]]["skip"]:
        add_segment(nodes, segments, blocks, now, stack, BREAK, node, at, at, 0, 0, 1)


@njit(nogil=True, cache=True)
def flush(now: Longs) -> None:
    """End the open block."""
    now[BLOCKS] += now[OPEN]
    now[OPEN] = 0


@njit(nogil=True, cache=True)
def pop(nodes: Records, now: Longs, stack: Records, depth: int, at: int) -> None:
    """Close open elements until the stack is ``depth`` high; their content ends at byte ``at``."""
    top = now[TOP]
    count = now[NODES]
    while top > depth:
        if stack[top]["flags"] & T.BLOCK and not stack[top]["skip"]:
            flush(now)
        node = stack[top]["node"]
        nodes[node]["end"] = count
        nodes[node]["outer"] = at
        nodes[node]["last"] = now[BLOCKS] + now[OPEN]
        top -= 1
    now[TOP] = top


@njit(nogil=True, cache=True)
def leave_head(nodes: Records, now: Longs, stack: Records, at: int) -> None:
    """End an open head, unless a template or the like is open in it."""
    depth = now[TOP]
    if stack[depth]["tag"] == _NOSCRIPT:
        depth -= 1
    if stack[depth]["tag"] == _HEAD:
        pop(nodes, now, stack, depth - 1, at)


@njit(nogil=True, cache=True)
def leave_foreign(nodes: Records, now: Longs, stack: Records, at: int) -> None:
    """End svg and math that hold the innermost open element."""
    while stack[now[TOP]]["foreign"]:
        pop(nodes, now, stack, stack[now[TOP]]["foreign"] - 1, at)


@njit(nogil=True, cache=True)
def close_implied(nodes: Records, now: Longs, stack: Records, tag: int, flags: int, at: int) -> None:
    """Close what the start tag of ``tag`` ends (HTML Standard 13.1.2.4)."""
    if flags & T.CLOSES_P or tag == _A:
        target = _A if tag == _A else _P
        for d in range(now[TOP], 0, -1):
            if stack[d]["tag"] == target:
                pop(nodes, now, stack, d - 1, at)
                break
            if stack[d]["flags"] & (T.BLOCK | T.REACHES):
                break
    depth = now[TOP]
    if _H1 <= tag <= _H6 and _H1 <= stack[depth]["tag"] <= _H6:
        pop(nodes, now, stack, depth - 1, at)
        return
    found = 0
    if tag in (_LI, _DD, _DT):
        for d in range(depth, 0, -1):
            other = stack[d]["tag"]
            if other == tag or (tag != _LI and (other in (_DD, _DT))):
                found = d
                break
            if stack[d]["flags"] & (T.LIST | T.SCOPE):
                break
    elif _is_cell(tag) or _is_row(tag):
        for d in range(depth, 0, -1):
            other = stack[d]["tag"]
            if other == _TABLE or (_is_cell(tag) and other == _TR):
                break
            if _is_cell(other) or (tag == _TR and other == _TR):
                found = d
                if other == _TR or _is_cell(tag):
                    break
            elif _is_row(other) and _is_row(tag) and tag != _TR:
                found = d  # the outermost of them
    elif tag in (_OPTION, _OPTGROUP):
        for d in range(depth, 0, -1):
            other = stack[d]["tag"]
            if other == _OPTION or (other == _OPTGROUP and tag == _OPTGROUP):
                found = d
            elif other in (_SELECT, _OPTGROUP) or stack[d]["flags"] & T.SCOPE:
                break
    elif tag == _BUTTON:
        for d in range(depth, 0, -1):
            if stack[d]["tag"] == _BUTTON:
                found = d
                break
            if stack[d]["flags"] & T.SCOPE:
                break
    if found:
        pop(nodes, now, stack, found - 1, at)


@njit(nogil=True, cache=True)
def _is_cell(tag: int) -> bool:
    return tag in (_TD, _TH)


@njit(nogil=True, cache=True)
def _is_row(tag: int) -> bool:
    """A row or a group of rows."""
    return tag in (_TR, _TBODY, _THEAD, _TFOOT)


@njit(nogil=True, cache=True)
def close_named(nodes: Records, now: Longs, stack: Records, tag: int, flags: int, at: int) -> None:
    """Close what the end tag of ``tag`` at byte ``at`` closes."""
    block = flags & T.BLOCK
    if block and now[OVER]:
        now[OVER] -= 1
        return
    heading = _H1 <= tag <= _H6
    in_table = tag == _TABLE or _is_cell(tag) or _is_row(tag)
    stops = T.SCOPE
    if tag in (_LI, _DD, _DT):
        stops |= T.LIST
    if not flags & (T.BLOCK | T.REACHES):
        stops |= T.BLOCK
    if tag == _TEMPLATE:
        stops = 0
    for d in range(now[TOP], 0, -1):
        other = stack[d]["tag"]
        if other == tag or (heading and _H1 <= other <= _H6):
            pop(nodes, now, stack, d - 1, at)
            return
        if in_table:
            if other == _TABLE:
                break
        elif stack[d]["flags"] & stops and not (other == _TEMPLATE and tag == _HEAD):
            break
    if tag == _P and not stack[now[TOP]]["skip"]:
        flush(now)
