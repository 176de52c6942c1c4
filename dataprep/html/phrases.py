"""What a short block says it is: "read more", "see also", a picture's credit; see ``words/phrases.yaml``."""

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dataprep.compiled import njit
from dataprep.html.attributes import is_space
from dataprep.html.automaton import build, entries
from dataprep.html.dom import TEXT, Records
from dataprep.text.utf8 import Bytes, Hashes

STARTS, WHOLE, CREDIT_LINE = 1, 2, 4
KINDS = {"starts": STARTS, "whole": WHOLE, "credit": CREDIT_LINE}
START, END, ELSE = 0, 1, 2  # symbols; every byte that occurs in a phrase has one of its own
READ = 256  # bytes of a block that are looked at


class Phrases(NamedTuple):
    """The automaton of all phrases, see `automaton.match`."""

    step: NDArray[np.uint16]
    found: Hashes
    symbol: Bytes


@cache
def phrase_table() -> Phrases:
    lists = entries("phrases")
    used = sorted({byte for listed in lists.values() for entry in listed for byte in entry.encode()})
    symbol = np.full(256, ELSE, np.uint8)
    for code, byte in enumerate(used, 3):
        symbol[byte] = code
    words: list[tuple[tuple[int, ...], int]] = []
    for kind, listed in lists.items():
        for entry in listed:
            inner = tuple(int(symbol[byte]) for byte in entry.encode())
            first = () if kind == "credit" else (START,)
            words.append(((*first, *inner, *((END,) if kind == "whole" else ())), KINDS[kind]))
    step, found = build(words, 3 + len(used))
    return Phrases(step, found, symbol)


@njit(nogil=True, cache=True, inline="always")
def _is_letter(byte: np.uint8) -> bool:
    return bool(byte >= 0x80 or 48 <= byte <= 57 or 97 <= byte | np.uint8(32) <= 122)


@njit(nogil=True, cache=True)
def phrase_of(b: Bytes, nodes: Records, segments: Records, blocks: Records, k: int, phrases: Phrases) -> int:
    """What kinds of phrase block ``k`` begins with or holds."""
    text = np.empty(READ, np.uint8)
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
        while i < end and size < READ:
            byte = b[i]
            i += 1
            if byte == 0xC2 and i < end and b[i] == 0xA0:
                i += 1
                byte = np.uint8(32)
            elif byte == 38 and i + 4 < end and b[i] == 110 and b[i + 1] == 98 and b[i + 4] == 59:
                i += 5
                byte = np.uint8(32)
            if is_space(byte):
                if size and text[size - 1] != 32:
                    text[size] = 32
                    size += 1
                continue
            before = text[size - 1] if size else np.uint8(0)
            if 65 <= byte <= 90 or (before == 0xC3 and 0x80 <= byte <= 0x9E):
                byte |= np.uint8(32)
            elif before == 0xD0 and 0x90 <= byte <= 0x9F:  # А to П
                byte += np.uint8(32)
            elif before == 0xD0 and 0xA0 <= byte <= 0xAF:  # Р to Я
                text[size - 1] = 0xD1
                byte -= np.uint8(32)
            text[size] = byte
            size += 1
    while size and text[size - 1] == 32:
        size -= 1
    step, found, symbols = phrases.step, phrases.found, phrases.symbol
    state = step[0, START]
    said = 0
    for i in range(size):
        state = step[state, symbols[text[i]]]
        here = int(found[state])
        if here and not (i + 1 < size and _is_letter(text[i + 1]) and _is_letter(text[i])):
            said |= here
    if size < READ:
        said |= int(found[step[state, END]])
    return said
