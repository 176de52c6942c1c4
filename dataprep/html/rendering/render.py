"""The kept blocks of a page as plain text or Markdown, UTF-8, in one loop over segments.

Nothing is written before the first visible character that comes after it: white space, line ends, the marks of an item
or a heading wait until a character asks for them. So no line ends in a blank and no empty element leaves a trace.

Decisions:
- A block is a line. An empty line stands around paragraphs, headings, lists, tables, code and sections; lines of
  ``div`` elements, items and rows follow each other. A ``br`` ends a line, two or more a paragraph.
- Every blank of Unicode is a blank and a run of them one; in ``pre`` each is kept, line ends too. Soft hyphens,
  zero-width spaces, word joiners, byte-order marks, control and private-use characters are left out, joiners of
  scripts kept.
- Cells are divided by `` | ``, which no later cleaning of white space can lose; blocks and lines in a cell by a blank.
"""

from typing import Any

import numpy as np

from dataprep.compiled import njit
from dataprep.html.dom.entities import NOTHING, refer
from dataprep.html.dom.records import BLOCKS, BREAK, FORMULA, TEXT, Dom, Records
from dataprep.html.dom.tags import CODE, HEADING
from dataprep.html.rendering.formulas import formula
from dataprep.html.rendering.inline import end_all, is_markup, ready
from dataprep.html.rendering.layout import NUMBERS, OTHERS, lay_out, row_of
from dataprep.html.rendering.lines import (
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
from dataprep.html.rendering.mathml import presentation
from dataprep.html.rendering.room import room
from dataprep.text.utf8 import REPLACEMENT, Bytes, Longs, decode, encode

# kinds of a byte of text: copied, a blank, left out, the start of a reference or of a character that may be a blank
_COPIED, _BLANK, _LEFT_OUT, _REFERENCE, _WIDE, _MARKUP = range(6)


def _kinds(markup: bytes) -> Bytes:
    table = np.full(256, _COPIED, np.uint8)
    table[:33] = _LEFT_OUT
    table[127] = _LEFT_OUT
    table[[*b" \t\n\v\f\r"]] = _BLANK
    table[ord("&")] = _REFERENCE
    table[[0xC2, 0xE2, 0xE3, 0xEE, 0xEF]] = _WIDE
    table[[*markup]] = _MARKUP
    return table


_PLAIN_KINDS, _MARKDOWN_KINDS = _kinds(b""), _kinds(b"`*_\\<[]~#|$.)>+-:=")


@njit(nogil=True, cache=True, inline="always")
def _kind_of(code: int) -> int:
    """The kind of a character that is not ASCII."""
    if code == 0xA0 or 0x2000 <= code <= 0x200A or code == 0x3000:
        return _BLANK
    if code == 0x2028 or code == 0x2029 or code == 0x202F or code == 0x205F:
        return _BLANK
    if 0xE000 <= code <= 0xF8FF:  # private use: the pictures of icon fonts
        return _LEFT_OUT
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
                and layout[cell]["state"] & (NUMBERS | OTHERS) == NUMBERS
            ):
                row = layout[cell]["row"]
                if row >= 0 and layout[row]["number"] > 1:
                    continue
            if now[PRE] != here["pre"] and _is_empty(b, segments, blocks, k):
                continue
        one_line = nodes[node]["formats"] & HEADING or row_of(layout, node) >= 0
        now[FRESH] = 1
        now[GAP] = NONE
        stop = blocks[k + 1]["first"]
        after = 0  # the first segment that is not written yet
        for s in range(blocks[k]["first"], stop):
            kind = segments[s]["kind"]
            node = int(segments[s]["node"])
            if s < after or layout[node]["dropped"] or (nodes[node]["link"] >= 0 and _is_permalink(b, segments, s)):
                continue
            i: Any = np.int64(segments[s]["start"])
            end: Any = np.int64(segments[s]["end"])
            first = np.uint8(0)
            math = int(layout[node]["math"])
            if math >= 0 and kind != FORMULA:
                if kind == TEXT and _skip_blanks(b, i, end)[0] < end:
                    at = ready(b, nodes, segments, blocks, layout, out, now, k, math, first, at)
                    after, at = presentation(b, nodes, segments, layout, out, now, s, stop, math, at)
                    now[PRE_END] = at
                continue
            if kind == BREAK:
                if now[FRESH]:
                    continue
                if not pre:
                    line = EMPTY if now[GAP] >= LINE else LINE
                    now[GAP] = max(now[GAP], BLANK) if one_line else line
                    continue
            elif kind == TEXT and not pre:
                i, blank = _skip_blanks(b, i, end)
                if blank and not now[FRESH]:
                    now[GAP] = max(now[GAP], BLANK)
                if i == end:
                    continue
                first = b[i]
            at = ready(b, nodes, segments, blocks, layout, out, now, k, node, first, at)
            if kind == BREAK:
                at = end_pre_line(out, now, at)
            elif kind == FORMULA:
                now[PRE_END] = at = formula(b, nodes, segments, out, now, s, at)
            elif pre:
                at = _pre_text(b, out, now, i, end, at)
            else:
                at = _text(b, out, now, i, end, at)
        if not now[FRESH]:
            before = at
            at = end_all(b, nodes, layout, out, now, at)
            if at != before:
                now[PRE_END] = at
        blocks[k]["written"] = now[PRE_END] if now[PRE] >= 0 else at
    if now[ROW] >= 0:
        at = end_row(layout, out, now, at)
    if now[PRE] >= 0:
        at = end_pre(out, now, at)
    return at


@njit(nogil=True, cache=True)
def _skip_blanks(b: Bytes, i: int, end: int) -> tuple[int, bool]:
    """Where the first visible character is, and whether there are blanks before it."""
    blank = False
    while i < end:
        code, size = _decode(b, i, end)
        if code == 38:
            following, code, _ = refer(b, i, end, False)
            size = following - i
        kind = _PLAIN_KINDS[code] if code < 128 else _kind_of(code)
        if kind == _BLANK:
            blank = True
        elif kind != _LEFT_OUT:
            break
        i += size
    return i, blank


@njit(nogil=True, cache=True)
def _text(b: Bytes, out: Bytes, now: Longs, i: int, end: int, at: int) -> int:
    """Write text whose first character is visible; a blank at its end waits in ``now``."""
    kinds = _MARKDOWN_KINDS if now[MARKDOWN] else _PLAIN_KINDS
    blank = 0  # whether the last character written is one
    while i < end:
        byte = b[i]
        kind = kinds[byte]
        while kind <= _BLANK:
            out[at] = byte if kind == _COPIED else 32
            at += not kind & blank
            blank = kind
            i += 1
            if i == end:
                break
            byte = b[i]
            kind = kinds[byte]
        if i == end:
            break
        code: Any = np.int64(byte)
        size = 1
        second = NOTHING
        if kind == _REFERENCE:
            following, code, second = refer(b, i, end, False)
            size = following - i
            kind = kinds[code] if code < 128 else np.uint8(_kind_of(code))
            if kind == _REFERENCE:
                kind = np.uint8(_COPIED)
        elif kind == _WIDE:
            code, size = _decode(b, i, end)
            kind = np.uint8(_kind_of(code))
        i += size
        if kind == _LEFT_OUT:
            continue
        if kind == _BLANK:
            out[at] = 32
            at += not blank
            blank = 1
            continue
        blank = 0
        if kind == _MARKUP:
            next_byte: Any = b[i] if i < len(b) else np.uint8(10)
            if code == 124:
                escaped = now[ROW] >= 0
            else:
                escaped = not now[MASK] & CODE and is_markup(out, now, at, code, next_byte)
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
        at -= 1
        now[GAP] = BLANK
    return at


@njit(nogil=True, cache=True, inline="always")
def _decode(b: Bytes, i: int, end: int) -> tuple[Any, int]:
    """The character at ``i`` and its size, if it may be one that is not copied; else U+FFFD and 1."""
    lead = b[i]
    if lead < 128:
        return np.int64(lead), 1
    if lead == 0xC2 and i + 1 < end:
        return np.int64(b[i + 1]), 2
    if (lead == 0xE2 or lead == 0xE3 or lead >= 0xEE) and i + 2 < end:
        return decode(b, i, end)
    return REPLACEMENT, 1


@njit(nogil=True, cache=True)
def _pre_text(b: Bytes, out: Bytes, now: Longs, i: int, end: int, at: int) -> int:
    """Write text whose white space is kept, but for empty lines at its beginning and blanks at the end of lines."""
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
def _is_permalink(b: Bytes, segments: Records, s: int) -> bool:
    """Whether the text of a link is a single ``¶``, ``#`` or ``§``: it leads to where it stands."""
    i: Any = np.int64(segments[s]["start"])
    end: Any = np.int64(segments[s]["end"])
    if segments[s]["kind"] != TEXT or end - i > 8 or end == i:
        return False
    code, size = _decode(b, i, end)
    if code == 38:
        following, code, _ = refer(b, i, end, False)
        size = following - i
    return size == end - i and (code == 0xB6 or code == 35 or code == 0xA7)


@njit(nogil=True, cache=True)
def _is_empty(b: Bytes, segments: Records, blocks: Records, k: int) -> bool:
    """Whether a block has no visible character."""
    for s in range(blocks[k]["first"], blocks[k + 1]["first"]):
        start: Any = np.int64(segments[s]["start"])
        end: Any = np.int64(segments[s]["end"])
        if segments[s]["kind"] == FORMULA or _skip_blanks(b, start, end)[0] < end:
            return False
    return True
