"""A batch's texts → one buffer of ids and one of offsets.

Decisions:
- Text is text: what looks like a special token in a document is encoded as the characters it is made of, never as the
  control token. (Added tokens that a given ``tokenizer.json`` does not declare special, such as runs of spaces, stay
  what they are there.)
- Nothing is added but the closing EOS, and a BOS where one is asked for; nothing is cut: a given file's template,
  truncation and padding are off.
- Ids are those of ``tokenizers``. A faster library gives them where it is known to give the same (`fast`); else
  ``tokenizers`` itself, and ``Encoder.note`` says why.
"""

import os
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from tokenizers import Tokenizer

from dataprep import storage
from dataprep.shards.layout import fingerprint, token_dtype
from dataprep.tokens.fast import FastEncoder, pieces


def text_tokenizer(tokenizer_json: bytes, name: str = "tokenizer.json") -> Tokenizer:
    """``tokenizers``' own, to which text is text, whole. Raises ``ValueError`` naming ``name`` when it is none."""
    try:
        tokenizer = Tokenizer.from_str(tokenizer_json.decode())
    except Exception as error:  # the library raises plain Exception
        raise ValueError(f"{name}: not a tokenizer.json ({' '.join(str(error).split())})") from None
    tokenizer.encode_special_tokens = True
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


class Encoder:
    """A ``tokenizer.json`` ready to encode. ``vocabulary_size`` is the largest id it knows, plus one.

    ``note`` says why encoding is slow, for the tokenizer stage's notes; None if it is not.
    """

    def __init__(
        self, tokenizer_json: bytes, eos_token: str, name: str = "tokenizer.json", bos_token: str | None = None
    ) -> None:
        """Raises ``ValueError`` naming ``name`` when it is not a tokenizer or has no such EOS or BOS token."""
        self.tokenizer = text_tokenizer(tokenizer_json, name)
        self.eos_id = self._control(name, "eos_token", eos_token)
        self.bos_id = None if bos_token is None else self._control(name, "bos_token", bos_token)
        self.fingerprint = fingerprint(tokenizer_json)
        self.vocabulary_size = max(self.tokenizer.get_vocab(with_added_tokens=True).values()) + 1
        self.dtype = token_dtype(self.vocabulary_size)

        self.note: str | None = None
        self.fast: FastEncoder | None = None
        try:
            self.fast = FastEncoder(tokenizer_json, self.tokenizer, self.bos_id, self.eos_id, self.dtype)
        except ValueError as reason:
            self.note = f"{name} is encoded by tokenizers, which is slow: {reason}"

    def _control(self, name: str, field: str, token: str) -> int:
        known: int | None = self.tokenizer.token_to_id(token)
        if known is None:
            raise ValueError(f"{name}: has no token {token!r}; tokenizer.{field} must be one of its tokens")
        return known

    def encode(self, texts: pa.Array) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """ids: flat, each document of the (large_)string ``texts`` closed with EOS; offsets: int64[n + 1] into ids."""
        return self._encode_slowly(texts) if self.fast is None else self.fast.encode(texts)

    def _encode_slowly(self, texts: pa.Array) -> tuple[NDArray[Any], NDArray[np.int64]]:
        os.environ["TOKENIZERS_PARALLELISM"] = "false"  # parallelism is one process a core
        ids: list[NDArray[Any]] = []
        lengths = np.empty(len(texts), np.int64)
        bos = np.array([] if self.bos_id is None else [self.bos_id], self.dtype)
        eos = np.array([self.eos_id], self.dtype)
        row = 0
        for piece in pieces(texts):
            for encoding in self.tokenizer.encode_batch_fast(piece.to_pylist(), add_special_tokens=False):
                document = np.array(encoding.ids, self.dtype)
                ids += (bos, document, eos)
                lengths[row] = len(bos) + len(document) + 1
                row += 1
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        return (np.concatenate(ids) if ids else np.empty(0, self.dtype)), offsets


@cache
def load_encoder(path: str, eos_token: str, expected: str, bos_token: str | None = None) -> Encoder:
    """The encoder of this process. Raises ``ValueError`` when the file's fingerprint is not ``expected``."""
    data = storage.read_bytes(path)
    found = fingerprint(data)
    if found != expected:
        raise ValueError(
            f"{path}: tokenizer {found}, expected {expected}: the file has changed since it was planned with"
        )
    return Encoder(data, eos_token, path, bos_token)
