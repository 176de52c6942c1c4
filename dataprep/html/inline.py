"""What is inside a line: formats and links of Markdown, quotes, scripts above and below the line, formulas.

Decisions:
- A script of digits and signs becomes Unicode's (``x²``, ``H₂O``); other scripts ``x^n``, ``x^(n+1)``, ``x_max``. Ordinals
  (``1st``, ``XXe``) stay on the line; a footnote's number is bracketed (``word[1]``); a word, a sentence or anything
  that follows a blank is no script.
- ``q`` gets quotation marks, ruby its reading in brackets, as HTML says for those who cannot show it.
- Between two links without a blank between them comes one: they are labels in a row.
- Markdown marks a format only where a character needs it, so marks never touch a blank. Links to a place on the same
  page are text, and a link around several blocks is.
"""

from typing import Any

import numpy as np

from dataprep.compiled import njit
from dataprep.html.attributes import is_space, next_attribute
from dataprep.html.dom import Records
from dataprep.html.entities import NOTHING, refer
from dataprep.html.layout import DONE
from dataprep.html.lines import (
    BLANK,
    CODE_AT,
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
    OPEN,
    ORDER,
    PRE,
    ROW,
    SCRIPTS,
    fill,
    insert,
    longest_run,
    next_line,
    paragraph,
    start_block,
)  # fmt: skip
from dataprep.html.tags import CODE, DELETED, EM, HEADING, STRONG, TAG, name_hash
from dataprep.text.utf8 import Bytes, Longs, encode

_LINKED = 1 << 15
_Q, _RT, _SUB, _SUP, _SCRIPT = (TAG[name] for name in ["q", "rt", "sub", "sup", "script"])
_HREF, _TYPE, _DISPLAY = (np.uint64(name_hash(name)) for name in ["href", "type", "display"])
_SHORT = 24  # bytes of a script
_ORDINALS = ["st", "nd", "rd", "th", "e", "er", "re", "me", "nde", "mes", "lle", "eme", "os", "as"]
_GLUED = np.array([[*name.encode().ljust(4)] for name in _ORDINALS], np.uint8)


@njit(nogil=True, cache=True, inline="always")
def _is_word(byte: np.uint8) -> bool:
    return bool(48 <= byte <= 57 or 97 <= byte | np.uint8(32) <= 122)


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
    s: int,
    first: np.uint8,
    at: int,
) -> int:
    """All that comes before the first visible character, ``first``, of segment ``s`` of block ``k``."""
    node = segments[s]["node"]
    mark = layout[node]["mark"]
    link = nodes[node]["link"]
    if now[FRESH]:
        at = start_block(b, nodes, segments, blocks, layout, out, now, k, at)
    elif now[GAP] == NONE and link >= 0 and now[LAST_LINK] >= 0 and link != now[LAST_LINK]:
        now[GAP] = BLANK if _is_word(first) and _is_word(out[at - 1]) else NONE
    now[LAST_LINK] = link
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
            at = next_line(out, now, at) if now[GAP] == LINE else paragraph(out, now, at)
        now[GAP] = NONE
    if mark != now[MARK]:
        at = _start_marks(b, nodes, layout, out, now, mark, at)
    if now[MARKDOWN]:
        mask, link = _wanted(b, nodes, layout, now, node)
        at = _start_formats(out, now, mask, link, at)
    return at


@njit(nogil=True, cache=True)
def end_all(b: Bytes, nodes: Records, layout: Records, out: Bytes, now: Longs, at: int) -> int:
    """End everything that is open in a block."""
    while now[MARK] >= 0:
        at = _end_mark(b, nodes, layout, out, now, at)
    now[LAST_LINK] = -1
    return _end_formats(b, nodes, layout, out, now, 0, -1, at)


@njit(nogil=True, cache=True)
def _wanted(b: Bytes, nodes: Records, layout: Records, now: Longs, node: int) -> tuple[int, int]:
    """The formats and the link that the text of a node should have."""
    if now[SCRIPTS]:
        return now[MASK], now[LINK]
    formats = np.int64(nodes[node]["formats"])
    if now[PRE] >= 0:
        return 0, -1
    mask = formats & (STRONG | EM | DELETED | CODE)
    if formats & HEADING:
        mask &= ~STRONG
    link = nodes[node]["link"]
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
    i = int(nodes[link]["attributes"])
    hashed = np.uint64(1)
    while hashed != np.uint64(0):
        i, hashed, start, end = next_attribute(b, i)
        if hashed == _HREF:
            while start < end and is_space(b[start]):
                start += 1
            while start < end and is_space(b[end - 1]):
                end -= 1
            return start, end
    return i, i


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
            outer = layout[nodes[following]["parent"]]["mark"]
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
        else:
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
        at = _end_formats(b, nodes, layout, out, now, mask & now[MASK], link, at)
    now[MARK] = layout[nodes[mark]["parent"]]["mark"]
    if tag == _Q:
        return at + encode(0x201D, out, at)
    if tag == _RT:
        out[at] = 41
        return at + 1
    now[SCRIPTS] -= 1
    return _end_script(b, nodes, out, mark, tag == _SUP, layout[mark]["pieces"], at)


@njit(nogil=True, cache=True)
def _end_script(b: Bytes, nodes: Records, out: Bytes, mark: int, above: bool, start: int, at: int) -> int:
    """Write ``out[start:at]`` as a script, as this module says."""
    size = at - start
    if size == 0 or size > _SHORT:
        return at
    digits = letters = signs = others = 0
    for i in range(start, at):
        byte = out[i]
        if 48 <= byte <= 57:
            digits += 1
        elif 97 <= byte | np.uint8(32) <= 122:
            letters += 1
        elif byte == 43 or byte == 45 or byte == 61 or byte == 40 or byte == 41:
            signs += 1
        elif byte == 0xE2 and i + 2 < at and out[i + 1] == 0x88 and out[i + 2] == 0x92:
            signs += 3
        elif byte == 10 or byte == 91 or byte == 36:  # lines, brackets, formulas stay as they are
            return at
        else:
            others += 1
    if above and _is_footnote(b, nodes, mark):
        if digits + letters == size and size <= 3:
            at = _open(out, start, at, 91)
            out[at] = 93
            at += 1
        return at
    if digits + signs == size and (digits or size == 1 or size == 3):
        return _to_unicode(out, start, at, above)
    before = out[start - 1] if start > 0 else np.uint8(32)
    if is_space(before):
        return at
    if letters == size and above:
        if size == 1 and (out[start] == 111 or out[start] == 97):  # º ª
            return start + encode(0xBA if out[start] == 111 else 0xAA, out, start)
        if size == 2 and out[start] == 84 and out[start + 1] == 77:
            return start + encode(0x2122, out, start)
        for name in _GLUED:
            same = 0
            while same < size and same < 4 and out[start + same] == name[same]:
                same += 1
            if same == size and (same == 4 or name[same] == 32):
                return at
        if size > 2:
            return _open(out, start, at, 32)
    lead = out[start]
    if others == size and size > 1 and lead != 0xCE and lead != 0xCF:  # † ® ère, but not Greek letters
        return at
    if others and not (_is_word(lead) or lead >= 0x80 or lead == 43 or lead == 45):
        return at
    single = size == 1 or (size == 2 and lead >= 0xC2)
    if single or (not above and digits + letters == size):
        return _open(out, start, at, 94 if above else 95)
    at = _open(out, start, _open(out, start, at, 40), 94 if above else 95)
    out[at] = 41
    return at + 1


@njit(nogil=True, cache=True)
def _open(out: Bytes, start: int, at: int, byte: int) -> int:
    """Put a byte before ``out[start:at]``."""
    for i in range(at, start, -1):
        out[i] = out[i - 1]
    out[start] = byte
    return at + 1


@njit(nogil=True, cache=True)
def _to_unicode(out: Bytes, start: int, at: int, above: bool) -> int:
    """Digits and signs as Unicode's superscripts or subscripts."""
    held = out[start:at].copy()
    at = start
    i = 0
    while i < len(held):
        byte = np.int64(held[i])
        i += 1
        if byte == 0xE2 or byte == 45:
            code = 0x207B
            i += 2 if byte == 0xE2 else 0
        elif byte == 43:
            code = 0x207A
        elif byte == 61:
            code = 0x207C
        elif byte == 40 or byte == 41:
            code = 0x207D + byte - 40
        elif above and byte == 49:
            code = 0xB9
        elif above and (byte == 50 or byte == 51):
            code = 0xB0 + byte - 48
        else:
            code = 0x2070 + byte - 48
        if not above:
            code += 0x10
        at += encode(code, out, at)
    return at


@njit(nogil=True, cache=True)
def _is_footnote(b: Bytes, nodes: Records, mark: int) -> bool:
    """Whether a superscript is a link, and not part of the text of one."""
    for node in range(mark + 1, min(nodes[mark]["end"], mark + 4)):
        if nodes[node]["link"] == node:
            return True
    link = nodes[mark]["link"]
    if link < 0 or nodes[mark]["attributes"] - nodes[link]["inner"] != 4:
        return False
    i = nodes[mark]["outer"] + 6  # after </sup>
    return i + 1 < len(b) and b[i] == 60 and b[i + 1] == 47


@njit(nogil=True, cache=True)
def formula(b: Bytes, nodes: Records, segments: Records, out: Bytes, now: Longs, s: int, at: int) -> int:
    """TeX between dollar signs, two of them for one that stands alone; what has its own delimiters keeps them."""
    i, end = segments[s]["start"], segments[s]["end"]
    dollars = 2 if _stands_alone(b, nodes, segments[s]["node"]) else 1
    start = at = fill(out, at, dollars, 36)
    blank = False
    while i < end:
        code: Any = np.int64(b[i])
        second = NOTHING
        byte = code
        if byte == 38:
            i, code, second = refer(b, i, end, False)
        else:
            i += 1
        if code == 32 or 9 <= code <= 13 or (byte == 38 and code == 0xA0):
            blank = at > start
            continue
        if code < 32 or code == 127:
            continue
        if blank:
            out[at] = 32
            at += 1
            blank = False
        if code == 124 and now[ROW] >= 0 and now[MARKDOWN]:
            out[at] = 92
            at += 1
        if byte == 38:
            at += encode(code, out, at)
            if second != NOTHING:
                at += encode(second, out, at)
        else:
            out[at] = b[i - 1]
            at += 1
    if at - start > 15 and out[start] == 123 and out[start + 1] == 92 and out[at - 1] == 125:
        name = 2  # {\displaystyle …} or {\textstyle …}
        while start + name < at and 97 <= out[start + name] <= 122:
            name += 1
        if out[start + name - 5] == 115 and out[start + name - 1] == 101 and out[start + name] == 32:
            size = at - 1 - (start + name + 1)
            for j in range(size):
                out[start + j] = out[start + name + 1 + j]
            at = start + size
            while at > start and out[at - 1] == 32:
                at -= 1
    own = out[start] == 36 or (out[start] == 92 and (out[start + 1] == 40 or out[start + 1] == 91))
    if own and at - start > 2:
        for j in range(start, at):
            out[j - dollars] = out[j]
        return at - dollars
    return fill(out, at, dollars, 36)


@njit(nogil=True, cache=True)
def _stands_alone(b: Bytes, nodes: Records, node: int) -> bool:
    """Whether a formula's element says that it has a line of its own: ``mode=display`` or ``display="block"``."""
    i = int(nodes[node]["attributes"])
    hashed = np.uint64(1)
    while hashed != np.uint64(0):
        i, hashed, start, end = next_attribute(b, i)
        if hashed == _DISPLAY:
            return end - start == 5 and b[start] == 98
        if hashed == _TYPE and end > start:
            return b[end - 1] == 121
    return False


@njit(nogil=True, cache=True)
def is_markup(out: Bytes, at: int, byte: int, following: int, inside: int) -> bool:
    """Whether an ASCII character of text would be read as Markdown after what was written and before ``following``."""
    before = out[at - 1] if at > 0 else np.uint8(10)
    blank_after = is_space(np.uint8(following))
    if byte == 96:  # `
        return True
    if byte == 42:  # *
        return not (is_space(before) and blank_after)
    if byte == 95:  # _
        return not (is_space(before) and blank_after) and not (_is_word(before) and _is_word(np.uint8(following)))
    if byte == 92:  # \
        return 33 <= following <= 126 and not _is_word(np.uint8(following))
    if byte == 60:  # <
        return 97 <= following | 32 <= 122 or following == 47 or following == 33 or following == 63
    if byte == 91:  # [
        return inside & _LINKED != 0
    if byte == 93:  # ]
        return inside & _LINKED != 0 or following == 40
    if byte == 126:  # ~
        return following == 126
    return byte == 35 and before == 10 and (blank_after or following == 35)
