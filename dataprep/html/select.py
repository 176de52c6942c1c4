"""Which blocks of a page are its text, and why the others are not: rules over the flat DOM.

The method is described in docs/extraction.md, piece by piece. In short: subtrees whose names or tags say what they are
(comments, navigation, …) are cut off unless they hold most of the page; the walk from the root to where the text is
finds the container; inside it blocks are kept unless they are link lists, teasers, phrases ("read more") or credits;
outside it only what reads like prose and stands near. A page that loses nearly everything is read again, more gently.

Decisions:
- *Good* text of a block is its characters outside links if there are enough of them and few links among them; the
  *mass* of an element is the sum over its blocks. Every share below is a share of mass.
- Thresholds are one tuple of numbers, an argument of the kernels, so that they can be varied without compiling anew.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from dataprep.html import tags as T
from dataprep.html.automaton import CATEGORIES, CATEGORY
from dataprep.html.dom import BLOCKS, NODES, SEGMENTS, SENTENCE, Dom, Records
from dataprep.html.phrases import CREDIT, PHRASE, WHOLE, Phrases, phrase_of
from dataprep.html.tags import TAG
from dataprep.text.utf8 import Bytes, Longs

# why a block is not kept: a category (its place in CATEGORIES + 1), or one of these
_OTHER = (
    "invisible", "outside", "links", "list_of_links", "teasers", "title", "phrase", "credit", "after_text",
    "heading_alone", "repeated", "caption",
)  # fmt: skip
REASONS: tuple[str, ...] = ("", *CATEGORIES, *_OTHER)
INVISIBLE, OUTSIDE, LINKS, LIST_OF_LINKS, TEASERS, TITLE, PHRASE_, CREDIT_, AFTER_TEXT, ALONE, REPEATED, CAPTION = (
    np.uint8(REASONS.index(name)) for name in _OTHER
)

_NEGATIVE = (
    "comment", "footer", "nav", "side", "share", "tools", "related", "news", "cookie", "meta", "author", "hidden",
    "login", "media", "tags", "promo", "figcaption",
)  # fmt: skip


def _mask(*names: str) -> np.uint64:
    return np.uint64(sum(int(CATEGORY[name]) for name in names))


_ANY_NEGATIVE = _mask(*_NEGATIVE)
_COMMENT, _HIDDEN, _TAGS, _ENTRY, _BODY, _FRIEND = (
    CATEGORY[name] for name in ["comment", "hidden", "tags", "entry", "body", "false_friend"]
)
_STRUCTURE = _mask("comment", "footer", "nav")
_SIDE = _mask("side")
_TOOLS = _mask("share", "tools")
_CONTENT = _mask("body", "main")
_ARTICLE_LIKE = _mask("body", "entry")
_GENTLE = _mask("comment", "footer")
_GENTLE_TOOLS = _mask("cookie", "share")

_A, _ARTICLE, _BLOCKQUOTE, _BODY_TAG, _DD, _DL, _HTML, _H1, _H6, _LI, _MAIN, _OL, _P, _UL, _TD = (
    TAG[name]
    for name in [
        "a",
        "article",
        "blockquote",
        "body",
        "dd",
        "dl",
        "html",
        "h1",
        "h6",
        "li",
        "main",
        "ol",
        "p",
        "ul",
        "td",
    ]
)


class Thresholds(NamedTuple):
    """What the rules compare with; see docs/extraction.md for each, and where its plateau is."""

    good_chars: int = 50
    good_links: float = 0.35
    cut_structure: float = 0.7
    cut_structure_content: float = 0.3
    cut_side: float = 0.3
    cut_tools: float = 0.15
    cut_other: float = 0.3
    cut_other_content: float = 0.05
    descend: float = 0.8
    first_article: float = 0.25
    first_article_chars: int = 200
    list_links: float = 0.6
    teaser_children: int = 3
    teaser_share: float = 0.7
    teaser_chars: int = 12
    teaser_link: float = 0.15
    teaser_mass: float = 0.9
    inside_links: float = 0.5
    prose_chars: int = 40
    outside_links: float = 0.2
    outside_long: int = 100
    lead_blocks: int = 80
    lead_chars: int = 120
    lead_marks: int = 2
    phrase_chars: int = 60
    phrase_links: float = 0.2
    phrase_longest: int = 160
    credit_chars: int = 120
    after_chars: int = 30
    repeated_chars: int = 60
    gentle_structure: float = 0.5
    gentle_tools: float = 0.05
    reread_chars: int = 200


THRESHOLDS = Thresholds()


@njit(nogil=True, cache=True)
def select_article(
    b: Bytes, dom: Dom, traits: Records, phrases: Phrases, limits: Thresholds, mass: Longs, links: Longs, chars: Longs
) -> None:
    """Set the verdict of every block and ``dropped`` of inline elements.

    ``mass``, ``links`` and ``chars`` are room for running sums over blocks (one more than blocks).
    """
    nodes, segments, blocks, counts = dom.nodes, dom.segments, dom.blocks, dom.counts
    _select(b, nodes, segments, blocks, counts, traits, phrases, limits, mass, links, chars, False)
    kept = _kept_chars(blocks, counts)
    if kept < limits.reread_chars:
        _reset(nodes, segments, blocks, counts)
        _select(b, nodes, segments, blocks, counts, traits, phrases, limits, mass, links, chars, True)
        if _kept_chars(blocks, counts) < 2 * kept:
            _reset(nodes, segments, blocks, counts)
            _select(b, nodes, segments, blocks, counts, traits, phrases, limits, mass, links, chars, False)


@njit(nogil=True, cache=True)
def _kept_chars(blocks: Records, counts: Longs) -> int:
    total = 0
    for k in range(counts[BLOCKS]):
        if blocks[k]["verdict"] == 0:
            total += blocks[k]["chars"]
    return total


@njit(nogil=True, cache=True)
def _reset(nodes: Records, segments: Records, blocks: Records, counts: Longs) -> None:
    """Undo a selection."""
    for n in range(counts[NODES]):
        nodes[n]["dropped"] = 0
    for k in range(counts[BLOCKS]):
        blocks[k]["verdict"] = 0
        blocks[k]["chars"] = 0
        blocks[k]["links"] = 0
        for s in range(blocks[k]["first"], blocks[k + 1]["first"]):
            blocks[k]["chars"] += segments[s]["chars"]
            if nodes[segments[s]["node"]]["link"] >= 0:
                blocks[k]["links"] += segments[s]["chars"]


@njit(nogil=True, cache=True)
def _sums(blocks: Records, counts: Longs, limits: Thresholds, mass: Longs, links: Longs, chars: Longs) -> None:
    """Running sums over the blocks that are still there: of good text, characters inside links, characters."""
    mass[0] = links[0] = chars[0] = 0
    for k in range(counts[BLOCKS]):
        good = linked = size = 0
        if blocks[k]["verdict"] == 0:
            size = blocks[k]["chars"]
            linked = blocks[k]["links"]
            if size >= limits.good_chars and linked <= limits.good_links * size:
                good = size - linked
        mass[k + 1] = mass[k] + good
        links[k + 1] = links[k] + linked
        chars[k + 1] = chars[k] + size


@njit(nogil=True, cache=True)
def _range(nodes: Records, blocks: Records, n: int) -> tuple[int, int]:
    """The blocks that lie wholly inside node ``n``."""
    first, last, end = nodes[n]["first"], nodes[n]["last"], nodes[n]["end"]
    if first < last and not n <= blocks[first]["node"] < end:
        first += 1
    if first < last and not n <= blocks[last - 1]["node"] < end:
        last -= 1
    return first, last


@njit(nogil=True, cache=True)
def _inside(nodes: Records, blocks: Records, sums: Longs, n: int) -> int:
    first, last = _range(nodes, blocks, n)
    return sums[last] - sums[first]


@njit(nogil=True, cache=True)
def _lowest(mask: np.uint64) -> int:
    """Place of the lowest set bit."""
    place = 0
    while mask & np.uint64(1) == np.uint64(0):
        mask >>= np.uint64(1)
        place += 1
    return place


@njit(nogil=True, cache=True)
def _cut(
    nodes: Records, segments: Records, blocks: Records, counts: Longs, traits: Records, limits: Thresholds,
    mass: Longs, gentle: bool,
) -> None:  # fmt: skip
    """Cut off subtrees by what they say they are."""
    total = mass[counts[BLOCKS]]
    n = 1
    dropped = False
    while n < counts[NODES]:
        mask = nodes[n]["categories"]
        if mask & _FRIEND:
            mask &= ~(_HIDDEN | _TAGS)
        tag = nodes[n]["tag"]
        reason = 0
        if nodes[n]["hidden"]:
            reason = INVISIBLE
        elif mask & _ANY_NEGATIVE and not (tag in (_HTML, _BODY_TAG, _MAIN) or mask & _ENTRY):
            share = _inside(nodes, blocks, mass, n)
            content = mask & _CONTENT
            if gentle:
                if (mask & _GENTLE and share <= limits.gentle_structure * total) or (
                    mask & _GENTLE_TOOLS and share <= limits.gentle_tools * total
                ):
                    reason = 1 + _lowest(mask & (_GENTLE | _GENTLE_TOOLS))
            else:
                limit = -1.0
                if mask & _STRUCTURE:
                    plain = not content or mask & _COMMENT
                    limit = max(limit, limits.cut_structure if plain else limits.cut_structure_content)
                if mask & _SIDE:
                    limit = max(limit, limits.cut_side if not content else limits.cut_other_content)
                if mask & _TOOLS:
                    limit = max(limit, limits.cut_tools if not content else limits.cut_other_content)
                if mask & (_ANY_NEGATIVE & ~(_STRUCTURE | _SIDE | _TOOLS)):
                    limit = max(limit, limits.cut_other if not content else limits.cut_other_content)
                if share <= limit * total:
                    reason = 1 + _lowest(mask & _ANY_NEGATIVE)
        if reason:
            end = nodes[n]["end"]
            for k in range(nodes[n]["first"], nodes[n]["last"]):
                if n <= blocks[k]["node"] < end:
                    blocks[k]["verdict"] = reason
            if not traits[tag]["flags"] & T.BLOCK:
                for inner in range(n, end):
                    nodes[inner]["dropped"] = 1
                dropped = True
            n = end
        else:
            n += 1
    if dropped:
        for s in range(counts[SEGMENTS]):
            pass
        for k in range(counts[BLOCKS]):
            if blocks[k]["verdict"]:
                continue
            for s in range(blocks[k]["first"], blocks[k + 1]["first"]):
                node = segments[s]["node"]
                if nodes[node]["dropped"]:
                    blocks[k]["chars"] -= segments[s]["chars"]
                    if nodes[node]["link"] >= 0:
                        blocks[k]["links"] -= segments[s]["chars"]


@njit(nogil=True, cache=True)
def _is_article(nodes: Records, n: int) -> bool:
    return bool(nodes[n]["tag"] == _ARTICLE or nodes[n]["categories"] & _ARTICLE_LIKE)


@njit(nogil=True, cache=True)
def _walk_down(nodes: Records, blocks: Records, mass: Longs, limits: Thresholds, n: int) -> int:
    """From ``n`` to the heaviest child while it has most of the mass."""
    while True:
        whole = _inside(nodes, blocks, mass, n)
        heaviest, most = -1, 0
        child = n + 1
        while child < nodes[n]["end"]:
            share = _inside(nodes, blocks, mass, child)
            if share > most:
                heaviest, most = child, share
            child = nodes[child]["end"]
        if heaviest < 0 or most < limits.descend * whole or nodes[heaviest]["tag"] == _P:
            return n
        n = heaviest


@njit(nogil=True, cache=True)
def _container(nodes: Records, blocks: Records, counts: Longs, mass: Longs, limits: Thresholds) -> int:
    """The element that holds the text."""
    n = _walk_down(nodes, blocks, mass, limits, 0)
    named = False
    up = n
    while up > 0:
        named = named or _is_article(nodes, up)
        up = nodes[up]["parent"]
    if not named:
        whole = _inside(nodes, blocks, mass, n)
        for inner in range(n + 1, nodes[n]["end"]):
            if _is_article(nodes, inner):
                share = _inside(nodes, blocks, mass, inner)
                if share >= limits.first_article * whole and share > limits.first_article_chars:
                    n = _walk_down(nodes, blocks, mass, limits, inner)
                    break
    while n > 0:
        tag = nodes[n]["tag"]
        if tag not in (_LI, _UL, _OL, _DL, _DD, _BLOCKQUOTE):
            break
        n = nodes[n]["parent"]
    up = n
    while up > 0:
        if nodes[up]["categories"] & _BODY:
            return up
        up = nodes[up]["parent"]
    return n


@njit(nogil=True, cache=True)
def _in_body(nodes: Records, n: int) -> bool:
    while n > 0:
        if nodes[n]["categories"] & _BODY:
            return True
        n = nodes[n]["parent"]
    return False


@njit(nogil=True, cache=True)
def _first_alive(blocks: Records, first: int, last: int) -> int:
    while first < last and blocks[first]["verdict"]:
        first += 1
    return first


@njit(nogil=True, cache=True)
def _mark(blocks: Records, first: int, last: int, reason: int) -> None:
    for k in range(first, last):
        if blocks[k]["verdict"] == 0:
            blocks[k]["verdict"] = reason


@njit(nogil=True, cache=True)
def _lists(
    nodes: Records, blocks: Records, counts: Longs, mass: Longs, links: Longs, chars: Longs, limits: Thresholds
) -> None:
    """Mark lists of links, and parents whose children are mostly teasers: a linked heading and something more."""
    total = mass[counts[BLOCKS]]
    n = 1
    while n < counts[NODES]:
        tag = nodes[n]["tag"]
        first, last = _range(nodes, blocks, n)
        if last - first < 2:
            n = n + 1
            continue
        size = chars[last] - chars[first]
        if (tag in (_UL, _OL, _DL)) and links[last] - links[first] > limits.list_links * size:
            _mark(blocks, first, last, LIST_OF_LINKS)
            n = nodes[n]["end"]
            continue
        if last - first >= 2 * limits.teaser_children and mass[last] - mass[first] <= limits.teaser_mass * total:
            children = teasers = 0
            body = -1
            child = n + 1
            while child < nodes[n]["end"]:
                start, stop = _range(nodes, blocks, child)
                start = _first_alive(blocks, start, stop)
                if start < stop and chars[stop] > chars[start]:
                    children += 1
                    size = blocks[start]["chars"]
                    linked = blocks[start]["links"]
                    if stop - start >= 2 and linked == size and size >= limits.teaser_chars:
                        teasers += 1
                    elif nodes[child]["tag"] == _LI and linked == size and size > 0:
                        if linked >= limits.teaser_link * (chars[stop] - chars[start]):
                            if body < 0:
                                body = int(_in_body(nodes, n))
                            teasers += 1 - body
                child = nodes[child]["end"]
            if children >= limits.teaser_children and teasers >= limits.teaser_share * children:
                _mark(blocks, first, last, TEASERS)
                n = nodes[n]["end"]
                continue
        n += 1


@njit(nogil=True, cache=True)
def _select(
    b: Bytes, nodes: Records, segments: Records, blocks: Records, counts: Longs, traits: Records, phrases: Phrases,
    limits: Thresholds, mass: Longs, links: Longs, chars: Longs, gentle: bool,
) -> None:  # fmt: skip
    count = counts[BLOCKS]
    _sums(blocks, counts, limits, mass, links, chars)
    _cut(nodes, segments, blocks, counts, traits, limits, mass, gentle)
    _sums(blocks, counts, limits, mass, links, chars)
    container = _container(nodes, blocks, counts, mass, limits)
    around = container
    while around > 0 and not (_is_article(nodes, around) or nodes[around]["tag"] == _MAIN):
        around = nodes[around]["parent"]
    first, last = _range(nodes, blocks, container)
    near_first, near_last = _range(nodes, blocks, around) if around > 0 else (0, 0)
    _lists(nodes, blocks, counts, mass, links, chars, limits)
    title = -1  # the last h1 before the text
    for k in range(first):
        if nodes[blocks[k]["node"]]["tag"] == _H1:
            title = k
    for k in range(count):
        if blocks[k]["verdict"]:
            continue
        size, linked, marks = blocks[k]["chars"], blocks[k]["links"], blocks[k]["marks"]
        tag = nodes[blocks[k]["node"]]["tag"]
        sentence = bool(blocks[k]["flags"] & SENTENCE)
        if size == 0:
            blocks[k]["verdict"] = OUTSIDE
        elif first <= k < last:
            if tag == _H1:
                blocks[k]["verdict"] = TITLE
            elif linked > limits.inside_links * size and not (tag == _P and size >= limits.prose_chars and sentence):
                blocks[k]["verdict"] = LINKS
        else:
            prose = (
                size >= limits.good_chars
                and linked <= limits.outside_links * size
                and (marks > 0 or size >= limits.outside_long)
            )
            near = near_first <= k < near_last
            before = title >= 0 and title < k < first
            lead = (
                first - limits.lead_blocks <= k < first
                and size >= limits.lead_chars
                and marks >= limits.lead_marks
                and sentence
            )
            if not (prose and (near or before or lead)) or tag == _H1:
                blocks[k]["verdict"] = OUTSIDE
    _finish(b, nodes, segments, blocks, counts, phrases, limits)


@njit(nogil=True, cache=True)
def _finish(
    b: Bytes, nodes: Records, segments: Records, blocks: Records, counts: Longs, phrases: Phrases, limits: Thresholds
) -> None:
    """Phrases, picture credits, and what is left over at the end."""
    count = counts[BLOCKS]
    final = -1
    for k in range(count):
        if blocks[k]["verdict"]:
            continue
        size, linked = blocks[k]["chars"], blocks[k]["links"]
        tag = nodes[blocks[k]["node"]]["tag"]
        if size <= limits.phrase_longest:
            said = phrase_of(b, nodes, segments, blocks, k, phrases)
            if said & (PHRASE | WHOLE) and (
                size <= limits.phrase_chars or _H1 <= tag <= _H6 or linked > limits.phrase_links * size
            ):
                blocks[k]["verdict"] = PHRASE_
                continue
            if said & CREDIT and size <= limits.credit_chars:
                blocks[k]["verdict"] = CREDIT_
                continue
        if size >= limits.good_chars and linked <= limits.good_links * size:
            final = k
    following = False
    for k in range(count - 1, -1, -1):
        if blocks[k]["verdict"]:
            continue
        tag = nodes[blocks[k]["node"]]["tag"]
        heading = _H1 <= tag <= _H6
        if k > final and (heading or (blocks[k]["chars"] < limits.after_chars and blocks[k]["marks"] == 0)):
            blocks[k]["verdict"] = AFTER_TEXT
            continue
        if heading and not (following or (k + 1 < count and blocks[k + 1]["verdict"] == 0)):
            blocks[k]["verdict"] = ALONE
