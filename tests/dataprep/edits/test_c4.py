"""C4's line rules equal their plain-Python definition on any text, and hold where the two readings of them differ."""

from functools import partial
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataprep.edits import _reference as reference
from dataprep.edits.c4 import C4Lines
from dataprep.text.chunks import segment_spacy
from dataprep.text.sentences import count_sentences
from dataprep.text.utf8 import Utf8

READINGS: dict[str, dict[str, Any]] = {
    "datatrove": {},
    "tfds": {"end_marks": '.?!"', "fewest_words": 5, "count_after_citations": True},
    "fineweb": {"end_marks": ""},
    "short words": {"longest_word": 4, "fewest_words": 0},
}
PIECES = [
    *("word", "a b c", "It is so", "lorem ipsum", "Lorem  Ipsum", "LOREM IPSUM", "javascript", "JavaScript", "{", "}"),
    *("terms of use", "Privacy Policy", "uses coo\u212aies", "use cook\u0130es", "use cookie", "javascr\u0130pt"),
    *("[1]", "[]", "[edit]", "[citation needed]", "[Edit]", "[\u0663\u0664]", "[1", "]", "[[2]]", "[\xb2]"),
    *(".", "?", "!", '"', "'", "...", "..", "…", "。", ",", " ", "  ", "\t", "\xa0"),
    *("\n", "\n", "\n\n", "\r\n", "\x0b", "\x85", "\u2028", "é", "漢字", "😀", "\u0301", "\x00"),
]
documents = st.lists(st.sampled_from(PIECES) | st.characters(exclude_categories=["Cs"]), max_size=40).map("".join)


def sentences(line: str) -> int:
    text = Utf8.of(pa.array([line], pa.large_string()))
    return int(count_sentences(text, segment_spacy(text))[0])


def edit(step: C4Lines, *texts: str) -> list[dict[str, Any]]:
    return step(pa.record_batch({"text": pa.array(texts, pa.large_string())})).to_pylist()


@pytest.mark.parametrize("reading", READINGS)
@settings(max_examples=200)
@given(st.lists(documents, max_size=4))
def test_lines_are_kept_as_the_definition_says_on_any_text(reading: str, texts: list[str]) -> None:
    define = partial(reference.c4, sentences=sentences, **READINGS[reading])
    expected = [{"text": edited, **columns} for edited, columns in map(define, texts)]
    assert edit(C4Lines(**READINGS[reading]), *texts) == expected


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("This is fine.", True),
        ("This is fine. [1]", False),  # ends in a space, which is not stripped again
        ("This is fine.[1]", True),
        ("[1] This is fine.", True),
        ("Too few.", False),
        ("Few [1] [2].", True),  # three words before the citations are gone
        ("It goes on...", False),
        ("It goes on….", True),
        ("He said 'so'", True),
        ("No end mark", False),
        ("Please enable JavaScript here.", False),
        ("We have a Privacy Policy here.", False),
    ],
)
def test_lines_on_the_edge(line: str, kept: bool) -> None:
    assert edit(C4Lines(), line)[0]["c4.lines_policy"] == ("Privacy" in line)
    assert bool(edit(C4Lines(), line)[0]["text"]) == kept


def test_the_two_readings_count_words_before_and_after_citations() -> None:
    line = "These are four words [1]."
    assert edit(C4Lines(fewest_words=5), line)[0]["text"] == "These are four words ."
    assert edit(C4Lines(fewest_words=6, count_after_citations=True), line)[0]["text"] == ""


def test_what_stops_a_document_is_what_came_first_and_its_text_stays() -> None:
    fine = "This is a fine line."
    first = "\n".join(["Here { is one.", fine, "Here is lorem ipsum."])
    row = edit(C4Lines(), first)[0]
    assert (row["c4.stopped_by"], row["text"]) == ("curly_bracket", first)
    hidden = "\n".join(["Here { is", fine])  # the line goes before its bracket is seen
    row = edit(C4Lines(), hidden)[0]
    assert (row["c4.stopped_by"], row["text"]) == (None, fine)


def test_edits_are_the_same_in_a_slice_and_keep_the_other_columns() -> None:
    texts = ["cut away", "One good line.\nand no more", "", "x\n\nTwo good lines. Really."]
    batch = pa.record_batch({"id": [1, 2, 3, 4], "text": pa.array(texts, pa.large_string())})
    assert C4Lines()(batch.slice(1, 3)).equals(C4Lines()(batch).slice(1, 3))
    assert C4Lines()(batch).column("id").to_pylist() == [1, 2, 3, 4]
