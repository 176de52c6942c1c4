"""How near a text is to what people marked on the page.

- Shingles: article-extraction-benchmark's evaluate.py. Counts of 4-grams of ``\\w+`` tokens; precision is the mean over
  the pages that have a text, recall the mean over those that should have one, F1 comes from these two means.
- Segments: trafilatura's evaluation. Each page has phrases that the text must hold and others that it must not;
  precision and recall are of all pages' phrases together.

Intervals are percentiles over resamples of pages; the same resamples serve all engines, so that differences are paired.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

NGRAM = 4  # evaluate.py, string_shingle_matching
RESAMPLES = 1000  # evaluate.py, --n-bootstrap
SEED = 20_261_126
_TOKEN = re.compile(r"\w+")

Shingle = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Segments:
    """What a text must hold, and what it must not."""

    required: tuple[str, ...]
    forbidden: tuple[str, ...]


Truth = str | Segments


def shingles(text: str) -> Counter[Shingle]:
    """Every run of four tokens; a shorter text is one shingle."""
    tokens = _TOKEN.findall(text)
    if not tokens:
        return Counter()
    return Counter(tuple(tokens[i : i + NGRAM]) for i in range(max(1, len(tokens) - NGRAM + 1)))


def counts(truth: Truth, text: str) -> tuple[float, float, float]:
    """True positives, false positives, false negatives of one page."""
    if isinstance(truth, Segments):
        found = sum(segment in text for segment in truth.required)
        return found, sum(segment in text for segment in truth.forbidden), len(truth.required) - found
    expected, given = shingles(truth), shingles(text)
    common = (expected & given).total()
    return common, given.total() - common, expected.total() - common


@dataclass(frozen=True, slots=True)
class Scores:
    """Precision, recall and F1: single numbers, or one of each for every resample."""

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray


def scores(rows: np.ndarray, pooled: bool, picked: np.ndarray | None = None) -> Scores:
    """Of the pages' ``counts``, or of those ``picked``: indices, one resample a row.

    ``pooled`` adds all pages' counts before dividing (segments); otherwise every page weighs the same (shingles).
    """
    if picked is None:
        picked = np.arange(len(rows))[None, :]
    hits, wrong, missed = rows.T
    if pooled:
        hits, wrong, missed = (column[picked].sum(axis=1) for column in (hits, wrong, missed))
        precision, recall = _ratio(hits, hits + wrong), _ratio(hits, hits + missed)
    else:
        precision = _mean_of_defined(hits, hits + wrong, picked)
        recall = _mean_of_defined(hits, hits + missed, picked)
    return Scores(precision, recall, _ratio(2 * precision * recall, precision + recall))


def page_f1(row: Sequence[float]) -> float:
    """F1 of one page's counts; a page that should be empty and is counts 1."""
    hits, wrong, missed = row
    return 2 * hits / (2 * hits + wrong + missed) if hits + wrong + missed else 1.0


def resamples(pages: int) -> np.ndarray:
    """Indices of the pages of every resample, always the same for a number of pages."""
    return np.random.default_rng(SEED).integers(0, pages, (RESAMPLES, pages))


def interval(values: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.zeros(len(above)), where=below > 0)


def _mean_of_defined(above: np.ndarray, below: np.ndarray, picked: np.ndarray) -> np.ndarray:
    defined = (below > 0).astype(np.float64)
    return _ratio(_ratio(above, below)[picked].sum(axis=1), defined[picked].sum(axis=1))
