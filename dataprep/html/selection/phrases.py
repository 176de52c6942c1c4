"""What a short block says it is: "read more", "see also", a picture's credit; see ``words/phrases.yaml``.

A block is compared without case, without the symbols around it ("» Read more", "– Advertisement –"), and, where
capitals are written without accents (Greek), without these.
"""

import unicodedata
from functools import cache
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dataprep.compiled import njit
from dataprep.html.dom.attributes import is_space
from dataprep.html.dom.automaton import build, entries
from dataprep.html.dom.records import TEXT, Records
from dataprep.text.utf8 import Bytes, Hashes

STARTS, WHOLE, CREDIT_LINE = 1, 2, 4
KINDS = {"starts": STARTS, "whole": WHOLE, "credit": CREDIT_LINE}
WITHIN = 3  # bits by which the mask of an entry is moved whose last word may go on
START, END, ELSE = 0, 1, 2  # symbols; every byte that occurs in a phrase has one of its own
READ = 256  # bytes of a block that are looked at
FOLDED = 0x2000  # the code points below have all letters with a case that anybody writes
_BEFORE = " (/["  # what a credit may follow, beside the block's beginning


class Phrases(NamedTuple):
    """The automaton of all phrases, see `automaton.match`; ``fold`` is what each code point below FOLDED is read as."""

    step: NDArray[np.uint16]
    found: Hashes
    symbol: Bytes
    fold: NDArray[np.uint16]


def fold_table() -> NDArray[np.uint16]:
    """Small letters for capitals, a dotted i for all of Turkish's, no accents and one sigma in Greek, a blank."""
    table = np.arange(FOLDED, dtype=np.uint16)
    for code in range(FOLDED):
        small = chr(code).lower()
        if 0x370 <= code < 0x400:
            small = unicodedata.normalize("NFD", small)[0].replace("ς", "σ")
        if len(small) == 1 and ord(small) < FOLDED:
            table[code] = ord(small)
    table[[ord("İ"), ord("ı")]] = ord("i")
    table[0xA0] = ord(" ")
    return table


def folded(entry: str, fold: NDArray[np.uint16]) -> str:
    return "".join(chr(fold[ord(c)]) if ord(c) < FOLDED else c for c in entry)


@cache
def phrase_table() -> Phrases:
    fold = fold_table()
    lists = {kind: [folded(entry, fold) for entry in listed] for kind, listed in entries("phrases", KINDS).items()}
    used = sorted({byte for text in (_BEFORE, *chain(*lists.values())) for byte in text.encode()})
    symbol = np.full(256, ELSE, np.uint8)
    for code, byte in enumerate(used, 3):
        symbol[byte] = code
    words: list[tuple[tuple[int, ...], int]] = []
    for kind, listed in lists.items():
        for entry in listed:
            inner = tuple(int(symbol[byte]) for byte in entry.removesuffix("*").encode())
            mask = KINDS[kind] if _ends_word(entry) else KINDS[kind] << WITHIN
            if kind == "credit":
                before = [(START,), *((int(symbol[byte]),) for byte in _BEFORE.encode())]
                words.extend(((*first, *inner), mask) for first in (before if entry[0].isalnum() else [()]))
            else:
                words.append(((START, *inner, *((END,) if kind == "whole" else ())), mask))
    step, found = build(words, 3 + len(used))
    return Phrases(step, found, symbol, fold)


def _ends_word(entry: str) -> bool:
    """Whether a letter after ``entry`` makes it another word: not after a symbol, nor where words have no blanks."""
    return entry[-1].isalnum() and not "\u3040" <= entry[-1] <= "\ud7ff"


@njit(nogil=True, cache=True)
def _symbol_at(text: Bytes, i: int, size: int) -> int:
    """How many bytes the character at ``i`` has if it is neither letter nor digit, else 0."""
    byte = text[i]
    if byte < 0x80:
        return 0 if 48 <= byte <= 57 or 97 <= byte | np.uint8(32) <= 122 else 1
    if byte == 0xC2:
        return 2
    following = text[i + 1] if i + 1 < size else np.uint8(0)
    if byte == 0xE2 or (byte == 0xE3 and following == 0x80) or (byte == 0xEF and following == 0xBC):
        return 3
    return 4 if byte == 0xF0 else 0


@njit(nogil=True, cache=True)
def _bare(text: Bytes, size: int) -> tuple[int, int]:
    """The part of ``text`` that has no symbols around it; what looks like code ("--tags", "close()") keeps them."""
    first = 0
    while first < size:
        width = _symbol_at(text, first, size)
        byte = text[first]
        if width == 0 or (byte < 0x80 and byte not in (32, 40, 42, 45, 62, 91, 124)):  # blank ( * - > [ |
            break
        if byte == 45 and first + 1 < size and text[first + 1] != 32:
            break
        first += width
    last = first  # one past the last letter
    i = first
    while i < size:
        width = _symbol_at(text, i, size)
        i += max(width, 1)
        if width == 0:
            last = i
    for i in range(last, size):
        byte = text[i]
        around = byte >= 0x80 or byte in (32, 33, 42, 45, 46, 58, 62, 124)  # blank ! * - . : > |
        if not around and not (first and byte in (41, 93)):  # ) ]
            return first, size
    return first, last


@njit(nogil=True, cache=True)
def _read(
    b: Bytes, nodes: Records, segments: Records, blocks: Records, k: int, fold: NDArray[np.uint16], text: Bytes
) -> int:
    """Put the beginning of block ``k`` into ``text``, folded, white space as one blank; returns its bytes."""
    size = 0
    for s in range(blocks[k]["first"], blocks[k + 1]["first"]):
        if nodes[segments[s]["node"]]["dropped"]:
            continue
        if segments[s]["kind"] != TEXT:
            if size and text[size - 1] != 32 and size < READ:
                text[size] = 32
                size += 1
            continue
        i, end = segments[s]["start"], segments[s]["end"]
        while i < end and size < READ - 2:
            byte = b[i]
            i += 1
            code = int(byte)
            if byte == 38 and i + 4 < end and b[i] == 110 and b[i + 1] == 98 and b[i + 4] == 59:
                i += 5
                code = 32
            elif byte == 38 and i + 4 < end and b[i] == 99 and b[i + 1] == 111 and b[i + 4] == 59:
                i += 5
                code = 0xA9
            elif 65 <= byte <= 90:
                code += 32
            elif 0xC2 <= byte <= 0xDF and i < end:
                code = int(fold[(byte & 31) << 6 | b[i] & 63])
                i += 1
            elif 0xE0 <= byte <= 0xE1 and i + 1 < end:
                code = int(fold[(byte & 15) << 12 | (b[i] & 63) << 6 | b[i + 1] & 63])
                i += 2
            elif byte >= 0x80:
                text[size] = byte
                size += 1
                continue
            if code == 32 or (code < 0x80 and is_space(np.uint8(code))):
                if size and text[size - 1] != 32:
                    text[size] = 32
                    size += 1
            elif code < 0x80:
                text[size] = code
                size += 1
            elif code < 0x800:
                text[size] = 0xC0 | code >> 6
                text[size + 1] = 0x80 | code & 63
                size += 2
            else:
                text[size] = 0xE0 | code >> 12
                text[size + 1] = 0x80 | code >> 6 & 63
                text[size + 2] = 0x80 | code & 63
                size += 3
    while size and text[size - 1] == 32:
        size -= 1
    return size


@njit(nogil=True, cache=True)
def phrase_of(b: Bytes, nodes: Records, segments: Records, blocks: Records, k: int, phrases: Phrases) -> int:
    """What kinds of phrase block ``k`` begins with or holds."""
    text = np.empty(READ, np.uint8)
    size = _read(b, nodes, segments, blocks, k, phrases.fold, text)
    first, bare = _bare(text, size)
    step, found, symbols = phrases.step, phrases.found, phrases.symbol
    state = step[0, START]
    said = 0
    for i in range(size):
        if i == first:
            state = step[0, START]
        state = step[state, symbols[text[i]]]
        here = int(found[state])
        if here:
            said |= here >> WITHIN
            if i + 1 >= size or _symbol_at(text, i + 1, size):
                said |= here & ((1 << WITHIN) - 1)
        if i + 1 == bare and size < READ - 2:
            here = int(found[step[state, END]])
            said |= here | here >> WITHIN
    return said & ((1 << WITHIN) - 1)
