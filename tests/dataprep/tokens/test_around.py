"""A token's text is what the tokenizer says it stands for, at the place where it stands."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from dataprep.tokens.around import around
from dataprep.tokens.settings import TokenizerSettings
from dataprep.tokens.train import train_tokenizer

EOS = "<|endoftext|>"
TEXTS = ["the mill grinds the corn into flour", "小麦を挽く水車", f"a {EOS} in a text", "Größe 1984 🌾🌾"]
JSON = train_tokenizer(pa.chunked_array([TEXTS * 3]), TokenizerSettings(vocabulary_size=300))
TOKENIZER = Tokenizer.from_str(JSON.decode())
TOKENIZER.encode_special_tokens = True
EOS_ID = TOKENIZER.token_to_id(EOS)


def ids_of(text):
    return TOKENIZER.encode(text, add_special_tokens=False).ids


@settings(max_examples=60)
@given(st.one_of(st.text(max_size=40), st.sampled_from(TEXTS)))
def test_every_token_is_marked_where_it_stands(text):
    ids = [*ids_of(text), EOS_ID]
    pieces = []
    for index in range(len(ids) - 1):
        found = around(JSON, ids, index, False, text, 10**6)
        assert found.proven
        assert found.before + found.token + found.after == text
        pieces.append((len(found.before), found.token))
    assert pieces == sorted(pieces, key=lambda piece: piece[0])
    covered = set().union(*(range(start, start + len(piece)) for start, piece in pieces))
    assert covered == set(range(len(text)))


def test_the_token_that_ends_a_document_stands_after_its_text():
    text = TEXTS[0]
    found = around(JSON, [*ids_of(text), EOS_ID], len(ids_of(text)), False, text, 5)
    assert (found.before, found.token, found.after) == ("flour", EOS, "")
    empty = around(JSON, [EOS_ID], 0, False, "", 5)
    assert (empty.before, empty.token, empty.after) == ("", EOS, "")


def test_the_token_that_begins_a_document_stands_before_its_text_and_shifts_the_others():
    text = TEXTS[0]
    ids = [EOS_ID, *ids_of(text), EOS_ID]
    first = around(JSON, ids, 0, True, text, 3)
    assert (first.before, first.token, first.after) == ("", EOS, "the")
    second = around(JSON, ids, 1, True, text, 1000)
    assert text.startswith(second.token)
    assert second.before == ""


@pytest.mark.parametrize("text", [TEXTS[0], TEXTS[2]])
def test_without_the_text_the_tokens_are_decoded(text):
    ids = [*ids_of(text), EOS_ID]
    for index in range(len(ids) - 1):
        found = around(JSON, ids, index, False, None, 1000)
        assert not found.proven
        assert found.before + found.token + found.after == text + EOS


def test_a_text_that_is_not_of_these_tokens_is_refused():
    with pytest.raises(ValueError, match="encodes to other tokens"):
        around(JSON, [*ids_of("the mill"), EOS_ID], 0, False, "the mills", 10)
