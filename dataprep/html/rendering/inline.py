"""What is inside a line: formats and links of Markdown, quotation marks, readings.

Decisions:
- ``q`` gets quotation marks, ruby its reading in brackets, as HTML says for those who cannot show it.
- Between two links without a blank between them comes one: they are labels in a row.
- A line of Markdown that goes on after a ``br`` ends in a backslash, which no later cleaning of white space can lose.
- Markdown marks a format only where a character needs it, so marks never touch a blank. Links to a place on the same
  page are text, and a link around several blocks is.
"""

from typing import Any

import numpy as np

from dataprep.compiled import njit
from dataprep.html.dom.attributes import attribute_value, is_space
from dataprep.html.dom.entities import NOTHING, refer
from dataprep.html.dom.records import Records
from dataprep.html.dom.tags import CODE, DELETED, EM, HEADING, STRONG, TAG, name_hash
from dataprep.html.rendering.layout import DONE, KINDS, SPAN
from dataprep.html.rendering.lines import (
    BLANK,
    CODE_AT,
    EMPTY,
    FRESH,
    GAP,
    LAST_LINK,
    LINE,
    LINE_AT,
    LINK,
    MARK,
    MARKDOWN,
    MASK,
    NONE,
    OPEN,
    ORDER,
    PRE,
    PRE_END,
    SCRIPTS,
    fill,
    insert,
    longest_run,
    next_line,
    paragraph,
    start_block,
)  # fmt: skip
from dataprep.html.rendering.scripts import end_script, is_word
from dataprep.text.utf8 import Bytes, Longs, encode

_LINKED = 1 << 15
_Q, _RT, _SUB, _SUP, _SCRIPT = (TAG[name] for name in ["q", "rt", "sub", "sup", "script"])
_HREF = np.uint64(name_hash("href"))


@njit(nogil=True, cache=True)
def ready(
    b: Bytes,
    nodes: Records,
    segments: Records,
    blocks: Records,
    layout: Records,
    out: Bytes,
    now: Longs,
    k: int,
    node: int,
    first: np.uint8,
    at: int,
) -> int:
    """All that comes before the first visible character, ``first``, of text of ``node`` in block ``k``."""
    mark = int(layout[node]["mark"])
    link = int(nodes[node]["link"])
    if now[FRESH]:
        at = start_block(b, nodes, segments, blocks, layout, out, now, k, at)
    elif now[GAP] == NONE and link >= 0 and now[LAST_LINK] >= 0 and link != now[LAST_LINK]:
        now[GAP] = BLANK if is_word(first) and is_word(out[at - 1]) else NONE
    now[LAST_LINK] = link
    begun = at
    while now[MARK] >= 0 and not now[MARK] <= node < nodes[now[MARK]]["end"]:
        at = _end_mark(b, nodes, layout, out, now, at)
    if now[MARKDOWN]:
        mask, link = _wanted(b, nodes, layout, now, node)
        at = _end_formats(b, nodes, layout, out, now, mask if now[GAP] != EMPTY else 0, link, at)
    if now[GAP] != NONE:
        if now[GAP] == BLANK:
            out[at] = 32
            at += 1
        else:
            if now[GAP] == LINE and now[MARKDOWN]:
                out[at] = 92
                at += 1
            at = next_line(out, now, at) if now[GAP] == LINE else paragraph(out, now, at)
        now[GAP] = NONE
    if mark != now[MARK]:
        at = _start_marks(b, nodes, layout, out, now, mark, at)
    if now[MARKDOWN]:
        mask, link = _wanted(b, nodes, layout, now, node)
        at = _start_formats(out, now, mask, link, at)
    if at != begun:
        now[PRE_END] = at
    return at


@njit(nogil=True, cache=True)
def end_all(b: Bytes, nodes: Records, layout: Records, out: Bytes, now: Longs, at: int) -> int:
    """End everything that is open in a block."""
    while now[MARK] >= 0:
        at = _end_mark(b, nodes, layout, out, now, at)
    now[LAST_LINK] = -1
    nothing: Any = np.int64(0)
    return _end_formats(b, nodes, layout, out, now, nothing, now[LINK], at)


@njit(nogil=True, cache=True)
def _wanted(b: Bytes, nodes: Records, layout: Records, now: Longs, node: int) -> tuple[Any, Any]:
    """The formats and the link that the text of a node should have."""
    if now[SCRIPTS]:
        return now[MASK], now[LINK]
    formats = np.int64(nodes[node]["formats"])
    if now[PRE] >= 0:
        return 0, -1
    mask = formats & (STRONG | EM | DELETED | CODE)
    if formats & HEADING:
        mask &= ~STRONG
    link = int(nodes[node]["link"])
    if link >= 0 and link != now[LINK]:
        if layout[link]["state"] & DONE or nodes[link]["last"] - nodes[link]["first"] != 1:
            link = -1
        elif not _has_address(b, nodes, link):
            layout[link]["state"] |= DONE
            link = -1
    if link >= 0:
        mask |= _LINKED
    return mask, link


@njit(nogil=True, cache=True)
def _end_formats(
    b: Bytes, nodes: Records, layout: Records, out: Bytes, now: Longs, mask: int, link: int, at: int
) -> int:
    """End the open formats that ``mask`` lacks, and those that were begun after them."""
    opened = now[MASK]
    if link != now[LINK]:
        opened &= ~_LINKED
    if mask & ~opened:
        opened &= ~CODE  # nothing begins inside code
    stay = opened & mask
    keep = 0
    while keep < now[OPEN] and now[ORDER + keep] & stay:
        keep += 1
    for place in range(now[OPEN] - 1, keep - 1, -1):
        what = now[ORDER + place]
        now[MASK] &= ~what
        if what == CODE:
            at = _end_code(out, now[CODE_AT], at)
        elif what == _LINKED:
            layout[now[LINK]]["state"] |= DONE
            at = _end_link(b, nodes, out, now[LINK], at)
            now[LINK] = -1
        else:
            at = _marks_of(what, out, at)
    now[OPEN] = keep
    return at


@njit(nogil=True, cache=True)
def _start_formats(out: Bytes, now: Longs, mask: int, link: int, at: int) -> int:
    for what in (_LINKED, STRONG, EM, DELETED, CODE):
        if not mask & what or now[MASK] & what:
            continue
        now[ORDER + now[OPEN]] = what
        now[OPEN] += 1
        now[MASK] |= what
        if what == CODE:
            now[CODE_AT] = at
            out[at] = 96
            at += 1
        elif what == _LINKED:
            now[LINK] = link
            out[at] = 91
            at += 1
        else:
            at = _marks_of(what, out, at)
    return at


@njit(nogil=True, cache=True)
def _marks_of(what: int, out: Bytes, at: int) -> int:
    byte = 126 if what == DELETED else 42
    out[at] = byte
    if what == EM:
        return at + 1
    out[at + 1] = byte
    return at + 2


@njit(nogil=True, cache=True)
def _end_code(out: Bytes, start: int, at: int) -> int:
    """End code that began with one backtick at ``start``: more of them where there are backticks inside."""
    ticks = longest_run(out, start + 1, at)
    if ticks:
        at = insert(out, start, at, ticks + 1)
        out[start + ticks + 1] = 32  # in place of the one that was there
        out[at] = 32
        at += 1
    return fill(out, at, ticks + 1, 96)


@njit(nogil=True, cache=True)
def _address(b: Bytes, nodes: Records, link: int) -> tuple[int, int]:
    return attribute_value(b, int(nodes[link]["attributes"]), _HREF)


@njit(nogil=True, cache=True)
def _has_address(b: Bytes, nodes: Records, link: int) -> bool:
    """Whether a link leads anywhere but to a place on the page or to a script."""
    start, end = _address(b, nodes, link)
    if start == end or b[start] == 35:
        return False
    return not (end - start > 10 and b[start] | np.uint8(32) == 106 and b[start + 10] == 58)  # javascript:


@njit(nogil=True, cache=True)
def _end_link(b: Bytes, nodes: Records, out: Bytes, link: int, at: int) -> int:
    out[at], out[at + 1] = 93, 40
    at += 2
    i, end = _address(b, nodes, link)
    while i < end:
        if b[i] >= 128:
            out[at] = b[i]
            at += 1
            i += 1
            continue
        first: Any = np.int64(b[i])
        second = NOTHING
        if first == 38:
            i, first, second = refer(b, i, end, True)
        else:
            i += 1
        if first == 32 or first == 40 or first == 41 or first == 60 or first == 62 or first == 124:
            out[at] = 37
            out[at + 1] = 48 + (first >> 4)
            low = first & 15
            out[at + 2] = 48 + low if low < 10 else 55 + low
            at += 3
        elif first > 32:
            at += encode(first, out, at)
        if second != NOTHING:
            at += encode(second, out, at)
    out[at] = 41
    return at + 1


@njit(nogil=True, cache=True)
def _start_marks(b: Bytes, nodes: Records, layout: Records, out: Bytes, now: Longs, mark: int, at: int) -> int:
    """Begin the marks around a text, the outermost that is not open first."""
    while now[MARK] != mark:
        following = mark
        while True:
            outer = int(layout[nodes[following]["parent"]]["mark"])
            if outer == now[MARK]:
                break
            following = outer
        if now[MARKDOWN]:
            mask, link = _wanted(b, nodes, layout, now, following)
            at = _start_formats(out, now, mask, link, _end_formats(b, nodes, layout, out, now, mask, link, at))
        tag = nodes[following]["tag"]
        if tag == _Q:
            at += encode(0x201C, out, at)
        elif tag == _RT:
            out[at] = 40
            at += 1
        elif tag in (_SUB, _SUP):
            now[SCRIPTS] += 1
        layout[following]["pieces"] = at
        now[MARK] = following
    return at


@njit(nogil=True, cache=True)
def _end_mark(b: Bytes, nodes: Records, layout: Records, out: Bytes, now: Longs, at: int) -> int:
    mark = now[MARK]
    tag = nodes[mark]["tag"]
    if now[MARKDOWN]:
        mask, link = _wanted(b, nodes, layout, now, mark)
        if KINDS[tag] == SPAN:
            mask &= ~CODE  # code beside code is code of its own
        at = _end_formats(b, nodes, layout, out, now, mask & now[MASK], link, at)
    now[MARK] = layout[nodes[mark]["parent"]]["mark"]
    if tag == _Q:
        return at + encode(0x201D, out, at)
    if tag == _RT:
        out[at] = 41
        return at + 1
    if KINDS[tag] == SPAN:
        return at
    now[SCRIPTS] -= 1
    return end_script(b, nodes, out, mark, tag == _SUP, int(layout[mark]["pieces"]), at)


@njit(nogil=True, cache=True)
def is_markup(out: Bytes, now: Longs, at: int, byte: int, following: int) -> bool:
    """Whether an ASCII character of text would be read as Markdown after what was written and before ``following``."""
    inside = now[MASK]
    before = out[at - 1] if at > 0 else np.uint8(10)
    blank_after = is_space(np.uint8(following))
    if byte == 96:  # `
        return True
    first = at == now[LINE_AT]
    if (byte == 42 or byte == 95) and first:  # * _
        return True
    if byte == 42:
        return not (is_space(before) and blank_after)
    if byte == 95:
        return not (is_space(before) and blank_after) and not (is_word(before) and is_word(np.uint8(following)))
    if byte == 92:  # \
        return 33 <= following <= 126 and not is_word(np.uint8(following))
    if byte == 60:  # <
        return 97 <= following | 32 <= 122 or following == 47 or following == 33 or following == 63
    if byte == 91:  # [
        return inside & _LINKED != 0
    if byte == 93:  # ]
        return inside & _LINKED != 0 or following == 40 or following == 58
    if byte == 126:  # ~
        return following == 126
    if byte == 36:  # $
        return not blank_after
    ends = blank_after or following == 60
    if byte == 46 or byte == 41:  # . )
        return ends and now[LINE_AT] >= 0 and _is_number(out, now[LINE_AT], at)
    if byte == 62:  # >
        return first
    return first and (ends or (byte == following and byte != 43 and byte != 58))  # # + - : =


@njit(nogil=True, cache=True)
def _is_number(out: Bytes, start: int, end: int) -> bool:
    """Whether there are nothing but one to nine digits, as in the mark of an item."""
    digits = 0
    while digits < 10 and start + digits < end and 48 <= out[start + digits] <= 57:
        digits += 1
    return 0 < digits < 10 and start + digits == end
