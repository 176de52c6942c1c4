"""The recipe's ``tokenizer`` and ``shards`` sections."""

from typing import Literal

from pydantic import Field, field_validator, model_validator

from dataprep.settings import Settings
from dataprep.tokens.tiktoken import SUFFIXES

BYTE_TOKENS = 256
TRAINING_FIELDS = ("vocabulary_size", "min_frequency")
FORMAT_FIELDS = ("pre_tokenizer", "special_tokens")  # that a tokenizer.json has itself


class TokenizerSettings(Settings):
    """Byte-level BPE trained on a sample of the corpus, or an existing one (``file``).

    ``file``: a ``tokenizer.json``, which is used as it is, or a tiktoken vocabulary (``*.tiktoken``, ``*.model``), for
    which ``pre_tokenizer`` and the control tokens must be given. ``special_tokens``: control tokens beside
    ``eos_token`` and ``bos_token``, which come before them unless they are among them. ``bos_token``: documents begin
    with it. ``balance_by``: the sample's share of each ``source``, each ``language`` (``language.label``) or each pair
    of them is its bytes to the power of ``balance_alpha``; of a group with less text all is taken.
    """

    file: str | None = None
    vocabulary_size: int = Field(default=32_768, gt=BYTE_TOKENS, le=1 << 20)  # bytes and control tokens included
    pre_tokenizer: Literal["gpt2", "llama3", "qwen2"] = "gpt2"
    min_frequency: int = Field(default=2, ge=1)  # a pair seen once in the sample is not a word of the language
    eos_token: str = Field(default="<|endoftext|>", min_length=1)
    bos_token: str | None = Field(default=None, min_length=1)
    special_tokens: tuple[str, ...] = ()
    sample_bytes: int = Field(default=128 << 20, ge=1)  # UTF-8; trained on, or used to measure a given tokenizer
    balance_by: tuple[Literal["source", "language"], ...] = ()
    balance_alpha: float = Field(default=0.3, ge=0, le=1)  # XLM-R: Conneau et al. 2020, arXiv:1911.02116, section 3.1

    @property
    def control_tokens(self) -> tuple[str, ...]:
        """All of them in the order of their ids."""
        ends = [token for token in (self.eos_token, self.bos_token) if token is not None]
        return (*dict.fromkeys(token for token in ends if token not in self.special_tokens), *self.special_tokens)

    @property
    def is_tiktoken(self) -> bool:
        return self.file is not None and self.file.endswith(SUFFIXES)

    @field_validator("special_tokens")
    @classmethod
    def _are_tokens(cls, tokens: tuple[str, ...]) -> tuple[str, ...]:
        if "" in tokens or len(set(tokens)) < len(tokens):
            raise ValueError(f"each must be there once and not be empty, not {list(tokens)}")
        return tokens

    @model_validator(mode="after")
    def _either_given_or_trained(self) -> "TokenizerSettings":
        if self.file is not None:
            fields = type(self).model_fields
            own = TRAINING_FIELDS if self.is_tiktoken else TRAINING_FIELDS + FORMAT_FIELDS
            changed = [name for name in own if getattr(self, name) != fields[name].default]
            if changed:
                raise ValueError(f"the tokenizer in 'file' is used as it is: remove {', '.join(changed)}, or 'file'")
            if self.is_tiktoken and "pre_tokenizer" not in self.model_fields_set:
                raise ValueError("a tiktoken vocabulary does not say its pattern: give pre_tokenizer")
        elif self.vocabulary_size < BYTE_TOKENS + len(self.control_tokens):
            raise ValueError(
                f"vocabulary_size {self.vocabulary_size} has no room for {BYTE_TOKENS} bytes and "
                f"{len(self.control_tokens)} control tokens"
            )
        return self


class ShardSettings(Settings):
    """How the token stream is divided. Documents are never cut, so shards only come near ``tokens_per_shard``.

    ``columns``: signals that go along with each document, such as its language and a classifier's score.
    """

    tokens_per_shard: int = Field(default=1 << 26, ge=1)  # 128 MiB at two bytes a token
    validation_fraction: float = Field(default=0.005, ge=0, lt=1)  # of documents
    columns: tuple[str, ...] = ()
