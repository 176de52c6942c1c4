"""A batch of pages becomes UTF-8, by the rules of `charset.decode`, without a Python object for most pages.

Pages that are ASCII or valid UTF-8 are judged by kernels and columns of codes, and their bytes stay where they are. The
rest (other encodings, damaged UTF-8, UTF-16) goes through `decode`. A batch without such pages is not copied at all.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dataprep.html.decode.charset import PRESCAN, codec_inside, decode
from dataprep.html.decode.charset_kernel import (
    ASCII,
    NO_MARK,
    OTHER,
    UTF8,
    UTF8_MARK,
    UTF16_MARK,
    copy,
    hides_something,
    kinds,
    labels,
    marks,
)
from dataprep.html.decode.encodings import codec_of, extends_ascii
from dataprep.html.decode.prescan_kernel import NONE
from dataprep.text.utf8 import Bytes, Longs, Utf8, frozen

HOW = ("utf-8", "bom", "header", "meta", "detected")
_UTF8, _BOM, _HEADER, _META, _DETECTED = range(5)
_NOBODY = -1  # in a column of codecs: nothing was declared that anybody knows


@dataclass(frozen=True)
class Pages:
    """``text`` may hold NUL; the columns are those of `charset.Decoded`, strings and int32."""

    text: Utf8
    charset: pa.Array
    charset_from: pa.Array
    charset_replaced: pa.Array


class _Codecs:
    """The codecs of a batch by number; 0 is UTF-8."""

    def __init__(self) -> None:
        self.numbers = {"utf-8": 0}

    def number(self, name: str | None) -> int:
        return _NOBODY if name is None else self.numbers.setdefault(name, len(self.numbers))

    def of(self, declared: pa.Array, meaning: Callable[[Any], str | None]) -> Longs:
        """The number per label; each distinct label is looked up once."""
        encoded = declared.dictionary_encode()
        numbers = [self.number(meaning(label)) for label in encoded.dictionary.to_pylist()]
        codes = encoded.indices.fill_null(len(numbers)).to_numpy(zero_copy_only=False)
        return np.array([*numbers, _NOBODY], np.int64)[codes]

    def names(self) -> pa.Array:
        return pa.array(list(self.numbers), pa.string())

    def extend_ascii(self) -> NDArray[np.bool_]:
        """bool per number, and True for `_NOBODY`, who is last."""
        return np.array([*map(extends_ascii, self.numbers), True])


def decode_pages(payloads: pa.Array, declared: pa.Array | None, html: bool) -> Pages:
    """Pages (``html``) or plain texts as UTF-8; ``declared`` has the charsets that a transport named, or nulls."""
    raw = Utf8.of(payloads.view(pa.large_string()))
    marked = marks(raw.values, raw.offsets[:-1], raw.offsets[1:])
    starts, ends = raw.offsets[:-1] + np.where(marked == UTF8_MARK, UTF8_MARK, 0), raw.offsets[1:]
    kind = kinds(raw.values, starts, ends)
    codecs = _Codecs()
    header = np.full(len(kind), _NOBODY) if declared is None else codecs.of(declared.cast(pa.string()), codec_of)
    meta = np.full(len(kind), _NOBODY)
    if html:
        open_ = ((kind == ASCII) & (header == _NOBODY)) | ((kind == UTF8) & (header != 0))
        _find_declared(raw.values, starts, ends, np.flatnonzero(open_ & (marked == NO_MARK)), codecs, meta)

    charset = np.zeros(len(kind), np.int64)
    how = np.full(len(kind), _UTF8)
    how[meta == 0] = _META
    how[header == 0] = _HEADER
    ascii_ = kind == ASCII
    for column, source in ((meta, _META), (header, _HEADER)):
        says = ascii_ & (column != _NOBODY)
        charset[says], how[says] = column[says], source
    how[marked == UTF8_MARK] = _BOM
    charset[marked == UTF8_MARK] = 0

    unmarked_ascii = ascii_ & (marked == NO_MARK)
    slow = (kind == OTHER) | (marked == UTF16_MARK) | (unmarked_ascii & ~codecs.extend_ascii()[charset])
    bare = np.flatnonzero(unmarked_ascii & (header == _NOBODY) & (meta == _NOBODY))
    slow[bare] |= hides_something(raw.values, starts, ends, bare)

    replaced = np.zeros(len(kind), np.int32)
    texts = []
    for d in np.flatnonzero(slow):
        label = None if declared is None else declared[d].as_py()
        decoded = decode(payloads[d].as_py(), label, html)
        charset[d], how[d], replaced[d] = codecs.number(decoded.charset), HOW.index(decoded.how), decoded.replaced
        texts.append(decoded.text.encode())
    return Pages(
        _assembled(raw, starts, ends, slow, texts),
        codecs.names().take(pa.array(charset)),
        pa.array(HOW, pa.string()).take(pa.array(how)),
        pa.array(replaced),
    )


def _find_declared(values: Bytes, starts: Longs, ends: Longs, pages: Longs, codecs: _Codecs, meta: Longs) -> None:
    """The codec that each of ``pages`` names, into ``meta``."""
    at = starts.copy()
    heads = np.minimum(starts + PRESCAN, ends)
    while len(pages):
        first, last = labels(values, starts, heads, at, pages)
        there = first != NONE
        pages, first, last = pages[there], first[there], last[there]
        offsets = np.concatenate([[0], np.cumsum(last - first)])
        found = np.empty(offsets[-1], np.uint8)
        copy(values, first, last, np.arange(len(pages)), found, offsets)
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(found)]
        meta[pages] = codecs.of(pa.Array.from_buffers(pa.large_binary(), len(pages), buffers), codec_inside)
        pages = pages[meta[pages] == _NOBODY]


def _assembled(raw: Utf8, starts: Longs, ends: Longs, slow: NDArray[np.bool_], texts: list[bytes]) -> Utf8:
    """The pages in order: those of ``slow`` are ``texts``, the others are where they were."""
    if not texts and np.array_equal(starts, raw.offsets[:-1]):
        return raw
    sizes = ends - starts
    sizes[slow] = [len(text) for text in texts]
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    values = np.empty(offsets[-1], np.uint8)
    copy(raw.values, starts, ends, np.flatnonzero(~slow), values, offsets)
    for d, text in zip(np.flatnonzero(slow), texts, strict=True):
        values[offsets[d] : offsets[d + 1]] = np.frombuffer(text, np.uint8)
    return Utf8(frozen(values), offsets)
