"""Titles without the site's name, and authors without what stands around them.

Names are compared by their letters and digits only, ASCII letters without case.
"""

import numpy as np

from dataprep.compiled import njit
from dataprep.html.dom.records import Records
from dataprep.html.dom.tags import add_to_hash, start_hash
from dataprep.html.metadata.claims import word_at
from dataprep.text.utf8 import Bytes

BY, AFTER, NOBODY, AND = 1, 2, 3, 4  # kinds of words around and between names
LONGEST_PHRASE = 48
LONGEST_BYLINE = 60
MOST_WORDS = 6


@njit(nogil=True, cache=True)
def _letter(a: Bytes, i: int, size: int) -> tuple[int, int]:
    """The next byte of a letter or digit from byte ``i`` on, small, and the place after it; -1 at the end."""
    while i < size:
        byte = a[i]
        if 48 <= byte <= 57 or 97 <= byte | np.uint8(32) <= 122:
            return int(byte if byte <= 57 else byte | np.uint8(32)), i + 1
        if byte < 128:
            i += 1
        elif byte == 0xC2:
            i += 2
        elif (byte == 0xE2 and i + 1 < size and a[i + 1] <= 0x81) or (
            byte == 0xE3 and i + 1 < size and a[i + 1] == 0x80
        ):
            i += 3  # general and ideographic punctuation
        else:
            return int(byte), i + 1
    return -1, size


@njit(nogil=True, cache=True)
def begins(a: Bytes, start: int, size: int, other: Bytes, other_size: int) -> int:
    """Where the name ``other`` ends in ``a[start:size]`` if that begins with it, else -1."""
    i, k = start, 0
    while True:
        wanted, k = _letter(other, k, other_size)
        if wanted < 0:
            return i if i > start else -1
        found, i = _letter(a, i, size)
        if found != wanted:
            return -1


@njit(nogil=True, cache=True)
def same(a: Bytes, start: int, size: int, other: Bytes, other_size: int) -> bool:
    end = begins(a, start, size, other, other_size)
    return end >= 0 and _letter(a, end, size)[0] < 0


@njit(nogil=True, cache=True)
def begins_title(a: Bytes, size: int, other: Bytes, other_size: int) -> bool:
    """Whether ``a`` is ``other`` or goes on behind its whole words: with punctuation, or with less than there was."""
    end = begins(a, 0, size, other, other_size)
    if end < 0:
        return False
    most = 2 * end >= size
    spaced = False
    while end < size and (a[end] == 32 or a[end] == 34 or a[end] == 33 or a[end] == 46 or a[end] == 63):
        spaced |= a[end] == 32
        end += 1
    if end >= size:
        return True
    byte = a[end]
    if byte == 39 or byte == 45 or (byte == 0xE2 and end + 2 < size and a[end + 1] == 0x80 and a[end + 2] == 0x99):
        return spaced  # else a word goes on
    if byte in (0xC2, 0xE2) or (byte < 128 and not (48 <= byte <= 57 or 97 <= byte | np.uint8(32) <= 122)):
        return True
    return most and spaced


@njit(nogil=True, cache=True)
def first_name(text: Bytes, start: int, size: int, words: Records) -> tuple[int, int]:
    """Where the first of several names ends, and the next begins: at a word like "and" between two of two words each.

    With one name, both are its end.
    """
    blanks = 0
    i = start
    while i < size:
        if text[i] != 32:
            i += 1
            continue
        end = i + 1
        hashed = start_hash()
        while end < size and text[end] != 32:
            hashed = add_to_hash(hashed, text[end])
            end += 1
        kind, _ = word_at(words, hashed)
        if kind == AND and blanks:
            for k in range(end + 1, size):
                if text[k] == 32:
                    return i, end + 1
        blanks += 1
        i = end
    return size, size


@njit(nogil=True, cache=True)
def _separator(a: Bytes, i: int, size: int) -> int:
    """How many bytes of separator stand at byte ``i``: a bar, or a dash, dot or angle with a blank on both sides."""
    byte = a[i]
    if byte == 124:
        return 1
    if byte == 0xC2 and i + 1 < size and a[i + 1] == 0xBB:  # »
        return 2
    if byte != 32 or i + 2 >= size:
        return 0
    byte = a[i + 1]
    if (byte == 45 or byte == 58 or byte == 62 or byte == 47 or byte == 126) and a[i + 2] == 32:
        return 3
    if byte == 0xC2 and i + 3 < size and (a[i + 2] == 0xB7 or a[i + 2] == 0xAB) and a[i + 3] == 32:  # · «
        return 4
    if byte == 0xE2 and i + 4 < size and a[i + 2] == 0x80 and a[i + 4] == 32:  # – — • ‹ ›
        third = a[i + 3]
        if third == 0x93 or third == 0x94 or third == 0xA2 or third == 0xB9 or third == 0xBA:
            return 5
    return 0


@njit(nogil=True, cache=True)
def without_site(title: Bytes, size: int, site: Bytes, site_size: int, always: bool) -> tuple[int, int]:
    """Where the title begins and ends without the site's name; ``always``: without its last part if no part is that."""
    start = 0
    last = -1
    for i in range(1, size):
        length = _separator(title, i, size)
        if length:
            if same(title, i + length, size, site, site_size):
                size, last = i, -1
                break
            if same(title, 0, i, site, site_size):
                start, last = i + length, -1
                break
            last = i
    if always and last > 0:
        size = last
    while start < size and title[start] == 32:
        start += 1
    while size > start and title[size - 1] == 32:
        size -= 1
    return start, size


@njit(nogil=True, cache=True)
def clean_name(text: Bytes, size: int, words: Records, byline: bool) -> tuple[int, int]:
    """Where the name begins and ends in a text; an empty range if there is none.

    Of a ``byline`` the words in front of the name go and all from a separator or a number on.
    """
    start = 0
    if byline:
        for _ in range(3):
            start = _after_phrase(text, start, size, words)
        for i in range(start, size):
            if (
                _separator(text, i, size)
                or text[i] == 40
                or text[i] == 44
                or (text[i] == 32 and i + 1 < size and 48 <= text[i + 1] <= 57)
            ):
                size = i
                break
        for _ in range(2):
            size = _before_word(text, start, size, words)
    while start < size and _is_edge(text[start]):
        start += 1
    while size > start and _is_edge(text[size - 1]):
        size -= 1
    return (start, size) if _is_name(text, start, size, words, byline) else (0, 0)


@njit(nogil=True, cache=True)
def _is_edge(byte: np.uint8) -> bool:
    """Punctuation that no name begins or ends with; a full stop may be an initial's."""
    return bool(byte in (32, 42, 44, 45, 47, 58, 59, 126))


@njit(nogil=True, cache=True)
def _after_phrase(text: Bytes, start: int, size: int, words: Records) -> int:
    """The byte after the longest phrase such as "by" that the text begins with."""
    while start < size and _is_edge(text[start]):
        start += 1
    after = start
    hashed = start_hash()
    for i in range(start, min(size, start + LONGEST_PHRASE)):
        if text[i] == 32 or text[i] == 58:
            kind, _ = word_at(words, hashed)
            if kind == BY:
                after = i + 1
        hashed = add_to_hash(hashed, text[i])
    return after


@njit(nogil=True, cache=True)
def _before_word(text: Bytes, start: int, size: int, words: Records) -> int:
    """The end of the text without a last word such as "on"."""
    while size > start and _is_edge(text[size - 1]):
        size -= 1
    i = size
    while i > start and text[i - 1] != 32:
        i -= 1
    hashed = start_hash()
    for k in range(i, size):
        hashed = add_to_hash(hashed, text[k])
    kind, _ = word_at(words, hashed)
    return i if kind == AFTER else size


@njit(nogil=True, cache=True)
def _is_name(text: Bytes, start: int, size: int, words: Records, byline: bool) -> bool:
    """Whether it can be somebody's name: no address, no sentence, nobody in particular."""
    if size - start < 2 or (byline and size - start > LONGEST_BYLINE):
        return False
    hashed = start_hash()
    blanks = letters = 0
    dot = -1
    for i in range(start, size):
        byte = text[i]
        hashed = add_to_hash(hashed, byte)
        letters += byte >= 128 or 97 <= byte | np.uint8(32) <= 122
        blanks += byte == 32
        if byte == 46:
            dot = i
        if byte == 64 or (byte == 58 and i + 1 < size and text[i + 1] == 47):
            return False
    kind, _ = word_at(words, hashed)
    if kind or not letters or (byline and blanks >= MOST_WORDS):
        return False
    return not (blanks == 0 and start < dot < size - 2)  # a host
