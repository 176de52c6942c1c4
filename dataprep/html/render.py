"""The kept blocks of a page as plain text or Markdown, UTF-8, in one loop over segments.

Nothing is written before the first visible character that comes after it: white space, line ends, the marks of an item
or a heading wait until a character asks for them. So no line ends in a blank and no empty element leaves a trace.

Decisions:
- A block is a line. An empty line stands around paragraphs, headings, lists, tables, code and sections; lines of
  ``div`` elements, items and rows follow each other. A ``br`` ends a line, two or more a paragraph.
- Every blank of Unicode is a blank and a run of them one; in ``pre`` each is kept, line ends too. Soft hyphens,
  zero-width spaces, word joiners, byte-order marks and control characters are left out, joiners of scripts kept.
- Cells are divided by `` | ``, which no later cleaning of white space can lose; blocks and lines in a cell by a blank.
"""

from typing import Any

import numpy as np

from dataprep.compiled import njit
from dataprep.html.dom import BLOCKS, BREAK, FORMULA, Dom, Records
from dataprep.html.entities import NOTHING, refer
from dataprep.html.inline import end_all, formula, is_markup, ready
from dataprep.html.layout import NUMBERS, TEXT, lay_out, row_of
from dataprep.html.lines import (
    BLANK,
    EMPTY,
    FRESH,
    GAP,
    LAST_LINK,
    LINE,
    LINK,
    MARK,
    MARKDOWN,
    MASK,
    NONE,
    PLACES,
    PRE,
    PRE_END,
    PREFIX_ROOM,
    ROW,
    end_pre,
    end_pre_line,
    end_row,
)  # fmt: skip
from dataprep.html.room import room
from dataprep.html.tags import CODE, HEADING
from dataprep.text.utf8 import REPLACEMENT, Bytes, Longs, decode, encode

# kinds of a byte of text: copied, a blank, left out, the start of a reference or of a character that may be a blank
_COPIED, _BLANK, _LEFT_OUT, _REFERENCE, _WIDE, _MARKUP = range(6)


def _kinds(markup: bytes) -> Bytes:
    table = np.full(256, _COPIED, np.uint8)
    table[:33] = _LEFT_OUT
    table[127] = _LEFT_OUT
    table[[*b" \t\n\v\f\r"]] = _BLANK
    table[ord("&")] = _REFERENCE
    table[[0xC2, 0xE2, 0xE3, 0xEF]] = _WIDE
    table[[*markup]] = _MARKUP
    return table


_PLAIN_KINDS, _MARKDOWN_KINDS = _kinds(b""), _kinds(b"`*_\\<[]~#|")


@njit(nogil=True, cache=True, inline="always")
def _kind_of(code: int) -> int:
    """The kind of a character that is not ASCII."""
    if code == 0xA0 or 0x2000 <= code <= 0x200A or code == 0x3000:
        return _BLANK
    if code == 0x2028 or code == 0x2029 or code == 0x202F or code == 0x205F:
        return _BLANK
    if code == 0xAD or code == 0x200B or code == 0x2060 or code == 0xFEFF:
        return _LEFT_OUT
    return _COPIED


@njit(nogil=True, cache=True)
def render(b: Bytes, dom: Dom, out: Bytes, at: int, markdown: bool) -> int:
    """Write the kept blocks of a page into ``out`` from ``at`` on; where they end.

    If ``out`` may be too small nothing is written and the answer is less than 0: minus the length it must have.
    """
    counts, nodes, segments, blocks = dom
    layout = lay_out(b, counts, nodes, segments, blocks, markdown)
    needed = at + room(b, counts, nodes, segments, blocks, layout, markdown) + 2 * PREFIX_ROOM
    if needed > len(out):
        return -needed
    now = np.zeros(PLACES, np.int64)
    now[MARKDOWN] = markdown
    now[ROW] = now[PRE] = now[MARK] = now[LINK] = now[LAST_LINK] = -1
    for k in range(counts[BLOCKS]):
        node = blocks[k]["node"]
        here = layout[node]
        if blocks[k]["verdict"] or here["dropped"]:
            continue
        pre = here["pre"] >= 0
        if pre:
            cell = here["cell"]
            if (
                cell >= 0
                and here["table"] == layout[cell]["table"]
                and layout[cell]["state"] & (NUMBERS | TEXT) == NUMBERS
            ):
                row = layout[cell]["row"]
                if row >= 0 and layout[row]["number"] > 1:
                    continue
            if now[PRE] != here["pre"] and _is_empty(b, segments, blocks, k):
                continue
        one_line = nodes[node]["formats"] & HEADING or row_of(layout, node) >= 0
        now[FRESH] = 1
        now[GAP] = NONE
        for s in range(blocks[k]["first"], blocks[k + 1]["first"]):
            kind = segments[s]["kind"]
            if layout[segments[s]["node"]]["dropped"]:
                continue
            if kind == BREAK:
                if now[FRESH]:
                    continue
                if pre:
                    at = end_pre_line(
                        out, now, ready(b, nodes, segments, blocks, layout, out, now, k, s, np.uint8(0), at)
                    )
                elif one_line:
                    now[GAP] = max(now[GAP], BLANK)
                else:
                    now[GAP] = EMPTY if now[GAP] >= LINE else LINE
            elif kind == FORMULA:
                at = formula(
                    b,
                    nodes,
                    segments,
                    out,
                    now,
                    s,
                    ready(b, nodes, segments, blocks, layout, out, now, k, s, np.uint8(0), at),
                )
                now[PRE_END] = at
            elif pre:
                at = _pre_text(b, nodes, segments, blocks, layout, out, now, k, s, at)
            else:
                at = _text(b, nodes, segments, blocks, layout, out, now, k, s, at)
        if not now[FRESH]:
            marked = now[MARK] >= 0
            at = end_all(b, nodes, layout, out, now, at)
            if marked:
                now[PRE_END] = at
    if now[ROW] >= 0:
        at = end_row(layout, out, now, at)
    if now[PRE] >= 0:
        at = end_pre(out, now, at)
    return at


@njit(nogil=True, cache=True)
def _text(
    b: Bytes,
    nodes: Records,
    segments: Records,
    blocks: Records,
    layout: Records,
    out: Bytes,
    now: Longs,
    k: int,
    s: int,
    at: int,
) -> int:
    i, end = int(segments[s]["start"]), int(segments[s]["end"])
    kinds = _MARKDOWN_KINDS if now[MARKDOWN] else _PLAIN_KINDS
    waiting = True  # for the first visible character
    blank = 0  # whether a blank was the last; it is written at once, but while waiting
    while i < end:
        byte = b[i]
        kind = kinds[byte]
        if not waiting:
            while kind <= _BLANK:
                out[at] = byte if kind == _COPIED else 32
                at += 1 - (kind & blank)
                blank = kind
                i += 1
                if i == end:
                    break
                byte = b[i]
                kind = kinds[byte]
            if i == end:
                break
        elif kind == _BLANK:
            blank = 1
            i += 1
            continue
        if kind == _LEFT_OUT:
            i += 1
            continue
        code: Any = np.int64(byte)
        size = 1
        second = NOTHING
        if kind == _REFERENCE:
            following, code, second = refer(b, i, end, False)
            size = following - i
            kind = (kinds[code] if code != 38 else np.uint8(_COPIED)) if code < 128 else _kind_of(code)
        elif kind == _WIDE:
            code, size = _decode(b, i, end)
            kind = _kind_of(code)
        i += size
        if kind == _LEFT_OUT:
            continue
        if kind == _BLANK:
            if not waiting and not blank:
                out[at] = 32
                at += 1
            blank = 1
            continue
        if waiting:
            waiting = False
            if blank and not now[FRESH]:
                now[GAP] = max(now[GAP], BLANK)
            first = np.uint8(code) if code < 128 else np.uint8(0)
            at = ready(b, nodes, segments, blocks, layout, out, now, k, s, first, at)
        blank = 0
        if kind == _MARKUP:
            next_byte = b[i] if i < len(b) else np.uint8(10)
            if code == 124:
                escaped = now[ROW] >= 0
            else:
                escaped = not now[MASK] & CODE and is_markup(out, at, code, next_byte, now[MASK])
            if escaped:
                out[at] = 92
                at += 1
        if byte == 38:
            at += encode(code, out, at)
            if second != NOTHING:
                at += encode(second, out, at)
        else:
            for j in range(i - size, i):
                out[at] = b[j]
                at += 1
    if blank:
        at -= not waiting
        if not now[FRESH]:
            now[GAP] = max(now[GAP], BLANK)
    return at


@njit(nogil=True, cache=True, inline="always")
def _decode(b: Bytes, i: int, end: int) -> tuple[Any, int]:
    """The character at ``i`` and its size, if it may be one that is not copied; else U+FFFD and 1."""
    lead = b[i]
    if lead < 128:
        return np.int64(lead), 1
    if lead == 0xC2 and i + 1 < end:
        return np.int64(b[i + 1]), 2
    if (lead == 0xE2 or lead == 0xE3 or lead == 0xEF) and i + 2 < end:
        return decode(b, i, end)
    return REPLACEMENT, 1


@njit(nogil=True, cache=True)
def _pre_text(
    b: Bytes,
    nodes: Records,
    segments: Records,
    blocks: Records,
    layout: Records,
    out: Bytes,
    now: Longs,
    k: int,
    s: int,
    at: int,
) -> int:
    """Text whose white space is kept, but for empty lines at its beginning and blanks at the end of lines."""
    i, end = int(segments[s]["start"]), int(segments[s]["end"])
    waiting = True
    while i < end:
        code, size = _decode(b, i, end)
        second = NOTHING
        if code == 38:
            following, code, second = refer(b, i, end, False)
            size = following - i
        kind = _PLAIN_KINDS[code] if code < 128 else _kind_of(code)
        if kind == _LEFT_OUT:
            i += size
            continue
        if waiting:
            waiting = False
            at = ready(b, nodes, segments, blocks, layout, out, now, k, s, np.uint8(0), at)
        if code == 10 or code == 13:
            if code == 13 and i + size < end and b[i + size] == 10:
                size += 1
            at = end_pre_line(out, now, at)
        elif kind == _BLANK:
            out[at] = 9 if code == 9 else 32
            at += 1
        else:
            if b[i] == 38:
                at += encode(code, out, at)
                if second != NOTHING:
                    at += encode(second, out, at)
            else:
                for j in range(size):
                    out[at + j] = b[i + j]
                at += size
            now[PRE_END] = at
        i += size
    return at


@njit(nogil=True, cache=True)
def _is_empty(b: Bytes, segments: Records, blocks: Records, k: int) -> bool:
    """Whether a block has no visible character."""
    for s in range(blocks[k]["first"], blocks[k + 1]["first"]):
        i, end = int(segments[s]["start"]), int(segments[s]["end"])
        if segments[s]["kind"] == FORMULA:
            return False
        while i < end:
            code, size = _decode(b, i, end)
            i += size
            if code == 38:
                i, code, _ = refer(b, i - 1, end, False)
            if (_PLAIN_KINDS[code] if code < 128 else _kind_of(code)) in (_COPIED, _REFERENCE):
                return False
    return True
