"""Byte-level BPE training with ``tokenizers``.

Byte-level BPE: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners", section 2.2; merges by pair
frequency: Sennrich et al. 2016, "Neural Machine Translation of Rare Words with Subword Units".

Decisions:
- The end-of-text token is the only added token and has id 0; then the 256 bytes, then merges by frequency, ties by ids.
  The result is a function of the texts as a multiset: neither their order nor the number of threads matters.
- The pre-tokenizer keeps every byte (no added prefix space), so decode(encode(text)) is text.
"""

import os
from collections.abc import Iterable, Iterator

import pyarrow as pa
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from dataprep.tokens.settings import TokenizerSettings

# The pattern of Llama 3's tokenizer: cl100k's (github.com/openai/tiktoken, tiktoken_ext/openai_public.py) without
# possessive quantifiers. GPT-2's own pattern is built into the ByteLevel pre-tokenizer.
LLAMA3_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
BATCH_TEXTS = 256


def train_tokenizer(texts: pa.ChunkedArray, settings: TokenizerSettings) -> bytes:
    """The bytes of ``tokenizer.json``. Raises ``ValueError`` when there is no text to learn from."""
    if not any(len(text) for text in _strings(texts)):
        raise ValueError("tokenizer: no text to train on: the sample is empty")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = _pre_tokenizer(settings.pre_tokenizer)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=settings.vocabulary_size,
        min_frequency=settings.min_frequency,
        special_tokens=[settings.eos_token],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    os.environ["TOKENIZERS_PARALLELISM"] = "true"  # training is one piece of work: every core is free for it
    tokenizer.train_from_iterator(_batches(texts), trainer)
    return tokenizer.to_str(pretty=True).encode()


def _pre_tokenizer(name: str) -> pre_tokenizers.PreTokenizer:
    if name == "gpt2":
        return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    split = pre_tokenizers.Split(Regex(LLAMA3_PATTERN), "isolated")
    return pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def _batches(texts: pa.ChunkedArray) -> Iterator[list[str]]:
    for start in range(0, len(texts), BATCH_TEXTS):
        yield texts.slice(start, BATCH_TEXTS).to_pylist()


def _strings(texts: pa.ChunkedArray) -> Iterable[str]:
    for batch in _batches(texts):
        yield from batch
