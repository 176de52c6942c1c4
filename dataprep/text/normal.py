"""Unicode normalisation: which characters may change under it, and whether a text is in form C already.

Text can change only where a character's quick check is not "yes" or combining classes are out of order (UAX #15,
section 9).
"""

import sys
import unicodedata
from functools import cache
from typing import Any, Literal

import numpy as np

from dataprep.compiled import njit
from dataprep.text.utf8 import Bytes, decode

DECOMPOSABLE = 0x30000  # no character from here on has a decomposition or a combining class


@cache
def normalisation(form: Literal["NFC", "NFKC"]) -> tuple[Bytes, Bytes]:
    """For each code point whether it may change under ``form``, alone or with one before it; its combining class."""
    changes = np.zeros(sys.maxunicode + 1, np.uint8)
    combining = np.zeros(sys.maxunicode + 1, np.uint8)
    # what can join with a character before it: the second half of a canonical decomposition that is put together again
    changes[0x1161:0x1176] = 1
    changes[0x11A8:0x11C3] = 1
    for code in range(0xA0, DECOMPOSABLE):
        character = chr(code)
        combining[code] = unicodedata.combining(character)
        if not unicodedata.is_normalized(form, character):
            changes[code] = 1
        parts = unicodedata.decomposition(character).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            changes[int(parts[1], 16)] = 1
    return changes, combining


@njit(nogil=True, cache=True)
def is_nfc(values: Bytes, start: int, end: int, changes: Bytes, combining: Bytes) -> bool:
    """Whether ``values[start:end]`` is sure to be in form C, whose `normalisation` is given."""
    i = start
    last: Any = 0
    while i < end:
        if values[i] < 0xCC:  # below U+0300 nothing changes
            last = 0
            i += 1
            continue
        code, size = decode(values, i, end)
        order = np.int64(combining[code])
        if changes[code] or 0 < order < last:
            return False
        last = order
        i += size
    return True
