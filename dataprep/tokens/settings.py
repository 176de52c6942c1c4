"""The recipe's ``tokenizer`` and ``shards`` sections."""

from typing import Literal

from pydantic import Field, model_validator

from dataprep.settings import Settings

BYTE_TOKENS = 256
TRAINING_FIELDS = ("vocabulary_size", "pre_tokenizer", "min_frequency")


class TokenizerSettings(Settings):
    """Byte-level BPE trained on a sample of the corpus, or an existing ``tokenizer.json`` as it is (``file``)."""

    file: str | None = None
    vocabulary_size: int = Field(default=32_768, gt=BYTE_TOKENS, le=1 << 20)  # bytes and the end-of-text token included
    pre_tokenizer: Literal["gpt2", "llama3"] = "gpt2"
    min_frequency: int = Field(default=2, ge=1)  # a pair seen once in the sample is not a word of the language
    eos_token: str = Field(default="<|endoftext|>", min_length=1)
    sample_bytes: int = Field(default=128 << 20, ge=1)  # UTF-8; trained on, or used to measure a given tokenizer

    @model_validator(mode="after")
    def _either_given_or_trained(self) -> "TokenizerSettings":
        if self.file is not None:
            fields = type(self).model_fields
            changed = [name for name in TRAINING_FIELDS if getattr(self, name) != fields[name].default]
            if changed:
                raise ValueError(f"the tokenizer in 'file' is used as it is: remove {', '.join(changed)}, or 'file'")
        return self


class ShardSettings(Settings):
    """How the token stream is divided. Documents are never cut, so shards only come near ``tokens_per_shard``.

    ``columns``: signals that go along with each document, such as its language and a classifier's score.
    """

    tokens_per_shard: int = Field(default=1 << 26, ge=1)  # 128 MiB at two bytes a token
    validation_fraction: float = Field(default=0.005, ge=0, lt=1)  # of documents
    columns: tuple[str, ...] = ()
