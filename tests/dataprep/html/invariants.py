"""What holds of the flat DOM of any page whatever; each check raises AssertionError."""

import numpy as np

from dataprep.html.dom.records import BREAK, FORMULA, TEXT, Dom
from dataprep.html.dom.scan import tables
from dataprep.html.dom.tags import BLOCK, TAG
from dataprep.html.selection.rules import REASONS

TRAITS = tables().traits
BLOCK_TAGS = (TRAITS["flags"] & BLOCK != 0).tolist()


def columns(records, count):
    return {name: records[name][:count].tolist() for name in records.dtype.names}


def check_scan(size: int, dom: Dom) -> None:
    """The DOM of a page of ``size`` bytes as `scan.scan` leaves it."""
    count, segment_count, block_count = dom.counts.tolist()
    assert 1 <= count <= len(dom.nodes)
    assert 0 <= segment_count <= len(dom.segments)
    assert 0 <= block_count < len(dom.blocks)
    nodes = columns(dom.nodes, count)
    segments = columns(dom.segments, segment_count)
    blocks = columns(dom.blocks, block_count + 1)
    check_nodes(size, nodes)
    check_segments(size, nodes, segments)
    check_blocks(nodes, segments, blocks, block_count)
    check_ranges(nodes, segments, blocks, block_count)


def check_nodes(size, nodes):
    parents, ends, tags = nodes["parent"], nodes["end"], nodes["tag"]
    count = len(parents)
    assert parents[0] == -1
    assert ends[0] == count
    descendants = [1] * count
    for n in range(count - 1, 0, -1):
        assert 0 <= parents[n] < n
        assert n < ends[parents[n]], "outside its parent"
        descendants[parents[n]] += descendants[n]
    assert [end - n for n, end in enumerate(ends)] == descendants, "the descendants of a node are not contiguous"
    assert max(tags) < len(TRAITS)
    assert not any(nodes["dropped"])
    last = -1
    for n in range(count):
        parent = parents[n]
        assert last < nodes["attributes"][n] <= nodes["inner"][n] <= nodes["outer"][n] <= size
        last = nodes["attributes"][n] if n else 0
        if n:
            assert nodes["inner"][parent] <= nodes["attributes"][n]
            assert nodes["outer"][n] <= nodes["outer"][parent]
        own = int(TRAITS["formats"][tags[n]])
        assert nodes["formats"][n] == own | (nodes["formats"][parent] if n else 0)
        link = nodes["link"][n]
        assert (link == n and tags[n] == TAG["a"]) or link == (nodes["link"][parent] if n else -1)
        assert nodes["hidden"][n] in (0, 1)


def check_segments(size, nodes, segments):
    before = 0
    for kind, node, start, end, chars in zip(*segments.values(), strict=True):
        assert kind in (TEXT, BREAK, FORMULA)
        assert 0 <= node < len(nodes["parent"])
        assert before <= start <= end <= size, "segments are not in order"
        before = end
        assert (start < end) == (kind != BREAK)
        assert 0 <= chars <= 2 * (end - start)
        if kind == TEXT:
            assert nodes["inner"][node] <= start
            assert end <= nodes["outer"][node]


def check_blocks(nodes, segments, blocks, count):
    first = blocks["first"]
    assert first[0] == 0
    assert first[count] == len(segments["kind"])
    for k in range(count):
        assert first[k] < first[k + 1]
        home = blocks["node"][k]
        assert BLOCK_TAGS[nodes["tag"][home]]
        chars = links = 0
        for s in range(first[k], first[k + 1]):
            node = segments["node"][s]
            while not BLOCK_TAGS[nodes["tag"][node]]:
                node = nodes["parent"][node]
            assert node == home, "a segment in another element than its block"
            chars += segments["chars"][s]
            links += segments["chars"][s] if nodes["link"][segments["node"][s]] >= 0 else 0
        assert blocks["chars"][k] == chars
        assert blocks["links"][k] == links
        assert 0 <= blocks["marks"][k] <= chars
        assert blocks["verdict"][k] == 0


def check_ranges(nodes, segments, blocks, count):
    """``first`` and ``last`` of a node are exactly the blocks that have text in it."""
    lowest, highest = [count] * len(nodes["parent"]), [-1] * len(nodes["parent"])
    for k in range(count):
        for s in range(blocks["first"][k], blocks["first"][k + 1]):
            node = segments["node"][s]
            lowest[node] = min(lowest[node], k)
            highest[node] = k
    for n in range(len(lowest) - 1, -1, -1):
        parent = nodes["parent"][n]
        if highest[n] >= 0 and n:
            lowest[parent] = min(lowest[parent], lowest[n])
            highest[parent] = max(highest[parent], highest[n])
        first, last = nodes["first"][n], nodes["last"][n]
        assert 0 <= first <= last <= count
        if BLOCK_TAGS[nodes["tag"][n]]:
            # one without text that is not the page's, in a button for instance, may still be part of a block
            assert (first, last) == (lowest[n], highest[n] + 1) if highest[n] >= 0 else last - first <= 1
        elif highest[n] >= 0:  # an inline element without text may still be part of a block
            assert first <= lowest[n]
            assert highest[n] < last


def check_selection(dom: Dom) -> None:
    """The DOM as `select.select_article` leaves it."""
    count, _, block_count = dom.counts.tolist()
    blocks = dom.blocks[:block_count]
    assert np.all(blocks["verdict"] < len(REASONS))
    kept = blocks[blocks["verdict"] == 0]
    assert np.all(kept["chars"] > 0)
    assert np.all((kept["links"] >= 0) & (kept["links"] <= kept["chars"]))
    nodes = dom.nodes[:count]
    assert np.all(nodes["dropped"] <= 1)
    inside = nodes["parent"][1:]
    assert np.all(nodes["dropped"][1:] >= nodes["dropped"][inside]), "dropped, but not all of it"
