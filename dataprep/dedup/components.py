"""Connected components of the candidate graph, without any worker holding all of it.

Decisions:
- A bucket of n documents is a star of n - 1 edges to its smallest member: linear however large the bucket.
- Whoever holds a set of buckets first joins what is joined within it (union-find) and passes on a spanning star for
  each local component, so a document costs at most one edge a partition instead of one a band.
- Between partitions: alternating large-star and small-star operations (Kiveris, Lattanzi, Mirrokni, Rastogi and
  Vassilvitskii, *Connected Components in MapReduce and Beyond*, SoCC 2014). Every operation works on the neighbours of
  one node at a time, keeps the components, never has more edges than before, and the alternation ends when every
  component is one star around its smallest node. It has ended when neither operation changes an edge; that is counted.

A document is a uint64 here, a place in the input. Which number a document has decides who is a star's centre on the
way, never which documents are in a component. An edge is (larger, smaller).
"""

import numba as nb
import numpy as np

from dataprep.dedup.bands import group_starts, sorted_pairs
from dataprep.dedup.hashing import I64, U64, mix

Edges = tuple[U64, U64]

_EDGE = np.uint64(0x65646765)  # keys of edges that travel as buckets of two


def bucket_stars(keys: U64, references: U64) -> Edges:
    """A star of edges for every bucket of documents with the same key: n - 1 edges for n distinct documents."""
    keys, references = sorted_pairs(keys, references)
    starts = group_starts(keys)
    centres = np.repeat(references[starts[:-1]], np.diff(starts))
    leaves = references != centres
    return references[leaves], centres[leaves]


def spanning_stars(edges: Edges) -> Edges:
    """One star around the smallest node for every component of ``edges``, sorted: the same components, fewest edges."""
    larger, smaller = edges
    nodes = distinct(np.concatenate([larger, smaller]))
    roots = nodes[_roots(np.searchsorted(nodes, larger), np.searchsorted(nodes, smaller), nodes.size)]
    leaves = roots != nodes
    return nodes[leaves], roots[leaves]


def collapse_buckets(keys: U64, references: U64) -> tuple[U64, U64]:
    """The same buckets in fewer pairs, for the way through a shuffle.

    Equal keys become one pair, of the smallest document of the local component; that a document belongs to that
    component is told by a bucket of two whose key is the document's own. A key that a million documents of one split
    share leaves it once, and the million edges spread over all partitions.
    """
    leaves, roots = spanning_stars(bucket_stars(keys, references))
    keys, references = sorted_pairs(keys, references)
    first = group_starts(keys)[:-1]
    keys, references = keys[first], references[first]
    if leaves.size:
        at = np.minimum(np.searchsorted(leaves, references), leaves.size - 1)
        references = np.where(leaves[at] == references, roots[at], references)
    own = mix(leaves ^ _EDGE)
    return np.concatenate([keys, own, own]), np.concatenate([references, leaves, roots])


def both_ways(edges: Edges) -> Edges:
    """Every edge seen from both its ends, as large-star wants them grouped by the first."""
    return np.concatenate([edges[0], edges[1]]), np.concatenate([edges[1], edges[0]])


def large_star(nodes: U64, neighbours: U64) -> tuple[Edges, int]:
    """Join every neighbour larger than a node to the smallest of the node and its neighbours; and how many edges
    changed.

    The pairs are all those of each node they mention first, in any order, repeats allowed.
    """
    nodes, neighbours = sorted_pairs(nodes, neighbours)
    starts = group_starts(nodes)
    smallest = np.repeat(np.minimum(neighbours[starts[:-1]], nodes[starts[:-1]]), np.diff(starts))
    larger = neighbours > nodes
    changed = np.count_nonzero(larger & (smallest != nodes))
    return (neighbours[larger], smallest[larger]), int(changed)


def small_star(nodes: U64, neighbours: U64) -> tuple[Edges, int]:
    """Join a node and its smaller neighbours to the smallest of them; and how many edges changed.

    The pairs are edges (larger, smaller), all those of each node they mention first.
    """
    nodes, neighbours = sorted_pairs(nodes, neighbours)
    starts = group_starts(nodes)
    smallest = np.repeat(neighbours[starts[:-1]], np.diff(starts))
    first = np.zeros(nodes.size, np.bool_)
    first[starts[:-1]] = True
    changed = int(nodes.size - np.count_nonzero(first))
    larger = np.where(first, nodes, neighbours)
    return sorted_pairs(larger, smallest), changed


def distinct(values: U64) -> U64:
    """The values sorted, each once (numpy 2.4's ``unique`` takes 20 times as long)."""
    values = np.sort(values)
    return values[group_starts(values)[:-1]]


@nb.njit(nogil=True, cache=True)
def _roots(a: I64, b: I64, nodes: int) -> I64:
    """Union-find with path halving (Tarjan and van Leeuwen 1984) over edges a[i], b[i]: each node's smallest member."""
    parent = np.arange(nodes)
    for i in range(a.size):
        x, y = a[i], b[i]
        while parent[x] != x:
            parent[x] = parent[parent[x]]
            x = parent[x]
        while parent[y] != y:
            parent[y] = parent[parent[y]]
            y = parent[y]
        if x < y:
            parent[y] = x
        elif y < x:
            parent[x] = y
    for i in range(nodes):
        parent[i] = parent[parent[i]]  # a parent is smaller than its child, so it is final already
    return parent
