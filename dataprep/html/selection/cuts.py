"""Sums over blocks and subtrees, and the first step of every reading: cut off what says it is not the text.

*Good* text of a block is its characters outside links, if it has enough of them and few links among them. The *mass* of
an element is the good text of the blocks inside it.
"""

import numpy as np

from dataprep.compiled import njit
from dataprep.html.dom import tags as T
from dataprep.html.dom.automaton import CATEGORY
from dataprep.html.dom.measure import ends_sentence
from dataprep.html.dom.records import BLOCKS, NODES, SENTENCE, TEXT, Records, first_from
from dataprep.html.dom.tags import TAG
from dataprep.html.selection.rules import (
    CONTENT,
    GENTLE,
    INVISIBLE,
    NEGATIVE,
    ON_SITE,
    PAGE,
    STRUCTURE,
    TOOLS,
    Sums,
    Thresholds,
    mask,
)  # fmt: skip
from dataprep.text.utf8 import Bytes, Longs

_COMMENT, _ENTRY, _FRIEND, _HIDDEN, _RELATED, _SIDE = (
    CATEGORY[name]
    for name in "comment entry false_friend hidden related side".split()  # noqa: SIM905
)
_BEFRIENDED = mask("hidden", "tags")
_GENTLE = mask("comment", "footer")
_GENTLE_TOOLS = mask("cookie", "share")
_APART = mask("cookie", "footer", "hidden", "login")  # never the text where there is any other
_OTHER = NEGATIVE & ~(STRUCTURE | TOOLS | _SIDE)
_LAYOUT = mask("comment", "footer", "nav", "side", "hidden", "form", "cookie", "login")  # what a cell may be as a whole
_A, _BODY, _DD, _DT, _HTML, _MAIN, _TD, _TH = (TAG[name] for name in "a body dd dt html main td th".split())  # noqa: SIM905


@njit(nogil=True, cache=True)
def _good(blocks: Records, k: int, limits: Thresholds) -> int:
    """The good text of block ``k``."""
    size, linked = blocks[k]["chars"], blocks[k]["links"]
    return size - linked if size >= limits.good_chars and linked <= limits.good_links * size else 0


@njit(nogil=True, cache=True)
def page_mass(blocks: Records, counts: Longs, limits: Thresholds, sums: Sums) -> int:
    """Fill ``sums`` (one more than blocks) over the blocks that are still there; the mass of the page.

    What the site repeats counts in it: without it something else must not hold more of the page.
    """
    repeated = 0
    sums[0]["mass"] = sums[0]["links"] = sums[0]["chars"] = sums[0]["linked"] = 0
    for k in range(counts[BLOCKS]):
        good = linked = size = 0
        if blocks[k]["verdict"] == 0:
            size, linked = blocks[k]["chars"], blocks[k]["links"]
            good = _good(blocks, k, limits)
        elif blocks[k]["verdict"] == ON_SITE:
            repeated += _good(blocks, k, limits)
        sums[k + 1]["mass"] = sums[k]["mass"] + good
        sums[k + 1]["links"] = sums[k]["links"] + linked
        sums[k + 1]["chars"] = sums[k]["chars"] + size
        sums[k + 1]["linked"] = sums[k]["linked"] + (linked > limits.inside_links * size)
    return int(sums[counts[BLOCKS]]["mass"]) + repeated


@njit(nogil=True, cache=True)
def blocks_inside(nodes: Records, blocks: Records, n: int) -> tuple[int, int]:
    """The range of the blocks that lie wholly inside node ``n``."""
    first, last, end = nodes[n]["first"], nodes[n]["last"], nodes[n]["end"]
    if first < last and not n <= blocks[first]["node"] < end:
        first += 1
    if first < last and not n <= blocks[last - 1]["node"] < end:
        last -= 1
    return first, last


@njit(nogil=True, cache=True)
def mass_of(nodes: Records, blocks: Records, sums: Sums, n: int) -> int:
    """The mass of node ``n``."""
    first, last = blocks_inside(nodes, blocks, n)
    return sums[last]["mass"] - sums[first]["mass"]


@njit(nogil=True, cache=True)
def reset(nodes: Records, segments: Records, blocks: Records, counts: Longs) -> None:
    """Undo a selection; what is known to repeat on the site stays out."""
    for n in range(counts[NODES]):
        nodes[n]["dropped"] = 0
    for k in range(counts[BLOCKS]):
        if blocks[k]["verdict"] != ON_SITE:
            blocks[k]["verdict"] = 0
        _count(nodes, segments, blocks, k)


@njit(nogil=True, cache=True)
def _count(nodes: Records, segments: Records, blocks: Records, k: int) -> None:
    """Characters and link characters of block ``k``, without what was dropped from it."""
    size = linked = 0
    for s in range(blocks[k]["first"], blocks[k + 1]["first"]):
        node = segments[s]["node"]
        if not nodes[node]["dropped"]:
            size += segments[s]["chars"]
            if nodes[node]["link"] >= 0:
                linked += segments[s]["chars"]
    blocks[k]["chars"] = size
    blocks[k]["links"] = linked


@njit(nogil=True, cache=True)
def _lowest(bits: np.uint64) -> int:
    """Place of the lowest set bit."""
    place = 0
    while bits & np.uint64(1) == np.uint64(0):
        bits >>= np.uint64(1)
        place += 1
    return place


@njit(nogil=True, cache=True)
def _limit(bits: np.uint64, limits: Thresholds, way: int) -> float:
    """The largest share of the page's mass that an element of these categories may hold and still be cut off."""
    if way == GENTLE:
        return limits.gentle_structure if bits & _GENTLE else limits.gentle_tools
    content = bits & CONTENT
    limit = -1.0
    if bits & STRUCTURE:
        limit = limits.cut_structure if not content or bits & _COMMENT else limits.cut_structure_content
    if bits & _SIDE:
        limit = max(limit, limits.cut_other_content if content else limits.cut_side)
    if bits & TOOLS:
        limit = max(limit, limits.cut_other_content if content else limits.cut_tools)
    if bits & _OTHER:
        limit = max(limit, limits.cut_other_content if content else limits.cut_other)
    return limit


@njit(nogil=True, cache=True)
def text_elsewhere(nodes: Records, blocks: Records, counts: Longs, sums: Sums, limits: Thresholds) -> bool:
    """Whether the page has text, links aside, outside all that is hidden or named as something else."""
    rest = sums[counts[BLOCKS]]["chars"] - sums[counts[BLOCKS]]["links"]
    n = 1
    while n < counts[NODES] and rest >= limits.rest_chars:
        tag = nodes[n]["tag"]
        named = nodes[n]["categories"] & NEGATIVE and not nodes[n]["categories"] & _ENTRY
        if tag in (_HTML, _BODY, _MAIN, _A) or not (named or nodes[n]["hidden"]):
            n += 1
            continue
        first, last = blocks_inside(nodes, blocks, n)
        rest -= sums[last]["chars"] - sums[first]["chars"] - sums[last]["links"] + sums[first]["links"]
        n = nodes[n]["end"]
    return bool(rest >= limits.rest_chars)


@njit(nogil=True, cache=True)
def _in_sentence(b: Bytes, nodes: Records, segments: Records, blocks: Records, limits: Thresholds, n: int) -> bool:
    """Whether node ``n`` is a part of a sentence: text goes on after it, and before it no sentence has ended."""
    k = nodes[n]["first"]
    if nodes[n]["last"] != k + 1 or blocks[k]["node"] >= n:
        return False
    if not blocks[k]["flags"] & SENTENCE and not _good(blocks, k, limits):
        return False
    first, last = blocks[k]["first"], blocks[k + 1]["first"]
    before = first_from(segments, first, last, nodes[n]["inner"]) - 1
    after = first_from(segments, first, last, nodes[n]["outer"])
    if before < first or after >= last or segments[before]["kind"] != TEXT or segments[after]["kind"] != TEXT:
        return False
    if segments[before]["chars"] == 0 or segments[after]["chars"] == 0:
        return False
    return not ends_sentence(b, segments[before]["start"], segments[before]["end"])


@njit(nogil=True, cache=True)
def why_cut(
    b: Bytes,
    nodes: Records,
    segments: Records,
    blocks: Records,
    sums: Sums,
    limits: Thresholds,
    total: int,
    elsewhere: bool,
    way: int,
    n: int,
) -> tuple[int, float]:
    """The reason for which node ``n`` is cut off, or 0; and the largest share of the mass at which it would be.

    ``elsewhere`` is what `text_elsewhere` says.
    """
    bits, hidden = nodes[n]["categories"], nodes[n]["hidden"]
    if not bits & NEGATIVE and not hidden:
        return 0, 0.0
    tag = nodes[n]["tag"]
    mass = mass_of(nodes, blocks, sums, n)
    # some pages are hidden as a whole until a script has run
    whole = not elsewhere and mass >= limits.unhide_chars and mass > limits.cut_structure * total
    if hidden and tag not in (_HTML, _BODY) and not whole:
        return int(INVISIBLE), 1.0
    if bits & _FRIEND:
        bits &= ~_BEFRIENDED
    # a link is told by its block: one inside a sentence belongs to it, whatever it is named
    if not bits & NEGATIVE or bits & _ENTRY or tag in (_HTML, _BODY, _MAIN, _A):
        return 0, 0.0
    # highlighters name pieces of code "comment", "tag", "meta"
    if nodes[n]["formats"] & (T.PRE | T.CODE):
        return 0, 0.0
    apart = elsewhere and mass <= limits.apart_chars and bits & _APART and not bits & CONTENT
    if way == GENTLE and not apart:
        bits &= _GENTLE | _GENTLE_TOOLS
        if not bits:
            return 0, 0.0
    if way == PAGE and bits & _COMMENT:
        return 0, 0.0
    # a cell of data is a part of its row, whatever it is named
    if tag in (_TD, _TH, _DT, _DD) and not bits & _LAYOUT and nodes[n]["last"] == nodes[n]["first"] + 1:
        return 0, 0.0
    if not bits & _HIDDEN and _in_sentence(b, nodes, segments, blocks, limits, n):
        return 0, 0.0
    limit = 1.0 if apart else _limit(bits, limits, way)
    if mass > limit * total:
        return 0, 0.0
    if bits & NEGATIVE == _RELATED and mass > 0:
        first, last = blocks_inside(nodes, blocks, n)
        if sums[last]["links"] == sums[first]["links"]:
            return 0, 0.0  # a "teaser" without links is the text's own lead
    return 1 + _lowest(bits & NEGATIVE), limit


@njit(nogil=True, cache=True)
def cut(
    b: Bytes,
    nodes: Records,
    segments: Records,
    blocks: Records,
    counts: Longs,
    traits: Records,
    limits: Thresholds,
    sums: Sums,
    way: int,
) -> None:
    """Cut off subtrees by what they say they are, from the top down; of ``sums``, fill what is left."""
    total = page_mass(blocks, counts, limits, sums)
    elsewhere = text_elsewhere(nodes, blocks, counts, sums, limits)
    dropped = False
    n = 1
    while n < counts[NODES]:
        reason, _ = why_cut(b, nodes, segments, blocks, sums, limits, total, elsewhere, way, n)
        if not reason:
            n += 1
            continue
        end = nodes[n]["end"]
        for k in range(nodes[n]["first"], nodes[n]["last"]):
            if n <= blocks[k]["node"] < end and blocks[k]["verdict"] == 0:
                blocks[k]["verdict"] = reason
        if not traits[nodes[n]["tag"]]["flags"] & T.BLOCK:
            for inner in range(n, end):
                nodes[inner]["dropped"] = 1
            dropped = True
        n = end
    if dropped:
        for k in range(counts[BLOCKS]):
            if blocks[k]["verdict"] == 0:
                _count(nodes, segments, blocks, k)
    page_mass(blocks, counts, limits, sums)
