"""``fastokens``, whose ids are those of ``tokenizers`` 13 to 55 times sooner, behind a check.

Decisions:
- When a tokenizer is loaded, both encode ``PROBE``, what pre-tokenizers and Unicode tables are apt to disagree about,
  and every added token. One difference, and ``tokenizers`` does all the work.
- The library takes strings: there are as many at a time as fit into ``PIECE_BYTES``. Ids come back as one buffer.
- One thread: parallelism is one process a core. The library's pool is started here, for it reads the number of threads
  (``RAYON_NUM_THREADS``) only then; training with ``tokenizers`` in the same process keeps all cores.
"""

import os
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from fastokens import Tokenizer as FastTokenizer
from numpy.typing import NDArray
from tokenizers import Tokenizer

from dataprep.compiled import njit
from dataprep.tokens.measure import byte_lengths
from dataprep.tokens.support import unsupported

PIECE_BYTES = 1 << 20
CHECKED = 2_000  # characters of a batch's first document
PROBED_CODES = (0x20, 0x3000, 0xA0, 0x1C89, 0x10D40, 0x1F600)  # from each of these, as many characters as
PROBED = 256
PROBE = [
    "The mill's wheel turns; we've 1234567 sacks (don't ASK'LL) of flour.\r\n\r\n\tint x = a[0] + 'ſ';  // done  \n \n",
    "Größe œuvre naïve e\u0301 \u1e9b\u0323 小麦を挽く。 밀가루 ٣٤٥ ½"
    " \u3000 \u00a0 \u200b\ufeff \x85\u2028 \x00\x1c 👨‍👩‍👧 ‘it’s’ —…",
    "a" * 300 + " " * 300 + "x" + "\n" * 300 + "-" * 300 + "'" * 30 + "7" * 30,
    *("".join(chr(code) + between for code in range(first, first + PROBED)) for first in PROBED_CODES
      for between in ("", " ", "a", "1")),
]  # fmt: skip


class FastEncoder:
    """Raises ``ValueError`` saying why this tokenizer is left to ``tokenizers``."""

    def __init__(
        self, tokenizer_json: bytes, reference: Tokenizer, bos_id: int | None, eos_id: int, dtype: np.dtype[Any]
    ) -> None:
        """``reference``: the same file, loaded with ``tokenizers``, special tokens encoded as text."""
        unknown = unsupported(tokenizer_json, reference)
        if unknown is not None:
            raise ValueError(f"it has {unknown}")
        self.reference, self.bos_id, self.eos_id, self.dtype = reference, bos_id, eos_id, dtype
        try:
            self.tokenizer = FastTokenizer.from_json_str(tokenizer_json.decode())
        except Exception as error:  # the library raises several kinds
            raise ValueError(f"fastokens cannot read it ({' '.join(str(error).split())})") from None
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        added = [token.content for token in reference.get_added_tokens_decoder().values()]
        probe = [*PROBE, *added, " ".join(added), "".join(added), *("x" + token + token for token in added)]
        given = os.environ.get("RAYON_NUM_THREADS")
        os.environ["RAYON_NUM_THREADS"] = "1"
        try:
            found = [self._ids_of(text) for text in probe]
        finally:
            if given is None:
                del os.environ["RAYON_NUM_THREADS"]
            else:
                os.environ["RAYON_NUM_THREADS"] = given
        for text, ids in zip(probe, found, strict=True):
            if ids != self._true_ids_of(text):
                raise ValueError(f"fastokens gives other ids for {text[:20]!r}")

    def _ids_of(self, text: str) -> list[int]:
        return np.frombuffer(self._flat([text])[0], np.uint32).tolist()

    def _true_ids_of(self, text: str) -> list[int]:
        ids: list[int] = self.reference.encode(text, add_special_tokens=False).ids
        return ids

    def _flat(self, texts: list[str]) -> tuple[bytes, bytes]:
        """ids (uint32) and offsets (uint64[n + 1]); special tokens are text."""
        buffers: tuple[bytes, bytes] = self.tokenizer.encode_batch_flat(texts, False, True)
        return buffers

    def encode(self, texts: pa.Array) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """ids: flat, each document of the (large_)string ``texts`` closed with EOS; offsets: int64[n + 1] into ids.

        Raises ``RuntimeError`` when the two libraries turn out to disagree.
        """
        for document in texts.slice(0, 1):
            beginning = document.as_py()[:CHECKED]
            if self._ids_of(beginning) != self._true_ids_of(beginning):
                raise RuntimeError(f"fastokens and tokenizers give different ids for {beginning!r}")
        parts: list[NDArray[Any]] = []
        offsets = np.zeros(len(texts) + 1, np.int64)
        bos = np.array([] if self.bos_id is None else [self.bos_id], self.dtype)
        added = len(bos) + 1
        row = size = 0
        for piece in pieces(texts):
            flat, borders = self._flat(piece.to_pylist())
            ids, ends = np.frombuffer(flat, np.uint32), np.frombuffer(borders, np.uint64).astype(np.int64)
            closed = np.empty(len(ids) + added * len(piece), self.dtype)
            _close(ids, ends, bos, self.eos_id, closed)
            parts.append(closed)
            offsets[row + 1 : row + 1 + len(piece)] = size + ends[1:] + added * np.arange(1, len(piece) + 1)
            row += len(piece)
            size += len(closed)
        return (np.concatenate(parts) if parts else np.empty(0, self.dtype)), offsets


def pieces(texts: pa.Array) -> list[pa.Array]:
    """Consecutive documents, a new piece where the running size passes a multiple of ``PIECE_BYTES``."""
    ends = np.cumsum(byte_lengths(texts))
    borders = np.flatnonzero(np.diff(ends // PIECE_BYTES)) + 1
    cuts = [0, *borders.tolist(), len(texts)]
    return [texts.slice(start, stop - start) for start, stop in pairwise(cuts) if stop > start]


@njit(nogil=True, cache=True)
def _close(ids: NDArray[np.uint32], offsets: NDArray[np.int64], bos: NDArray[Any], eos: int, out: NDArray[Any]) -> None:
    """Copy the ids of every document, narrowed, with EOS behind them and ``bos``, of one id or none, before."""
    at = 0
    for document in range(len(offsets) - 1):
        for token in bos:
            out[at] = token
            at += 1
        for i in range(offsets[document], offsets[document + 1]):
            out[at] = ids[i]
            at += 1
        out[at] = eos
        at += 1
