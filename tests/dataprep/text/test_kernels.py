"""The kernels equal their plain-Python reference on any Unicode text, in any slice, for both string types."""

import random
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataprep.text import _reference as reference
from dataprep.text import repeats, spans
from dataprep.text.classes import TERMINAL, classes, terminal_code_points
from dataprep.text.utf8 import Utf8
from dataprep.text.view import Text, forget_text, text_of
from dataprep.text.words import HAS_ALPHA, HAS_CONTENT, IN_DENOMINATOR, Words

# every class that a definition distinguishes, much denser than in text drawn evenly from Unicode
TELLING = (
    "aB é_ÿ 09٣５.,'’-#•…。!?\n\n\n \t\r\x0b\x0c\x1c\x1d\x1e\x85\xa0\u2028\u2029\u200b\u200d\u00ad\ufeff\u0301"
    "漢かカ한ไทยั่ក្ខ🎉👩\u200d🚀\ufe0f\x00\ufffd"
)
texts = st.one_of(st.text(st.sampled_from(TELLING)), st.text())
batches = st.lists(texts, max_size=6)
word_soup = st.lists(st.sampled_from(["a", "ab", "b", "ba", "aba", "é", "..", "漢"]), max_size=60).map(" ".join)

GOLDEN_TEXTS = [
    "",
    "\n",
    "\n\nleading newline",
    "trailing newline\n",
    "one\r\ntwo\r\n\r\nthree",
    "a\u2028b\x0bc\x0cd\x85e\x1cf",
    "two words",
    "dont don't l’homme rock'n'roll 'quoted' it's' ''",
    "3.14 1,000 1. 2, a.b 1.a 1..2 ٣.٣",
    "snake_case state-of-the-art end.Next",
    "汉字漢字 ひらがな カタカナ 한국어 ภาษาไทย",
    "👩\u200d🚀👍🏽 ❤\ufe0f #️⃣",
    "\u0301\u0302\u0303",
    "\ufeffbyte order mark",
    "nul\x00byte",
]


def text_column(values: list[str]) -> Text:
    return Text(pa.array(values, pa.large_string()))


def word_lists(text: Text, words: Words) -> list[list[str]]:
    data = text.utf8.values.tobytes()
    spans = [(int(s), int(s) + int(n)) for s, n in zip(words.starts, words.sizes, strict=True)]
    pieces = [data[start:end].decode() for start, end in spans]
    return [pieces[a:b] for a, b in zip(words.offsets[:-1], words.offsets[1:], strict=True)]


def span_lists(text: Text, found: spans.Spans) -> list[list[str]]:
    data = text.utf8.values.tobytes()
    pieces = [data[start:end].decode() for start, end in zip(found.starts, found.ends, strict=True)]
    return [pieces[a:b] for a, b in zip(found.offsets[:-1], found.offsets[1:], strict=True)]


def check_words(values: list[str]) -> None:
    text = text_column(values)
    expected = [reference.words(value) for value in values]
    assert word_lists(text, text.words()) == expected
    flat = [word for words in expected for word in words]
    assert text.words().chars.tolist() == [len(word) for word in flat]
    assert ((text.words().flags & HAS_ALPHA) > 0).tolist() == [reference.has_alpha(word) for word in flat]
    assert ((text.words().flags & HAS_CONTENT) > 0).tolist() == [reference.has_content(word) for word in flat]
    denominators = [flag for value in values for flag in reference.in_denominator(value)]
    assert ((text.words().flags & IN_DENOMINATOR) > 0).tolist() == denominators
    assert len(set(text.words().hashes.tolist())) == len(set(flat))


@given(batches)
@settings(max_examples=300)
def test_words_are_those_of_the_definition_on_any_text(values: list[str]) -> None:
    check_words(values)


def test_words_are_those_of_the_definition_on_golden_texts() -> None:
    check_words(GOLDEN_TEXTS)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("Don't stop: l’homme paid 1,000.50.", ["Don't", "stop", ":", "l’homme", "paid", "1,000.50", "."]),
        (
            "state-of-the-art (see e.g. foo_bar)...",
            [*("state", "-", "of", "-", "the", "-", "art", "(", "see"), *("e", ".", "g", ".", "foo_bar", ")...")],
        ),
        ("漢字はカタカナと한국어", ["漢", "字", "は", "カタカナ", "と", "한국어"]),
        ("ที่นี่", ["ที่", "นี่"]),
        ("👩\u200d🚀❤\ufe0f ok", ["👩\u200d🚀❤\ufe0f", "ok"]),
    ],
)
def test_documented_examples_of_words_hold(value: str, words: list[str]) -> None:
    assert reference.words(value) == words
    check_words([value])


def test_words_are_right_where_the_first_guess_of_their_number_is_too_small() -> None:
    check_words(["a " * 500, "漢" * 700, "- " * 900])


SPANS: list[tuple[Callable[[Utf8], spans.Spans], Callable[[str], list[str]]]] = [
    (spans.python_lines, reference.python_lines),
    (spans.newline_lines, reference.newline_lines),
    (spans.newline_run_lines, reference.newline_run_lines),
    (spans.paragraphs, reference.paragraphs),
]


@pytest.mark.parametrize(("kernel", "definition"), SPANS, ids=[kernel.__name__ for kernel, _ in SPANS])
@given(values=batches)
@settings(max_examples=200)
def test_lines_and_paragraphs_equal_python_on_any_text(
    kernel: Callable[[Utf8], spans.Spans], definition: Callable[[str], list[str]], values: list[str]
) -> None:
    for given_texts in (values, GOLDEN_TEXTS):
        text = text_column(given_texts)
        found = kernel(text.utf8)
        assert span_lists(text, found) == [definition(value) for value in given_texts]
        counts, chars = repeats.duplicate_spans(text.utf8, found)
        assert list(zip(counts, chars, strict=True)) == [reference.duplicates(definition(v)) for v in given_texts]


@given(st.lists(st.one_of(word_soup, texts), max_size=5))
@settings(max_examples=300)
def test_ngram_repetition_equals_the_definition_on_any_text(values: list[str]) -> None:
    text = text_column(values)
    words = [reference.words(value) for value in values]
    top = repeats.top_ngrams(text.words(), (1, 2, 3, 4))
    repeated = repeats.repeated_ngrams(text.words(), (2, 3, 5, 10))
    assert top.tolist() == [[reference.top_ngram(w, n) for w in words] for n in (1, 2, 3, 4)]
    assert repeated.tolist() == [[reference.repeated_ngrams(w, n) for w in words] for n in (2, 3, 5, 10)]


def test_the_top_ngram_is_the_first_seen_among_equally_frequent_ones() -> None:
    text = text_column(["aa bb cccccc dddddd", "cccccc dddddd aa bb", "x yy x yy long long"])
    assert repeats.top_ngrams(text.words(), (2,)).tolist() == [[len("aa bb"), len("cccccc dddddd"), 2 * len("x yy")]]


def test_repetition_in_a_long_document_equals_the_definition() -> None:
    chooser = random.Random(7)
    value = " ".join(chooser.choice(["w" * 300, "é" * 200, *"abcdefgh"]) for _ in range(3000))
    text, words = text_column([value]), reference.words(value)
    assert repeats.top_ngrams(text.words(), (2, 4)).ravel().tolist() == [reference.top_ngram(words, n) for n in (2, 4)]
    assert repeats.repeated_ngrams(text.words(), (3, 5)).ravel().tolist() == [
        reference.repeated_ngrams(words, n) for n in (3, 5)
    ]


@given(batches)
@settings(max_examples=100)
def test_counts_equal_python_on_any_text(values: list[str]) -> None:
    text = text_column([*values, "......", "…"])
    assert text.code_points.tolist() == [len(value) for value in [*values, "......", "…"]]
    for pattern in ("#", "...", "…", "\n"):
        assert text.count(pattern).tolist() == [value.count(pattern) for value in [*values, "......", "…"]]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_a_slice_gives_what_the_same_documents_alone_give(kind: pa.DataType) -> None:
    whole = pa.array(GOLDEN_TEXTS, kind)
    for first, last in [(0, 0), (0, 3), (4, 9), (len(GOLDEN_TEXTS) - 1, len(GOLDEN_TEXTS)), (3, 3)]:
        part = Text(whole.slice(first, last - first))
        assert word_lists(part, part.words()) == [reference.words(value) for value in GOLDEN_TEXTS[first:last]]
        assert span_lists(part, part.python_lines) == [value.splitlines() for value in GOLDEN_TEXTS[first:last]]
        assert part.code_points.tolist() == [len(value) for value in GOLDEN_TEXTS[first:last]]


def test_bytes_that_are_not_utf8_are_read_as_replacement_characters() -> None:
    values = [b"\xff\xfe ok", b"cut \xe2\x80", b"\xc0\x80", b"\xf8\x88\x80\x80\x80", b"\xf4\xbf\xbf\xbf"]
    column = pa.array(values, pa.large_binary()).view(pa.large_string())
    text = Text(column)
    assert text.words().offsets[-1] == len(text.words().starts)
    assert (text.words().sizes > 0).all()


def test_classes_are_those_of_the_interpreter() -> None:
    table = classes()
    for code in random.Random(1).sample(range(0x110000), 20_000):
        char = chr(code)
        assert bool(table[code] & 1) == char.isspace()
        assert bool(table[code] & 4) == char.isalpha()
    assert {int(code) for code in np.flatnonzero(table & TERMINAL)} == terminal_code_points()
    assert all(ord(char) in terminal_code_points() for char in ".!?。！？।؟")


def test_steps_over_one_batch_share_one_view() -> None:
    batch = pa.record_batch({"text": pa.array(["one", "two"], pa.large_string())})
    view = text_of(batch)
    assert text_of(batch.append_column("more", pa.array([1, 2]))) is view
    assert text_of(batch.slice(1)) is not view
    assert text_of(batch.slice(1)).documents == 1
    forget_text()
    assert text_of(batch) is not view


def test_a_null_text_is_refused() -> None:
    with pytest.raises(ValueError, match="1 nulls"):
        Text(pa.array(["a", None], pa.large_string()))
    with pytest.raises(TypeError, match="int64"):
        Text(pa.array([1]))
