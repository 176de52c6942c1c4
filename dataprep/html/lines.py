"""Where the lines of a rendered page begin and end: gaps, indentation, the marks of items, rows, fences.

The state of the loop is one small array, ``now``. Every function takes where the output ends and returns where it ends
after what it wrote.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from dataprep.html.attributes import is_space, next_attribute
from dataprep.html.dom import BREAK, NODES, Records
from dataprep.html.layout import DONE, KINDS, LEVELS, LIST_ITEM, QUOTATION, columns_before, row_of
from dataprep.html.tags import TAG, name_hash
from dataprep.text.utf8 import Bytes, Longs

# places in ``now``: whether Markdown is written; what waits to be written, see `NONE`; whether the block has not begun;
# whether any has; the last block and its group, whether it was in an item, the table its line is a row of; the open
# row, its last column and whether it is the first; the open ``pre``, where its fence, its text, its last line begin and
# its last visible character ends; bytes of the prefix; the next node that may be a rule; and of inline elements: open
# formats, their number and order, the open link, mark and the number of open scripts, the link of the last segment
(
    MARKDOWN, GAP, FRESH, ANY, LAST, LAST_GROUP, LAST_ITEM, LAST_TABLE, ROW, COLUMN, HEADER, PRE, FENCE_AT, PRE_AT,
    LINE_AT, PRE_END, PREFIX, RULE, MASK, OPEN, LINK, LINK_AT, CODE_AT, MARK, SCRIPTS, LAST_LINK, ORDER,
) = range(27)  # fmt: skip
PLACES = ORDER + 8
NONE, BLANK, LINE, EMPTY = range(4)  # nothing, a blank, the end of a line, an empty line

PREFIX_ROOM = 128  # more than LEVELS marks, each of 12 bytes at most
_HR, _OL, _CODE = TAG["hr"], TAG["ol"], TAG["code"]
_CLASS = np.uint64(name_hash("class"))
_BACKTICK = 96
_LANGUAGES = np.array([[*name.encode().ljust(12)] for name in ("language-", "lang-", "highlight-")], np.uint8)


class Page(NamedTuple):
    """What is read and written while a page is rendered."""

    b: Bytes
    counts: Longs
    nodes: Records
    segments: Records
    blocks: Records
    layout: Records
    out: Bytes
    now: Longs
    prefix: Bytes  # of a line that goes on; the second half is for the next


@njit(nogil=True, cache=True)
def start_block(page: Page, k: int, at: int) -> int:
    """All that comes before the first character of block ``k``."""
    now, layout, out = page.now, page.layout, page.out
    node = page.blocks[k]["node"]
    row = row_of(layout, node)
    pre = layout[node]["pre"]
    now[FRESH] = 0
    now[GAP] = NONE
    if now[ROW] >= 0:
        if row == now[ROW]:
            return _next_cell(page, layout[node]["cell"], at)
        at = end_row(page, at)
    if now[PRE] >= 0:
        if pre == now[PRE]:
            return at if at == now[LINE_AT] or _begins_line(page, k) else next_line(page, at)
        at = end_pre(page, at)
    owner = layout[row]["table"] if row >= 0 else node
    table = owner if row >= 0 else -1
    group = layout[owner]["group"]
    item = layout[owner]["item"]
    if item >= 0:
        item = layout[item]["item"]
    listed = item
    while listed >= 0 and KINDS[page.nodes[listed]["tag"]] != LIST_ITEM:
        listed = _outer(page, listed)
    marked = listed >= 0 and not layout[listed]["state"] & DONE
    size = _write_prefix(page, item, -1, page.prefix, PREFIX_ROOM) - PREFIX_ROOM
    if now[ANY]:
        tight = (table >= 0 and table == now[LAST_TABLE]) or (marked and now[LAST_ITEM]) if now[MARKDOWN] else True
        at = _gap(page, k, size, tight and group == now[LAST_GROUP], at)
    page.prefix[:size] = page.prefix[PREFIX_ROOM : PREFIX_ROOM + size]
    at = _write_prefix(page, item, listed if marked and not _is_marked(page, k) else -1, out, at)
    while item >= 0:
        layout[item]["state"] |= DONE
        item = _outer(page, item)
    now[PREFIX] = size
    now[ANY] = 1
    now[LAST] = k
    now[LAST_GROUP] = group
    now[LAST_ITEM] = listed >= 0
    if row >= 0:
        at = _start_row(page, row, layout[node]["cell"], now[LAST_TABLE] != table, at)
    elif pre >= 0:
        at = _start_pre(page, pre, at)
    elif now[MARKDOWN] and layout[node]["heading"]:
        for _ in range(layout[node]["heading"]):
            out[at] = 35
            at += 1
        out[at] = 32
        at += 1
    now[LAST_TABLE] = table
    return at


@njit(nogil=True, cache=True)
def _outer(page: Page, item: int) -> int:
    """The item, definition or quotation around this one."""
    outer = page.layout[page.nodes[item]["parent"]]["item"]
    return int(page.layout[outer]["item"]) if outer >= 0 else -1


@njit(nogil=True, cache=True)
def _gap(page: Page, k: int, size: int, tight: bool, at: int) -> int:
    """What is between the last block and block ``k``, whose prefix has ``size`` bytes."""
    now = page.now
    common = 0
    while common < size and common < now[PREFIX] and page.prefix[common] == page.prefix[PREFIX_ROOM + common]:
        common += 1
    now[PREFIX] = common
    if not tight:
        at = _empty_line(page, at)
    if now[MARKDOWN] and _has_rule(page, k):
        if tight:
            at = _empty_line(page, at)
        at = next_line(page, at)
        page.out[at : at + 3] = 45
        at = _empty_line(page, at + 3)
    page.out[at] = 10
    return at + 1


@njit(nogil=True, cache=True)
def _has_rule(page: Page, k: int) -> bool:
    """Whether an ``hr`` is between the last block and block ``k``, in something that holds both."""
    now, nodes = page.now, page.nodes
    found = False
    while now[RULE] < page.counts[NODES] and nodes[now[RULE]]["first"] <= k:
        node = nodes[now[RULE]]
        if node["tag"] == _HR and node["first"] > now[LAST]:
            around = nodes[node["parent"]]
            found |= around["first"] <= now[LAST] and around["last"] > k
        now[RULE] += 1
    return found


@njit(nogil=True, cache=True)
def next_line(page: Page, at: int) -> int:
    """End the line and begin the next."""
    size = page.now[PREFIX]
    page.out[at] = 10
    at += 1
    page.out[at : at + size] = page.prefix[:size]
    page.now[LINE_AT] = at + size
    return at + size


@njit(nogil=True, cache=True)
def _empty_line(page: Page, at: int) -> int:
    """End the line and add one that is empty but for the marks of quotations."""
    at = next_line(page, at)
    while page.out[at - 1] == 32:
        at -= 1
    return at


@njit(nogil=True, cache=True)
def paragraph(page: Page, at: int) -> int:
    """An empty line inside a block."""
    return next_line(page, _empty_line(page, at))


@njit(nogil=True, cache=True)
def _write_prefix(page: Page, item: int, marked: int, out: Bytes, at: int) -> int:
    """What a line inside ``item`` begins with; the mark of ``marked`` is written, for others there are blanks."""
    markdown = page.now[MARKDOWN]
    chain = np.empty(LEVELS, np.int64)
    depth = 0
    while item >= 0:
        chain[depth] = item
        depth += 1
        item = _outer(page, item)
    for level in range(depth - 1, -1, -1):
        item = chain[level]
        kind = KINDS[page.nodes[item]["tag"]]
        if markdown and kind == QUOTATION:
            out[at], out[at + 1] = 62, 32
            at += 2
            continue
        start = at
        at = _write_mark(page, item, out, at) if kind == LIST_ITEM and (markdown or item == marked) else at + 2
        if item != marked:
            out[start:at] = 32
        elif not markdown:
            return at
    return at


@njit(nogil=True, cache=True)
def _write_mark(page: Page, item: int, out: Bytes, at: int) -> int:
    if page.nodes[page.nodes[item]["parent"]]["tag"] != _OL:
        out[at], out[at + 1] = 45, 32
        return at + 2
    number = page.layout[item]["number"]
    if number < 0:
        out[at] = 45
        at += 1
        number = -number
    digits = 1
    power = 10
    while number >= power:
        power *= 10
        digits += 1
    for place in range(digits - 1, -1, -1):
        out[at + place] = 48 + number % 10
        number //= 10
    out[at + digits], out[at + digits + 1] = 46, 32
    return at + digits + 2


@njit(nogil=True, cache=True)
def _is_marked(page: Page, k: int) -> bool:
    """Whether the text of block ``k`` begins with a mark of its own: ``1.``, ``2)``, ``•``, ``-``."""
    b = page.b
    segment = page.segments[page.blocks[k]["first"]]
    i, end = segment["start"], segment["end"]
    while i < end and is_space(b[i]):
        i += 1
    start = i
    while i < end and 48 <= b[i] <= 57:
        i += 1
    if i > start:
        return i + 1 < end and (b[i] == 46 or b[i] == 41) and is_space(b[i + 1])
    if i + 2 >= end:
        return False
    if b[i] == 45 or b[i] == 42:
        return is_space(b[i + 1])
    if b[i] == 0xC2:
        return b[i + 1] == 0xB7
    return b[i] == 0xE2 and (
        (b[i + 1] == 0x80 and (b[i + 2] == 0xA2 or b[i + 2] == 0x93))
        or (b[i + 1] == 0x97 and b[i + 2] == 0x8F)
        or (b[i + 1] == 0x96 and (b[i + 2] == 0xAA or b[i + 2] == 0xA0))
    )


@njit(nogil=True, cache=True)
def _start_row(page: Page, row: int, cell: int, first: bool, at: int) -> int:
    now, layout, out = page.now, page.layout, page.out
    column = columns_before(layout[layout[row]["table"]]["columns"], layout[cell]["column"])
    now[ROW], now[COLUMN], now[HEADER] = row, column, first
    if now[MARKDOWN]:
        column += 1
    elif layout[row]["number"] < 2:
        return at
    for _ in range(column):
        out[at], out[at + 1] = 124, 32
        at += 2
    return at


@njit(nogil=True, cache=True)
def _next_cell(page: Page, cell: int, at: int) -> int:
    """From one cell of a row to the next that has text, or a blank inside one."""
    layout = page.layout
    column = columns_before(layout[layout[cell]["table"]]["columns"], layout[cell]["column"])
    at = _bars(page, column - page.now[COLUMN], at)
    page.now[COLUMN] = column
    page.out[at] = 32
    return at + 1


@njit(nogil=True, cache=True)
def _bars(page: Page, count: int, at: int) -> int:
    for _ in range(count):
        page.out[at], page.out[at + 1] = 32, 124
        at += 2
    return at


@njit(nogil=True, cache=True)
def end_row(page: Page, at: int) -> int:
    now, layout, out = page.now, page.layout, page.out
    row = now[ROW]
    now[ROW] = -1
    if not now[MARKDOWN]:
        return at
    if not now[HEADER]:
        return _bars(page, 1, at)
    columns = layout[layout[row]["table"]]["columns"]
    total = max(columns_before(columns, 63) + int(columns >> np.uint64(63)), now[COLUMN] + 1)
    at = next_line(page, _bars(page, total - now[COLUMN], at))
    out[at] = 124
    at += 1
    for _ in range(total):
        out[at] = 32
        out[at + 1 : at + 4] = 45
        at = _bars(page, 1, at + 4)
    return at


@njit(nogil=True, cache=True)
def _begins_line(page: Page, k: int) -> bool:
    """Whether the text of block ``k`` begins with the end of a line."""
    segment = page.segments[page.blocks[k]["first"]]
    return segment["kind"] == BREAK or page.b[segment["start"]] == 10 or page.b[segment["start"]] == 13


@njit(nogil=True, cache=True)
def _start_pre(page: Page, pre: int, at: int) -> int:
    now = page.now
    now[PRE], now[FENCE_AT] = pre, at
    if now[MARKDOWN]:
        page.out[at : at + 3] = _BACKTICK
        start, end = _language(page, pre)
        at += 3
        page.out[at : at + end - start] = page.b[start:end]
        at = next_line(page, at + end - start)
    now[PRE_AT] = now[LINE_AT] = now[PRE_END] = at
    return at


@njit(nogil=True, cache=True)
def end_pre(page: Page, at: int) -> int:
    now = page.now
    at = now[PRE_END]
    now[PRE] = -1
    if not now[MARKDOWN]:
        return at
    ticks = longest_run(page.out, now[PRE_AT], at)
    if ticks >= 3:
        at = insert(page.out, now[FENCE_AT], at, ticks - 2)
    ticks = max(ticks + 1, 3)
    at = next_line(page, at)
    page.out[at : at + ticks] = _BACKTICK
    return at + ticks


@njit(nogil=True, cache=True)
def longest_run(out: Bytes, start: int, end: int) -> int:
    """The longest run of backticks."""
    longest = run = 0
    for i in range(start, end):
        run = run + 1 if out[i] == _BACKTICK else 0
        longest = max(longest, run)
    return longest


@njit(nogil=True, cache=True)
def insert(out: Bytes, start: int, end: int, count: int) -> int:
    """Put ``count`` backticks before ``out[start:end]``; where it ends now."""
    for i in range(end - 1, start - 1, -1):
        out[i + count] = out[i]
    out[start : start + count] = _BACKTICK
    return end + count


@njit(nogil=True, cache=True)
def _language(page: Page, pre: int) -> tuple[int, int]:
    """The programming language that a class of a ``pre``, of the ``code`` in it or of what is around it names."""
    nodes = page.nodes
    candidates = np.array([pre + 1, pre, nodes[pre]["parent"], nodes[max(nodes[pre]["parent"], 0)]["parent"]])
    for place in range(4):
        node = candidates[place]
        if node < 0 or node >= page.counts[NODES] or (place == 0 and nodes[node]["tag"] != _CODE):
            continue
        i = int(nodes[node]["attributes"])
        hashed = np.uint64(1)
        while hashed != np.uint64(0):
            i, hashed, start, end = next_attribute(page.b, i)
            if hashed == _CLASS:
                start, end = _language_word(page.b, start, end)
                if end > start:
                    return start, end
    return 0, 0


@njit(nogil=True, cache=True)
def _language_word(b: Bytes, i: int, end: int) -> tuple[int, int]:
    while i < end:
        while i < end and is_space(b[i]):
            i += 1
        start = i
        while i < end and not is_space(b[i]):
            i += 1
        for name in _LANGUAGES:
            size = 0
            while name[size] != 32 and start + size < i and b[start + size] == name[size]:
                size += 1
            if name[size] == 32 and 0 < i - start - size <= 20:
                first = start + size
                for j in range(first, i):
                    letter = 97 <= b[j] | np.uint8(32) <= 122
                    if not (letter or 48 <= b[j] <= 57 or b[j] == 43 or b[j] == 35 or b[j] == 45):
                        first = i
                if first < i:
                    return first, i
    return 0, 0
