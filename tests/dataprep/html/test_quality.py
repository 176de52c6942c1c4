"""What the default engine makes of annotated pages; benchmarks/extraction compares it with others on the same pages."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.extraction import metrics
from benchmarks.extraction.engines import ours
from benchmarks.extraction.sets import load


@pytest.mark.parametrize(
    ("name", "least"), [("zyte", 0.978), ("trafilatura", 0.948), ("newspaper", 0.945), ("readability", 0.952)]
)
def test_f1_on_annotated_pages_does_not_fall(name: str, least: float, shared_data: Path) -> None:
    pages = load(name, shared_data / "html-extraction")
    texts = ours("auto")(pages).texts
    rows = np.array([metrics.counts(page.truth, text) for page, text in zip(pages, texts, strict=True)])
    scores = metrics.scores(rows, pooled=isinstance(pages[0].truth, metrics.Segments))
    assert scores.f1[0] >= least
