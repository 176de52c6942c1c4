"""A tiktoken vocabulary becomes a tokenizer.json with tiktoken's ids for every text."""

import base64
import gzip
import json

import pyarrow as pa
import pytest
import tiktoken
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from dataprep.tokens.byte_level import PATTERNS, token_bytes
from dataprep.tokens.settings import TokenizerSettings
from dataprep.tokens.tiktoken import convert, read_ranks
from dataprep.tokens.train import train_tokenizer

LEARNED = [
    "the mill grinds the grain of the miller's mill, 1984 times;\n\n  the thermal mills grind 小麦粉 und Getreide"
] * 3


def written(ranks):
    return b"".join(base64.b64encode(token) + b" %d\n" % rank for token, rank in ranks.items())


@pytest.fixture(scope="module")
def learned():
    """Ranks as a trained tokenizer of ours has them, without its control token."""
    data = train_tokenizer(pa.chunked_array([LEARNED], pa.large_string()), TokenizerSettings(vocabulary_size=400))
    vocabulary = Tokenizer.from_str(data.decode()).get_vocab()
    return {token_bytes(text): number - 1 for text, number in vocabulary.items() if number}


def with_unmergeable(ranks):
    """Two tokens that joins by rank do not make: one by no pair, one by pairs with later ranks than its own."""
    last = max(ranks.values())
    return ranks | {b" grindstone": last + 1, b"xyz": last + 2, b"yz": last + 3}


TEXT = st.text(st.sampled_from("thelmigrndxyz sto'S19é小麦粉\n\t!<|>"), max_size=40) | st.text(max_size=20)


@pytest.mark.parametrize("name", PATTERNS)
@pytest.mark.parametrize("change", [dict, with_unmergeable], ids=["trained", "unmergeable"])
@settings(max_examples=30)
@given(text=TEXT)
def test_ids_are_those_of_tiktoken(learned, name, change, text):
    ranks = change(learned)
    theirs = tiktoken.Encoding("x", pat_str=PATTERNS[name], mergeable_ranks=ranks, special_tokens={})
    ours = Tokenizer.from_str(convert(written(ranks), "x.tiktoken", ["<|end|>"], name).decode())
    ours.encode_special_tokens = True
    for one in (text, " grindstone" + text, *LEARNED):
        assert ours.encode(one).ids == theirs.encode_ordinary(one)
        assert ours.decode(ours.encode(one).ids, skip_special_tokens=False) == one


def test_the_merges_of_a_trained_vocabulary_are_recovered(learned):
    data = train_tokenizer(pa.chunked_array([LEARNED], pa.large_string()), TokenizerSettings(vocabulary_size=400))
    converted = json.loads(convert(written(learned), "x.tiktoken", [], "gpt2"))
    assert converted["model"]["merges"] == json.loads(data)["model"]["merges"]


def test_the_merges_that_gpt_2_was_published_with_are_recovered(shared_data):
    folder = shared_data / "tokenizers" / "gpt2"
    ids = json.loads(gzip.decompress((folder / "encoder.json.gz").read_bytes()))
    ranks = {token_bytes(token): number for token, number in ids.items() if token != "<|endoftext|>"}
    published = gzip.decompress((folder / "vocab.bpe.gz").read_bytes()).decode().splitlines()[1:]
    converted = json.loads(convert(written(ranks), "gpt2.tiktoken", ["<|endoftext|>"], "gpt2"))["model"]
    assert converted["merges"] == [line.split(" ") for line in published]
    assert converted["vocab"] == ids
    assert not converted["ignore_merges"]


def test_control_tokens_follow_the_largest_rank_and_gaps_stay(learned):
    ranks = learned | {b" mill mill": 1_000}
    tokenizer = Tokenizer.from_str(convert(written(ranks), "x", ["<|end|>", "<|begin|>"], "llama3").decode())
    assert tokenizer.token_to_id("<|end|>") == 1_001
    assert tokenizer.token_to_id("<|begin|>") == 1_002
    assert tokenizer.encode("a<|begin|>").ids[-1] == 1_002


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no token for the byte 0x00"),
        (b"AA== 0\n\nAQ== x\n", "line 3 is 'AQ== x'"),
        (b"\x0a\x08<unk>", "line 2 is"),
        (b"A 1\n", "line 1 is 'A 1'"),
    ],
)
def test_what_is_no_vocabulary_is_named(data, words):
    with pytest.raises(ValueError, match=r"^given\.tiktoken: .*" + words) as caught:
        read_ranks(data, "given.tiktoken")
    assert "\n" not in str(caught.value)


def test_two_tokens_of_one_rank_are_named(learned):
    with pytest.raises(ValueError, match="two of its tokens have one rank"):
        convert(written(learned | {b"zz": 5}), "x.tiktoken", [], "gpt2")


def test_a_tiktoken_file_needs_its_pattern_and_a_tokenizer_json_has_it():
    TokenizerSettings(file="x.tiktoken", pre_tokenizer="llama3", special_tokens=["<|user|>"])
    for fields, words in (
        ({"file": "x.tiktoken"}, "give pre_tokenizer"),
        ({"file": "x.tiktoken", "pre_tokenizer": "llama3", "min_frequency": 3}, "remove min_frequency"),
        ({"file": "x.json", "pre_tokenizer": "llama3"}, "remove pre_tokenizer"),
        ({"file": "x.json", "special_tokens": ["<a>"]}, "remove special_tokens"),
        ({"special_tokens": ["<a>", "<a>"]}, "each must be there once"),
        ({"vocabulary_size": 257, "bos_token": "<s>"}, "no room for 256 bytes and 2 control tokens"),
    ):
        with pytest.raises(ValueError, match=words):
            TokenizerSettings(**fields)
