"""The trainer's file is the one of ``tokenizers``' own, and its merges are those of the definition."""

import gzip
from collections import Counter
from itertools import islice, pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from dataprep.tokens.byte_level import PATTERNS, alphabet, spelled, token_bytes
from dataprep.tokens.learn import learn_merges
from dataprep.tokens.pretokens import KERNELS
from dataprep.tokens.settings import TokenizerSettings
from dataprep.tokens.train import train_tokenizer
from dataprep.tokens.words import WordCounts

LETTERS = st.sampled_from("aabstDRVEldmſ bcé小麦1234½٣ \n\r'\u00a0\u3000ßΣ\u0301\t!.🙂'")
TEXTS = st.lists(st.text(LETTERS, max_size=60), min_size=1, max_size=8)


def trained_by_tokenizers(texts, options):
    """The same file by the library's own trainer."""
    tokenizer = Tokenizer(models.BPE())
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=options.pre_tokenizer == "gpt2")
    split = pre_tokenizers.Split(Regex(PATTERNS[options.pre_tokenizer]), "isolated")
    tokenizer.pre_tokenizer = level if options.pre_tokenizer == "gpt2" else pre_tokenizers.Sequence([split, level])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=options.vocabulary_size,
        min_frequency=options.min_frequency,
        special_tokens=list(options.control_tokens),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer.to_str(pretty=True).encode()


def by_definition(words, merges, min_frequency):
    """Count all pairs anew for each merge. ``words``: tuple of symbols → count."""
    found = []
    while len(found) < merges:
        counts = Counter()
        for word, times in words.items():
            for pair in pairwise(word):
                counts[pair] += times
        best = min(counts, key=lambda pair: (-counts[pair], pair), default=None)
        if best is None or counts[best] < min_frequency:
            break
        new = 256 + len(found)
        found.append(best)
        joined = Counter()
        for word, times in words.items():
            result, i = [], 0
            while i < len(word):
                if word[i : i + 2] == best:
                    result.append(new)
                    i += 2
                else:
                    result.append(word[i])
                    i += 1
            joined[tuple(result)] += times
        words = joined
    return found


def learned(words, merges, min_frequency):
    values = np.array([symbol for word in words for symbol in word], np.uint8)
    offsets = np.cumsum([0, *map(len, words)]).astype(np.int64)
    counts = np.array(list(words.values()), np.int64)
    return [tuple(pair) for pair in learn_merges(values, offsets, counts, merges, min_frequency).tolist()]


@settings(max_examples=100)
@given(
    words=st.dictionaries(
        st.lists(st.integers(0, 3), min_size=1, max_size=14).map(tuple), st.integers(1, 5), min_size=1
    ),
    merges=st.integers(1, 20),
    min_frequency=st.integers(1, 4),
)
def test_merges_are_the_most_frequent_pairs_and_of_equal_ones_the_smallest(words, merges, min_frequency):
    assert learned(words, merges, min_frequency) == by_definition(words, merges, min_frequency)


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 7, 8, 15, 16, 33, 100])
def test_a_run_of_one_byte_is_joined_from_left_to_right(length):
    words = {(0,) * length: 3, (1, *(0,) * length): 1, (0,) * (length // 2 + 1): 2}
    assert learned(words, 100, 1) == by_definition(words, 100, 1)


@pytest.mark.parametrize("name", PATTERNS)
@settings(max_examples=20)
@given(texts=TEXTS, size=st.integers(258, 330), min_frequency=st.integers(1, 3))
def test_the_file_is_that_of_tokenizers_byte_for_byte(name, texts, size, min_frequency):
    if not any(texts):
        return
    options = TokenizerSettings(vocabulary_size=size, pre_tokenizer=name, min_frequency=min_frequency)
    assert train_tokenizer(pa.chunked_array([texts], pa.large_string()), options) == trained_by_tokenizers(
        texts, options
    )


@pytest.mark.parametrize("name", PATTERNS)
def test_a_file_of_real_text_in_many_languages_is_that_of_tokenizers(shared_data, name):
    with gzip.open(shared_data / "multilingual" / "lingua-sentences.tsv.gz", "rt", encoding="utf-8") as lines:
        texts = [line.partition("\t")[2] for line in islice(lines, 0, None, 5)]
    options = TokenizerSettings(
        vocabulary_size=2_000, pre_tokenizer=name, bos_token="<s>", special_tokens=("<|user|>", "<|endoftext|>")
    )
    assert train_tokenizer(pa.chunked_array([texts], pa.large_string()), options) == trained_by_tokenizers(
        texts, options
    )


@pytest.mark.parametrize("name", PATTERNS)
@settings(max_examples=100)
@given(texts=TEXTS | st.lists(st.text(max_size=40), min_size=1, max_size=3))
def test_words_are_counted_as_the_pre_tokenizer_cuts_them(name, texts):
    cutter = pre_tokenizers.Split(Regex(PATTERNS[name]), "isolated")
    wanted = Counter(word for text in texts for word, _ in cutter.pre_tokenize_str(text))
    words = WordCounts(KERNELS[name])
    words.add(pa.chunked_array([texts, texts], pa.large_string()))
    words.add(pa.chunked_array([texts], pa.string()))
    data, ends = words.values.tobytes(), words.offsets.tolist()
    found = [data[start:end].decode() for start, end in pairwise(ends)]
    assert dict(zip(found, words.counts.tolist(), strict=True)) == {word: 3 * n for word, n in wanted.items()}


def test_more_words_than_the_tables_begin_with_are_all_counted():
    numbers = [f" {number:06d}" for number in range(20_000)]
    words = WordCounts(KERNELS["gpt2"])
    words.add(pa.chunked_array([["".join(numbers)], numbers[:5_000]], pa.large_string()))
    assert words.counts.tolist() == [2] * 5_000 + [1] * 15_000
    assert words.values.tobytes().decode() == "".join(numbers)


def test_the_alphabet_is_the_one_of_tokenizers():
    assert sorted(alphabet()) == sorted(pre_tokenizers.ByteLevel.alphabet())
    for text in ("mill é 小麦 🙂", "\x00\x7f\n\xa0\xad"):
        ((written, _),) = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(text)
        assert spelled(text.encode()) == written
        assert token_bytes(written) == text.encode()
    assert token_bytes("▁the") is None


def test_control_tokens_have_the_first_ids_in_the_order_that_the_settings_say():
    texts = pa.chunked_array([["the mill and the mill <pad>"]], pa.large_string())
    for options, wanted in (
        ({}, ["<|endoftext|>"]),
        ({"bos_token": "<s>"}, ["<|endoftext|>", "<s>"]),
        ({"bos_token": "<|endoftext|>"}, ["<|endoftext|>"]),
        ({"special_tokens": ["<pad>", "<|user|>"]}, ["<|endoftext|>", "<pad>", "<|user|>"]),
        ({"bos_token": "<s>", "special_tokens": ["<s>", "<|endoftext|>"]}, ["<s>", "<|endoftext|>"]),
    ):
        data = train_tokenizer(texts, TokenizerSettings(vocabulary_size=270, **options))
        tokenizer = Tokenizer.from_str(data.decode())
        assert [tokenizer.id_to_token(number) for number in range(len(wanted))] == wanted
        assert [token.content for token in tokenizer.get_added_tokens_decoder().values()] == wanted
        assert all(token.special for token in tokenizer.get_added_tokens_decoder().values())


def test_a_control_token_that_is_also_a_token_of_the_text_is_refused():
    texts = pa.chunked_array([["mill " * 50]], pa.large_string())
    with pytest.raises(ValueError, match="'mill' cannot be a control token"):
        train_tokenizer(texts, TokenizerSettings(vocabulary_size=300, special_tokens=("mill",)))
