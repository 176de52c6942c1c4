"""A text column as kernels see it, and what all kernels share: decoding and encoding UTF-8, hashing a piece of it.

Decisions:
- Kernels take ``values`` (uint8, the UTF-8 bytes of the column) and ``offsets`` (int64, one more than documents), so a
  slice of a batch costs nothing and no document becomes a Python object.
- A piece of text is identified by the polynomial hash ``sum((byte + 1) * BASE**k)`` modulo 2**64. It composes:
  ``hash(a + b) = hash(a) * BASE**len(b) + hash(b)``, so the hash of an n-gram comes from the hashes of its words, with
  or without spaces between them. Two given pieces collide with odds of about 2**-60: among documents of a million
  words, one in about two million has a false repeat. (Text built on purpose, as the Thue-Morse sequence, can collide.)
- Arithmetic on hashes is uint64 throughout: numba turns ``uint64 + int64`` into a float.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dataprep.compiled import njit

# what kernels take; numba does not read annotations
Bytes = NDArray[np.uint8]
Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
Hashes = NDArray[np.uint64]

BASE = np.uint64(0x9E3779B97F4A7C15)
ONE = np.uint64(1)
SPACE_BYTE = np.uint64(0x20 + 1)
REPLACEMENT = 0xFFFD


@dataclass(frozen=True)
class Utf8:
    """The buffers of one text column: ``values`` uint8 (read-only), ``offsets`` int64 of documents + 1."""

    values: Bytes
    offsets: Longs

    @classmethod
    def of(cls, column: pa.Array) -> "Utf8":
        """Over ``column`` (string or large_string, sliced or not), copying only offsets. ``ValueError`` on nulls."""
        if pa.types.is_large_string(column.type):
            width: type[np.signedinteger] = np.int64
        elif pa.types.is_string(column.type):
            width = np.int32
        else:
            raise TypeError(f"text column is {column.type}; allowed: string, large_string")
        if column.null_count:
            raise ValueError(f"text column has {column.null_count} nulls; a document without text is ''")
        if len(column) == 0:
            return cls(frozen(np.empty(0, np.uint8)), np.zeros(1, np.int64))
        _, offset_buffer, value_buffer = column.buffers()
        offsets = np.frombuffer(offset_buffer, width)[column.offset : column.offset + len(column) + 1].astype(np.int64)
        values = np.frombuffer(value_buffer, np.uint8) if value_buffer is not None else np.empty(0, np.uint8)
        return cls(frozen(values), offsets)

    @property
    def documents(self) -> int:
        return len(self.offsets) - 1


def text_column(values: Bytes, offsets: Longs, kind: pa.DataType) -> pa.Array:
    """The other way round: a column of texts from their UTF-8 bytes and where each begins, without copying."""
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(values)]
    return pa.Array.from_buffers(pa.large_string(), len(offsets) - 1, buffers).cast(kind)


def frozen(values: Bytes) -> NDArray[np.uint8]:
    """``values`` read-only: with one mutability numba compiles each kernel once."""
    view = values.view()
    view.flags.writeable = False
    return view


@njit(nogil=True, cache=True, inline="always")
def decode(values: Bytes, i: int, end: int) -> tuple[Any, int]:
    """The code point at byte ``i`` and its length in bytes. Bytes that are not UTF-8 count as U+FFFD, one byte long."""
    lead = np.int64(values[i])
    if lead < 0x80:
        return lead, 1
    if 0xC2 <= lead < 0xE0 and i + 1 < end:
        return (lead & 0x1F) << 6 | (np.int64(values[i + 1]) & 0x3F), 2
    if 0xE0 <= lead < 0xF0 and i + 2 < end:
        return (lead & 0x0F) << 12 | (np.int64(values[i + 1]) & 0x3F) << 6 | (np.int64(values[i + 2]) & 0x3F), 3
    if 0xF0 <= lead < 0xF5 and i + 3 < end:
        code = (
            (lead & 0x07) << 18
            | (np.int64(values[i + 1]) & 0x3F) << 12
            | (np.int64(values[i + 2]) & 0x3F) << 6
            | (np.int64(values[i + 3]) & 0x3F)
        )
        return min(code, 0x10FFFF), 4
    return REPLACEMENT, 1


@njit(nogil=True, cache=True, inline="always")
def encode(code: int, out: Bytes, at: int) -> int:
    """Write the UTF-8 of ``code`` at ``at``; its length."""
    if code < 0x80:
        out[at] = np.uint8(code)
        return 1
    if code < 0x800:
        out[at] = np.uint8(0xC0 | (code >> 6))
        out[at + 1] = np.uint8(0x80 | (code & 0x3F))
        return 2
    if code < 0x10000:
        out[at] = np.uint8(0xE0 | (code >> 12))
        out[at + 1] = np.uint8(0x80 | ((code >> 6) & 0x3F))
        out[at + 2] = np.uint8(0x80 | (code & 0x3F))
        return 3
    out[at] = np.uint8(0xF0 | (code >> 18))
    out[at + 1] = np.uint8(0x80 | ((code >> 12) & 0x3F))
    out[at + 2] = np.uint8(0x80 | ((code >> 6) & 0x3F))
    out[at + 3] = np.uint8(0x80 | (code & 0x3F))
    return 4


@njit(nogil=True, cache=True, inline="always")
def last_character(values: Bytes, start: int, end: int) -> int:
    """The first byte of the last code point in ``values[start:end]``, which must not be empty."""
    i = end - 1
    while i > start and (values[i] & 0xC0) == 0x80:
        i -= 1
    return i


@njit(nogil=True, cache=True, inline="always")
def extend_hash(hashed: np.uint64, values: Bytes, start: int, end: int) -> np.uint64:
    """The hash of a piece followed by ``values[start:end]``, from the piece's hash."""
    for i in range(start, end):
        hashed = hashed * BASE + (np.uint64(values[i]) + ONE)
    return hashed


@njit(nogil=True, cache=True)
def find_sorted(ordered: Hashes, key: np.uint64) -> int:
    """The position of ``key`` in sorted hashes, or -1."""
    low = 0
    high = len(ordered)
    while low < high:
        middle = (low + high) // 2
        if ordered[middle] < key:
            low = middle + 1
        else:
            high = middle
    return low if low < len(ordered) and ordered[low] == key else -1


@njit(nogil=True, cache=True)
def power(exponent: int) -> np.uint64:
    """``BASE ** exponent`` modulo 2**64."""
    result = ONE
    factor = BASE
    while exponent > 0:
        if exponent & 1:
            result = result * factor
        factor = factor * factor
        exponent >>= 1
    return result


@njit(nogil=True, cache=True, inline="always")
def count_code_points(values: Bytes, start: int, end: int) -> int:
    """Code points in ``values[start:end]``: bytes that do not continue a character."""
    count = 0
    for i in range(start, end):
        count += (values[i] & 0xC0) != 0x80
    return count


@njit(nogil=True, cache=True)
def code_points(values: Bytes, offsets: Longs) -> Longs:
    """int64 per document: the length of its text in Unicode code points."""
    result = np.empty(len(offsets) - 1, np.int64)
    for d in range(len(offsets) - 1):
        result[d] = count_code_points(values, offsets[d], offsets[d + 1])
    return result


@njit(nogil=True, cache=True)
def count_text(values: Bytes, offsets: Longs, pattern: Bytes) -> Longs:
    """int64 per document: occurrences of the bytes ``pattern`` that do not overlap, as ``str.count``."""
    result = np.zeros(len(offsets) - 1, np.int64)
    size = len(pattern)
    for d in range(len(offsets) - 1):
        i = offsets[d]
        last = offsets[d + 1] - size
        while i <= last:
            if values[i] == pattern[0]:
                k = 1
                while k < size and values[i + k] == pattern[k]:
                    k += 1
                if k == size:
                    result[d] += 1
                    i += size
                    continue
            i += 1
    return result
