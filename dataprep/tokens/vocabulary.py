"""What a tokenizer makes of its sample: bytes per token by source and language, unused tokens, the longest ones.

Decisions:
- Tokens of text only: what closes or opens a document is not counted.
- A token can be rightly unused: one of a single byte that no UTF-8 has, or one that is only there to be joined further.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dataprep.tokens.byte_level import token_bytes
from dataprep.tokens.encode import Encoder
from dataprep.tokens.measure import CorpusMeasure, byte_lengths, rows_by_group
from dataprep.tokens.settings import TokenizerSettings

ROWS = 1024  # encoded together
EXAMPLES = 20


@dataclass(frozen=True)
class GroupUse:
    """Documents of one source and language in the sample."""

    source: str
    language: str
    bytes: int
    tokens: int


@dataclass(frozen=True)
class Token:
    """``text``: its bytes as far as they are UTF-8; ``count``: how often it is in the sample."""

    id: int
    text: str
    bytes: int
    count: int


@dataclass(frozen=True)
class VocabularyUse:
    """``tokens``: how many the tokenizer has for text; ``unused``: those that are not in the sample.

    ``unused_first``: the first of them by id but single bytes; ``longest``: those with the most bytes.
    """

    groups: tuple[GroupUse, ...]
    tokens: int
    unused: int
    unused_first: tuple[Token, ...]
    longest: tuple[Token, ...]
    control_tokens: dict[str, int]

    @property
    def sample_bytes(self) -> int:
        return sum(group.bytes for group in self.groups)

    @property
    def sample_tokens(self) -> int:
        return sum(group.tokens for group in self.groups)

    def corpus_tokens(self, corpus: CorpusMeasure) -> int:
        """About how many tokens of text the corpus has: each group as its sample; without one, as the whole sample."""
        known = {(group.source, group.language): group for group in self.groups}
        total = 0
        for name, measured in corpus.groups.items():
            group = known.get(name)
            size, tokens = (group.bytes, group.tokens) if group else (self.sample_bytes, self.sample_tokens)
            total += measured.bytes * tokens // max(size, 1)
        return total

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "VocabularyUse":
        lists: dict[str, Any] = {
            "groups": tuple(GroupUse(**group) for group in value["groups"]),
            "unused_first": tuple(Token(**token) for token in value["unused_first"]),
            "longest": tuple(Token(**token) for token in value["longest"]),
        }
        return cls(**(value | lists))

    @classmethod
    def of(cls, encoder: Encoder, sample: pa.RecordBatch, settings: TokenizerSettings) -> "VocabularyUse":
        """``sample``: rows as `sample.cut` gives them."""
        controls = {
            token: number
            for token in settings.control_tokens
            if (number := encoder.tokenizer.token_to_id(token)) is not None
        }
        counts, lengths = _encode(encoder, sample.column("text"), list(controls.values()))
        sizes = byte_lengths(sample.column("text"))
        groups = [
            GroupUse(*name, int(sizes[rows].sum()), int(lengths[rows].sum()))
            for name, rows in rows_by_group(sample).items()
        ]
        known = _tokens(encoder, set(controls.values()), counts)
        unused = [token for token in known if token.count == 0]
        longest = sorted(known, key=lambda token: (-token.bytes, token.id))
        return cls(
            groups=tuple(group for group in groups if group.bytes),
            tokens=len(known),
            unused=len(unused),
            unused_first=tuple([token for token in unused if token.bytes > 1][:EXAMPLES]),
            longest=tuple(longest[:EXAMPLES]),
            control_tokens=controls,
        )


def _encode(encoder: Encoder, texts: pa.Array, controls: list[int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How often each id is in the texts, and how many ids each text has; without ``controls``."""
    counts = np.zeros(encoder.vocabulary_size, np.int64)
    lengths = np.zeros(len(texts), np.int64)
    for start in range(0, len(texts), ROWS):
        ids, offsets = encoder.encode(texts.slice(start, ROWS))
        of_text = np.concatenate([np.zeros(1, np.int64), np.cumsum(~np.isin(ids, controls))])
        lengths[start : start + ROWS] = np.diff(of_text[offsets])
        counts += np.bincount(ids, minlength=len(counts))
    counts[controls] = 0
    return counts, lengths


def _tokens(encoder: Encoder, controls: set[int], counts: NDArray[np.int64]) -> list[Token]:
    """All that are for text, by id."""
    special = {number for number, token in encoder.tokenizer.get_added_tokens_decoder().items() if token.special}
    found = []
    for written, number in encoder.tokenizer.get_vocab(with_added_tokens=True).items():
        if number not in controls and number not in special:
            spelled = token_bytes(written)
            content = written.encode() if spelled is None else spelled
            found.append(Token(number, content.decode(errors="replace"), len(content), int(counts[number])))
    return sorted(found, key=lambda token: token.id)
