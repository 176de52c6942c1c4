"""Where pre-tokens end: the published regular expressions of byte-level BPE as kernels over UTF-8.

GPT-2's (``encoder.py`` of github.com/openai/gpt-2) and those of the cl100k family, which Llama 3 and Qwen 2 vary::

    's|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+

    (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*
    |\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+

Decisions:
- Which characters are ``\\p{L}``, ``\\p{N}`` and ``\\s`` is asked of the installed ``tokenizers`` itself: its regular
  expressions follow another version of Unicode than Python's ``unicodedata`` (9,272 letters of difference once).
- Time is linear in the text, white space included: a run is looked at once for each of the two pre-tokens it can make.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Regex, pre_tokenizers

from dataprep.compiled import njit
from dataprep.text.utf8 import Bytes, decode
from dataprep.text.xxh3 import load8

# kinds of characters
OTHER, LETTER, NUMBER, SPACE, NEWLINE = 0, 1, 2, 3, 4
NEVER_CLASSED = 0x40000  # no character from here on is a letter, a number or white space
_ASKED = 0x800  # characters at a time: a multiple of the range of surrogates' bounds

_APOSTROPHE, _BLANK, _LINE_FEED, _RETURN = 0x27, 0x20, 0x0A, 0x0D


@dataclass(frozen=True)
class Pattern:
    """``digits``: the most numbers in one pre-token (0: any)."""

    cl100k: bool
    digits: int = 0


# named as in the recipe; the expressions are `byte_level.PATTERNS`
KERNELS = {"gpt2": Pattern(cl100k=False), "llama3": Pattern(cl100k=True, digits=3), "qwen2": Pattern(True, digits=1)}


@cache
def classes() -> Bytes:
    """uint8[0x110000]: the kind of each code point, as the installed ``tokenizers`` sees it."""
    table = np.zeros(0x110000, np.uint8)
    for kind, pattern in ((LETTER, r"\p{L}+"), (NUMBER, r"\p{N}+"), (SPACE, r"\s+"), (NEWLINE, r"[\r\n]+")):
        table[:NEVER_CLASSED][_matching(pattern, NEVER_CLASSED)] = kind
    table.flags.writeable = False
    return table


def _matching(pattern: str, stop: int) -> NDArray[np.bool_]:
    """bool[stop]: the code points below ``stop`` that match a pattern of single characters, repeated."""
    split = pre_tokenizers.Split(Regex(pattern), "removed")
    found = np.ones(stop, np.bool_)
    found[0xD800:0xE000] = False
    for start in range(0, stop, _ASKED):
        if not 0xD800 <= start < 0xE000:
            for _, (left, right) in split.pre_tokenize_str("".join(map(chr, range(start, start + _ASKED)))):
                found[start + left : start + right] = False
    return found


@njit(nogil=True, cache=True, inline="always")
def _kind(values: Bytes, i: int, end: int, table: Bytes) -> Any:
    """The kind of the character at byte ``i`` and its length."""
    code, size = decode(values, i, end)
    return np.int64(load8(table, code)), size


@njit(nogil=True, cache=True, inline="always")
def _run_end(values: Bytes, i: int, end: int, table: Bytes, kind: int, most: int) -> Any:
    """Where at most ``most`` characters of one kind end (0: any number)."""
    count = 0
    while i < end:
        found, size = _kind(values, i, end, table)
        if found != kind:
            break
        i += size
        count += 1
        if count == most:
            break
    return i


@njit(nogil=True, cache=True)
def _contraction(values: Bytes, i: int, end: int, cl100k: bool) -> int:
    """How many bytes the contraction at the apostrophe ``i`` has, or 0."""
    if i + 1 >= end:
        return 0
    fold = 0x20 if cl100k else 0
    first = values[i + 1] | fold
    if first == 0x73 or first == 0x74 or first == 0x6D or first == 0x64:  # s t m d
        return 2
    if i + 2 < end:
        second = values[i + 2] | fold
        if ((first == 0x72 or first == 0x76) and second == 0x65) or (first == 0x6C and second == 0x6C):  # re ve ll
            return 3
        if cl100k and values[i + 1] == 0xC5 and values[i + 2] == 0xBF:  # U+017F, the long s: its upper case is S
            return 3
    return 0


@njit(nogil=True, cache=True)
def pretoken_end(values: Bytes, i: int, end: int, table: Bytes, cl100k: bool, digits: int) -> Any:
    """Where the pre-token that begins at byte ``i`` ends. ``i < end``."""
    byte = values[i]
    if byte == _APOSTROPHE:
        size = _contraction(values, i, end, cl100k)
        if size:
            return i + size
    first, size = _kind(values, i, end, table)
    kind, at, after = first, i, i + size
    if byte == _BLANK and after < end:  # it goes with what follows
        at = after
        kind, size = _kind(values, at, end, table)
    if kind == LETTER:
        return _run_end(values, at + size, end, table, LETTER, 0)
    if kind == OTHER:
        stop = _run_end(values, at + size, end, table, OTHER, 0)
        if cl100k:
            if at == i and stop == after and stop < end:
                kind, size = _kind(values, stop, end, table)
                if kind == LETTER:
                    return _run_end(values, stop + size, end, table, LETTER, 0)
            while stop < end and (values[stop] == _LINE_FEED or values[stop] == _RETURN):
                stop += 1
        return stop
    if kind == NUMBER:
        return after if cl100k and at > i else _run_end(values, at, end, table, NUMBER, digits)
    last, i, newline = i, after, after if first == NEWLINE else 0
    while i < end:
        kind, size = _kind(values, i, end, table)
        if kind < SPACE:
            break
        last = i
        i += size
        if kind == NEWLINE:
            newline = i
    alone = i == after
    if cl100k:
        if newline:
            return newline
        if alone and i < end and kind == LETTER:
            return _run_end(values, i, end, table, LETTER, 0)
    return i if i == end or alone else last
