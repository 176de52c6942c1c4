"""Ids are exactly those of ``tokenizers``, for any text, and no text can forge a control token."""

import gzip

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, processors

from dataprep.shards import fingerprint
from dataprep.tokens import fast
from dataprep.tokens.encode import Encoder, load_encoder
from dataprep.tokens.settings import TokenizerSettings
from dataprep.tokens.train import train_tokenizer

EOS = "<|endoftext|>"
TEXTS = [
    "The mill turns. It's 1984 again,\n\n  and <|endoftext|> is text!",
    "Größe œuvre",
    "小麦を挽く",
    "a\0b\x85c\u2028d",
]
TRAINED = train_tokenizer(pa.chunked_array([TEXTS * 5], pa.large_string()), TokenizerSettings(vocabulary_size=400))
ENCODER = Encoder(TRAINED, EOS)
REFERENCE = Tokenizer.from_str(TRAINED.decode())
REFERENCE.encode_special_tokens = True

# any Unicode, and what is special to somebody: control tokens and their pieces, kinds of white space
anything = st.lists(
    st.one_of(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
        st.sampled_from(
            [EOS, "<|", "endoftext", "|>", "  ", "\t\n", "\r\n", "\u00a0", "'s", "\ufeff", "\x00", "é", "e\u0301"]
        ),
    ),
    max_size=8,
).map("".join)


@settings(max_examples=200)
@given(st.lists(anything, max_size=6))
def test_ids_equal_tokenizers_for_any_text(texts):
    ids, offsets = ENCODER.encode(pa.array(texts, pa.large_string()))
    assert ids.dtype == np.uint16
    assert len(offsets) == len(texts) + 1
    for text, start, stop in zip(texts, offsets[:-1], offsets[1:], strict=True):
        assert ids[start:stop].tolist() == [*REFERENCE.encode(text, add_special_tokens=False).ids, ENCODER.eos_id]


@settings(max_examples=200)
@given(anything)
def test_decoding_gives_the_text_back_and_no_text_makes_a_control_token(text):
    ids, _ = ENCODER.encode(pa.array([text], pa.string()))
    assert np.flatnonzero(ids == ENCODER.eos_id).tolist() == [len(ids) - 1]
    assert REFERENCE.decode(ids[:-1].tolist(), skip_special_tokens=False) == text


def test_batches_larger_than_a_piece_are_encoded_whole(monkeypatch):
    texts = pa.array([*TEXTS, "", "x" * 100, *TEXTS], pa.large_string())
    whole = ENCODER.encode(texts)
    monkeypatch.setattr(fast, "PIECE_BYTES", 16)
    pieces = ENCODER.encode(texts)
    assert np.array_equal(whole[0], pieces[0])
    assert np.array_equal(whole[1], pieces[1])


def test_a_slice_of_a_batch_is_encoded_like_a_batch_of_its_own():
    texts = pa.array(TEXTS, pa.large_string())
    assert np.array_equal(ENCODER.encode(texts.slice(1, 2))[0], ENCODER.encode(pa.array(TEXTS[1:3]))[0])


def test_an_empty_document_is_its_separator():
    ids, offsets = ENCODER.encode(pa.array(["", ""], pa.large_string()))
    assert ids.tolist() == [ENCODER.eos_id, ENCODER.eos_id]
    assert offsets.tolist() == [0, 1, 2]


@pytest.mark.parametrize("slow", [False, True])
def test_a_bos_token_begins_each_document_if_one_is_asked_for(slow):
    with_bos = TokenizerSettings(vocabulary_size=400, bos_token="<s>")
    encoder = Encoder(train_tokenizer(pa.chunked_array([TEXTS * 5], pa.large_string()), with_bos), EOS, bos_token="<s>")
    plain, plain_offsets = Encoder(encoder.tokenizer.to_str().encode(), EOS).encode(pa.array([*TEXTS, ""]))
    if slow:
        encoder.fast = None
    ids, offsets = encoder.encode(pa.array([*TEXTS, ""]))
    assert np.diff(offsets).tolist() == (np.diff(plain_offsets) + 1).tolist()
    for n in range(len(TEXTS) + 1):
        document = ids[offsets[n] : offsets[n + 1]].tolist()
        assert document == [encoder.bos_id, *plain[plain_offsets[n] : plain_offsets[n + 1]].tolist()]
    with pytest.raises(ValueError, match=r"has no token '<s>'; tokenizer.bos_token must be one of its tokens"):
        Encoder(TRAINED, EOS, bos_token="<s>")


def test_a_given_tokenizers_template_truncation_and_padding_do_not_touch_documents():
    given_file = Tokenizer.from_str(TRAINED.decode())
    given_file.post_processor = processors.TemplateProcessing(single=f"{EOS} $A {EOS}", special_tokens=[(EOS, 0)])
    given_file.enable_truncation(4)
    given_file.enable_padding(length=64, pad_token=EOS)
    ids, _ = Encoder(given_file.to_str().encode(), EOS).encode(pa.array(TEXTS))
    assert np.array_equal(ids, ENCODER.encode(pa.array(TEXTS))[0])


def test_the_vocabulary_size_covers_the_largest_id_and_decides_the_width():
    assert (ENCODER.vocabulary_size, ENCODER.dtype) == (ENCODER.tokenizer.get_vocab_size(), np.uint16)
    for largest, dtype in ((65_535, np.uint16), (65_536, np.uint32)):
        with_holes = Tokenizer(models.BPE({"a": 0, "b": 7, EOS: largest}, []))
        encoder = Encoder(with_holes.to_str().encode(), EOS)
        assert (encoder.vocabulary_size, encoder.dtype) == (largest + 1, dtype)
        assert encoder.encode(pa.array(["ab"]))[0].tolist() == [0, 7, largest]


def test_what_is_no_tokenizer_is_named():
    with pytest.raises(ValueError, match=r"mine\.json: not a tokenizer\.json"):
        Encoder(b'{"not": "one"}', EOS, "mine.json")
    with pytest.raises(ValueError, match=r"mine\.json: has no token '</s>'"):
        Encoder(TRAINED, "</s>", "mine.json")


def test_a_tokenizer_that_changed_after_planning_is_refused(tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_bytes(TRAINED)
    assert load_encoder(str(path), EOS, fingerprint(TRAINED)).fingerprint == fingerprint(TRAINED)
    path.write_bytes(TRAINED + b"\n")
    with pytest.raises(ValueError, match=r"tokenizer\.json: tokenizer .* the file has changed"):
        load_encoder(str(path), EOS, fingerprint(TRAINED + b"x"))


def test_a_published_tokenizer_is_used_exactly(shared_data):
    data = gzip.decompress((shared_data / "tokenizers" / "gpt-neox-20b" / "tokenizer.json.gz").read_bytes())
    encoder, published = Encoder(data, EOS), Tokenizer.from_str(data.decode())
    assert (encoder.vocabulary_size, encoder.dtype, encoder.eos_id) == (50_280, np.uint16, 50_279)
    prose = [
        "def f(x):\n        return x  # 4\n\n\n",
        "Größe, 小麦, \u00a0é\u0301",
        "a" * 3000,
        TEXTS[1] + " " * 30 + "end",
    ]
    ids, offsets = encoder.encode(pa.array([*prose, f"so {EOS} is text"], pa.large_string()))
    for text, start, stop in zip(prose, offsets[:-1], offsets[1:], strict=False):
        assert ids[start:stop].tolist() == [*published.encode(text, add_special_tokens=False).ids, encoder.eos_id]
    assert ids[offsets[-2] :].tolist().count(encoder.eos_id) == 1
