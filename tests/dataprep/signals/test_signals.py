"""Signals equal their plain-Python definition on any text, and hold on the boundary documents where tools disagree."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataprep.signals import _reference as reference
from dataprep.signals.fineweb import FineWeb
from dataprep.signals.gopher import GopherQuality
from dataprep.signals.repetition import GopherRepetition
from dataprep.steps import Step

Definition = Callable[[str], dict[str, float]]
FAMILIES: list[tuple[Step, Definition]] = [
    (GopherQuality(), reference.gopher_quality),
    (GopherRepetition(), reference.gopher_repetition),
    (FineWeb(), reference.fineweb),
]
families = pytest.mark.parametrize(("signal", "definition"), FAMILIES, ids=[signal.name for signal, _ in FAMILIES])

PIECES = [
    *(
        "the",
        "The",
        "be",
        "of",
        "with",
        "word",
        "don't",
        "é",
        "漢字",
        "42",
        "#",
        "...",
        "…",
        "• ",
        "- ",
        ".",
        "!",
        "。",
        ",",
    ),
    *(
        " ",
        " ",
        " ",
        "\n",
        "\n",
        "\n\n",
        "\r\n",
        "\t",
        "\x0b",
        "\x85",
        "\u2028",
        "\xa0",
        "a line that ends here. ",
        "x" * 31,
    ),
]
documents = st.one_of(st.lists(st.sampled_from(PIECES), max_size=80).map("".join), st.text())


def batch_of(*texts: str) -> pa.RecordBatch:
    return pa.record_batch({"text": pa.array(texts, pa.large_string())})


def measured(signal: Step, *texts: str) -> list[dict[str, float]]:
    return signal(batch_of(*texts)).select(signal.columns.names).to_pylist()


@families
@given(texts=st.lists(documents, max_size=5))
@settings(max_examples=150)
def test_measurements_equal_their_definition_on_any_text(
    signal: Step, definition: Definition, texts: list[str]
) -> None:
    assert measured(signal, *texts) == [definition(text) for text in texts]


@families
def test_measurements_equal_their_definition_on_real_prose(
    signal: Step, definition: Definition, shared_data: Path
) -> None:
    for name in ("wikipedia-en-markdown", "gesetze-de", "peps-rst"):
        with gzip.open(shared_data / "prose" / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
            texts = [json.loads(line)["text"][:20_000] for line, _ in zip(lines, range(12), strict=False)]
        assert measured(signal, *texts) == [definition(text) for text in texts]


@families
def test_an_empty_document_measures_zero_everywhere(signal: Step, definition: Definition) -> None:
    assert set(measured(signal, "")[0].values()) == {0}
    assert definition("") == measured(signal, "")[0]


@families
def test_a_signal_adds_exactly_its_columns_and_keeps_the_rows(signal: Step, definition: Definition) -> None:
    whole = batch_of("cut", "one two", "three\nfour", "cut")
    part = signal(whole.slice(1, 2))
    assert part.schema.names == ["text", *signal.columns.names]
    assert [part.schema.field(name).type for name in signal.columns.names] == [f.type for f in signal.columns]
    assert part.column("text").to_pylist() == ["one two", "three\nfour"]
    assert part.select(signal.columns.names).to_pylist() == [definition("one two"), definition("three\nfour")]
    assert signal(whole.slice(0, 0)).num_rows == 0
    assert signal(signal(whole)).equals(signal(whole))


def gopher(text: str) -> dict[str, float]:
    return measured(GopherQuality(), text)[0]


def repetition(text: str) -> dict[str, float]:
    return measured(GopherRepetition(), text)[0]


def fineweb(text: str) -> dict[str, float]:
    return measured(FineWeb(), text)[0]


def test_six_dots_are_two_ellipses() -> None:
    assert gopher("wait ...... what")["gopher.ellipsis_ratio"] == 2 / 3
    assert gopher("wait...... what")["gopher.ellipsis_ratio"] == 2 / 2


def test_stop_words_are_counted_once_each_and_as_written() -> None:
    assert gopher("The THE the the of of")["gopher.stop_words"] == 2


def test_symbols_are_words_only_in_denominators_and_only_where_they_stand_alone() -> None:
    values = gopher("(one), two – 3.")
    assert values["gopher.words"] == 3
    assert values["gopher.mean_word_length"] == 7 / 3
    assert values["gopher.alpha_words"] == 2 / 4


def test_bullets_and_ellipses_are_seen_through_white_space_and_other_bullets_are_not() -> None:
    assert gopher(" - a\n\u3000• b\n* c\n◦ d\n1. e\n\n")["gopher.bullet_lines"] == 2 / 6
    assert gopher("a... \nb…\t\nc..\n")["gopher.ellipsis_lines"] == 2 / 3


def test_gopher_quality_sees_the_line_breaks_of_splitlines_and_fineweb_does_not() -> None:
    text = "- a\u2028- b\x0b- c\x85d"
    assert gopher(text)["gopher.bullet_lines"] == 3 / 4
    assert fineweb(text)["fineweb.lines"] == 1
    assert repetition("a\u2028a\u2028a")["repetition.dup_line_frac"] == 0


def test_a_leading_and_a_trailing_newline_are_two_equal_empty_lines_for_repetition() -> None:
    assert repetition("\nline\n")["repetition.dup_line_frac"] == 1 / 3


def test_a_document_of_two_words_is_all_one_bigram() -> None:
    assert repetition("two words")["repetition.top_2_gram"] == 1.0


def test_lines_that_differ_in_a_trailing_space_are_different() -> None:
    assert repetition("a\na \na")["repetition.dup_line_frac"] == 1 / 3


def test_a_space_after_a_full_stop_hides_the_sentence_end_from_fineweb() -> None:
    assert fineweb("One. \nTwo.\nThree!\n(Four.)")["fineweb.line_punct_ratio"] == 2 / 4


def test_carriage_returns_belong_to_fineweb_lines() -> None:
    assert fineweb("One.\r\nTwo.\r\n")["fineweb.line_punct_ratio"] == 0
    assert fineweb("One.\r\n\r\nTwo.")["fineweb.lines"] == 2


def test_lines_of_thirty_characters_are_short_whatever_their_bytes() -> None:
    assert fineweb("漢" * 30 + "\n" + "漢" * 31 + "\n" + "🎉" * 30)["fineweb.short_line_ratio"] == 2 / 3


def test_a_share_on_a_threshold_is_the_same_double_python_computes() -> None:
    assert repetition("a\na\nb\nc\nd\ne\nf\ng\nh\ni")["repetition.dup_line_frac"] == 0.1
    assert gopher("# " + "word " * 9)["gopher.hash_ratio"] == 0.1
