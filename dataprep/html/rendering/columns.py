"""Which column of its table a cell is in, as HTML counts them: cells that span columns or rows push others aside.

The first `FOLLOWED` columns are those of the HTML Standard (4.9.12); a cell beyond them comes after the one before it.
So a row costs no more than its cells and `FOLLOWED` columns, whatever it says it spans. A cell reaches into later rows
of its own ``tbody``, ``thead`` or ``tfoot`` only.

While cells are placed a table has a list of those that reach into later rows: its ``pieces`` is the newest, the
``number`` of each the one before. A row's ``columns`` are those that cells above reach into, a cell's those it covers.
"""

from typing import Any

import numpy as np

from dataprep.compiled import njit
from dataprep.html.dom.attributes import is_space, next_attribute
from dataprep.html.dom.records import Records
from dataprep.html.dom.tags import name_hash
from dataprep.text.utf8 import Bytes

FOLLOWED = 63  # and one bit for all others
_MOST_ROWS = 65534  # HTML Standard 4.9.11
_COLSPAN, _ROWSPAN = np.uint64(name_hash("colspan")), np.uint64(name_hash("rowspan"))
_ONE = np.uint64(1)


@njit(nogil=True, cache=True)
def begin_row(nodes: Records, layout: Records, row: int, table: int) -> None:
    """Find the columns of a row that cells above reach into."""
    layout[row]["columns"] = 0
    if table < 0:
        return
    now = layout[table]["until"]
    layout[table]["until"] = now + 1
    cell = layout[table]["pieces"]
    if cell >= 0 and _group(nodes, layout, layout[cell]["row"]) != _group(nodes, layout, row):
        cell = layout[table]["pieces"] = -1
    newer = -1
    while cell >= 0:
        older = layout[cell]["number"]
        if layout[cell]["until"] > now:
            layout[row]["columns"] |= layout[cell]["columns"]
            newer = cell
        elif newer >= 0:
            layout[newer]["number"] = older
        else:
            layout[table]["pieces"] = older
        cell = older


@njit(nogil=True, cache=True)
def _group(nodes: Records, layout: Records, row: int) -> int:
    """What a row is in; a table is one of its own for cells without a row."""
    return row if layout[row]["table"] == row else int(nodes[row]["parent"])


@njit(nogil=True, cache=True)
def place_cell(b: Bytes, nodes: Records, layout: Records, cell: int, row: int, table: int) -> None:
    """Give a cell the next column that is free."""
    taken = layout[row]["columns"]
    column = layout[row]["column"]
    while column < FOLLOWED and taken >> np.uint64(column) & _ONE:
        column += 1
    layout[cell]["column"] = column
    if column >= FOLLOWED:
        layout[row]["column"] = column + 1
        return
    width, height = _spans(b, nodes[cell]["attributes"])
    after = min(column + width, FOLLOWED)
    layout[row]["column"] = after
    if height > 1 and table >= 0:
        layout[cell]["columns"] = (_ONE << np.uint64(after)) - (_ONE << np.uint64(column))
        layout[cell]["until"] = layout[table]["until"] - 1 + height
        layout[cell]["number"] = layout[table]["pieces"]
        layout[table]["pieces"] = cell


@njit(nogil=True, cache=True)
def _spans(b: Bytes, i: int) -> tuple[int, int]:
    """How many columns and rows a cell spans; no rows are all of its group."""
    width = height = 1
    hashed = np.uint64(1)
    while hashed != np.uint64(0):
        i, hashed, start, end = next_attribute(b, i)
        if hashed == _COLSPAN:
            width = max(_count(b, start, end, FOLLOWED), 1)
        elif hashed == _ROWSPAN:
            height = _count(b, start, end, _MOST_ROWS)
            if height == 0:
                height = _MOST_ROWS
    return width, height


@njit(nogil=True, cache=True)
def _count(b: Bytes, start: int, end: int, most: int) -> int:
    """The whole number between the two places, at most ``most``, or 1 if there is none."""
    while start < end and is_space(b[start]):
        start += 1
    if start == end or not 48 <= b[start] <= 57:
        return 1
    number: Any = 0
    while start < end and 48 <= b[start] <= 57:
        number = min(number * 10 + np.int64(b[start]) - 48, most)
        start += 1
    return int(number)


@njit(nogil=True, cache=True)
def columns_before(columns: np.uint64, column: int) -> int:
    """How many columns with text there are before this one."""
    below = columns & ((_ONE << np.uint64(min(column, FOLLOWED))) - _ONE)
    total = max(column - FOLLOWED, 0)
    while below:
        below &= below - _ONE
        total += 1
    return total


@njit(nogil=True, cache=True)
def width_of(layout: Records, table: int) -> int:
    """How many columns with text a table has, once `layout.find_lines` has seen its cells."""
    return columns_before(layout[table]["columns"], layout[table]["column"])


@njit(nogil=True, cache=True)
def padded_width(layout: Records, table: int) -> int:
    """How many columns each row of a table has at least: all of them, but in a table too wide to be sure."""
    return width_of(layout, table) if layout[table]["column"] <= FOLLOWED else 0
