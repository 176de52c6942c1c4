"""Where the lines of a rendered page begin and end: gaps, indentation, the marks of items, rows, fences.

The state of the loop is one small array, ``now``. Every function takes where the output ends and returns where it ends
after what it wrote.
"""

from typing import Any

import numpy as np

from dataprep.compiled import njit
from dataprep.html.dom.attributes import attribute_value, is_space
from dataprep.html.dom.records import BREAK, Records
from dataprep.html.dom.tags import TAG, name_hash
from dataprep.html.rendering.columns import columns_before, padded_width, width_of
from dataprep.html.rendering.layout import DEFINITION, DONE, KINDS, LEVELS, LIST_ITEM, QUOTATION, row_of
from dataprep.text.utf8 import Bytes, Longs

# places in ``now``: whether Markdown is written; what waits to be written, see `NONE`; whether the block has not begun;
# whether any has; the last block and its group, whether it was in an item, the table its line is a row of; the open
# row, its last column, whether it is the first; the open ``pre``, where its fence and its text begin; where the last
# line begins, or -1 if it is no place for marks of Markdown; where the last visible character of a ``pre`` ends; bytes
# of the prefix; the next node that may be a rule; whether the open row is one cell without bars; and of inline
# elements: open formats, their number and order, the open link, mark and the number of open scripts, the link of the
# last segment
(
    MARKDOWN, GAP, FRESH, ANY, LAST, LAST_GROUP, LAST_ITEM, LAST_TABLE, ROW, COLUMN, HEADER, PRE, FENCE_AT, PRE_AT,
    LINE_AT, PRE_END, PREFIX, RULE, ALONE, MASK, OPEN, LINK, LINK_AT, CODE_AT, MARK, SCRIPTS, LAST_LINK, ORDER,
) = range(28)  # fmt: skip
CHAIN = ORDER + 5
PLACES = CHAIN + LEVELS
NONE, BLANK, LINE, EMPTY = range(4)  # nothing, a blank, the end of a line, an empty line

PREFIX_ROOM = 128  # more than LEVELS marks, each of 12 bytes at most
_DEFINITION = 4  # bytes of a definition's mark: a colon and three blanks
_HR, _OL, _CODE = TAG["hr"], TAG["ol"], TAG["code"]
_CLASS = np.uint64(name_hash("class"))
_BACKTICK = 96
_LANGUAGES = np.array([[*name.encode().ljust(12)] for name in ("language-", "lang-", "highlight-")], np.uint8)


@njit(nogil=True, cache=True)
def start_block(
    b: Bytes,
    nodes: Records,
    segments: Records,
    blocks: Records,
    layout: Records,
    out: Bytes,
    now: Longs,
    k: int,
    at: int,
) -> int:
    """All that comes before the first character of block ``k``."""
    node = blocks[k]["node"]
    row = row_of(layout, node)
    pre = layout[node]["pre"]
    now[FRESH] = 0
    now[GAP] = NONE
    if now[ROW] >= 0:
        if row == now[ROW]:
            return _next_cell(layout, out, now, layout[node]["cell"], at)
        at = end_row(layout, out, now, at)
    if now[PRE] >= 0:
        if pre == now[PRE]:
            if now[PRE_END] <= now[LINE_AT]:
                return now[LINE_AT]
            return at if _begins_line(b, segments, blocks, k) else end_pre_line(out, now, at)
        at = end_pre(out, now, at)
    owner = layout[row]["table"] if row >= 0 else node
    table = owner if row >= 0 else -1
    group = layout[owner]["group"]
    item = int(layout[owner]["item"])
    if item >= 0:
        item = int(layout[item]["item"])
    listed = item
    while listed >= 0 and KINDS[nodes[listed]["tag"]] != LIST_ITEM:
        listed = _outer(nodes, layout, listed)
    marked = listed >= 0 and not layout[listed]["state"] & DONE
    defines = _defines(nodes, layout, item)
    following = len(out) - 2 * PREFIX_ROOM
    size = _write_prefix(nodes, layout, out, now, item, -1, False, following) - following if item >= 0 else 0
    if now[ANY]:
        tight = True
        if now[MARKDOWN]:
            tight = (table >= 0 and table == now[LAST_TABLE]) or (marked and now[LAST_ITEM]) or defines
        at = _gap(nodes, out, now, k, size, tight and group == now[LAST_GROUP], at)
    for i in range(size):
        out[following + PREFIX_ROOM + i] = out[following + i]
    now[LAST_ITEM] = listed >= 0
    own = marked and _is_marked(b, segments, blocks, k)
    if own:
        at = _write_prefix(nodes, layout, out, now, _outer(nodes, layout, listed), -1, defines, at)
    elif item >= 0:
        at = _write_prefix(nodes, layout, out, now, item, listed if marked else -1, defines, at)
    now[LINE_AT] = -1 if own else at
    while item >= 0:
        layout[item]["state"] |= DONE
        item = _outer(nodes, layout, item)
    now[PREFIX] = size
    now[ANY] = 1
    now[LAST] = k
    now[LAST_GROUP] = group
    if row >= 0:
        at = _start_row(nodes, layout, out, now, row, layout[node]["cell"], now[LAST_TABLE] != table, at)
    elif pre >= 0:
        at = _start_pre(b, nodes, out, now, pre, at)
    elif now[MARKDOWN] and layout[node]["heading"]:
        level: Any = np.int64(layout[node]["heading"])
        at = fill(out, at, level, 35)
        out[at] = 32
        at += 1
        now[LINE_AT] = -1
    now[LAST_TABLE] = table
    return at


@njit(nogil=True, cache=True)
def fill(out: Bytes, at: int, count: int, byte: int) -> int:
    """Write a byte several times."""
    for i in range(at, at + count):
        out[i] = byte
    return at + count


@njit(nogil=True, cache=True)
def _outer(nodes: Records, layout: Records, item: int) -> int:
    """The item, definition or quotation around this one."""
    outer = layout[nodes[item]["parent"]]["item"]
    return int(layout[outer]["item"]) if outer >= 0 else -1


@njit(nogil=True, cache=True)
def _defines(nodes: Records, layout: Records, item: int) -> bool:
    """Whether a definition begins in which ``item`` is."""
    while item >= 0 and not layout[item]["state"] & DONE:
        if KINDS[nodes[item]["tag"]] == DEFINITION:
            return True
        item = _outer(nodes, layout, item)
    return False


@njit(nogil=True, cache=True)
def _gap(nodes: Records, out: Bytes, now: Longs, k: int, size: int, tight: bool, at: int) -> int:
    """What is between the last block and block ``k``, whose prefix has ``size`` bytes."""
    common = 0
    start = len(out) - PREFIX_ROOM
    while common < size and common < now[PREFIX] and out[start + common] == out[start - PREFIX_ROOM + common]:
        common += 1
    now[PREFIX] = common
    if not tight:
        at = _empty_line(out, now, at)
    if now[MARKDOWN] and _has_rule(nodes, now, k):
        if tight:
            at = _empty_line(out, now, at)
        at = next_line(out, now, at)
        at = _empty_line(out, now, fill(out, at, 3, 45))
    out[at] = 10
    return at + 1


@njit(nogil=True, cache=True)
def _has_rule(nodes: Records, now: Longs, k: int) -> bool:
    """Whether an ``hr`` is between the last block and block ``k``, in something that holds both."""
    found = False
    while now[RULE] < nodes[0]["end"] and nodes[now[RULE]]["first"] <= k:
        node = nodes[now[RULE]]
        if node["tag"] == _HR and node["first"] > now[LAST]:
            around = nodes[node["parent"]]
            found |= around["first"] <= now[LAST] and around["last"] > k
        now[RULE] += 1
    return found


@njit(nogil=True, cache=True)
def next_line(out: Bytes, now: Longs, at: int) -> int:
    """End the line and begin the next."""
    out[at] = 10
    at += 1
    start = len(out) - PREFIX_ROOM
    for i in range(start, start + now[PREFIX]):
        out[at] = out[i]
        at += 1
    now[LINE_AT] = at
    return at


@njit(nogil=True, cache=True)
def _empty_line(out: Bytes, now: Longs, at: int) -> int:
    """End the line and add one that is empty but for the marks of quotations."""
    at = next_line(out, now, at)
    while out[at - 1] == 32:
        at -= 1
    return at


@njit(nogil=True, cache=True)
def paragraph(out: Bytes, now: Longs, at: int) -> int:
    """An empty line inside a block."""
    return next_line(out, now, _empty_line(out, now, at))


@njit(nogil=True, cache=True)
def _write_prefix(
    nodes: Records, layout: Records, out: Bytes, now: Longs, item: int, marked: int, defines: bool, at: int
) -> int:
    """What a line inside ``item`` begins with; the mark of ``marked`` is written, for others there are blanks.

    In Markdown a definition that begins has a colon, as PHP Markdown Extra and Pandoc have it.
    """
    markdown = now[MARKDOWN]
    depth = 0
    while item >= 0:
        now[CHAIN + depth] = item
        depth += 1
        item = _outer(nodes, layout, item)
    for level in range(depth - 1, -1, -1):
        item = now[CHAIN + level]
        kind = KINDS[nodes[item]["tag"]]
        if markdown and kind == QUOTATION:
            out[at], out[at + 1] = 62, 32
            at += 2
            continue
        if markdown and kind == DEFINITION:
            at = fill(out, at, _DEFINITION, 32)
            if defines and not layout[item]["state"] & DONE:
                out[at - _DEFINITION] = 58
            continue
        start = at
        at = _write_mark(nodes, layout, out, item, at) if kind == LIST_ITEM and (markdown or item == marked) else at + 2
        if item != marked:
            for i in range(start, at):
                out[i] = 32
        elif not markdown:
            return at
    return at


@njit(nogil=True, cache=True)
def _write_mark(nodes: Records, layout: Records, out: Bytes, item: int, at: int) -> int:
    if nodes[nodes[item]["parent"]]["tag"] != _OL:
        out[at], out[at + 1] = 45, 32
        return at + 2
    number = layout[item]["number"]
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
def _is_marked(b: Bytes, segments: Records, blocks: Records, k: int) -> bool:
    """Whether the text of block ``k`` begins with a mark of its own: ``1.``, ``2)``, ``•``, ``-``."""
    segment = segments[blocks[k]["first"]]
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
def _start_row(
    nodes: Records, layout: Records, out: Bytes, now: Longs, row: int, cell: int, first: bool, at: int
) -> int:
    """Begin a row with bars for the columns before its first cell with text.

    A row that is one cell only, as a title is, has no bars in plain text.
    """
    column = columns_before(layout[layout[row]["table"]]["columns"], layout[cell]["column"])
    now[ROW], now[COLUMN], now[HEADER] = row, column, first
    now[ALONE] = column == 0 and nodes[row]["end"] == nodes[cell]["end"] and not now[MARKDOWN]
    for _ in range(column + now[MARKDOWN]):
        out[at], out[at + 1] = 124, 32
        at += 2
    return at


@njit(nogil=True, cache=True)
def _next_cell(layout: Records, out: Bytes, now: Longs, cell: int, at: int) -> int:
    """From one cell of a row to the next that has text, or a blank inside one."""
    column = columns_before(layout[layout[cell]["table"]]["columns"], layout[cell]["column"])
    at = _bars(out, column - now[COLUMN], at)
    now[COLUMN] = column
    out[at] = 32
    return at + 1


@njit(nogil=True, cache=True)
def _bars(out: Bytes, count: int, at: int) -> int:
    for _ in range(count):
        out[at], out[at + 1] = 32, 124
        at += 2
    return at


@njit(nogil=True, cache=True)
def end_row(layout: Records, out: Bytes, now: Longs, at: int) -> int:
    """End a row with bars for the columns after its last cell with text; it never goes on."""
    table = layout[now[ROW]]["table"]
    layout[now[ROW]]["state"] |= DONE
    now[ROW] = -1
    if now[ALONE]:
        return at
    total = padded_width(layout, table)
    if not layout[table]["state"] & DONE:
        layout[table]["state"] |= DONE
        total = width_of(layout, table)
    total = max(total, now[COLUMN] + 1)
    at = _bars(out, total - now[COLUMN] - 1 + now[MARKDOWN], at)
    if not now[MARKDOWN] or not now[HEADER]:
        return at
    at = next_line(out, now, at)
    out[at] = 124
    at += 1
    for _ in range(total):
        out[at] = 32
        at = _bars(out, 1, fill(out, at + 1, 3, 45))
    return at


@njit(nogil=True, cache=True)
def _begins_line(b: Bytes, segments: Records, blocks: Records, k: int) -> bool:
    """Whether the text of block ``k`` begins with the end of a line."""
    segment = segments[blocks[k]["first"]]
    return segment["kind"] == BREAK or b[segment["start"]] == 10 or b[segment["start"]] == 13


@njit(nogil=True, cache=True)
def _start_pre(b: Bytes, nodes: Records, out: Bytes, now: Longs, pre: int, at: int) -> int:
    now[PRE], now[FENCE_AT] = pre, at
    if now[MARKDOWN]:
        at = fill(out, at, 3, _BACKTICK)
        start, end = _language(b, nodes, pre)
        for i in range(start, end):
            out[at] = b[i]
            at += 1
        at = next_line(out, now, at)
    now[PRE_AT] = now[LINE_AT] = now[PRE_END] = at
    return at


@njit(nogil=True, cache=True)
def end_pre_line(out: Bytes, now: Longs, at: int) -> int:
    """End a line of a ``pre``, without the blanks it ends in and without empty lines before the first."""
    if now[PRE_END] == now[PRE_AT]:
        return now[PRE_AT]
    if now[PRE_END] > now[LINE_AT]:
        at = now[PRE_END]
    else:
        at = now[LINE_AT]
        while out[at - 1] == 32:
            at -= 1
    return next_line(out, now, at)


@njit(nogil=True, cache=True)
def end_pre(out: Bytes, now: Longs, at: int) -> int:
    at = now[PRE_END]
    now[PRE] = -1
    if not now[MARKDOWN]:
        return at
    ticks = longest_run(out, now[PRE_AT], at)
    if ticks >= 3:
        at = insert(out, now[FENCE_AT], at, ticks - 2)
    return fill(out, next_line(out, now, at), max(ticks + 1, 3), _BACKTICK)


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
    fill(out, start, count, _BACKTICK)
    return end + count


@njit(nogil=True, cache=True)
def _language(b: Bytes, nodes: Records, pre: int) -> tuple[int, int]:
    """The programming language that a class of a ``pre``, of the ``code`` in it or of what is around it names."""
    candidates = np.array([pre + 1, pre, nodes[pre]["parent"], nodes[max(nodes[pre]["parent"], 0)]["parent"]])
    for place in range(4):
        node = candidates[place]
        if node < 0 or node >= nodes[0]["end"] or (place == 0 and nodes[node]["tag"] != _CODE):
            continue
        start, end = attribute_value(b, int(nodes[node]["attributes"]), _CLASS)
        start, end = _language_word(b, start, end)
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
