"""Words between white space are those of ``str.split``, and fastText's tokens those of the library, on any text."""

import fasttext
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from dataprep.text import _reference as reference
from dataprep.text.utf8 import Utf8
from dataprep.text.view import Text
from dataprep.text.whitespace import fasttext_words
from dataprep.text.words import HAS_ALPHA, HAS_CONTENT, IN_DENOMINATOR

TELLING = "aB1é½٣漢-#•…_. \n\t\r\x0b\x0c\x1c\x1f\x85\xa0\u2028\u3000\u200b\ufeff\u0301🎉\x00"
texts = st.one_of(st.text(st.sampled_from(TELLING)), st.text())


@given(values=st.lists(texts, max_size=6))
@settings(max_examples=300)
def test_words_between_white_space_are_those_of_split_on_any_text(values: list[str]) -> None:
    text = Text(pa.array(["", *values, "a " * 50], pa.large_string()).slice(1, len(values) + 1))
    words = text.words("white-space")
    data = text.utf8.values.tobytes()
    found = [data[start : start + size].decode() for start, size in zip(words.starts, words.sizes, strict=True)]
    wanted = [value.split() for value in [*values, "a " * 50]]
    assert [found[a:b] for a, b in zip(words.offsets[:-1], words.offsets[1:], strict=True)] == wanted
    assert words.chars.tolist() == [len(word) for word in found]
    assert ((words.flags & HAS_ALPHA) > 0).tolist() == [reference.has_alpha(word) for word in found]
    assert ((words.flags & HAS_CONTENT) > 0).tolist() == [reference.has_content(word) for word in found]
    assert all(words.flags & IN_DENOMINATOR)
    assert len(set(words.hashes.tolist())) == len(set(found))


@given(values=st.lists(texts, max_size=6))
@settings(max_examples=300)
def test_fasttext_words_are_the_tokens_of_the_library_that_begin_with_a_letter_or_number(values: list[str]) -> None:
    wanted = [sum(token[0].isalnum() for token in fasttext.FastText.tokenize(value)) for value in values]
    assert fasttext_words(Utf8.of(pa.array(values, pa.large_string()))).tolist() == wanted
