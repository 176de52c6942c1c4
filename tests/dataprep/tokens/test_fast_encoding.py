"""The fast encoder gives the ids of ``tokenizers``, or leaves a tokenizer to it and says so."""

import gzip
import json
from itertools import islice

import numpy as np
import pyarrow as pa
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from dataprep.tokens import fast
from dataprep.tokens.encode import Encoder
from dataprep.tokens.hashing import keyed_hashes

EOS = "<|endoftext|>"
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPLITS = {"gpt2": None, "llama3": LLAMA3, "qwen2": LLAMA3.replace("{1,3}", "")}
CHARACTERS = "".join(chr(code) for code in range(0x40000) if not 0xD800 <= code < 0xE000)  # beyond: none has a class
SAMPLE = [
    "The mill's wheel turns; it's 1984 again,\n\n  and <|endoftext|> is text!"
    "\r\n\tdef f(x):\n        return x[0]  # ok\n",
    "Größe œuvre, 小麦を挽く。 밀가루 — “quoted” e\u0301 ٣٤٥ ½ naïve don't WE'LL \u00a0\u3000x",
]


def trained(name, size=600, texts=SAMPLE * 3):
    tokenizer = Tokenizer(models.BPE())
    split, byte_level = SPLITS[name], pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=SPLITS[name] is None)
    isolated = [] if split is None else [pre_tokenizers.Split(Regex(split), "isolated")]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*isolated, byte_level]) if isolated else byte_level
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=[EOS], initial_alphabet=alphabet, min_frequency=1, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def both(tokenizer):
    """Our encoder and the reference, special tokens encoded as text."""
    data = tokenizer.to_str().encode()
    reference = Tokenizer.from_str(data.decode())
    reference.encode_special_tokens = True
    return Encoder(data, EOS), reference


def assert_equal(encoder, reference, texts):
    ids, offsets = encoder.encode(pa.array(texts, pa.large_string()))
    assert len(offsets) == len(texts) + 1
    for text, start, stop in zip(texts, offsets[:-1], offsets[1:], strict=True):
        expected = reference.encode(text, add_special_tokens=False).ids
        assert ids[start:stop].tolist() == [*expected, encoder.eos_id], text


PAIRS = {name: both(trained(name)) for name in SPLITS}
# what the patterns tell apart, and what their Unicode tables may disagree about
PIECES = (
    "'s|'S|'ll|'Re|'ve|'|''|\u2019|“|  |   |\n|\r|\r\n|\n\n|\t|\u00a0|\u3000|\x85|\u2028|\x0b|\x1c|\x00|ſ|'ſ"
    "|1|12|2024|٣|½|(|((|).|;|…|中|の|한국|🙂|👨\u200d👩|é|e\u0301|\u0301|<|endoftext|>|\U00010d40|\u1c89|ǅ|\ufeff|\u200b|\u0345"
)
anything = st.lists(
    st.one_of(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
        st.sampled_from([EOS, "a" * 70, " " * 70, "-" * 300, *PIECES.split("|")]),
    ),
    max_size=12,
).map("".join)


@pytest.mark.parametrize("name", SPLITS)
@settings(max_examples=120)
@given(st.lists(anything, max_size=5))
def test_ids_equal_tokenizers_for_any_text(name, texts):
    assert PAIRS[name][0].note is None
    assert_equal(*PAIRS[name], texts)


@pytest.mark.parametrize("name", SPLITS)
def test_every_character_is_of_the_same_kind_for_both(name):
    assert_equal(*PAIRS[name], [CHARACTERS[i : i + 2_000] for i in range(0, len(CHARACTERS), 2_000)])
    among = "".join(f"{character}a {character}1" for character in CHARACTERS[:0x3200])
    assert_equal(*PAIRS[name], [among[i : i + 2_000] for i in range(0, len(among), 2_000)])


@pytest.mark.parametrize("special", [True, False])
@settings(max_examples=120)
@given(
    texts=st.lists(st.lists(st.sampled_from(["<|a|>", "<|a", "|>", "|", "  ", "    ", "x", "é", "\n"])).map("".join))
)
def test_added_tokens_in_text_are_what_the_file_says_and_special_ones_are_text(special, texts):
    encoder, reference = ADDED[special]
    assert encoder.note is None
    assert_equal(encoder, reference, texts)


def with_added(special):
    tokenizer = trained("llama3")
    tokenizer.add_tokens([AddedToken("    ", normalized=False), AddedToken("|>", special=False, normalized=False)])
    tokenizer.add_tokens([AddedToken("<|a|>", special=special, normalized=False)])
    return both(tokenizer)


ADDED = {special: with_added(special) for special in (True, False)}


def test_a_control_token_in_text_is_text_and_another_added_token_is_itself():
    encoder, _ = ADDED[True]
    control, blanks = (encoder.tokenizer.token_to_id(token) for token in ("<|a|>", "    "))
    ids = encoder.encode(pa.array([f"x{EOS}<|a|>    y"]))[0].tolist()
    assert control not in ids
    assert ids.count(encoder.eos_id) == 1
    assert blanks in ids


def test_hostile_texts_are_encoded_whole():
    for character in ("a", " ", "\n", "'", "7", "é", "\u0301", "中"):
        for name in SPLITS:
            assert_equal(*PAIRS[name], [character * 20_000 + "x"])


@settings(max_examples=100)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(["e\u0301", "\u0344", "각", "Å"])))
def test_normal_form_c_is_that_of_tokenizers(texts):
    assert COMPOSED[0].note is None
    assert_equal(*COMPOSED, texts)


def composing():
    tokenizer = trained("qwen2")
    tokenizer.normalizer = normalizers.NFC()
    return both(tokenizer)


COMPOSED = composing()


def test_every_character_is_composed_as_tokenizers_does():
    assert_equal(*COMPOSED, [CHARACTERS[i : i + 2_000] for i in range(0, len(CHARACTERS), 2_000)])
    assert_equal(*COMPOSED, [f"a{character}" for character in CHARACTERS[:0x3200]])


def changed(**fields):
    given_file = json.loads(trained("gpt2").to_str())
    for path, value in fields.items():
        *folders, last = path.split("__")
        place = given_file
        for folder in folders:
            place = place[folder]
        place[last] = value
    return json.dumps(given_file).encode()


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"model__dropout": 0.5}, "model.dropout 0.5"),
        ({"model__byte_fallback": True}, "model.byte_fallback True"),
        ({"normalizer": {"type": "Lowercase"}}, "the normalizer Lowercase"),
        ({"pre_tokenizer": {"type": "Whitespace"}}, "another pre_tokenizer"),
        ({"pre_tokenizer__add_prefix_space": True}, "another pre_tokenizer"),
        ({"pre_tokenizer": None}, "another pre_tokenizer"),
        ({"pre_tokenizer__use_regex": False}, "another pre_tokenizer"),
    ],
)
def test_what_the_fast_encoder_is_not_known_to_do_is_left_to_tokenizers_with_a_note(fields, why):
    data = changed(**fields)
    encoder = Encoder(data, EOS, "mine.json")
    assert encoder.fast is None
    assert encoder.note.startswith("mine.json is encoded by tokenizers")
    assert why in encoder.note
    if "dropout" not in why:
        reference = Tokenizer.from_str(data.decode())
        reference.encode_special_tokens = True
        assert_equal(encoder, reference, SAMPLE)


def test_other_models_are_left_to_tokenizers():
    words = Tokenizer(models.WordLevel({"a": 0, "b": 1, EOS: 2, "?": 3}, unk_token="?"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    encoder, reference = both(words)
    assert "a WordLevel model" in encoder.note
    assert_equal(encoder, reference, ["a b c", ""])


def test_a_tokenizer_on_which_the_libraries_disagree_is_left_to_tokenizers(monkeypatch):
    monkeypatch.setattr(fast.FastEncoder, "_true_ids_of", lambda self, text: [0])
    encoder, reference = both(trained("gpt2"))
    assert "fastokens gives other ids for 'The mill's wheel tur'" in encoder.note.replace('"', "'")
    assert_equal(encoder, reference, SAMPLE)


def test_a_disagreement_in_the_corpus_stops_the_run(monkeypatch):
    encoder, _ = both(trained("gpt2"))
    monkeypatch.setattr(fast.FastEncoder, "_true_ids_of", lambda self, text: [0])
    with pytest.raises(RuntimeError, match="give different ids for 'some text'"):
        encoder.encode(pa.array(["some text"]))


def test_real_text_with_a_published_tokenizer_is_encoded_as_tokenizers_does(shared_data):
    data = gzip.decompress((shared_data / "tokenizers" / "gpt-neox-20b" / "tokenizer.json.gz").read_bytes())
    encoder, reference = Encoder(data, EOS), Tokenizer.from_str(data.decode())
    reference.encode_special_tokens = True
    assert encoder.note is None
    assert_equal(encoder, reference, [text[:20_000] for text in real_texts(shared_data)])


@pytest.mark.parametrize("name", SPLITS)
def test_real_text_with_a_larger_vocabulary_is_encoded_as_tokenizers_does(shared_data, name):
    texts = [text[:20_000] for text in real_texts(shared_data)]
    encoder, reference = both(trained(name, 10_000, texts[::3]))
    assert encoder.vocabulary_size > 2_000
    assert_equal(encoder, reference, texts)


def real_texts(shared_data):
    texts = []
    for name in ("gesetze-de", "peps-rst", "wikipedia-en-markdown"):
        with gzip.open(shared_data / "prose" / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
            texts += [json.loads(line)["text"] for line in islice(lines, 12)]
    with gzip.open(shared_data / "multilingual" / "lingua-sentences.tsv.gz", "rt", encoding="utf-8") as sentences:
        return [*texts, *islice(sentences, 0, None, 40)]


@given(st.lists(st.binary(min_size=16, max_size=16)), st.integers(0, 2**64), st.text(max_size=20))
def test_keyed_hashes_are_xxh3_with_the_key_as_seed(ids, seed, purpose):
    key = xxhash.xxh3_64_intdigest(f"{seed}/{purpose}".encode())
    expected = [xxhash.xxh3_64_intdigest(one, key) for one in ids]
    column = pa.array([b"\0" * 16, *ids], pa.binary(16)).slice(1)
    assert keyed_hashes(column, seed, purpose).tolist() == expected
    assert keyed_hashes(column, seed, purpose).dtype == np.uint64
