"""A batch's texts → one buffer of ids and one of offsets.

Decisions:
- Text is text: what looks like a special token in a document is encoded as the characters it is made of, never as the
  control token. (Added tokens that a given ``tokenizer.json`` does not declare special, such as runs of spaces, stay
  what they are there.)
- Nothing is added but the closing EOS, and nothing is cut: a given file's template, truncation and padding are off.
- The kernel (`engine`) does what it knows (`support`), ``tokenizers`` all else; the ids are the same, and
  ``Encoder.note`` says when and why it is the slower one. A text that its tokenizer would bring into another normal form
  goes to the library, too, one by one.
"""

import os
import unicodedata
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from tokenizers import Tokenizer

from dataprep import storage
from dataprep.compiled import njit
from dataprep.shards.layout import fingerprint, token_dtype
from dataprep.text.normal import is_nfc, normalisation
from dataprep.text.utf8 import Bytes, Longs, Utf8
from dataprep.tokens.engine import Engine
from dataprep.tokens.measure import byte_lengths
from dataprep.tokens.support import Plan, Unsupported

# An encoding costs about 150 bytes a token inside the engine, so a batch of documents is given to it piece by piece.
PIECE_BYTES = 1 << 20


class Encoder:
    """A ``tokenizer.json`` ready to encode. ``vocabulary_size`` is the largest id it knows, plus one.

    ``note`` says why ``tokenizers`` encodes instead of the kernel; None if it does not.
    """

    def __init__(self, tokenizer_json: bytes, eos_token: str, name: str = "tokenizer.json") -> None:
        """Raises ``ValueError`` naming ``name`` when it is not a tokenizer or has no such EOS token."""
        try:
            self.tokenizer = Tokenizer.from_str(tokenizer_json.decode())
        except Exception as error:  # the library raises plain Exception
            raise ValueError(f"{name}: not a tokenizer.json ({' '.join(str(error).split())})") from None
        self.tokenizer.encode_special_tokens = True
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        eos_id = self.tokenizer.token_to_id(eos_token)
        if eos_id is None:
            raise ValueError(f"{name}: has no token {eos_token!r}; tokenizer.eos_token must be one of its tokens")
        self.eos_id: int = eos_id
        self.fingerprint = fingerprint(tokenizer_json)
        self.vocabulary_size = max(self.tokenizer.get_vocab(with_added_tokens=True).values()) + 1
        self.dtype = token_dtype(self.vocabulary_size)

        self.note: str | None = None
        self.engine: Engine | None = None
        self.composed = False
        try:
            plan = Plan.of(tokenizer_json, self.tokenizer)
        except Unsupported as reason:
            self.note = f"encoded by tokenizers, which is slower: {name} has {reason}, which our encoder does not know"
        else:
            self.engine = Engine(plan, eos_id)
            self.composed = plan.composed

    def encode(self, texts: pa.Array) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """ids: flat, each document of the (large_)string ``texts`` closed with EOS; offsets: int64[n + 1] into ids."""
        if self.engine is None:
            return self._by_library(texts)
        text = Utf8.of(texts)
        encoded, offsets = self.engine.encode(text)
        ids = encoded.astype(self.dtype, copy=False)
        if self.composed:
            rows = np.flatnonzero(_not_composed(text.values, text.offsets, *_composition()))
            if len(rows):
                return _replaced(ids, offsets, rows, *self._by_library(texts.take(pa.array(rows))))
        return ids, offsets

    def _by_library(self, texts: pa.Array) -> tuple[NDArray[Any], NDArray[np.int64]]:
        os.environ["TOKENIZERS_PARALLELISM"] = "false"  # parallelism is one process a core
        ids: list[NDArray[Any]] = []
        lengths = np.empty(len(texts), np.int64)
        eos = np.array([self.eos_id], self.dtype)
        row = 0
        for piece in _pieces(texts):
            for encoding in self.tokenizer.encode_batch_fast(piece.to_pylist(), add_special_tokens=False):
                document = np.array(encoding.ids, self.dtype)
                ids += (document, eos)
                lengths[row] = len(document) + 1
                row += 1
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        return (np.concatenate(ids) if ids else np.empty(0, self.dtype)), offsets

    def measure(self, texts: pa.ChunkedArray, limit: int) -> tuple[int, int]:
        """UTF-8 bytes and tokens (EOS not counted) of the first texts, until ``limit`` bytes have been encoded."""
        size = tokens = 0
        for chunk in texts.chunks:
            for piece in _pieces(chunk):
                ids, offsets = self.encode(piece)
                size += int(byte_lengths(piece).sum())
                tokens += len(ids) - len(offsets) + 1
                if size >= limit:
                    return size, tokens
        return size, tokens


@cache
def load_encoder(path: str, eos_token: str, expected: str) -> Encoder:
    """The encoder of this process. Raises ``ValueError`` when the file's fingerprint is not ``expected``."""
    data = storage.read_bytes(path)
    found = fingerprint(data)
    if found != expected:
        raise ValueError(
            f"{path}: tokenizer {found}, expected {expected}: the file has changed since it was planned with"
        )
    return Encoder(data, eos_token, path)


def _pieces(texts: pa.Array) -> list[pa.Array]:
    # consecutive documents, a new piece where the running size passes a multiple of PIECE_BYTES
    ends = np.cumsum(byte_lengths(texts))
    borders = np.flatnonzero(np.diff(ends // PIECE_BYTES)) + 1
    cuts = [0, *borders.tolist(), len(texts)]
    return [texts.slice(start, stop - start) for start, stop in pairwise(cuts) if stop > start]


@cache
def _composition() -> tuple[Bytes, Bytes]:
    """`normalisation` of form C; what this Python does not know may change, too: the library may know it."""
    changes, combining = normalisation("NFC")
    unknown = [unicodedata.category(chr(code)) == "Cn" for code in range(len(changes))]
    return changes | np.array(unknown, np.uint8), combining


@njit(nogil=True, cache=True)
def _not_composed(values: Bytes, offsets: Longs, changes: Bytes, combining: Bytes) -> NDArray[np.bool_]:
    """The texts that are not sure to be in normal form C."""
    found = np.empty(len(offsets) - 1, np.bool_)
    for d in range(len(found)):
        found[d] = not is_nfc(values, offsets[d], offsets[d + 1], changes, combining)
    return found


def _replaced(
    ids: NDArray[Any], offsets: Longs, rows: Longs, new_ids: NDArray[Any], new_offsets: Longs
) -> tuple[NDArray[Any], Longs]:
    """The same with other ids for some rows."""
    lengths = np.diff(offsets)
    lengths[rows] = np.diff(new_offsets)
    borders = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    pieces, kept = [], 0
    for at, row in enumerate(rows.tolist()):
        pieces += (ids[offsets[kept] : offsets[row]], new_ids[new_offsets[at] : new_offsets[at + 1]])
        kept = row + 1
    return np.concatenate([*pieces, ids[offsets[kept] :]]), borders
