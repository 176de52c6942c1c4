"""What a page's elements mean for its layout: one record a node, filled before the text is written.

Each record says which paragraph, item, cell and so on the node is in, the nearest of each, so that a block of text
knows its surroundings without a walk up the tree. Everything here is a few passes over the nodes.

Decisions:
- *A table row is a line* if each of its cells is short: no heading, no code, no inner table, not several paragraphs
  (`PARAGRAPH`), not a whole list (`PIECES`). Other rows are read as if their cells were ordinary blocks: so are the
  tables of old pages that only place things. A table without any row of two filled cells is no table either.
- *An item has a mark* unless it holds a heading or an article: then the list is one of cards, comments or results.
- A definition has a mark in Markdown if a term comes before it and it holds no heading or article.
- Items, definitions and quotations more than `LEVELS` deep are lines of the one they are in.
- The cells that hold nothing but line numbers, beside others that hold code, are left out.
"""

from typing import Any

import numpy as np

from dataprep.compiled import njit
from dataprep.html.dom.attributes import attribute_value, is_space
from dataprep.html.dom.records import BLOCKS, BREAK, NODES, Records
from dataprep.html.dom.tags import BLOCK, HEADING, PRE, TAG, TAGS, name_hash, traits
from dataprep.html.rendering.columns import FOLLOWED, begin_row, place_cell
from dataprep.html.rendering.drawn import drop_drawn
from dataprep.text.utf8 import Bytes, Longs

LEVELS = 8
PARAGRAPH = 80  # characters a piece of a cell, on average, from which two pieces are paragraphs
PIECES = 12

LAYOUT = np.dtype(
    [
        ("columns", np.uint64),  # of a table: which have text; of rows and cells see `columns`
        ("group", np.int32),  # the nearest element that stands apart, with an empty line before and after it
        ("item", np.int32),  # the nearest item, definition or quotation; of such a node: itself, or the next one up
        ("table", np.int32),
        ("row", np.int32),
        ("cell", np.int32),
        ("pre", np.int32),
        ("math", np.int32),  # the outermost formula in the block
        ("mark", np.int32),  # the nearest quote, script, reading or (Markdown) code in the block
        # of an item: its number; of a list: that of its last; of a definition: whether it has a term; of a row: filled
        # cells
        ("number", np.int32),
        ("column", np.int32),  # of a cell: where it is in its table; of a table: one past the last with text
        ("pieces", np.int32),  # of a cell: blocks and lines in it; of a mark: where its text begins in the output
        ("chars", np.int32),  # of a cell
        ("until", np.int32),  # of a cell that spans rows: the first it does not reach; of a table: rows that have begun
        ("state", np.uint8),
        ("heading", np.uint8),  # 1 to 6
        ("depth", np.uint8),  # of an item
        ("dropped", np.uint8),
    ],
    align=True,
)
DONE = 1  # an item's mark, a link or a row was written
UNMARKED = 2  # an item without mark
LONG = 4  # a cell or row that is no line
LINES = 8  # a table with rows that are lines
NUMBERS, OTHERS = 16, 32  # a cell with line numbers, with anything else
TERMS = 64  # something that holds terms

(
    INLINE, FLOW, APART, PARAGRAPHS, LISTS, LIST_ITEM, DEFINITION, TABLE, ROW, CELL, TITLE, CODE_BLOCK, QUOTATION, MARK,
    SILENT, CARD, SPAN, TERM, FORMULA, SCRIPT,
) = range(20)  # fmt: skip
_KINDS = {
    APART: "details dl fieldset figure footer form header hgroup main nav search aside",
    PARAGRAPHS: "p", LISTS: "ul ol menu dir", LIST_ITEM: "li", DEFINITION: "dd", TABLE: "table", ROW: "tr",
    CELL: "td th", TITLE: "h1 h2 h3 h4 h5 h6", CODE_BLOCK: "pre listing xmp plaintext", QUOTATION: "blockquote",
    MARK: "q sub sup rt", SPAN: "code kbd samp tt", SILENT: "rp", CARD: "article section", TERM: "dt",
    FORMULA: "math", SCRIPT: "script",
}  # fmt: skip


def _kinds() -> Bytes:
    table = np.zeros(len(TAGS), np.uint8)
    table[traits(np.zeros(len(TAGS), np.uint64))["flags"] & BLOCK != 0] = FLOW
    for kind, names in _KINDS.items():
        table[[TAG[name] for name in names.split()]] = kind
    return table


KINDS = _kinds()
_OL, _H1 = TAG["ol"], TAG["h1"]
_START, _VALUE = np.uint64(name_hash("start")), np.uint64(name_hash("value"))
_LARGEST = 999_999_999  # of an item's number


@njit(nogil=True, cache=True)
def lay_out(b: Bytes, counts: Longs, nodes: Records, segments: Records, blocks: Records, markdown: bool) -> Records:
    layout = np.empty(counts[NODES], LAYOUT)
    items, cells = _nearest(b, counts, nodes, layout, markdown)
    if items:
        _depths(counts, nodes, layout, markdown)
    if cells:
        _fill_cells(b, counts, nodes, segments, blocks, layout)
        _find_lines(counts, nodes, layout)
    return layout


@njit(nogil=True, cache=True)
def _nearest(b: Bytes, counts: Longs, nodes: Records, layout: Records, markdown: bool) -> tuple[bool, bool]:
    """Everything a node has from those around it; whether there are items, and cells."""
    items = cells = False
    for n in range(counts[NODES]):
        parent = nodes[n]["parent"]
        here = layout[n]
        if parent >= 0:
            above = layout[parent]
            here["group"] = above["group"]
            here["item"] = above["item"]
            here["table"] = above["table"]
            here["row"] = above["row"]
            here["cell"] = above["cell"]
            here["pre"] = above["pre"]
            here["mark"] = above["mark"]
            here["math"] = above["math"]
            here["heading"] = above["heading"]
            here["dropped"] = above["dropped"] | nodes[n]["dropped"]
        else:
            here["group"] = here["item"] = here["table"] = here["row"] = here["cell"] = here["pre"] = -1
            here["mark"] = here["math"] = -1
            here["heading"] = 0
            here["dropped"] = nodes[n]["dropped"]
        here["state"] = 0
        kind = KINDS[nodes[n]["tag"]]
        if kind == INLINE:
            continue
        if kind in (MARK, SPAN, FORMULA):
            if here["math"] < 0 and nodes[n]["last"] - nodes[n]["first"] == 1:
                if kind == FORMULA:
                    here["math"] = n
                elif kind == MARK or markdown:
                    here["mark"] = n
            continue
        if kind == SCRIPT:
            drop_drawn(b, nodes, layout, n)
            continue
        if kind == SILENT:
            here["dropped"] = 1
            continue
        here["mark"] = -1
        if kind == FLOW:
            continue
        first = parent == n - 1
        above_kind = KINDS[nodes[parent]["tag"]]
        if kind == PARAGRAPHS:
            if not (first and (above_kind in (LIST_ITEM, DEFINITION, CELL))):
                here["group"] = n
        elif kind == LISTS:
            if here["item"] < 0 or KINDS[nodes[here["item"]]["tag"]] == QUOTATION:
                here["group"] = n
            here["number"] = _integer(b, nodes[n]["attributes"], _START, 1) - 1 if nodes[n]["tag"] == _OL else 0
        elif kind == LIST_ITEM:
            items = True
            here["item"] = n
            if nodes[parent]["tag"] == _OL:
                number = _integer(b, nodes[n]["attributes"], _VALUE, layout[parent]["number"] + 1)
                here["number"] = layout[parent]["number"] = number
        elif kind == TERM:
            layout[parent]["state"] |= TERMS
        elif kind == DEFINITION:
            items = True
            here["item"] = n
            here["number"] = layout[parent]["state"] & TERMS
        elif kind == QUOTATION:
            items = True
            here["item"] = here["group"] = n
        elif kind == TABLE:
            here["group"] = here["table"] = n
            here["row"] = -1
            here["columns"] = 0
            here["number"] = here["column"] = here["until"] = 0
            here["pieces"] = -1
        elif kind == ROW:
            here["row"] = n
            here["number"] = here["column"] = 0
            begin_row(nodes, layout, n, here["table"])
        elif kind == CELL:
            cells = True
            row = here["row"] if here["row"] >= 0 else here["table"]
            here["cell"] = n
            here["row"] = row
            here["pieces"] = here["chars"] = here["column"] = 0
            if row >= 0:
                place_cell(b, nodes, layout, n, row, here["table"])
        elif kind == CODE_BLOCK:
            if here["pre"] < 0:
                here["pre"] = n
            if not (first and above_kind == CELL):
                here["group"] = n
        else:
            here["group"] = n
            if kind == TITLE:
                here["heading"] = nodes[n]["tag"] - _H1 + 1
            if kind in (TITLE, CARD):
                item = here["item"]
                while item >= 0 and not layout[item]["state"] & UNMARKED:
                    layout[item]["state"] |= UNMARKED
                    item = layout[nodes[item]["parent"]]["item"]
    return items, cells


@njit(nogil=True, cache=True)
def _integer(b: Bytes, i: int, name: np.uint64, otherwise: int) -> int:
    """The value of an attribute that is a whole number."""
    start, end = attribute_value(b, i, name)
    negative = start < end and b[start] == 45
    start += negative
    number: Any = 0
    digits = 0
    while start < end and 48 <= b[start] <= 57:
        number = min(number * 10 + np.int64(b[start]) - 48, _LARGEST)
        start += 1
        digits += 1
    if digits:
        return -number if negative else number
    return min(otherwise, _LARGEST)


@njit(nogil=True, cache=True)
def _depths(counts: Longs, nodes: Records, layout: Records, markdown: bool) -> None:
    """How deep each item is; one that shows no level of its own hands over to the one around it."""
    for n in range(1, counts[NODES]):
        kind = KINDS[nodes[n]["tag"]]
        if kind != LIST_ITEM and kind != DEFINITION and kind != QUOTATION:
            continue
        outer = layout[nodes[n]["parent"]]["item"]
        if outer >= 0:
            outer = layout[outer]["item"]
        depth = layout[outer]["depth"] if outer >= 0 else 0
        if (
            depth == LEVELS
            or (kind == LIST_ITEM and layout[n]["state"] & UNMARKED)
            or (kind == QUOTATION and not markdown)
            or (kind == DEFINITION and markdown and (not layout[n]["number"] or layout[n]["state"] & UNMARKED))
        ):
            layout[n]["item"] = outer
            layout[n]["depth"] = depth
        else:
            layout[n]["depth"] = depth + 1


@njit(nogil=True, cache=True)
def _fill_cells(b: Bytes, counts: Longs, nodes: Records, segments: Records, blocks: Records, layout: Records) -> None:
    """Count what is kept of each cell, and mark those that are no part of a line."""
    for k in range(counts[BLOCKS]):
        node = blocks[k]["node"]
        cell = layout[node]["cell"]
        if blocks[k]["verdict"] or cell < 0:
            continue
        here = layout[cell]
        if not here["pieces"] and here["row"] >= 0:
            layout[here["row"]]["number"] += 1
        here["pieces"] += 1
        for s in range(blocks[k]["first"], blocks[k + 1]["first"]):
            here["pieces"] += segments[s]["kind"] == BREAK
        here["chars"] += blocks[k]["chars"]
        long = here["pieces"] > PIECES or (here["pieces"] > 1 and here["chars"] >= PARAGRAPH * here["pieces"])
        if nodes[node]["formats"] & (PRE | HEADING):
            long = True
            code = not nodes[node]["formats"] & HEADING and _is_numbers(b, segments, blocks, k)
            here["state"] |= NUMBERS if code else OTHERS
        else:
            here["state"] |= OTHERS
        table = layout[node]["table"]
        if table != here["table"]:
            long = True
        if long:
            here["state"] |= LONG
        table = here["table"]
        while table >= 0:
            cell = layout[nodes[table]["parent"]]["cell"]
            if cell < 0 or layout[cell]["state"] & LONG:
                break
            layout[cell]["state"] |= LONG | OTHERS
            table = layout[cell]["table"]


@njit(nogil=True, cache=True)
def _is_numbers(b: Bytes, segments: Records, blocks: Records, k: int) -> bool:
    """Whether the text of the block is whole numbers and white space."""
    for s in range(blocks[k]["first"], blocks[k + 1]["first"]):
        for i in range(segments[s]["start"], segments[s]["end"]):
            if not (48 <= b[i] <= 57 or is_space(b[i])):
                return False
    return True


@njit(nogil=True, cache=True)
def _find_lines(counts: Longs, nodes: Records, layout: Records) -> None:
    """Which rows are lines, and which columns of a table have text in them."""
    for n in range(1, counts[NODES]):
        if KINDS[nodes[n]["tag"]] == CELL and layout[n]["row"] >= 0 and layout[n]["state"] & LONG:
            layout[layout[n]["row"]]["state"] |= LONG
    for n in range(1, counts[NODES]):
        kind = KINDS[nodes[n]["tag"]]
        table = layout[n]["table"]
        if table < 0:
            continue
        if kind == TABLE:
            layout[n]["column"] = 0
        if kind in (ROW, TABLE):
            if layout[n]["number"] > 1 and not layout[n]["state"] & LONG:
                layout[table]["state"] |= LINES
        elif kind == CELL:
            row = layout[n]["row"]
            if layout[n]["pieces"] and not layout[row]["state"] & LONG:
                column = layout[n]["column"]
                layout[table]["columns"] |= np.uint64(1) << np.uint64(min(column, FOLLOWED))
                layout[table]["column"] = max(layout[table]["column"], column + 1)


@njit(nogil=True, cache=True)
def row_of(layout: Records, node: int) -> int:
    """The row that the text of a node is on a line with, or -1; cells after text between cells are no part of it."""
    cell = layout[node]["cell"]
    if cell < 0 or layout[node]["table"] != layout[cell]["table"]:
        return -1
    row = layout[cell]["row"]
    table = layout[cell]["table"]
    if row < 0 or table < 0 or layout[row]["state"] & (LONG | DONE) or not layout[table]["state"] & LINES:
        return -1
    return int(row)
