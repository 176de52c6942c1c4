"""Presentation MathML as TeX, for formulas that bring none: fractions, scripts, roots, fences and tables.

Elements open and close in the order of the page, so everything but the index of a root is written where it stands.
Letters and signs stay Unicode's, names of several letters are upright (MathML Core 4.2), what is unknown is a row.
"""

from typing import Any

import numpy as np

from dataprep.compiled import njit
from dataprep.html.dom.attributes import attribute_value
from dataprep.html.dom.entities import NOTHING, refer
from dataprep.html.dom.records import BREAK, Records
from dataprep.html.dom.tags import TAG, name_hash
from dataprep.html.rendering.formulas import stands_alone
from dataprep.html.rendering.lines import MARKDOWN, ROW, fill
from dataprep.text.utf8 import Bytes, Longs, encode

ELEMENT = 64  # bytes that are written for an element, its text and attributes aside
CHARACTER = 12  # the same for a character
_WORD = 24  # bytes of a name
_ROOT_SIZE = 256  # bytes of a root whose index is moved to the front

_FENCED, _FRAC, _ROOT, _SQRT, _TABLE, _CELLS, _MI, _MO, _MTEXT, _MS = (
    TAG[name] for name in ["mfenced", "mfrac", "mroot", "msqrt", "mtable", "mtr", "mi", "mo", "mtext", "ms"]
)
_SUB, _UNDER, _SUP, _OVER, _BOTH, _LIMITS = (
    TAG[name] for name in ["msub", "munder", "msup", "mover", "msubsup", "munderover"]
)
_OPENS, _CLOSES, _SEPARATORS = (np.uint64(name_hash(name)) for name in ["open", "close", "separators"])
_COMMANDS = {
    "backslash": r"\backslash ", "hat": r"\hat{}", "sim": r"\sim ", "frac": r"\frac", "sqrt": r"\sqrt{",
    "root": r"\sqrt[", "text": r"\text{", "upright": r"\mathrm{", "begin": r"\begin{matrix}", "end": r"\end{matrix}",
    "row": r"\\", "index": "^{1/",
}  # fmt: skip
_BACKSLASH, _HAT, _SIM, _FRACTION, _SQUARE, _ROOT_OF, _TEXT, _UPRIGHT, _BEGIN, _END, _NEXT_ROW, _INDEX = (
    np.frombuffer(command.encode(), np.uint8) for command in _COMMANDS.values()
)


@njit(nogil=True, cache=True)
def presentation(
    b: Bytes, nodes: Records, segments: Records, layout: Records, out: Bytes, now: Longs,
    s: int, stop: int, math: int, at: int,
) -> tuple[int, int]:  # fmt: skip
    """Write the formula ``math`` from segment ``s`` on; the first segment after it, and where the output ends."""
    dollars = 2 if stands_alone(b, nodes, math) else 1
    at = fill(out, at, dollars, 36)
    end = nodes[math]["end"]
    layout[math]["number"] = 0
    node = math
    following = math + 1
    while True:
        has_text = s < stop and math <= segments[s]["node"] < end
        opens = following < end and not (has_text and segments[s]["start"] < nodes[following]["attributes"])
        place = math
        if opens:
            place = following
        elif has_text:
            place = segments[s]["node"]
        while not node <= place < nodes[node]["end"]:
            at = _close(b, nodes, layout, out, now, node, at)
            node = nodes[node]["parent"]
        if opens:
            at = _open(b, nodes, layout, out, now, following, at)
            node = following
            following += 1
        elif has_text:
            if segments[s]["kind"] != BREAK and not layout[place]["dropped"]:
                words = nodes[place]["tag"] in (_MTEXT, _MS)
                at = _characters(b, segments[s]["start"], segments[s]["end"], out, now, words, at)
            s += 1
        else:
            return s, fill(out, at, dollars, 36)


@njit(nogil=True, cache=True)
def _write(out: Bytes, at: int, text: Bytes) -> int:
    for byte in text:
        out[at] = byte
        at += 1
    return at


@njit(nogil=True, cache=True)
def _open(b: Bytes, nodes: Records, layout: Records, out: Bytes, now: Longs, node: int, at: int) -> int:
    """What stands before an element: as an argument of the one around it, and for itself."""
    parent = nodes[node]["parent"]
    around = nodes[parent]["tag"]
    place = layout[parent]["number"]
    layout[parent]["number"] = place + 1
    braced = 0
    if around == _FRAC:
        braced = place < 2
    elif around in (_SUB, _UNDER, _SUP, _OVER, _BOTH, _LIMITS):
        if place == 0:
            braced = nodes[node]["end"] > node + 1
        elif place == 1 or (place == 2 and around in (_BOTH, _LIMITS)):
            out[at] = 94 if place == 2 or around in (_SUP, _OVER) else 95
            at += 1
            braced = 1
    elif around == _ROOT and place == 0:
        braced = 1
    elif around == _ROOT and place == 1:
        layout[parent]["chars"] = at
        at = _write(out, at, _INDEX)
    elif around == _FENCED and place > 0:
        at = _separate(out, now, int(layout[parent]["chars"]), at)
    elif around == _TABLE and place > 0:
        at = _write(out, at, _NEXT_ROW)
    elif around == _CELLS and place > 0:
        out[at] = 38
        at += 1
    layout[node]["column"] = braced or (around == _ROOT and place == 1)
    if braced:
        out[at] = 123
        at += 1
    tag = nodes[node]["tag"]
    layout[node]["number"] = 0
    layout[node]["pieces"] = at
    if tag == _FRAC:
        return _write(out, at, _FRACTION)
    if tag == _SQRT:
        return _write(out, at, _SQUARE)
    if tag in (_MTEXT, _MS):
        return _write(out, at, _TEXT)
    if tag == _TABLE:
        return _write(out, at, _BEGIN)
    if tag == _FENCED:
        layout[node]["chars"] = _separator(b, nodes, node)
        return _fence(b, nodes, node, _OPENS, 40, out, now, at)
    return at


@njit(nogil=True, cache=True)
def _close(b: Bytes, nodes: Records, layout: Records, out: Bytes, now: Longs, node: int, at: int) -> int:
    """What stands after an element."""
    tag = nodes[node]["tag"]
    start = int(layout[node]["pieces"])
    if tag == _FRAC:
        for _ in range(layout[node]["number"], 2):
            out[at], out[at + 1] = 123, 125
            at += 2
    elif tag in (_SQRT, _MTEXT, _MS):
        out[at] = 125
        at += 1
    elif tag == _TABLE:
        at = _write(out, at, _END)
    elif tag == _FENCED:
        at = _fence(b, nodes, node, _CLOSES, 41, out, now, at)
    elif tag == _ROOT:
        if layout[node]["number"] == 2 and layout[node]["until"] == at and at - start <= _ROOT_SIZE:
            at = _turn_root(out, start, int(layout[node]["chars"]), at)
    elif tag in (_MI, _MO) and 1 < at - start <= _WORD:
        at = _upright(out, start, at)
    if layout[node]["column"]:
        out[at] = 125
        at += 1
        layout[nodes[node]["parent"]]["until"] = at
    return at


@njit(nogil=True, cache=True)
def _turn_root(out: Bytes, start: int, index: int, at: int) -> int:
    r"""``{base}^{1/index}`` as ``\sqrt[index]{base}``."""
    base = out[start:index].copy()
    power = out[index + len(_INDEX) : at - 1].copy()
    at = _write(out, _write(out, start, _ROOT_OF), power)
    out[at] = 93
    return _write(out, at + 1, base)


@njit(nogil=True, cache=True)
def _upright(out: Bytes, start: int, at: int) -> int:
    """Mark a name of several ASCII letters."""
    for i in range(start, at):
        if not 97 <= out[i] | np.uint8(32) <= 122:
            return at
    name = out[start:at].copy()
    at = _write(out, _write(out, start, _UPRIGHT), name)
    out[at] = 125
    return at + 1


@njit(nogil=True, cache=True)
def _fence(
    b: Bytes, nodes: Records, node: int, name: np.uint64, otherwise: int, out: Bytes, now: Longs, at: int
) -> int:
    """What an attribute of ``mfenced`` says, or ``otherwise`` if it is not there."""
    start, end = attribute_value(b, int(nodes[node]["attributes"]), name)
    if start >= 0:
        return _characters(b, start, end, out, now, False, at)
    out[at] = otherwise
    return at + 1


@njit(nogil=True, cache=True)
def _separator(b: Bytes, nodes: Records, node: int) -> int:
    """Between the arguments of ``mfenced``: a semicolon or a bar if it says so, else a comma, or nothing (0)."""
    start, end = attribute_value(b, int(nodes[node]["attributes"]), _SEPARATORS)
    if 0 <= start == end:
        return 0
    return int(b[start]) if start >= 0 and (b[start] == 59 or b[start] == 124) else 44


@njit(nogil=True, cache=True)
def _separate(out: Bytes, now: Longs, byte: int, at: int) -> int:
    if byte == 124 and now[ROW] >= 0 and now[MARKDOWN]:
        out[at] = 92
        at += 1
    out[at] = byte
    return at + (byte > 0)


@njit(nogil=True, cache=True)
def _characters(b: Bytes, i: int, end: int, out: Bytes, now: Longs, words: bool, at: int) -> int:
    """Write text as TeX reads it; blanks at its ends count only among words."""
    start = at
    blank = False
    while i < end:
        code: Any = np.int64(b[i])
        second = NOTHING
        size = 1
        if code == 38:
            following, code, second = refer(b, i, end, False)
            size = following - i
        elif code == 0xC2 and i + 1 < end and b[i + 1] == 0xA0:
            code = 0xA0
            size = 2
        elif code == 0xE2 and i + 2 < end and b[i + 1] == 0x81:
            code = 0x2000 + 0x40 + np.int64(b[i + 2]) - 0x80
            size = 3
        i += size
        if code == 0xA0 or code == 32 or 9 <= code <= 13:
            blank = at > start or words
            continue
        if code < 32 or code == 127 or 0x2061 <= code <= 0x2064:  # applied to, invisible times, comma and plus
            continue
        if blank:
            out[at] = 32
            at += 1
            blank = False
        if code == 92:
            at = _write(out, at, _BACKSLASH)
        elif code == 94:
            at = _write(out, at, _HAT)
        elif code == 126:
            at = _write(out, at, _SIM)
        elif code < 128 or size > 1:
            escaped = code == 123 or code == 125 or 35 <= code <= 38 or code == 95
            if escaped or (code == 124 and now[ROW] >= 0 and now[MARKDOWN]):
                out[at] = 92
                at += 1
            at += encode(code, out, at)
            if second != NOTHING:
                at += encode(second, out, at)
        else:
            out[at] = code
            at += 1
    if blank and words:
        out[at] = 32
        at += 1
    return at
