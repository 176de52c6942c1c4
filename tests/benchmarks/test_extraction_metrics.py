"""The metrics of the extraction benchmark: a wrong one would send every later decision the wrong way."""

import random
import re
import statistics
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.extraction import metrics
from benchmarks.extraction.metrics import Segments, counts, interval, page_f1, resamples, scores
from benchmarks.extraction.worst import differences, runs

WORDS = st.lists(st.sampled_from(["a", "b", "c", "d", "É", "-", "\n"]), max_size=14).map(" ".join)


def evaluate_py(pairs):
    """article-extraction-benchmark's evaluate.py, from its description: (precision, recall, F1) of (true, given)."""
    triples = []
    for true, given_text in pairs:
        tables = []
        for text in (true, given_text):
            tokens = re.findall(r"\w+", text)
            grams = [tuple(tokens[i : i + 4]) for i in range(max(1, len(tokens) - 4 + 1))]
            tables.append(Counter(gram for gram in grams if gram))
        keys = set(tables[0]) | set(tables[1])
        tp = sum(min(tables[0][key], tables[1][key]) for key in keys)
        fp = sum(max(0, tables[1][key] - tables[0][key]) for key in keys)
        fn = sum(max(0, tables[0][key] - tables[1][key]) for key in keys)
        triples.append([x / (tp + fp + fn) if tp + fp + fn else 0.0 for x in (tp, fp, fn)])
    precisions = [tp / (tp + fp) for tp, fp, _ in triples if tp + fp > 0]
    recalls = [tp / (tp + fn) for tp, _, fn in triples if tp + fn > 0]
    precision = statistics.mean(precisions) if precisions else 0.0
    recall = statistics.mean(recalls) if recalls else 0.0
    return precision, recall, 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def table(pairs):
    return np.array([counts(true, text) for true, text in pairs])


def values(found):
    return [float(found.precision[0]), float(found.recall[0]), float(found.f1[0])]


@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=5))
def test_shingle_scores_are_those_of_evaluate_py(pairs):
    assert values(scores(table(pairs), pooled=False)) == pytest.approx(evaluate_py(pairs))


def test_a_known_page_has_known_shingle_scores():
    # 5 true 4-grams of 8 tokens, 3 of them given among 4
    assert counts("one two three four five six seven eight", "zero one two three four five six") == (3, 1, 2)
    assert page_f1((3, 1, 2)) == pytest.approx(2 * 0.75 * 0.6 / (0.75 + 0.6))


def test_a_repeated_shingle_counts_as_often_as_it_should_be_there():
    assert counts("a b c d", "a b c d. a b c d") == (1, 4, 0)


def test_a_short_text_is_one_shingle_and_an_empty_one_none():
    assert counts("two words", "two words!") == (1, 0, 0)
    assert counts("two words", "") == (0, 0, 1)
    assert counts("", " \n") == (0, 0, 0)
    assert page_f1((0, 0, 0)) == 1.0


def test_a_page_without_text_lowers_recall_only():
    pairs = [("a b c d", "a b c d"), ("e f g h", "")]
    assert values(scores(table(pairs), pooled=False)) == pytest.approx([1.0, 0.5, 2 / 3])


def test_no_text_at_all_scores_nothing():
    assert values(scores(table([("a b c d", "")]), pooled=False)) == [0, 0, 0]
    assert values(scores(table([(Segments(("a",), ("b",)), "")]), pooled=True)) == [0, 0, 0]


def test_segments_of_all_pages_are_pooled():
    pages = [
        (Segments(("must be", "as well", "not there"), ("menu", "footer")), "must be as well, but no menu"),
        (Segments(("x",), ("y", "z")), "x y"),
    ]
    assert table(pages).tolist() == [[2, 1, 1], [1, 1, 0]]
    assert values(scores(table(pages), pooled=True)) == pytest.approx([3 / 5, 3 / 4, 2 * 0.6 * 0.75 / 1.35])


def test_a_segment_is_found_as_it_stands():
    assert counts(Segments(("two words",), ("Menu",)), "two\nwords menu") == (0, 0, 1)


@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=5), st.booleans(), st.randoms())
def test_a_resample_scores_as_its_pages_would(pairs, pooled, rng: random.Random):
    rows = table(pairs)
    picked = [rng.randrange(len(pairs)) for _ in pairs]
    whole = scores(rows, pooled, np.array([picked, range(len(pairs))]))
    assert float(whole.f1[0]) == pytest.approx(float(scores(rows[picked], pooled).f1[0]))
    assert float(whole.f1[1]) == pytest.approx(float(scores(rows, pooled).f1[0]))


def test_resamples_are_the_same_every_time_and_for_every_engine():
    assert resamples(30).shape == (metrics.RESAMPLES, 30)
    assert (resamples(30) == resamples(30)).all()
    assert set(np.unique(resamples(30))) == set(range(30))


def test_the_interval_of_a_mean_is_near_the_normal_one():
    pages = np.random.default_rng(0).integers(0, 2, 400)
    rows = np.stack([pages, 1 - pages, np.zeros(400)], axis=1)
    low, high = interval(scores(rows, False, resamples(400)).precision)
    width = 2 * 1.96 * np.sqrt(pages.mean() * (1 - pages.mean()) / 400)
    assert high - low == pytest.approx(width, rel=0.15)
    assert low < pages.mean() < high


def test_an_engine_against_itself_differs_by_nothing_in_every_resample():
    rows = table([("a b c d", "a b c d e"), ("f g h i", "f g h j"), ("k l m n o", "k l m n")])
    one = scores(rows, False, resamples(3)).f1
    other = scores(rows.copy(), False, resamples(3)).f1
    assert interval(one - other) == (0, 0)


def test_runs_are_the_words_in_no_common_shingle_line_by_line():
    ours = "Menu, Home!\nThe article says one thing.\nRead more\nFollow us."
    assert list(runs(ours, "The article says one thing.")) == ["Menu, Home!", "Read more", "Follow us."]
    assert list(runs("The article says one thing.", ours)) == []


def test_a_second_copy_is_a_run():
    assert list(runs("a b c d\na b c d", "a b c d")) == ["a b c d"]


@given(WORDS, WORDS)
def test_there_are_runs_exactly_where_shingles_are_wrong_or_missing(true, text):
    hits, wrong, missed = counts(true, text)
    if not wrong:
        assert not list(runs(text, true))
    if not hits:
        assert "".join(re.findall(r"\w", "".join(runs(true, text)))) == "".join(re.findall(r"\w", true))
        assert bool(list(runs(true, text))) == bool(missed)


def test_differences_say_who_else_has_a_segment():
    truth = Segments(("lost", "nowhere"), ("menu", "side"))
    lines = list(differences(truth, "the menu here", {"other": "lost and side"}))
    assert lines == [
        "  - lost    [in other]",
        "  - nowhere    [no engine has it]",
        "  + menu    [only ours]",
        "      in the line: the menu here",
    ]
