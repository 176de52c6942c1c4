"""Where a page says something about itself: candidates for each field, and their text.

A candidate is a range of bytes that is an attribute's value or a JSON string, or an element. They are kept by field and
by how much their source is believed, a few of each, in arrays that are used again for every page.
"""

import numpy as np
from numpy.typing import NDArray

from dataprep.compiled import njit
from dataprep.html.dom.entities import refer
from dataprep.html.dom.records import TEXT, Dom, Records, first_from
from dataprep.html.dom.tags import add_to_hash, name_hash, place_of, start_hash
from dataprep.text.utf8 import Bytes, encode


def integers(first: int, last: int) -> list[int]:
    """Numbers to pass to kernels: for each of Python's that a function is called with, numba compiles it once more."""
    return list(np.arange(first, last))


TITLE, AUTHOR, PUBLISHED, LANGUAGE, CANONICAL, JSON_TYPE, BASE, SITE = integers(0, 8)
FIELDS = 8
RANKS = 7
KEPT = 8  # candidates of one rank
SPARE = 8  # bytes a line must have more than the text in it

FIRST, SECOND = integers(0, 2)
VALUE, JSON, ELEMENT = integers(0, 3)  # what a candidate is; of an element ``start`` is the node

CLAIM = np.dtype([("how", np.uint8), ("start", np.int32), ("end", np.int32)], align=True)
WORD = np.dtype([("hash", np.uint64), ("kind", np.uint8), ("rank", np.uint8)], align=True)
Claims = NDArray[np.void]  # CLAIM, by field, rank and order
Counts = NDArray[np.int64]  # of them, by field and rank


@njit(nogil=True, cache=True)
def wide(value: int) -> int:
    """A number of a record as 64 bits: numba compiles a function once more for each width it is called with."""
    return np.int64(value)  # type: ignore[return-value]


@njit(nogil=True, cache=True)
def claim(claims: Claims, counts: Counts, field: int, rank: int, how: int, start: int, end: int) -> None:
    """Keep a candidate, if there is room and it is not empty."""
    count = counts[field, rank]
    if count < KEPT and (how == ELEMENT or end > start):
        claims[field, rank, count]["how"] = how
        claims[field, rank, count]["start"] = start
        claims[field, rank, count]["end"] = end
        counts[field, rank] = count + 1


@njit(nogil=True, cache=True)
def text_of(b: Bytes, dom: Dom, how: int, start: int, end: int, out: Bytes) -> int:
    """Write a candidate's text to ``out``, as much as fits; its length.

    White space and control characters are collapsed, tags left out, references and escapes of JSON replaced.
    """
    if how != ELEMENT:
        return _trimmed(out, append(b, start, end, how, out, FIRST))
    node = dom.nodes[start]
    first, last = wide(node["first"]), wide(node["last"])
    return text_of_blocks(b, dom, first, last, wide(node["inner"]), wide(node["outer"]), out)


@njit(nogil=True, cache=True)
def text_of_blocks(b: Bytes, dom: Dom, first: int, last: int, inner: int, outer: int, out: Bytes) -> int:
    """Write the text of blocks, as far as it is between two bytes of the page, to ``out``; its length."""
    segments, blocks = dom.segments, dom.blocks
    size = 0
    block = first
    stop = wide(blocks[last]["first"])
    for segment in range(first_from(segments, wide(blocks[first]["first"]), stop, inner), stop):
        start, end = wide(segments[segment]["start"]), wide(segments[segment]["end"])
        if start >= outer or size + SPARE > len(out):
            break
        while blocks[block + 1]["first"] <= segment:
            block += 1
            size = _space(out, size)
        text = segments[segment]["kind"] == TEXT
        size = append(b, start, end, ELEMENT, out, size) if text else _space(out, size)
    return _trimmed(out, size)


@njit(nogil=True, cache=True)
def _space(out: Bytes, size: int) -> int:
    if 0 < size < len(out) and out[size - 1] != 32:
        out[size] = 32
        return size + 1
    return size


@njit(nogil=True, cache=True)
def _trimmed(out: Bytes, size: int) -> int:
    return size - 1 if size and out[size - 1] == 32 else size


@njit(nogil=True, cache=True)
def append(b: Bytes, start: int, end: int, how: int, out: Bytes, size: int) -> int:
    """Write ``b[start:end]`` behind the ``size`` bytes that ``out`` has; how many it has then."""
    i = start
    tags = True
    while i < end and size + SPARE <= len(out):
        byte = b[i]
        if byte == 38 or (byte == 92 and how == JSON and i + 1 < end):
            if byte == 38:
                i, first, second = refer(b, i, end, how == VALUE)
            else:
                first, i = unescape(b, i, end)
                first, second = max(first, 32), 0
            if first == 38:  # as itself, or escaped twice
                again, inner, more = refer(b, i - 1, end, True)
                if again > i and b[again - 1] == 59:
                    i, first, second = again, inner, more
            size = _put(wide(first), out, size)
            size = _put(second, out, size)
        elif byte <= 32 or byte == 127:
            size = _space(out, size)
            i += 1
        elif byte == 0xC2 and i + 1 < end and (b[i + 1] == 0xA0 or b[i + 1] == 0xAD):
            size = _put(int(b[i + 1]), out, size)
            i += 2
        elif byte == 60 and tags and i + 1 < end and (b[i + 1] == 47 or 97 <= b[i + 1] | np.uint8(32) <= 122):
            j = i
            while j < end and b[j] != 62:
                j += 1
            tags = j < end
            if tags:
                i = j + 1
        else:
            out[size] = byte
            size += 1
            i += 1
            while i < end and b[i] & 0xC0 == 0x80 and size < len(out):
                out[size] = b[i]
                size += 1
                i += 1
    return size


@njit(nogil=True, cache=True)
def _put(code: int, out: Bytes, size: int) -> int:
    """Write a code point: nothing for none and for a soft hyphen, white space as one blank."""
    if code == 0 or code == 0xAD:
        return size
    if code <= 32 or code == 127 or code == 0xA0:
        return _space(out, size)
    return size + encode(code, out, size)


@njit(nogil=True, cache=True)
def unescape(b: Bytes, i: int, end: int) -> tuple[int, int]:
    """The code point that the escape of JSON at byte ``i`` stands for, and where it ends (RFC 8259, 7)."""
    byte = b[i + 1]
    if byte >= 128:
        return 32, i + 1  # a lone backslash
    if byte == 117:
        code = _hex(b, i + 2, end)
        if code < 0:
            return 32, i + 2
        i += 6
        if 0xD800 <= code < 0xDC00 and i + 1 < end and b[i] == 92 and b[i + 1] == 117:
            low = _hex(b, i + 2, end)
            if 0xDC00 <= low < 0xE000:
                return 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00), i + 6
        return 0xFFFD if 0xD800 <= code < 0xE000 else code, i
    if byte == 110 or byte == 114 or byte == 116 or byte == 98 or byte == 102:
        return 32, i + 2
    return int(byte), i + 2


@njit(nogil=True, cache=True)
def _hex(b: Bytes, i: int, end: int) -> int:
    """The value of four hexadecimal digits, or -1."""
    if i + 4 > end:
        return -1
    code = 0
    for k in range(4):
        byte = int(b[i + k])
        if 48 <= byte <= 57:
            digit = byte - 48
        elif 97 <= byte | 32 <= 102:
            digit = (byte | 32) - 87
        else:
            return -1
        code = code * 16 + digit
    return code


def word_table(meanings: dict[str, tuple[int, int]]) -> Records:
    """A table of words for `word_at`, each with its kind and rank."""
    # hashes fold ASCII letters only, so other alphabets' words are there in small letters and with a capital
    spelled = {form: meaning for word, meaning in meanings.items() for form in (word, word.capitalize(), word.upper())}
    table = np.zeros(1 << (4 * len(spelled)).bit_length(), WORD)
    for word, (kind, rank) in spelled.items():
        hashed = name_hash("".join(c.lower() if c.isascii() else c for c in word))
        place = place_of(table, np.uint64(hashed))
        table[place]["hash"], table[place]["kind"], table[place]["rank"] = hashed, kind, rank
    return table


@njit(nogil=True, cache=True)
def word_at(words: Records, hashed: np.uint64) -> tuple[int, int]:
    """Kind and rank of the word with this hash; kind 0 if it is none of the table's."""
    place = place_of(words, hashed)
    return wide(words[place]["kind"]), wide(words[place]["rank"])


@njit(nogil=True, cache=True)
def hash_of(b: Bytes, start: int, end: int) -> np.uint64:
    """The hash of ``b[start:end]``, see `tags.name_hash`."""
    hashed = start_hash()
    for i in range(start, end):
        hashed = add_to_hash(hashed, b[i])
    return hashed
