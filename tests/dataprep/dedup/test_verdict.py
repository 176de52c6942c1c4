"""Candidates are not verdicts: who is kept, who goes, and for which copy."""

import gzip
import json
from datetime import datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataprep.dedup import _reference, verdict
from dataprep.dedup.bands import band_keys, candidate_keys
from dataprep.dedup.components import bucket_stars, spanning_stars
from dataprep.dedup.minhash import signatures
from dataprep.dedup.policy import preference
from dataprep.dedup.sets import ShingleSets
from dataprep.dedup.settings import DedupSettings
from dataprep.dedup.sidecar import Signatures
from dataprep.dedup.verdict import agreement_needed, judge
from dataprep.document import BatchBuilder

WIDTH = 128


def members(values, prefer, ids=None, exact=None, shingles=None, pages=None, scopes=None):
    n = len(values)
    ids = np.column_stack([np.zeros(n), np.arange(n) if ids is None else ids]).astype(np.uint64)
    exact = np.column_stack([np.arange(n) if exact is None else exact, np.zeros(n)]).astype(np.uint64)
    shingles = np.full(n, 9, np.uint32) if shingles is None else np.array(shingles, np.uint32)
    pages = np.column_stack([np.zeros(n), np.zeros(n) if pages is None else pages]).astype(np.uint64)
    scopes = np.array(np.zeros(n) if scopes is None else scopes, np.uint64)
    return Signatures(ids, exact, pages, scopes, shingles, np.array(prefer, np.float64), np.array(values, np.uint32))


def estimated(components, given, **chosen):
    """Verdicts by the estimate: signatures say it all."""
    return judge(components, given, ShingleSets.empty(len(given.ids)), DedupSettings(verify="estimate", **chosen))


def removed_by(found):
    """Removed row → row of its kept copy."""
    order = found.order.tolist()
    return {order[i]: order[k] for i, k in enumerate(found.kept_by.tolist()) if i != k}


def one_component(n):
    return np.zeros(n, np.uint64)


def chain(length, step):
    """Signatures of which neighbours differ in ``step`` values, and distant ones in more."""
    values = np.zeros((length, WIDTH), np.uint32)
    for i in range(1, length):
        values[i] = values[i - 1]
        values[i, np.arange((i - 1) * step, i * step) % WIDTH] = i
    return values


def test_a_chain_loses_only_those_like_a_kept_copy():
    values = chain(26, 10)  # A~B at 118/128, A~C at 108/128, A~D at 98/128 < 0.8
    found = estimated(one_component(26), members(values, range(26, 0, -1)))
    gone = removed_by(found)
    for row, kept in gone.items():
        assert kept not in gone
        assert np.count_nonzero(values[row] == values[kept]) / WIDTH >= 0.8
    assert [row for row in range(26) if row not in gone][:3] == [0, 3, 6]


@given(
    st.lists(st.lists(st.integers(0, 2), min_size=WIDTH // 8, max_size=WIDTH // 8), min_size=1, max_size=12),
    st.sampled_from([0.5, 0.75, 0.8, 1.0]),
    st.randoms(),
)
@settings(max_examples=60)
def test_verdicts_are_those_of_the_plain_rule_whatever_the_order_of_rows(blocks, threshold, shuffler):
    values = np.repeat(np.array(blocks, np.uint32), 8, axis=1)
    n = len(values)
    prefer = [row % 3 for row in range(n)]
    ranked = sorted(range(n), key=lambda row: (-prefer[row], row))
    similarity = {(a, b): np.count_nonzero(values[a] == values[b]) / WIDTH for a in range(n) for b in range(n)}
    expected = _reference.judge(ranked, similarity, threshold)
    order = list(range(n))
    shuffler.shuffle(order)
    rows = members(values, prefer).take(np.array(order))
    found = estimated(one_component(n), rows, threshold=threshold, bands=1, rows=1)
    assert {order[a]: order[b] for a, b in removed_by(found).items()} == expected


def test_exact_copies_are_named_as_such_and_others_not():
    values = np.zeros((3, WIDTH), np.uint32)
    values[2, :5] = 1
    found = estimated(one_component(3), members(values, [3, 2, 1], exact=[7, 7, 8]))
    assert found.exact.tolist() == [True, True, False]
    assert found.similarity.tolist() == [1, 1, 123 / 128]
    assert removed_by(found) == {1: 0, 2: 0}


def test_texts_shorter_than_a_shingle_are_alike_only_if_they_are_equal():
    values = np.full((4, WIDTH), 2**32 - 1, np.uint32)
    found = estimated(one_component(4), members(values, [0] * 4, exact=[5, 6, 5, 7], shingles=[0] * 4))
    assert removed_by(found) == {2: 0}


def test_large_components_are_compared_within_buckets_to_the_same_verdicts(monkeypatch):
    generator = np.random.default_rng(5)
    values = generator.integers(0, 2**32, (300, WIDTH), dtype=np.uint32)
    values = values[generator.integers(0, 100, 300)]
    values[generator.random(values.shape) < 0.03] += 1
    rows = members(values, generator.integers(0, 5, 300))
    whole = estimated(one_component(300), rows, bands=32, rows=4)
    monkeypatch.setattr(verdict, "EXHAUSTIVE", 10)
    within = estimated(one_component(300), rows, bands=32, rows=4)
    assert removed_by(whole) == removed_by(within) != {}
    assert np.array_equal(whole.similarity, within.similarity)


def test_a_template_shared_by_thousands_loses_no_distinct_document():
    generator = np.random.default_rng(6)
    n = 6000
    values = generator.integers(0, 2**32, (n, WIDTH), dtype=np.uint32)
    values[:, :90] = generator.integers(0, 2**32, 90, dtype=np.uint32)  # estimated similarity 0.70, all in one bucket
    found = estimated(one_component(n), members(values, [0] * n))
    assert removed_by(found) == {}


@pytest.mark.parametrize("exhaustive", [2048, 2])
def test_documents_of_one_page_are_duplicates_whatever_their_texts(monkeypatch, exhaustive):
    monkeypatch.setattr(verdict, "EXHAUSTIVE", exhaustive)
    values = np.arange(5 * WIDTH, dtype=np.uint32).reshape(5, WIDTH)
    rows = members(values, [1, 2, 3, 4, 5], pages=[7, 0, 7, 0, 8], exact=[1, 2, 3, 4, 5])
    found = estimated(one_component(5), rows)
    assert removed_by(found) == {0: 2}
    assert [row for row, page in zip(found.order.tolist(), found.page, strict=True) if page] == [4, 2, 0]


@pytest.mark.parametrize("exhaustive", [2048, 2])
def test_nothing_is_compared_across_scopes(monkeypatch, exhaustive):
    monkeypatch.setattr(verdict, "EXHAUSTIVE", exhaustive)
    rows = members(np.zeros((6, WIDTH)), [0] * 6, pages=[1] * 6, exact=[1] * 6, scopes=[1, 2, 1, 2, 3, 1])
    assert removed_by(estimated(one_component(6), rows)) == {2: 0, 5: 0, 3: 1}


def test_template_pages_that_differ_all_stay():
    template = " ".join(f"menu{i} entry" for i in range(60))
    texts = [template + " " + " ".join(f"item{page}x{i}" for i in range(60)) for page in range(200)]
    assert survivors_of(texts, DedupSettings()) == set(range(200))


def survivors_of(texts, chosen):
    """Rows kept, straight through keys, components and verdicts."""
    builder = BatchBuilder("test")
    for i, text in enumerate(texts):
        builder.add(text, f"doc:{i}")
    batch = builder.finish()
    rows, sets = Signatures.of([batch], chosen), ShingleSets.of(batch.column("text"), chosen)
    references = np.arange(len(texts), dtype=np.uint64)
    leaves, centres = spanning_stars(bucket_stars(*candidate_keys(rows, references, chosen)))
    nodes = np.unique(np.concatenate([leaves, centres]))
    if nodes.size == 0:
        return set(range(len(texts)))
    component = dict(zip(leaves.tolist(), centres.tolist(), strict=True))
    labels = np.array([component.get(node, node) for node in nodes.tolist()], np.uint64)
    gone = removed_by(judge(labels, *(table.take(nodes.astype(np.int64)) for table in (rows, sets)), chosen))
    return set(range(len(texts))) - {int(nodes[row]) for row in gone}


@pytest.mark.parametrize("name", ["curator-doc-versions", "license-texts"])
def test_real_pairs_above_the_threshold_are_candidates(shared_data, name):
    folder = shared_data / "near-duplicates" / name
    with gzip.open(folder / "docs.jsonl.gz", "rt", encoding="utf-8") as lines:
        documents = {row["id"]: row["text"] for row in map(json.loads, lines)}
    row_of = {name: row for row, name in enumerate(documents)}
    chosen = DedupSettings()
    values, _ = signatures(pa.array(list(documents.values()), pa.large_string()), chosen)
    keys = band_keys(values, *chosen.shape())
    with gzip.open(folder / "pairs-jaccard5.tsv.gz", "rt", encoding="utf-8") as lines:
        pairs = [line.rstrip("\n").split("\t") for line in lines][1:]
    similar = [(row_of[a], row_of[b]) for a, b, jaccard in pairs if float(jaccard) >= 0.8]
    found = sum(bool((keys[a] == keys[b]).any()) for a, b in similar)
    assert found >= 0.98 * len(similar)


def test_planted_copies_among_news_are_found_and_nothing_else_goes(shared_data):
    folder = shared_data / "near-duplicates" / "mccormick"
    with gzip.open(folder / "articles.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    texts = [row["text"] for row in rows]
    kept = survivors_of(texts, DedupSettings(threshold=0.5))
    names = [row["id"] for row in rows]
    truth = [line.split() for line in (folder / "truth.tsv").read_text().splitlines()]
    alike = {a for pair in truth for a in pair}
    gone = {names[row] for row in range(len(rows)) if row not in kept}
    assert gone <= alike
    assert len(gone) == len(truth)


def test_the_share_needed_is_the_one_datasketch_computes():
    for threshold in (0.1, 0.3, 0.7, 0.8, 0.9, 1.0):
        for count in (10, 100, 112, 128):
            needed = agreement_needed(0, threshold, count, 9, 9)
            assert needed / count >= threshold > (needed - 1) / count


def policy_batch():
    builder = BatchBuilder("web")
    for text, date in (("ééé", datetime(2020, 1, 1)), ("bbbb", None), ("c", datetime(2024, 1, 1))):
        builder.add(text, text, date=date)
    return builder.finish().append_column("quality.score", pa.array([0.5, None, float("nan")], pa.float32()))


@pytest.mark.parametrize(
    ("chosen", "best_first"),
    [
        ({"keep": "longest"}, [1, 0, 2]),
        ({"keep": "newest"}, [2, 0, 1]),
        ({"keep": "earliest"}, [0, 2, 1]),
        ({"keep": "signal", "signal": "quality.score"}, [0, 1, 2]),
        ({"keep": "source", "sources": ("other",)}, [0, 1, 2]),
    ],
)
def test_the_keep_policy_puts_documents_without_the_value_last(chosen, best_first):
    values = preference(policy_batch(), DedupSettings(**chosen))
    assert np.argsort(-values, kind="stable").tolist() == best_first


def test_bands_and_rows_are_chosen_for_the_threshold_or_given():
    assert DedupSettings(threshold=0.8).shape() == (21, 6)
    assert DedupSettings(bands=14, rows=8, permutations=112).shape() == (14, 8)
    assert DedupSettings(threshold=0.9).shape()[1] > DedupSettings(threshold=0.7).shape()[1]
