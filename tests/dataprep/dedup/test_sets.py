"""Sets of shingles against Python's, and verdicts by exact similarity against the plain rule."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataprep.dedup import _reference
from dataprep.dedup import sets as sets_module
from dataprep.dedup.minhash import signatures
from dataprep.dedup.sets import COLUMN, ShingleSets, shared
from dataprep.dedup.settings import DedupSettings
from dataprep.dedup.verdict import MARGIN, agreement_needed, judge
from tests.dataprep.dedup.test_verdict import members as documents_of

WORDS = st.sampled_from(["a", "The", "café", "мир", "漢字かな交じり文", "x" * 300, "Straße", "naïve", "1984", "_id"])
TEXTS = st.one_of(st.lists(WORDS, max_size=60).map(" ".join), st.text())
HASHES = st.sets(st.integers(0, 2**64 - 1) | st.integers(0, 200), max_size=300)


def texts_of(values):
    return pa.array(values, pa.large_string())


def hashes_of(sets):
    return [sets.values[a:b].tolist() for a, b in zip(sets.starts, sets.ends, strict=True)]


@given(st.lists(TEXTS, max_size=4), st.integers(1, 7))
@settings(max_examples=60)
def test_sets_are_the_sorted_distinct_hashes_of_the_shingles(texts, size):
    found = ShingleSets.of(texts_of(["before", *texts]).slice(1), DedupSettings(shingle=size))
    expected = [sorted({_reference.set_hash(one) for one in _reference.shingles(t, size)}) for t in texts]
    assert hashes_of(found) == expected


@pytest.mark.parametrize("text", ["", " ", "\0", "one two three four", "\u0301" * 50, "a " * 100_000, "x" * 1_000_000])
def test_texts_of_one_shingle_or_none_have_as_many(text):
    found = ShingleSets.of(texts_of([text]), DedupSettings())
    assert len(hashes_of(found)[0]) == len(set(_reference.shingles(text, 5)))


def test_the_low_halves_of_a_set_are_what_signatures_are_made_of():
    text = " ".join(f"word{i % 37} {i}" for i in range(300))
    chosen = DedupSettings(permutations=8, seed=3)
    found = ShingleSets.of(texts_of([text]), chosen)
    assert signatures(texts_of([text]), chosen)[0].tolist() == [_reference.signature(text, 5, 8, 3)]
    assert {h & 0xFFFFFFFF for h in hashes_of(found)[0]} == set(
        map(_reference.shingle_hash, _reference.shingles(text, 5))
    )


@given(HASHES, HASHES, st.integers(0, 40))
def test_shared_counts_common_hashes_or_says_that_there_are_too_few(one, two, least):
    values = np.array(sorted(one) + sorted(two), np.uint64)
    common = len(one & two)
    expected = common if common >= least else -1
    assert shared(values, 0, len(one), len(one), values.size, least) == expected
    assert shared(values, len(one), values.size, 0, len(one), least) == expected


@pytest.mark.parametrize("mapped", [1 << 30, 8])
def test_sets_travel_as_a_column_in_memory_or_in_a_mapped_file(monkeypatch, mapped):
    monkeypatch.setattr(sets_module, "MAPPED_BYTES", mapped)
    texts = ["a b c d e f g h", "", "one two three four five", "a b c d e f g h i j k"]
    chosen = DedupSettings()
    column = ShingleSets.of(texts_of(texts), chosen).to_column()
    assert column.type == COLUMN
    again = ShingleSets.gather([column.slice(2, 2), column.take(pa.array([1, 0])), column.slice(0, 0)])
    assert hashes_of(again) == [column[i].as_py() for i in (2, 3, 1, 0)]
    assert hashes_of(again.take(np.array([3, 0]))) == [column[0].as_py(), column[2].as_py()]
    assert hashes_of(ShingleSets.gather([ShingleSets.empty(2).to_column()])) == [[], []]
    assert hashes_of(ShingleSets.gather([])) == []


@given(
    st.lists(st.lists(st.integers(0, 12), min_size=1, max_size=14), min_size=1, max_size=10),
    st.sampled_from(["jaccard", "containment"]),
    st.sampled_from([0.3, 0.5, 0.75, 0.8, 1.0]),
)
@settings(max_examples=80)
def test_verdicts_by_exact_similarity_are_those_of_the_plain_rule(documents, measure, threshold):
    texts = [" ".join(f"w{word}" for word in words) for words in documents]
    chosen = DedupSettings(shingle=1, verify=measure, threshold=threshold, bands=1, rows=1)
    n = len(texts)
    # every signature is the same, so that no estimate spares the comparison
    members = documents_of(np.ones((n, 128), np.uint32), -np.arange(n), shingles=np.ones(n))
    found = judge(np.zeros(n, np.uint64), members, ShingleSets.of(texts_of(texts), chosen), chosen)
    exact = {
        (kept, other): _reference.containment(texts[other], texts[kept], 1)
        if measure == "containment"
        else _reference.jaccard(texts[other], texts[kept], 1)
        for kept in range(n)
        for other in range(n)
    }
    expected = _reference.judge(range(n), exact, threshold)
    assert {i: k for i, k in enumerate(found.kept_by.tolist()) if i != k} == expected
    for other, kept in expected.items():
        assert found.similarity[other] == exact[kept, other]


@pytest.mark.parametrize(("removed", "kept"), [(100, 100), (100, 150), (10, 10_000), (1, 1)])
@pytest.mark.parametrize("threshold", [0.5, 0.8, 1.0])
def test_a_pair_is_counted_unless_chance_cannot_explain_its_estimate(removed, kept, threshold):
    of_jaccard = agreement_needed(1, threshold, 128, removed, kept)
    assert of_jaccard == _reference.agreement_needed(threshold, 128, MARGIN)
    common = threshold * removed
    contained = agreement_needed(2, threshold, 128, removed, kept)
    assert contained == _reference.agreement_needed(min(common / (removed + kept - common), 1), 128, MARGIN)
    assert contained <= max(of_jaccard, 128)


def test_a_document_inside_a_longer_one_goes_by_containment_and_stays_by_jaccard():
    long = " ".join(f"word{i}" for i in range(130))
    short = " ".join(f"word{i}" for i in range(100))
    texts = texts_of([long, short])
    gone = {}
    for measure in ("jaccard", "containment"):
        chosen = DedupSettings(verify=measure)
        values, shingles = signatures(texts, chosen)
        members = documents_of(values, [1.0, 0.0], shingles=shingles)
        gone[measure] = judge(np.zeros(2, np.uint64), members, ShingleSets.of(texts, chosen), chosen)
    assert gone["jaccard"].kept_by.tolist() == [0, 1]
    assert gone["containment"].kept_by.tolist() == [0, 0]
    assert gone["containment"].similarity[1] == 1.0
