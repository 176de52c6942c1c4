"""From UTF-8 buffers to what is compared: lower-cased words, and text with its spaces collapsed.

Two normalisations, named with a version because every fingerprint depends on them (others are in `normalise`):

- ``words-1``: the ``\\w+`` matches (letters, digits, numerals and the underscore of every script) of the text after
  each code point was replaced by the first code point of its own lower case and a final sigma by a plain one. In
  Python: ``re.findall(r"\\w+", text.replace("İ", "i").lower().replace("ς", "σ"))``. A shingle's bytes are the UTF-8 of
  its words joined by one space.
- ``spaces-1``: every run of white space (``str.isspace``) is one space, none at the ends; all else stands as it is. In
  Python: ``" ".join(text.split())``. Two documents are exact duplicates when the xxh3-128 of this is equal.

Which letters there are, and their lower case, is in `dataprep.text.fold`.
"""

from functools import cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from dataprep.compiled import njit
from dataprep.dedup.hashing import I64, U8
from dataprep.text.utf8 import Utf8, decode, encode
from dataprep.text.xxh3 import load8, xxh3


@cache
def space_table() -> npt.NDArray[np.bool_]:
    """bool[0x3001]: white space by code point; there is none beyond the ideographic space."""
    return np.array([chr(code).isspace() for code in range(0x3001)])


def exact_hashes(text: pa.Array) -> npt.NDArray[np.uint64]:
    """uint64[n, 2]: xxh3-128 (high half, low half) of every text under ``spaces-1``."""
    column = Utf8.of(text)
    data, bounds = collapse_spaces(column.values, column.offsets, space_table())
    view = data.data
    limits = bounds.tolist()
    digests = b"".join(xxhash.xxh3_128_digest(view[start:end]) for start, end in pairwise(limits))
    return np.frombuffer(digests, ">u8").astype(np.uint64).reshape(-1, 2)


@njit(nogil=True, cache=True)
def collapse_spaces(data: U8, bounds: I64, space: npt.NDArray[np.bool_]) -> tuple[U8, I64]:
    """``spaces-1`` of every document: bytes and offsets."""
    n = bounds.size - 1
    out = np.empty(bounds[n] - bounds[0], np.uint8)
    limits = np.zeros(n + 1, np.int64)
    used = 0
    for document in range(n):
        at = bounds[document]
        pending = False
        begin = used
        end = bounds[document + 1]
        while at < end:
            byte = data[at]
            if byte < 128:
                code, length = np.int64(byte), 1
            else:
                code, length = decode(data, at, end)
            if code < space.size and space[code]:
                pending = used > begin
                at += length
                continue
            if pending:
                out[used] = 32
                used += 1
                pending = False
            out[used] = byte
            used += 1
            for i in range(1, length):
                out[used] = data[at + i]
                used += 1
            at += length
        limits[document + 1] = used
    return out[:used], limits


@njit(nogil=True, cache=True)
def fold_words(data, begin, end, table, out, starts):  # type: ignore[no-untyped-def]
    """``words-1`` of ``data[begin:end]``: words joined by single spaces into ``out``, where each begins into
    ``starts``.

    Returns the number of words and of bytes, which count a space after the last word. ``out`` needs twice the bytes of
    the text and two more (no code point's lower case has more than one byte more than it), ``starts`` one entry for
    each word and one more.
    """
    words = 0
    used = 0
    inside = 0
    at = begin
    while at < end:
        # a place beyond the last word or byte may be written and is overwritten or left: no branch depends on ASCII
        # text
        starts[words] = used
        byte = load8(data, at)
        if byte < 128:
            code = table[byte]
            letter = int(code != 0)
            out[used] = np.uint8(code) if letter else np.uint8(32)
            written = 1
            at += 1
        else:
            point, length = decode(data, at, end)
            code = table[point]
            letter = int(code != 0)
            if letter:
                written = encode(code, out, used)
            else:
                out[used] = np.uint8(32)
                written = 1
            at += length
        words += letter & (1 - inside)
        used += written * (letter | inside)
        inside = letter
    if inside:
        out[used] = 32
        used += 1
    starts[words] = used
    return words, used


@njit(nogil=True, cache=True)
def fold_pieces(data, begin, end, table, out, starts):  # type: ignore[no-untyped-def]
    """As ``fold_words``, but every character that ends a word ends one, if only an empty one, and so does the end.

    ``starts`` needs one entry for each byte of the text and two more.
    """
    words = 0
    used = 0
    starts[0] = 0
    at = begin
    while at < end:
        point, length = decode(data, at, end)
        code = table[point]
        if code != 0:
            used += encode(code, out, used)
        else:
            out[used] = 32
            used += 1
            words += 1
            starts[words] = used
        at += length
    out[used] = 32
    words += 1
    starts[words] = used + 1
    return words, used + 1


@njit(nogil=True, cache=True)
def fold(data, begin, end, table, empty_words, out, starts):  # type: ignore[no-untyped-def]
    if empty_words:
        return fold_pieces(data, begin, end, table, out, starts)
    return fold_words(data, begin, end, table, out, starts)


@njit(nogil=True, cache=True)
def room(bounds, empty_words):  # type: ignore[no-untyped-def]
    """What the longest document needs: bytes for its words and entries for their starts."""
    longest = 0
    for i in range(bounds.size - 1):
        longest = max(longest, bounds[i + 1] - bounds[i])
    return 2 * longest + 2, (longest if empty_words else longest // 2) + 2


@njit(nogil=True, cache=True)
def hash_shingles(out, starts, words, shingle, hashes):  # type: ignore[no-untyped-def]
    """xxh3 of every run of ``shingle`` words of a ``fold_words`` buffer; how many there are.

    With room for uint32 the low halves.
    """
    count = max(words - shingle + 1, 0)
    for i in range(count):
        hashes[i] = hashes.dtype.type(xxh3(out, starts[i], starts[i + shingle] - 1))
    return count
