"""What other tools do to a text before they cut it into words: one pass, one table of what becomes of each character.

- `simplify`: datatrove's ``simplify_text`` (0.10, ``utils/text.py``) with its defaults. Lower case; numbers become
  ``0``; punctuation becomes a space; runs of white space become one space; form NFD without category Mn; no spaces at
  the ends.
- `plain`: RedPajama-V2's ``normalize`` (``app/src/utilities/text/normalization.py``). Without ASCII punctuation; lower
  case; runs of white space become one space; form NFD. (NUL is white space here, where it is a letter there.)

Which digits, marks and decompositions there are is the interpreter's knowledge (``unicodedata``); datatrove takes its
digits from the library ``regex``, which may know those of a newer Unicode.
"""

import string
import unicodedata
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from dataprep.compiled import njit
from dataprep.text.lower import lower
from dataprep.text.utf8 import Bytes, Ints, Longs, Utf8, decode, encode, frozen

SPACE, NUMBER = -1, -2
SEQUENCE = -3  # and less: where in the pool the characters stand

# datatrove's PUNCTUATION, without the control characters that follow
PUNCTUATION = "!/—”:％１〈&(、━\\【#%「」，】；+^]~“《„';’{|∶´[=-`*．（–？！：$～«〉,><》)?）。…@_.\"}►»"
CONTROLS = [chr(code) for a, b in ((0, 9), (11, 13), (13, 32), (127, 160)) for code in range(a, b)]

Bools = npt.NDArray[np.bool_]


def simplify(text: Utf8) -> Utf8:
    """datatrove's ``simplify_text`` of every document."""
    lowered = lower(text)
    values, offsets = _rewrite(lowered.values, lowered.offsets, *_simplified(), _classes(), _marks())
    return Utf8(frozen(values), offsets)


def plain(text: Utf8) -> Utf8:
    """RedPajama's ``normalize`` of every document."""
    punctuation = np.zeros(128, np.bool_)
    punctuation[[ord(mark) for mark in string.punctuation]] = True
    # before lower case, in which a sigma looks at what follows
    lowered = lower(Utf8(*_without(text.values, text.offsets, punctuation)))
    values, offsets = _rewrite(lowered.values, lowered.offsets, *_decomposed(), _classes(), np.zeros_like(_marks()))
    return Utf8(frozen(values), offsets)


@cache
def _simplified() -> tuple[Ints, Ints]:
    actions, pool = _decomposed()
    actions = actions.copy()
    for code in range(0x110000):
        if unicodedata.category(chr(code)) == "Nd":
            actions[code] = NUMBER
    actions[[ord(mark) for mark in (*PUNCTUATION, *CONTROLS)]] = SPACE
    actions[ord("１")] = NUMBER  # a digit before it is punctuation
    return actions, pool


@cache
def _decomposed() -> tuple[Ints, Ints]:
    """For each code point itself, ``SPACE``, or where in the pool the length of its form NFD and its characters are."""
    actions = np.arange(0x110000, dtype=np.int32)
    pool: list[int] = []
    for code in range(0x110000):
        character = chr(code)
        if character.isspace() or code == 0:
            actions[code] = SPACE
        elif not unicodedata.is_normalized("NFD", character):
            parts = unicodedata.normalize("NFD", character)
            actions[code] = SEQUENCE - len(pool)
            pool += [len(parts), *map(ord, parts)]
    return actions, np.array(pool, np.int32)


@cache
def _classes() -> Bytes:
    """uint8[0x110000]: the canonical combining class."""
    return np.array([unicodedata.combining(chr(code)) for code in range(0x110000)], np.uint8)


@cache
def _marks() -> Bools:
    """bool[0x110000]: category Mn."""
    return np.array([unicodedata.category(chr(code)) == "Mn" for code in range(0x110000)])


@njit(nogil=True, cache=True)
def _without(values: Bytes, offsets: Longs, dropped: Bools) -> tuple[Bytes, Longs]:
    """The texts without the ASCII characters ``dropped``."""
    out = np.empty(offsets[-1] - offsets[0], np.uint8)
    limits = np.zeros(len(offsets), np.int64)
    used = 0
    for d in range(len(offsets) - 1):
        for i in range(offsets[d], offsets[d + 1]):
            if values[i] >= 0x80 or not dropped[values[i]]:
                out[used] = values[i]
                used += 1
        limits[d + 1] = used
    return out, limits


@njit(nogil=True, cache=True)
def _rewrite(
    values: Bytes, offsets: Longs, actions: Ints, pool: Ints, classes: Bytes, dropped: Bools
) -> tuple[Bytes, Longs]:
    """Each character as ``actions`` say, in canonical order, without those ``dropped``; one space for several, none at
    the ends."""
    documents = len(offsets) - 1
    # a Hangul syllable of three bytes decomposes into three letters of three bytes; nothing grows more
    out = np.empty(3 * (offsets[documents] - offsets[0]), np.uint8)
    limits = np.zeros(documents + 1, np.int64)
    run = np.empty(16, np.int32)  # marks that follow each other, before they are put in order
    used = 0
    for d in range(documents):
        begin = used
        waiting = 0
        space = False
        i = offsets[d]
        end = offsets[d + 1]
        while i < end:
            if values[i] < 0x80:
                code: Any = np.int64(values[i])
                size = 1
            else:
                code, size = decode(values, i, end)
            action = actions[code]
            if action == SPACE:
                used = _in_order(run, waiting, classes, out, used)
                waiting = 0
                space = True
                i += size
                continue
            if space:
                space = False
                if used > begin:
                    out[used] = 32
                    used += 1
            if action == NUMBER:
                i = _skip_number(values, i, end, actions)
                used = _in_order(run, waiting, classes, out, used)
                waiting = 0
                out[used] = 48
                used += 1
                continue
            i += size
            first, last = (0, 1) if action >= 0 else (SEQUENCE - action + 1, SEQUENCE - action + 1)
            if action < 0:
                last += pool[first - 1]
            for k in range(first, last):
                part = action if action >= 0 else pool[k]
                if classes[part] == 0:
                    used = _in_order(run, waiting, classes, out, used)
                    waiting = 0
                    if not dropped[part]:
                        used += encode(part, out, used)
                elif not dropped[part]:
                    if waiting == len(run):
                        run = np.concatenate((run, np.empty_like(run)))
                    run[waiting] = part
                    waiting += 1
        used = _in_order(run, waiting, classes, out, used)
        while used > begin and out[used - 1] == 32:
            used -= 1
        limits[d + 1] = used
    return out[:used], limits


@njit(nogil=True, cache=True)
def _skip_number(values: Bytes, i: int, end: int, actions: Ints) -> int:
    r"""Behind ``\p{Nd}+([.,،٫⎖⎗⎘]\p{Nd}+)?``, which begins at ``i``."""
    separated = False
    while i < end:
        code, size = decode(values, i, end)
        if actions[code] != NUMBER:
            follows = i + size
            if separated or follows == end or not _separates(code):
                return i
            if actions[decode(values, follows, end)[0]] != NUMBER:
                return i
            separated = True
        i += size
    return i


@njit(nogil=True, cache=True, inline="always")
def _separates(code: Any) -> bool:
    return code in (0x2E, 0x2C, 0x60C, 0x66B, 0x2396, 0x2397, 0x2398)


@njit(nogil=True, cache=True)
def _in_order(run: Ints, waiting: int, classes: Bytes, out: Bytes, used: int) -> int:
    """Write the first ``waiting`` marks of ``run`` by combining class, equal ones as they stand.

    One pass for each class there is, at most about fifty: linear, however long a hostile run.
    """
    done = 0
    least: Any = 0
    while done < waiting:
        following: Any = 256
        for k in range(waiting):
            if least < classes[run[k]] < following:
                following = np.int64(classes[run[k]])
        least = following
        for k in range(waiting):
            if classes[run[k]] == least:
                used += encode(run[k], out, used)
                done += 1
    return used
