"""Which pieces of text repair and normalisation cannot change, decided without a Python string.

A kernel cuts each document into pieces (lines, see `find_pieces`) and returns those that may change. What ftfy can do
to a piece is known: it decodes mojibake only where `ftfy.badness.BADNESS_RE` matches, replaces entities, and changes or
removes single characters. Whatever the expression matches contains

- one of the characters ``SOLO``, or
- two neighbours out of the 400 characters it knows, not both of them ``LETTERS``, or
- one of ``BEFORE_COMMON`` and after it punctuation so common that it is left out of the rule above (``COMMON``);

a test takes the expression apart and checks that. Text can change under normalisation only where a character's quick
check is not "yes" or combining classes are out of order (UAX #15, section 9).
"""

import sys
import unicodedata
from functools import cache
from typing import Any, Literal

import numpy as np
from ftfy.badness import MOJIBAKE_CATEGORIES
from ftfy.chardata import CONTROL_CHARS, LIGATURES, WIDTH_MAP

from dataprep.compiled import njit
from dataprep.edits.base import Spans, append
from dataprep.text.normal import normalisation
from dataprep.text.utf8 import Bytes, Longs, decode

Form = Literal["NFC", "NFKC", "none"]

CHANGES = 1  # a piece with this character may change
LETTER = 2
KNOWN = 4  # one of the other characters that occur in mojibake
OPENS = 8
COMMON = 16

SOLO = "ŒœÃÂЂ"
BEFORE_COMMON = "ØÙÂÃÎÐ√"
LETTERS = ("lower_accented", "lower_common", "upper_common", "kaomoji")  # ftfy's names for them

MARKS = 30  # non-starters in a row after which a piece is cut: no language has more (UAX #15, section 13)

ZERO_WIDTH = "\u180e\u200b\u2060\ufeff"  # not the joiners U+200C and U+200D, which Persian, Hindi and emoji need
BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
SOFT_HYPHEN = "\u00ad"
SPACES = "".join(chr(c) for c in range(0x3001) if unicodedata.category(chr(c)) == "Zs" and c != 0x20)

CHANGED: dict[str, str] = {  # by what a step repairs
    "mojibake": "".join(map(chr, range(0x80, 0xA0))) + SOLO,
    "controls": "".join(map(chr, CONTROL_CHARS)),
    "line_breaks": "\r\x85\u2028\u2029",
    "ligatures": "".join(map(chr, LIGATURES)),
    "width": "".join(map(chr, WIDTH_MAP)),
    "quotes": "\u02bc\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f",
    "zero_width": ZERO_WIDTH,
    "bidi": BIDI,
    "soft_hyphens": SOFT_HYPHEN,
    "spaces": SPACES,
}


def members(category: str) -> set[int]:
    """The characters of one of ftfy's categories, which are written as inside square brackets."""
    text = MOJIBAKE_CATEGORIES[category]
    found = {ord(c) for c in text}
    for i in range(1, len(text) - 1):
        if text[i] == "-":
            found.update(range(ord(text[i - 1]), ord(text[i + 1]) + 1))
    return found - {ord("-")}


@cache
def character_tables(repair: tuple[str, ...], form: Form) -> tuple[Bytes, Bytes]:
    """For each code point what it may change, and its combining class if there is normalisation to ``form``."""
    table = np.zeros(sys.maxunicode + 1, np.uint8)
    combining = np.zeros(sys.maxunicode + 1, np.uint8)
    for name in repair:
        for character in CHANGED.get(name, ""):
            table[ord(character)] |= CHANGES
    if "mojibake" in repair:
        for category in MOJIBAKE_CATEGORIES:
            for code in members(category):
                word = category in LETTERS and chr(code).isalpha()
                table[code] |= COMMON if category == "common" else LETTER if word else KNOWN
        table[[ord(c) for c in BEFORE_COMMON]] |= OPENS
    if form != "none":
        changes, combining = normalisation(form)
        table[changes != 0] |= CHANGES
    return table, combining


@njit(nogil=True, cache=True)
def find_pieces(
    values: Bytes, offsets: Longs, table: Bytes, combining: Bytes, entities: bool, limit: int
) -> tuple[Spans, Longs]:
    """The pieces that may change, and whether entities are to be replaced in each (not from a line with ``<`` on).

    A piece is a line with its ``\\n``; one of more than ``limit`` bytes is cut before the next space, at the latest
    after twice as many; and one is cut after ``MARKS`` non-starters in a row.
    """
    spans = np.empty((64, 2), np.int64)
    unescape = np.empty((64, 2), np.int64)
    count = 0
    loud = (table[:0x80] & CHANGES) != 0  # ASCII that is more than text that stays
    loud[0x0A] = loud[0x26] = loud[0x3C] = True
    for d in range(len(offsets) - 1):
        end = offsets[d + 1]
        start = i = offsets[d]
        less = hit = entity = False
        before: Any = 0  # the last character's flags
        last_class: Any = 0  # its combining class
        marks = 0  # how many with one in a row
        while i < end:
            if values[i] < 0x80:
                before = last_class = marks = 0
                stop = min(end, start + limit)
                while i < stop and values[i] < 0x80 and not loud[values[i]]:
                    i += 1
                if i == end:
                    break
                byte = values[i]
                if byte >= 0x80:
                    continue
                size = i - start
                if (size >= limit and byte == 0x20) or size >= 2 * limit:
                    spans, unescape, count = _close(spans, unescape, count, start, i, hit, entity, less, entities)
                    start = i
                    hit = entity = False
                i += 1
                if loud[byte]:
                    if table[byte] & CHANGES:
                        hit = True
                    less |= byte == 0x3C
                    entity |= entities and byte == 0x26 and _is_entity(values, i, end)
                    if byte == 0x0A:
                        spans, unescape, count = _close(spans, unescape, count, start, i, hit, entity, less, entities)
                        start = i
                        hit = entity = False
                continue
            code, size = decode(values, i, end)
            kind = np.int64(table[code])
            order = np.int64(combining[code])
            if i - start >= 2 * limit or (order > 0 and marks == MARKS):
                spans, unescape, count = _close(spans, unescape, count, start, i, hit, entity, less, entities)
                start = i
                hit = entity = False
                marks = 0
            if kind & CHANGES or 0 < order < last_class:
                hit = True
            if before & (LETTER | KNOWN) and kind & (LETTER | KNOWN) and (before | kind) & KNOWN:
                hit = True
            if before & OPENS and kind & COMMON:
                hit = True
            before = kind
            last_class = order
            marks = marks + 1 if order > 0 else 0
            i += size
        if start < end:
            spans, unescape, count = _close(spans, unescape, count, start, end, hit, entity, less, entities)
    return spans[:count], unescape[:count, 0]


@njit(nogil=True, cache=True, inline="always")
def _close(
    spans: Spans, unescape: Spans, count: int, start: int, end: int, hit: bool, entity: bool, less: bool, entities: bool
) -> tuple[Spans, Spans, int]:
    if hit or (entity and not less):
        unescape, _ = append(unescape, count, entities and not less, 0)
        spans, count = append(spans, count, start, end)
    return spans, unescape, count


@njit(nogil=True, cache=True)
def _is_entity(values: Bytes, i: int, end: int) -> bool:
    # what follows "&" in &#?[0-9A-Za-z]{1,24};
    if i < end and values[i] == 0x23:
        i += 1
    first = i
    while i < end and i <= first + 24 and (0x61 <= (values[i] | 0x20) <= 0x7A or 0x30 <= values[i] <= 0x39):
        i += 1
    return first < i < end and values[i] == 0x3B
