"""How well scores tell two classes apart, in numpy.

Decisions:
- Scores have few decimals, so many are equal: ties count half in the area under the curve (Mann and Whitney 1947), and
  a threshold never divides them.
- A keep rate is a share of the negatives, which stand for the web; its threshold never keeps more of them.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataprep.models import SCORE_DECIMALS

EDGES = tuple(i / 20 for i in range(21))
THRESHOLDS = (0.1, 0.25, 0.5, 0.75, 0.9)
KEEP_RATES = (0.01, 0.05, 0.1, 0.2, 0.3, 0.5)

Scores = NDArray[np.float64]


def measure(positive: Scores, negative: Scores, keep_rate: float) -> dict[str, Any]:
    """All that a report says about held-out scores, as JSON; ``chosen`` is the threshold for ``keep_rate``."""
    rates = sorted({*KEEP_RATES, keep_rate})
    kept = [{"keep_rate": rate, **at_threshold(positive, negative, threshold_for(negative, rate))} for rate in rates]
    return {
        "roc_auc": roc_auc(positive, negative),
        "chosen": kept[rates.index(keep_rate)],
        "keep_rates": kept,
        "thresholds": [at_threshold(positive, negative, threshold) for threshold in THRESHOLDS],
        "histogram": {"edges": list(EDGES), "positive": histogram(positive), "negative": histogram(negative)},
    }


def roc_auc(positive: Scores, negative: Scores) -> float:
    """The chance that a positive scores above a negative, a tie counting half."""
    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, side="left")
    not_above = np.searchsorted(ordered, positive, side="right")
    return float((below + not_above).sum() / (2 * len(positive) * len(negative)))


def at_threshold(positive: Scores, negative: Scores, threshold: float) -> dict[str, float | int]:
    """What keeping scores of at least ``threshold`` means; precision is that of the sample, half of it positives."""
    found, wrong = int((positive >= threshold).sum()), int((negative >= threshold).sum())
    return {
        "threshold": threshold,
        "precision": found / (found + wrong) if found + wrong else 0.0,
        "recall": found / len(positive),
        "f1": 2 * found / (found + wrong + len(positive)),
        "negatives_kept": wrong,
        "negatives_kept_share": wrong / len(negative),
    }


def threshold_for(negative: Scores, keep_rate: float) -> float:
    """The lowest score of a negative at which at most ``keep_rate`` of them are kept, or just above all of them."""
    values = np.unique(negative)
    kept = len(negative) - np.searchsorted(np.sort(negative), values, side="left")
    fitting = values[kept / len(negative) <= keep_rate]
    return round(float(fitting[0] if len(fitting) else values[-1] + 10.0**-SCORE_DECIMALS), SCORE_DECIMALS)


def histogram(scores: Scores) -> list[int]:
    """Documents in each range between two of ``EDGES``; the last includes 1."""
    return np.histogram(scores, EDGES)[0].tolist()
