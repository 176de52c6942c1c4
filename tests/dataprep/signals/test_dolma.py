"""The values of Dolma's tagger ``gopher_v2``: its definition in plain Python, and documents where readings differ."""

import re
from collections import Counter
from statistics import median

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataprep.clean.settings import CleanSettings
from dataprep.rules import decide, load_rule_set
from dataprep.signals.dolma import REPEATED, TOP, Dolma
from dataprep.signals.gopher import STOP_WORDS
from dataprep.steps import apply_steps

PIECES = [
    "the",
    "The",
    "of",
    "x",
    "ab",
    "é",
    "#",
    "a#",
    "…",
    "* ",
    "-",
    "- a",
    "漢字",
    "42",
    "...",
    "a b a b a b ",
    "x" * 12,
]
SPACES = [" ", " ", " ", "\n", "\n", "\n\n", "\t", "\r", "\x85", "\u2028", "\xa0", "\x1c"]
documents = st.one_of(st.lists(st.sampled_from(PIECES + SPACES * 2), max_size=80).map("".join), st.text())


def share(numerator: float, denominator: float) -> float:
    return round(numerator / denominator, 5) if denominator else 0.0


def dolma(text: str) -> dict[str, float]:
    words, lines = text.split(), re.split("\n+", text)
    chars = max(sum(map(len, words)), 1)
    again = {line: count for line, count in Counter(lines).items() if count > 1 and text}
    values = {
        "dolma.words": len(words),
        "dolma.median_word_length": float(median(map(len, words))) if words else 0.0,
        "dolma.symbol_ratio": share(sum("#" in word or "…" in word for word in words), len(words)),
        "dolma.alpha_words": share(sum(any(map(str.isalpha, word)) for word in words), len(words)),
        "dolma.required_words": sum(word in STOP_WORDS for word in words),
        "dolma.bullet_lines": share(sum(line.startswith(("*", "-")) for line in lines), len(lines)),
        "dolma.ellipsis_lines": share(sum(line.endswith("…") for line in lines), len(lines)),
        "dolma.dup_line_frac": share(sum(again.values()), len(lines)),
        "dolma.dup_line_char_frac": share(sum(len(line) * count for line, count in again.items()), chars),
    }
    for n in (*TOP, *REPEATED):
        ngrams = Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))
        sizes = {ngram: count * sum(map(len, ngram)) for ngram, count in ngrams.items()}
        if n in TOP:
            top = ngrams.most_common(1)
            values[f"dolma.top_{n}_gram"] = share(sizes[top[0][0]], chars) if top else 0.0
        else:
            recurring = sum(size for ngram, size in sizes.items() if ngrams[ngram] > 1)
            values[f"dolma.dup_{n}_gram"] = share(recurring, sum(sizes.values()))
    return values


def measured(*texts: str) -> list[dict[str, float]]:
    batch = Dolma()(pa.record_batch({"text": pa.array(texts, pa.large_string())}))
    return batch.select(Dolma().columns.names).to_pylist()


@given(texts=st.lists(documents, max_size=5))
@settings(max_examples=200)
def test_values_equal_their_definition_on_any_text(texts: list[str]) -> None:
    assert measured(*texts) == [dolma(text) for text in texts]


@pytest.mark.parametrize(
    ("text", "signal", "value"),
    [
        ("", "dup_line_frac", 0.0),
        ("\n", "dup_line_frac", 1.0),
        ("a\nb\na", "dup_line_frac", 0.66667),
        ("a\n\n\na", "dup_line_frac", 1.0),
        ("     \n     ", "dup_line_char_frac", 10.0),
        ("* a\n - b\n• c\n- d", "bullet_lines", 0.5),
        ("a…\nb… \nc...", "ellipsis_lines", 0.33333),
        ("a #b ### …", "symbol_ratio", 0.75),
        ("The the the", "required_words", 2),
        ("a bbb ccccc ddd", "median_word_length", 3.0),
        ("a bb", "median_word_length", 1.5),
        ("two words", "top_2_gram", 1.0),
        ("a b c d e", "dup_5_gram", 0.0),
    ],
)
def test_documents_on_which_readings_of_gopher_differ(text: str, signal: str, value: float) -> None:
    assert measured(text)[0][f"dolma.{signal}"] == value


def test_a_share_is_rounded_before_it_is_compared_as_the_tagger_writes_it() -> None:
    # 24,001 of 30,001 words have a letter: 0.8000067 is 0.80001; 80,000 of 100,001 are 0.799992, which is 0.79999
    assert measured("a " * 24_001 + "1 " * 6_000)[0]["dolma.alpha_words"] == 0.80001
    assert measured("a " * 80_000 + "1 " * 20_000 + "1")[0]["dolma.alpha_words"] == 0.79999
    # half a unit of the last place, where the exact value of the double decides
    assert measured("a " * 1 + "1 " * 199_999)[0]["dolma.alpha_words"] == round(1 / 200_000, 5)
    assert measured("a " * 3 + "1 " * 199_997)[0]["dolma.alpha_words"] == round(3 / 200_000, 5)


def test_the_set_brings_its_step_and_names_the_first_rule_that_fires() -> None:
    clean = CleanSettings.model_validate({"rules": [{"use": "gopher@dolma-v2"}]})
    text = "the quick brown fox and others are " * 7
    batch = pa.record_batch({"text": pa.array([text, "the and " * 20], pa.large_string())})
    measured_batch, bad = apply_steps(clean.resolved_steps(), batch)
    assert not bad
    reasons = decide(measured_batch, clean.resolved_rules()).column("rejected_by").to_pylist()
    assert reasons == ["gopher.short_doc", "gopher.short_doc"]
    assert len(load_rule_set("gopher@dolma-v2").rules) == 17
