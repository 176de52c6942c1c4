"""The sample's shares are the recipe's, whatever the order of the parts, and never more than a group has."""

import random

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataprep.document import BatchBuilder
from dataprep.tokens.measure import CorpusMeasure
from dataprep.tokens.sample import SamplePlan, candidates, cut, shares
from dataprep.tokens.settings import TokenizerSettings

SIZES = {("web", "en"): 600, ("web", "de"): 60, ("web", "sw"): 6, ("books", "en"): 100, ("books", ""): 30}


def corpus(sizes=SIZES, seed=0):
    """Documents of about 200 bytes as (source, language, locator, text)."""
    rng = random.Random(seed)
    rows = [
        (source, language, f"{language}-{i}", f"{source}{language} " * rng.randrange(10, 40))
        for (source, language), n in sizes.items()
        for i in range(n)
    ]
    rng.shuffle(rows)
    return rows


def batches(rows, size=100, labels=True):
    for start in range(0, len(rows), size):
        for source in sorted({row[0] for row in rows}):
            builder = BatchBuilder(source)
            mine = [row for row in rows[start : start + size] if row[0] == source]
            for _, _, locator, text in mine:
                builder.add(text, locator)
            batch = builder.finish()
            if batch is not None:
                languages = pa.array([language or None for _, language, _, _ in mine], pa.string())
                yield batch.append_column("language.label", languages) if labels else batch


def sampled(rows, size=100, labels=True, **settings):
    measure = CorpusMeasure()
    for batch in batches(rows, size, labels):
        measure.add(batch, 3)
    plan = SamplePlan.of(measure, TokenizerSettings(**settings))
    plan = SamplePlan.from_json(plan.to_json())
    return cut([candidates(batch, 3, plan) for batch in batches(rows, size, labels)], plan)


def bytes_by(sample, *columns):
    found = {}
    for row in sample.to_pylist():
        key = tuple(row[name] for name in columns)
        found[key] = found.get(key, 0) + len(row["text"].encode())
    return found


def total(rows, *names):
    """Bytes of the documents of these sources or languages."""
    return sum(len(text.encode()) for source, language, _, text in rows if {source, language} & set(names))


@given(
    sizes=st.lists(st.integers(10**4, 10**9), min_size=1, max_size=30),
    budget=st.integers(1, 10**10),
    alpha=st.floats(0, 1),
)
def test_shares_fill_the_budget_and_are_in_proportion_among_those_that_have_enough(sizes, budget, alpha):
    found = shares(sizes, budget, alpha)
    assert sum(found) == min(budget, sum(sizes))
    assert all(0 <= share <= size for share, size in zip(found, sizes, strict=True))
    partial = [i for i, share in enumerate(found) if share < sizes[i]]
    for i in partial:
        for j in range(len(sizes)):
            # nobody has a larger share for its weight than one that could have had more
            limit = found[i] * (sizes[j] / sizes[i]) ** alpha
            assert found[j] <= limit * (1 + 1e-3) + (sizes[j] / sizes[i]) ** alpha + 1


@pytest.mark.parametrize(
    ("sizes", "budget", "alpha", "wanted"),
    [
        ([100, 300], 40, 1, [10, 30]),
        ([100, 300], 40, 0, [20, 20]),
        ([100, 400], 90, 0.5, [30, 60]),
        ([10, 300, 300], 100, 0, [10, 45, 45]),
        ([10, 300], 1_000, 0, [10, 300]),
        ([7], 3, 0.3, [3]),
        ([1, 10**12], 10**6, 1, [0, 10**6]),
        ([], 3, 0.3, []),
    ],
)
def test_shares_are_these(sizes, budget, alpha, wanted):
    assert shares(sizes, budget, alpha) == wanted


def test_without_balance_the_sample_is_as_the_corpus():
    rows = corpus()
    found = bytes_by(sampled(rows, sample_bytes=80_000), "source")
    share = total(rows, "web") / total(rows, "web", "books")
    assert share - 0.05 < found[("web",)] / 80_000 < share + 0.05


def test_alpha_0_gives_each_language_the_same_and_small_ones_all_they_have():
    rows = corpus()
    found = bytes_by(sampled(rows, sample_bytes=12_000, balance_by=["language"], balance_alpha=0), "language.label")
    assert found[("sw",)] == total(rows, "sw")
    for language in ("en", "de", ""):
        assert found[(language,)] == pytest.approx((12_000 - found[("sw",)]) / 3, abs=4)


def test_alpha_lifts_small_languages_as_xlm_r_does():
    rows = corpus({("web", "en"): 2_000, ("web", "de"): 200})
    found = bytes_by(sampled(rows, sample_bytes=20_000, balance_by=["language"]), "language.label")
    ratio = (total(rows, "en") / total(rows, "de")) ** 0.3
    assert found[("en",)] / found[("de",)] == pytest.approx(ratio, rel=0.01)


def test_sources_and_pairs_can_be_balanced():
    rows = corpus()
    by_source = bytes_by(sampled(rows, sample_bytes=20_000, balance_by=["source"], balance_alpha=0), "source")
    assert by_source == {("books",): pytest.approx(10_000, abs=10), ("web",): pytest.approx(10_000, abs=10)}
    pairs = bytes_by(
        sampled(rows, sample_bytes=5_000, balance_by=["source", "language"], balance_alpha=0),
        "source",
        "language.label",
    )
    assert pairs == {pair: pytest.approx(1_000, abs=10) for pair in SIZES}


@pytest.mark.parametrize("balance", [[], ["source"], ["language"], ["source", "language"]])
def test_the_sample_is_the_same_for_any_order_and_division_of_the_parts(balance):
    rows = corpus()
    shuffled = rows.copy()
    random.Random(1).shuffle(shuffled)
    one = sampled(rows, sample_bytes=30_000, balance_by=balance)
    assert one.equals(sampled(shuffled, size=17, sample_bytes=30_000, balance_by=balance))
    assert 29_900 < sum(len(text.encode()) for text in one.column("text").to_pylist()) <= 30_000


def test_a_corpus_without_labels_is_one_language():
    rows = corpus()
    found = sampled(rows, labels=False, sample_bytes=10_000, balance_by=["language"], balance_alpha=0)
    assert set(found.column("language.label").to_pylist()) == {""}
    assert found.drop_columns("language.label").equals(
        sampled(rows, labels=False, sample_bytes=10_000).drop_columns("language.label")
    )
