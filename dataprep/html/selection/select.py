"""Which blocks of a page are its text, and why the others are not: rules over the flat DOM.

The method is described in docs/extraction.md, piece by piece. In short: subtrees whose names or tags say what they are
(comments, navigation, …) are cut off unless they hold most of the page; the walk from the root to where the text is
finds the container; inside it blocks are kept unless they are link lists, teasers, phrases ("read more") or credits;
outside it only what reads like prose and stands near. A page that loses nearly everything is read again, more gently.

Not every page is an article. On reference pages, forums and products those rules lose text, so there is a second
profile, *page*: all that was not cut off, but lines of links and phrases. A page whose article would be short and would
leave behind most of the text that was not cut off is read as a page.
"""

from dataprep.compiled import njit
from dataprep.html.dom import tags as T
from dataprep.html.dom.records import BLOCKS, Dom, Records
from dataprep.html.dom.tags import TAG
from dataprep.html.selection.article import finish_article, keep_article
from dataprep.html.selection.cuts import cut, reset
from dataprep.html.selection.phrases import STARTS, WHOLE, Phrases, phrase_of
from dataprep.html.selection.rules import ALONE, ARTICLE, GENTLE, LINKS, OUTSIDE, PAGE, PHRASE, Sums, Thresholds
from dataprep.text.utf8 import Bytes, Longs

AUTO = -1

_DD, _DT, _H1, _H6, _LI, _TD, _TH = (TAG[name] for name in "dd dt h1 h6 li td th".split())  # noqa: SIM905


@njit(nogil=True, cache=True)
def select(b: Bytes, dom: Dom, traits: Records, phrases: Phrases, limits: Thresholds, sums: Sums, profile: int) -> int:
    """Set the verdict of every block and ``dropped`` of every node; returns the profile it was read by.

    ``profile`` is ARTICLE, PAGE or AUTO; ``sums`` is room for one more than the blocks.
    """
    nodes, segments, blocks, counts = dom.nodes, dom.segments, dom.blocks, dom.counts
    if profile == PAGE:
        read(b, nodes, segments, blocks, counts, traits, phrases, limits, sums, PAGE)
        return PAGE
    read(b, nodes, segments, blocks, counts, traits, phrases, limits, sums, ARTICLE)
    kept = _kept(blocks, counts)
    if kept < limits.reread_chars:
        reset(nodes, segments, blocks, counts)
        read(b, nodes, segments, blocks, counts, traits, phrases, limits, sums, GENTLE)
        if _kept(blocks, counts) < 2 * kept:
            reset(nodes, segments, blocks, counts)
            read(b, nodes, segments, blocks, counts, traits, phrases, limits, sums, ARTICLE)
    if profile == AUTO and (
        _loses_text(blocks, counts, limits) or _loses_reference(nodes, segments, blocks, counts, limits)
    ):
        reset(nodes, segments, blocks, counts)
        read(b, nodes, segments, blocks, counts, traits, phrases, limits, sums, PAGE)
        return PAGE
    return ARTICLE


@njit(nogil=True, cache=True)
def _kept(blocks: Records, counts: Longs) -> int:
    """Characters that are kept."""
    total = 0
    for k in range(counts[BLOCKS]):
        if blocks[k]["verdict"] == 0:
            total += blocks[k]["chars"]
    return total


@njit(nogil=True, cache=True)
def weigh(blocks: Records, counts: Longs) -> tuple[int, int, int, int]:
    """Characters outside links and in links that are kept; and those that are not, though they were not cut off."""
    kept = lost = kept_links = lost_links = 0
    for k in range(counts[BLOCKS]):
        size, linked = blocks[k]["chars"], blocks[k]["links"]
        if blocks[k]["verdict"] == 0:
            kept += size - linked
            kept_links += linked
        elif OUTSIDE <= blocks[k]["verdict"] <= ALONE:
            lost += size - linked
            lost_links += linked
    return kept, kept_links, lost, lost_links


@njit(nogil=True, cache=True)
def _loses_text(blocks: Records, counts: Longs, limits: Thresholds) -> bool:
    """Whether the article rules kept little of a page, and little of what was not cut off."""
    kept, kept_links, lost, lost_links = weigh(blocks, counts)
    whole = kept + lost + kept_links + lost_links
    return kept < limits.page_kept and (
        lost > limits.page_lost * (kept + lost) or lost + lost_links > limits.page_links_lost * whole
    )


@njit(nogil=True, cache=True)
def _loses_reference(nodes: Records, segments: Records, blocks: Records, counts: Longs, limits: Thresholds) -> bool:
    """Whether the page is mostly code, terms and definitions, and the article rules lost sections of it."""
    kept, _, lost, _ = weigh(blocks, counts)
    if lost <= limits.reference_lost * (kept + lost):
        return False
    return bool(reference_characters(nodes, segments, blocks, counts) > limits.reference_share * (kept + lost))


@njit(nogil=True, cache=True)
def reference_characters(nodes: Records, segments: Records, blocks: Records, counts: Longs) -> int:
    """Characters of code, terms and definitions outside links, of all that was not cut off."""
    total = 0
    for k in range(counts[BLOCKS]):
        if blocks[k]["verdict"] == 0 or OUTSIDE <= blocks[k]["verdict"] <= ALONE:
            n = segments[blocks[k]["first"]]["node"]
            if nodes[n]["formats"] & (T.PRE | T.CODE) or nodes[blocks[k]["node"]]["tag"] in (_DD, _DT):
                total += blocks[k]["chars"] - blocks[k]["links"]
    return total


@njit(nogil=True, cache=True)
def read(
    b: Bytes,
    nodes: Records,
    segments: Records,
    blocks: Records,
    counts: Longs,
    traits: Records,
    phrases: Phrases,
    limits: Thresholds,
    sums: Sums,
    way: int,
) -> None:
    """Set the verdicts by the rules of one way to read a page."""
    cut(b, nodes, segments, blocks, counts, traits, limits, sums, way)
    if way == PAGE:
        _keep_page(b, nodes, segments, blocks, counts, phrases, limits)
    else:
        keep_article(nodes, blocks, counts, sums, limits)
        finish_article(b, nodes, segments, blocks, counts, phrases, limits)


@njit(nogil=True, cache=True)
def _keep_page(
    b: Bytes, nodes: Records, segments: Records, blocks: Records, counts: Longs, phrases: Phrases, limits: Thresholds
) -> None:
    """Everything that was not cut off, but lines of links and phrases; if that is nothing, the lines of links too."""
    kept = 0
    for k in range(counts[BLOCKS]):
        if blocks[k]["verdict"]:
            continue
        size, linked = blocks[k]["chars"], blocks[k]["links"]
        tag = nodes[blocks[k]["node"]]["tag"]
        listed = _H1 <= tag <= _H6 or tag in (_LI, _DD, _DT, _TD, _TH)
        if size == 0:
            blocks[k]["verdict"] = OUTSIDE
        elif linked > limits.page_links * size and not listed:
            blocks[k]["verdict"] = LINKS
        elif size <= limits.phrase_chars and phrase_of(b, nodes, segments, blocks, k, phrases) & (STARTS | WHOLE):
            blocks[k]["verdict"] = PHRASE
        else:
            kept += size
    if kept == 0:
        for k in range(counts[BLOCKS]):
            if blocks[k]["verdict"] == LINKS:
                blocks[k]["verdict"] = 0
