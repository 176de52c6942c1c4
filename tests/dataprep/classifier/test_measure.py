"""Measures by hand and against their definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataprep.classifier.measure import at_threshold, histogram, measure, roc_auc, threshold_for

SCORES = st.lists(st.integers(0, 40).map(lambda n: n / 40), min_size=1, max_size=60).map(np.array)


@given(SCORES, SCORES)
def test_the_area_is_the_chance_that_a_positive_scores_higher(positive: np.ndarray, negative: np.ndarray) -> None:
    pairs = [(p > n) + (p == n) / 2 for p in positive for n in negative]
    assert roc_auc(positive, negative) == pytest.approx(sum(pairs) / len(pairs))


@given(SCORES, st.floats(0.001, 0.999))
def test_the_threshold_is_the_lowest_that_keeps_no_more_than_asked(negative: np.ndarray, rate: float) -> None:
    threshold = threshold_for(negative, rate)
    assert (negative >= threshold).mean() <= rate
    for lower in negative[negative < threshold]:
        assert (negative >= lower).mean() > rate


def test_a_keep_rate_is_reached_exactly_where_no_ties_forbid_it() -> None:
    negative = np.arange(100) / 100
    for percent in range(1, 100):
        assert (negative >= threshold_for(negative, percent / 100)).sum() == percent
    assert threshold_for(np.zeros(10), 0.5) == 0.0001
    assert threshold_for(np.ones(10), 0.5) == 1.0001


def test_precision_recall_and_f1_at_a_threshold() -> None:
    positive, negative = np.array([0.9, 0.8, 0.4, 0.2]), np.array([0.85, 0.4, 0.1, 0.0])
    assert at_threshold(positive, negative, 0.8) == {
        "threshold": 0.8,
        "precision": 2 / 3,
        "recall": 0.5,
        "f1": 4 / 7,
        "negatives_kept": 1,
        "negatives_kept_share": 0.25,
    }
    assert at_threshold(positive, negative, 1.1)["f1"] == 0


def test_every_score_is_in_one_range_of_the_histogram() -> None:
    assert histogram(np.array([0.0, 0.0499, 0.05, 0.15, 1.0])) == [2, 1, 0, 1, *[0] * 15, 1]


def test_the_asked_keep_rate_is_in_the_table_once() -> None:
    scores = np.arange(50) / 50
    for rate in (0.1, 0.07):
        found = measure(scores, scores, rate)
        assert [row["keep_rate"] for row in found["keep_rates"]].count(rate) == 1
        assert found["chosen"]["keep_rate"] == rate
