"""Lower case, one code point for one code point: what makes words equal that differ only in case.

Letters come from Python's Unicode tables (``unicodedata.unidata_version``): another Python release may know more of
them.
"""

import unicodedata
from functools import cache

import numpy as np

from dataprep.text.utf8 import Ints


@cache
def fold_table() -> Ints:
    """int32[0x110000]: the code point that stands for each code point in a word, or 0 where it ends a word.

    Stays: every letter, number (``str.isalnum``) and ``_``, as the first code point of its own lower case, a final
    sigma as a plain one.
    """
    table = np.zeros(0x110000, np.int32)
    for code in range(0x110000):
        character = chr(code)
        if character.isalnum() or character == "_":
            table[code] = ord(character.lower()[0])
    table[ord("ς")] = ord("σ")
    return table


@cache
def bare_table() -> Ints:
    """``fold_table`` without ``_``, and letters without their marks: é is e, as is e with U+0301 (which has 0)."""
    table = fold_table().copy()
    table[ord("_")] = 0
    for code in range(0x110000):
        if table[code] and unicodedata.decomposition(chr(code)):
            parts = unicodedata.normalize("NFD", chr(code))
            if all(unicodedata.category(mark)[0] == "M" for mark in parts[1:]):
                table[code] = table[ord(parts[0])]
    return table
