"""Where pre-tokens end: the published regular expressions of byte-level BPE as kernels over UTF-8.

GPT-2's (``encoder.py`` of github.com/openai/gpt-2) and those of the cl100k family, which Llama 3 and Qwen 2 vary::

    's|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+

    (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*
    |\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+

Decisions:
- Which characters are ``\\p{L}``, ``\\p{N}`` and ``\\s`` is asked of the installed ``tokenizers`` itself: its regular
  expressions follow another version of Unicode than Python's ``unicodedata`` (9,272 letters of difference once).
- ASCII letters are counted eight bytes at a time: one branch for most words, where a loop over bytes mispredicts its
  end. So a kernel may read up to ``PADDING`` bytes behind a text.
- Time is linear in the text, white space included: a run is looked at once for each of the two pre-tokens it can make.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numba.cpython.unsafe.numbers import trailing_zeros  # type: ignore[import-untyped]
from numpy.typing import NDArray
from tokenizers import Regex, pre_tokenizers

from dataprep.compiled import njit
from dataprep.text.utf8 import Bytes, decode
from dataprep.text.xxh3 import load8, load64

PADDING = 16  # bytes that kernels may read behind the end of a text

# kinds of characters
OTHER, LETTER, NUMBER, SPACE, NEWLINE = 0, 1, 2, 3, 4
# what a byte at the beginning of a pre-token means for the fast way
SLOW, WORD, BEFORE_WORD = 0, 1, 2

NEVER_CLASSED = 0x40000  # no character from here on is a letter, a number or white space
_ASKED = 0x800  # characters at a time: a multiple of the range of surrogates' bounds

_APOSTROPHE, _BLANK = 0x27, 0x20
_LOWER = np.uint64(0x2020202020202020)
_SEVEN_BITS = np.uint64(0x7F7F7F7F7F7F7F7F)
_HIGH_BITS = np.uint64(0x8080808080808080)
_FROM_A = np.uint64(0x1F1F1F1F1F1F1F1F)  # carries into the high bit from "a" on
_BEYOND_Z = np.uint64(0x0505050505050505)
_ZERO, _THREE = np.uint64(0), np.uint64(3)


@dataclass(frozen=True)
class Pattern:
    """``digits``: the most numbers in one pre-token (0: any). ``ends``: ``\\s++$`` stands before the newlines' rule."""

    cl100k: bool
    digits: int = 0
    ends: bool = False

    @property
    def starts(self) -> Bytes:
        """uint8[256]: what a byte at a pre-token's beginning means."""
        table = np.zeros(256, np.uint8)
        kinds = classes()[:128]
        table[:128][kinds == LETTER] = WORD
        if self.cl100k:
            table[:128][(kinds == OTHER) | (kinds == SPACE)] = BEFORE_WORD
            table[_APOSTROPHE] = SLOW
        table[_BLANK] = BEFORE_WORD
        return table


GPT2 = Pattern(cl100k=False)
_CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_LATER = r"(?i:[sdmt]|ll|ve|re)"
_SPACES = r"\s*[\r\n]+|\s+(?!\S)|\s+"

# as they stand in published tokenizer.json files
PATTERNS = {
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+": GPT2,
    r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+": GPT2,
    rf"{_CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|{_SPACES}": Pattern(
        cl100k=True, digits=3
    ),
    rf"{_CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|{_SPACES}": Pattern(
        cl100k=True, digits=1
    ),
}


@cache
def classes() -> Bytes:
    """uint8[0x110000]: the kind of each code point, as the installed ``tokenizers`` sees it."""
    table = np.zeros(0x110000, np.uint8)
    for kind, pattern in ((LETTER, r"\p{L}+"), (NUMBER, r"\p{N}+"), (SPACE, r"\s+"), (NEWLINE, r"[\r\n]+")):
        table[:NEVER_CLASSED][matching(pattern, NEVER_CLASSED)] = kind
    table.flags.writeable = False
    return table


def matching(pattern: str, stop: int) -> NDArray[np.bool_]:
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
def ascii_letters(values: Bytes, i: int) -> Any:
    """How many of the eight bytes from ``i`` on are ASCII letters before the first that is none."""
    word = load64(values, i)
    lower = np.uint64((word | _LOWER) & _SEVEN_BITS)
    letters = np.uint64(np.uint64(lower + _FROM_A) & ~np.uint64(lower + _BEYOND_Z) & ~word & _HIGH_BITS)
    others = np.uint64(letters ^ _HIGH_BITS)
    if others == _ZERO:
        return 8
    return np.int64(trailing_zeros(others) >> _THREE)


@njit(nogil=True, cache=True, inline="always")
def _kind(values: Bytes, i: int, end: int, table: Bytes) -> tuple[Any, int]:
    """The kind of the character at byte ``i`` and its length."""
    code, size = decode(values, i, end)
    return load8(table, code), size


@njit(nogil=True, cache=True)
def letters_end(values: Bytes, i: int, end: int, table: Bytes) -> Any:
    """Where the run of letters that holds byte ``i``, or begins there, ends."""
    while i < end:
        if values[i] < 0x80:
            more = ascii_letters(values, i)
            i += more
            if more == 0 or i >= end:
                break
        else:
            kind, size = _kind(values, i, end, table)
            if kind != LETTER:
                break
            i += size
    return min(i, end)


@njit(nogil=True, cache=True)
def _run_end(values: Bytes, i: int, end: int, table: Bytes, kind: int, most: int) -> int:
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
def _space_end(values: Bytes, i: int, end: int, table: Bytes, cl100k: bool, ends: bool) -> int:
    """Where a pre-token that begins with white space and is nothing else ends."""
    start = last = i
    newline = 0
    while i < end:
        kind, size = _kind(values, i, end, table)
        if kind < SPACE:
            break
        last = i
        i += size
        if kind == NEWLINE:
            newline = i
    if ends and i == end:
        return end
    if cl100k and newline:
        return newline
    return i if i == end or last == start else last


@njit(nogil=True, cache=True)
def slow_end(values: Bytes, i: int, end: int, table: Bytes, cl100k: bool, digits: int, ends: bool) -> Any:
    """Where the pre-token that begins at byte ``i`` ends, whatever it is. ``i < end``."""
    byte = values[i]
    if byte == _APOSTROPHE:
        size = _contraction(values, i, end, cl100k)
        if size:
            return i + size
    kind, size = _kind(values, i, end, table)
    if kind == LETTER:
        return letters_end(values, i + size, end, table)
    after = i + size
    following = -1
    if after < end:
        following, _ = _kind(values, after, end, table)
    if kind == NUMBER:
        return _run_end(values, i, end, table, NUMBER, digits)
    if following == LETTER and (byte == _BLANK or (cl100k and kind != NEWLINE)):
        return letters_end(values, after, end, table)
    if byte == _BLANK and not cl100k and following == NUMBER:
        return _run_end(values, after, end, table, NUMBER, 0)
    if kind == OTHER or (byte == _BLANK and following == OTHER):
        stop = _run_end(values, after, end, table, OTHER, 0)
        if cl100k:
            while stop < end and (values[stop] == 0x0A or values[stop] == 0x0D):
                stop += 1
        return stop
    return _space_end(values, i, end, table, cl100k, ends)
