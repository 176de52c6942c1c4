"""How many bytes the text of a page can take at most, so that writing it need not look."""

from typing import Any

import numpy as np

from dataprep.compiled import njit
from dataprep.html.dom.records import BLOCKS, BREAK, FORMULA, NODES, Records
from dataprep.html.dom.tags import CODE, PRE, SUB, SUP
from dataprep.html.rendering.columns import padded_width, width_of
from dataprep.html.rendering.mathml import CHARACTER, ELEMENT
from dataprep.text.utf8 import Bytes, Longs

MARK = 12  # bytes of the longest mark of an item: a sign, nine digits, a full stop and a blank
BLOCK = 48  # of what is written once a block, lines aside: gap, marks of a heading, a fence with its language
FORMATS = 16  # of what may end and begin between two segments in Markdown
BAR = 2  # with its blank
COLUMN = 8  # a bar in the first row of a table and what is below it
QUOTES = 6  # two quotation marks, or what is put around a script


@njit(nogil=True, cache=True)
def room(
    b: Bytes,
    counts: Longs,
    nodes: Records,
    segments: Records,
    blocks: Records,
    layout: Records,
    markdown: bool,
) -> int:
    """An upper bound.

    No reference grows by more than a fifth. In Markdown a character may be escaped; a run of backticks may need two
    longer ones around it; a digit becomes a superscript of three bytes.
    """
    total: Any = 0
    for k in range(counts[BLOCKS]):
        if blocks[k]["verdict"]:
            continue
        node = blocks[k]["node"]
        item = layout[node]["item"]
        if item >= 0:
            item = layout[item]["item"]
        depth = np.int64(layout[item]["depth"]) if item >= 0 else 0
        line = 1 + (MARK * depth if markdown else 2 * depth + MARK)
        total += BLOCK + 7 * line
        pre = nodes[node]["formats"] & PRE
        for s in range(blocks[k]["first"], blocks[k + 1]["first"]):
            kind = segments[s]["kind"]
            start, end = np.int64(segments[s]["start"]), np.int64(segments[s]["end"])
            size = end - start
            formats = nodes[segments[s]["node"]]["formats"]
            if kind == BREAK:
                total += line + 1
            elif layout[segments[s]["node"]]["math"] >= 0:
                total += CHARACTER * size
            elif formats & (SUB | SUP) or (markdown and formats & (CODE | PRE)):
                total += 3 * size
            elif markdown or kind == FORMULA:
                total += 2 * size
            else:
                total += size + size // 5
            total += FORMATS
            if pre:
                for i in range(start, end):
                    total += line if b[i] == 10 or b[i] == 13 or b[i] == 38 else 0
    total += counts[NODES] * QUOTES
    for n in range(1, counts[NODES]):
        if markdown and nodes[n]["link"] == n:
            total += 4 + 3 * (nodes[n]["inner"] - nodes[n]["attributes"])
        if layout[n]["math"] >= 0:
            total += ELEMENT + CHARACTER * (nodes[n]["inner"] - nodes[n]["attributes"])
        table = layout[n]["table"]
        if table == n:
            total += COLUMN * (width_of(layout, table) + 1)
        elif layout[n]["row"] == n and table >= 0:
            total += (COLUMN if markdown else BAR) * (max(layout[n]["column"], padded_width(layout, table)) + 1)
    return total
