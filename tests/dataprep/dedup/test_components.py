"""Buckets to edges to components, in pieces, against a union-find that sees everything."""

import random
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataprep.dedup import _reference
from dataprep.dedup.bands import sorted_pairs
from dataprep.dedup.components import (
    both_ways,
    bucket_stars,
    collapse_buckets,
    distinct,
    large_star,
    small_star,
    spanning_stars,
)
from dataprep.dedup.hashing import partition_of

NODES = st.integers(0, 40).map(lambda i: i * 2**58 + i)
GRAPHS = st.lists(st.tuples(NODES, NODES).filter(lambda e: e[0] != e[1]).map(lambda e: (max(e), min(e))), max_size=80)


def arrays(edges):
    pairs = np.array(edges, np.uint64).reshape(-1, 2)
    return pairs[:, 0].copy(), pairs[:, 1].copy()


def labels(edges):
    """Component of each node, of stars around the smallest node."""
    return {int(leaf): int(centre) for leaf, centre in zip(*edges, strict=True)} | {int(c): int(c) for c in edges[1]}


def contract(edges, partitions, most=100):
    """The rounds as the stage runs them, partition by partition: (edges, rounds, most rows one operation saw)."""
    peak = 0
    parts = [edges]
    for number in range(1, most):
        changes = 0
        for operation, seen in ((large_star, both_ways), (small_star, tuple)):
            sent = [seen(spanning_stars(part) if number > 1 else part) for part in parts]
            nodes, neighbours = (np.concatenate(column) for column in zip(*sent, strict=True))
            place = partition_of(nodes, partitions)
            parts = []
            for partition in range(partitions):
                rows = place == partition
                peak = max(peak, int(rows.sum()))
                result, changed = operation(nodes[rows], neighbours[rows])
                changes += changed
                parts.append(result)
        if not changes:
            return tuple(np.concatenate(column) for column in zip(*parts, strict=True)), number, peak
    raise AssertionError("no end of it")


@given(GRAPHS, st.integers(1, 5))
def test_contraction_finds_the_components_a_union_find_finds(graph, partitions):
    edges, _, _ = contract(arrays(graph), partitions)
    assert labels(edges) == _reference.components(graph)


@given(GRAPHS)
def test_spanning_stars_are_the_components(graph):
    edges = spanning_stars(arrays(graph))
    assert labels(edges) == _reference.components(graph)
    assert len(edges[0]) == len(set(edges[0].tolist()))


@given(GRAPHS, st.randoms())
def test_no_operation_depends_on_the_order_of_its_rows(graph, shuffler):
    shuffled = list(graph)
    shuffler.shuffle(shuffled)
    for operation, seen in ((large_star, both_ways), (small_star, tuple)):
        one, other = operation(*seen(arrays(graph))), operation(*seen(arrays(shuffled)))
        assert one[1] == other[1]
        assert np.array_equal(one[0], other[0])


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 20)), max_size=60), st.integers(1, 4))
def test_buckets_collapsed_in_each_split_join_what_the_whole_buckets_join(members, splits):
    keys, references = arrays(members)
    whole = _reference.components(zip(*map(np.ndarray.tolist, bucket_stars(keys, references)), strict=True))
    pieces = [collapse_buckets(keys[i::splits], references[i::splits]) for i in range(splits)]
    through = (np.concatenate([p[0] for p in pieces]), np.concatenate([p[1] for p in pieces]))
    edges = bucket_stars(*through)
    assert _reference.components(zip(*map(np.ndarray.tolist, edges), strict=True)) == whole


def test_a_bucket_of_fifty_thousand_costs_fifty_thousand_edges_less_one():
    references = np.arange(50_000, dtype=np.uint64)
    edges = bucket_stars(np.full(50_000, 7, np.uint64), references)
    assert len(edges[0]) == 49_999
    assert set(edges[1].tolist()) == {0}


def test_a_hot_key_leaves_its_split_once_and_its_edges_spread_over_all_partitions():
    keys, _ = collapse_buckets(np.full(50_000, 7, np.uint64), np.arange(50_000, dtype=np.uint64))
    assert np.count_nonzero(keys == 7) == 1
    assert len(keys) == 1 + 2 * 49_999
    counts = np.bincount(partition_of(keys, 16), minlength=16)
    assert counts.max() < 2 * counts.min()


def test_exact_copies_in_one_split_cost_two_pairs_each_however_many_bands():
    bands, copies = 16, 1000
    keys = np.tile(np.arange(bands, dtype=np.uint64), copies)
    pairs = collapse_buckets(keys, np.repeat(np.arange(copies, dtype=np.uint64), bands))
    assert len(pairs[0]) == bands + 2 * (copies - 1)


@pytest.mark.parametrize("ordered", [True, False])
def test_a_chain_of_ten_thousand_ends_after_few_rounds_in_bounded_partitions(ordered):
    nodes = list(range(10_000))
    if not ordered:
        random.Random(1).shuffle(nodes)
    chain = [(max(a, b), min(a, b)) for a, b in pairwise(nodes)]
    edges, rounds, peak = contract(arrays(chain), 8)
    assert set(edges[1].tolist()) == {0}
    assert len(edges[0]) == 9_999
    assert rounds <= 15  # the logarithm of its length and one more to see that it is over
    # the most one partition ever held: its share of both directions, and the hub's edges
    assert peak <= 2 * 9_999 // 8 * 2 + 9_999


def test_edges_never_become_more():
    generator = np.random.default_rng(3)
    graph = generator.integers(0, 3000, (4000, 2))
    graph = graph[graph[:, 0] != graph[:, 1]]
    edges = sorted_pairs(*arrays(np.column_stack([graph.max(1), graph.min(1)])))
    for _ in range(6):
        before = len(edges[0])
        edges = sorted_pairs(*large_star(*both_ways(edges))[0])
        edges = small_star(*edges)[0]
        assert len(edges[0]) <= before


@given(st.lists(st.integers(0, 2**64 - 1)))
def test_distinct_values_are_sorted_and_single(values):
    assert distinct(np.array(values, np.uint64)).tolist() == sorted(set(values))
