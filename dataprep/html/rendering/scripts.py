"""Text above and below the line: what a ``sup`` or ``sub`` says in a line of plain characters.

Decisions:
- Digits and signs become Unicode's (``x²``, ``H₂O``); other scripts ``x^n``, ``x^(n+1)``, ``x_max``.
- Ordinals (``1st``, ``XXe``) stay on the line; a footnote's number is bracketed (``word[1]``); a word, a sentence or
  anything that follows a blank is no script.
"""

from typing import Any

import numpy as np

from dataprep.compiled import njit
from dataprep.html.dom.attributes import is_space
from dataprep.html.dom.records import Records
from dataprep.text.utf8 import Bytes, encode

_SHORT = 24  # bytes of a script
_ORDINALS = ["st", "nd", "rd", "th", "e", "er", "re", "me", "nde", "mes", "lle", "eme", "os", "as"]
_GLUED = np.array([[*name.encode().ljust(4)] for name in _ORDINALS], np.uint8)


@njit(nogil=True, cache=True, inline="always")
def is_word(byte: np.uint8) -> bool:
    """Whether a byte is an ASCII letter or digit."""
    return bool(48 <= byte <= 57 or 97 <= byte | np.uint8(32) <= 122)


@njit(nogil=True, cache=True)
def end_script(b: Bytes, nodes: Records, out: Bytes, mark: int, above: bool, start: int, at: int) -> int:
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
    if others and (0xC2 <= lead <= 0xC5 or (others == size > 1 and lead != 0xCE and lead != 0xCF)):
        return at  # ® ère †, but not Greek letters
    if others and not (is_word(lead) or lead >= 0x80 or lead == 43 or lead == 45):
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
            code: Any = 0x207B
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
