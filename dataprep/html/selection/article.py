"""The rules for a page that is an article: find the element that holds the text, keep what reads like text in it."""

from dataprep.compiled import njit
from dataprep.html.dom import tags as T
from dataprep.html.dom.automaton import CATEGORY
from dataprep.html.dom.records import BLOCKS, NODES, SENTENCE, Records
from dataprep.html.dom.tags import TAG
from dataprep.html.selection.cuts import blocks_inside, mass_of
from dataprep.html.selection.phrases import CREDIT_LINE, STARTS, WHOLE, Phrases, phrase_of
from dataprep.html.selection.rules import (
    AFTER_TEXT,
    ALONE,
    CREDIT,
    LINKS,
    LIST_OF_LINKS,
    OUTSIDE,
    PHRASE,
    TEASERS,
    TITLE,
    Sums,
    Thresholds,
    mask,
)  # fmt: skip
from dataprep.text.utf8 import Bytes, Longs

_BODY = CATEGORY["body"]
_ARTICLE_LIKE = mask("body", "entry")
_ARTICLE, _BLOCKQUOTE, _DD, _DL, _H1, _H6, _LI, _MAIN, _OL, _P, _TABLE, _UL, _TD, _TH, _DT = (
    TAG[name]
    for name in "article blockquote dd dl h1 h6 li main ol p table ul td th dt".split()  # noqa: SIM905
)


@njit(nogil=True, cache=True)
def _is_article(nodes: Records, n: int) -> bool:
    return bool(nodes[n]["tag"] == _ARTICLE or nodes[n]["categories"] & _ARTICLE_LIKE)


@njit(nogil=True, cache=True)
def _in_body(nodes: Records, n: int) -> int:
    """The nearest element around or at ``n`` that is named as an article's body, or 0."""
    while n > 0 and not nodes[n]["categories"] & _BODY:
        n = nodes[n]["parent"]
    return n


@njit(nogil=True, cache=True)
def _walk_down(nodes: Records, blocks: Records, sums: Sums, limits: Thresholds, n: int) -> int:
    """From ``n`` to the heaviest child, again and again, while it has most of the mass."""
    while True:
        heaviest, most = -1, 0
        child = n + 1
        while child < nodes[n]["end"]:
            mass = mass_of(nodes, blocks, sums, child)
            if mass > most:
                heaviest, most = child, mass
            child = nodes[child]["end"]
        if heaviest < 0 or nodes[heaviest]["tag"] == _P:
            return n
        if most < limits.descend * mass_of(nodes, blocks, sums, n):
            return n
        n = heaviest


@njit(nogil=True, cache=True)
def container_of(nodes: Records, blocks: Records, sums: Sums, limits: Thresholds) -> int:
    """The element that holds the text."""
    n = _walk_down(nodes, blocks, sums, limits, 0)
    up = n
    while up > 0 and not _is_article(nodes, up):
        up = nodes[up]["parent"]
    if up <= 0:
        whole = mass_of(nodes, blocks, sums, n)
        # several articles on one page, as where the next is loaded when one scrolls: the first is the page's own
        for inner in range(n + 1, nodes[n]["end"]):
            if _is_article(nodes, inner):
                mass = mass_of(nodes, blocks, sums, inner)
                if mass >= limits.first_article * whole and mass > limits.first_article_chars:
                    n = _walk_down(nodes, blocks, sums, limits, inner)
                    break
    while n > 0:
        tag = nodes[n]["tag"]
        if tag not in (_LI, _UL, _OL, _DL, _DD, _BLOCKQUOTE):
            break
        n = nodes[n]["parent"]
    body = _in_body(nodes, n)
    return body if body > 0 else n


@njit(nogil=True, cache=True)
def _mark(blocks: Records, first: int, last: int, reason: int) -> None:
    for k in range(first, last):
        if blocks[k]["verdict"] == 0:
            blocks[k]["verdict"] = reason


@njit(nogil=True, cache=True)
def _teasers(nodes: Records, blocks: Records, sums: Sums, limits: Thresholds, n: int) -> bool:
    """Whether most children of ``n`` are teasers: they open with a link that is a heading of its own."""
    children = teasers = 0
    body = -1
    child = n + 1
    while child < nodes[n]["end"]:
        start, stop = blocks_inside(nodes, blocks, child)
        while start < stop and blocks[start]["verdict"]:
            start += 1
        whole = sums[stop]["chars"] - sums[start]["chars"]
        if whole > 0:
            children += 1
            size, linked = blocks[start]["chars"], blocks[start]["links"]
            if linked == size and size > 0:
                if stop - start >= 2 and size >= limits.teaser_chars:
                    teasers += 1
                elif nodes[child]["tag"] == _LI and linked >= limits.teaser_link * whole:
                    if body < 0:
                        body = _in_body(nodes, n)
                    teasers += body <= 0
        child = nodes[child]["end"]
    return children >= limits.teaser_children and teasers >= limits.teaser_share * children


@njit(nogil=True, cache=True)
def mark_lists(nodes: Records, blocks: Records, counts: Longs, sums: Sums, limits: Thresholds) -> None:
    """Set the verdict of lists of links and of teasers."""
    total = sums[counts[BLOCKS]]["mass"]
    n = 1
    while n < counts[NODES]:
        tag = nodes[n]["tag"]
        first, last = blocks_inside(nodes, blocks, n)
        size = sums[last]["chars"] - sums[first]["chars"]
        linked = sums[last]["links"] - sums[first]["links"]
        reason = 0
        if last - first < 2:
            pass
        elif (tag in (_UL, _OL, _DL)) and linked > limits.list_links * size:
            reason = int(LIST_OF_LINKS)
        elif (
            last - first >= 2 * limits.teaser_children
            and sums[last]["mass"] - sums[first]["mass"] <= limits.teaser_mass * total
            and _teasers(nodes, blocks, sums, limits, n)
        ):
            reason = int(TEASERS)
        if reason:
            _mark(blocks, first, last, reason)
            n = nodes[n]["end"]
        else:
            n += 1


@njit(nogil=True, cache=True)
def _is_good(blocks: Records, k: int, limits: Thresholds) -> bool:
    size = blocks[k]["chars"]
    return bool(
        blocks[k]["verdict"] == 0 and size >= limits.good_chars and blocks[k]["links"] <= limits.good_links * size
    )


@njit(nogil=True, cache=True)
def _is_listed(tag: int) -> bool:
    """An item, a cell, a term: what means something only beside its neighbours."""
    return tag in (_LI, _DD, _DT, _TD, _TH)


@njit(nogil=True, cache=True)
def _of_data(nodes: Records, blocks: Records, sums: Sums, limits: Thresholds, container: int, n: int) -> bool:
    """Whether ``n`` is in a list or table inside the container that is not one of links: it stays with all of it."""
    if not _is_listed(nodes[n]["tag"]):
        return False
    while n > container and nodes[n]["tag"] not in (_UL, _OL, _DL, _TABLE):
        n = nodes[n]["parent"]
    if n <= container:
        return False
    first, last = blocks_inside(nodes, blocks, n)
    linked = sums[last]["linked"] - sums[first]["linked"]
    return bool(linked <= limits.table_links * (last - first))


@njit(nogil=True, cache=True)
def _has_section(nodes: Records, blocks: Records, counts: Longs, limits: Thresholds, k: int) -> bool:
    """Whether the block after the heading ``k`` is kept as its text: good text, code, an item or a cell."""
    if k + 1 >= counts[BLOCKS] or blocks[k + 1]["verdict"]:
        return False
    n = blocks[k + 1]["node"]
    return bool(
        _is_good(blocks, k + 1, limits)
        or nodes[n]["formats"] & T.PRE
        or (_is_listed(nodes[n]["tag"]) and blocks[k + 1]["links"] <= limits.inside_links * blocks[k + 1]["chars"])
    )


@njit(nogil=True, cache=True)
def keep_article(nodes: Records, blocks: Records, counts: Longs, sums: Sums, limits: Thresholds) -> None:
    """Set the verdict of every block that is still there, by where it stands and what it looks like."""
    container = container_of(nodes, blocks, sums, limits)
    around = container
    while around > 0 and not (_is_article(nodes, around) or nodes[around]["tag"] == _MAIN):
        around = nodes[around]["parent"]
    first, last = blocks_inside(nodes, blocks, container)
    near_first, near_last = (0, 0) if around <= 0 else blocks_inside(nodes, blocks, around)
    mark_lists(nodes, blocks, counts, sums, limits)
    title = first  # the last h1 before the text
    for k in range(first):
        if nodes[blocks[k]["node"]]["tag"] == _H1:
            title = k
    opening = first  # the first good text inside
    while opening < last and not _is_good(blocks, opening, limits):
        opening += 1
    # from the last on: whether a linked heading or a term is kept depends on what follows
    for k in range(counts[BLOCKS] - 1, -1, -1):
        if blocks[k]["verdict"]:
            continue
        size, linked, marks = blocks[k]["chars"], blocks[k]["links"], blocks[k]["marks"]
        tag = nodes[blocks[k]["node"]]["tag"]
        sentence = blocks[k]["flags"] & SENTENCE
        if size == 0:
            blocks[k]["verdict"] = OUTSIDE
        elif tag == _H1 and not opening < k < last:
            blocks[k]["verdict"] = TITLE
        elif first <= k < last:
            if linked <= (limits.paragraph_links if tag == _P else limits.inside_links) * size or (
                tag == _P and size >= limits.prose_chars and sentence
            ):
                continue
            if _of_data(nodes, blocks, sums, limits, container, blocks[k]["node"]):
                continue
            if not (_H1 <= tag <= _H6 and _has_section(nodes, blocks, counts, limits, k)):
                blocks[k]["verdict"] = LINKS
        else:
            prose = (
                size >= limits.good_chars
                and linked <= limits.outside_links * size
                and (marks > 0 or size >= limits.outside_long)
            )
            lead = (
                first - limits.lead_blocks <= k < first
                and size >= limits.lead_chars
                and marks >= limits.lead_marks
                and sentence
            )
            listed = _is_listed(tag) and linked == 0 and near_first <= k < near_last
            defined = tag == _DT and k + 1 < counts[BLOCKS] and not blocks[k + 1]["verdict"]
            if (
                not listed
                and not defined
                and not (prose and (near_first <= k < near_last or title < k < first or lead))
            ):
                blocks[k]["verdict"] = OUTSIDE


@njit(nogil=True, cache=True)
def finish_article(
    b: Bytes, nodes: Records, segments: Records, blocks: Records, counts: Longs, phrases: Phrases, limits: Thresholds
) -> None:
    """Take out phrases, picture credits, scraps at the end, and headings before nothing or something taken out."""
    opening, final = counts[BLOCKS], -1  # the first and the last block of good text
    for k in range(counts[BLOCKS]):
        if blocks[k]["verdict"]:
            continue
        size = blocks[k]["chars"]
        tag = nodes[blocks[k]["node"]]["tag"]
        if size <= limits.phrase_longest and not (_is_listed(tag) and blocks[k]["links"] == 0):
            said = phrase_of(b, nodes, segments, blocks, k, phrases)
            if said & (STARTS | WHOLE) and (
                size <= limits.phrase_chars or _H1 <= tag <= _H6 or blocks[k]["links"] > limits.phrase_links * size
            ):
                blocks[k]["verdict"] = PHRASE
                continue
            if said & CREDIT_LINE and size <= limits.credit_chars:
                blocks[k]["verdict"] = CREDIT
                continue
        if _is_good(blocks, k, limits):
            final = k
            if not _H1 <= tag <= _H6:
                opening = min(opening, k)
    following = counts[BLOCKS]  # the next block that is kept
    level = int(_H1)  # of the heading it is, or 0; the end is as good as one
    for k in range(counts[BLOCKS] - 1, -1, -1):
        if blocks[k]["verdict"]:
            continue
        tag = nodes[blocks[k]["node"]]["tag"]
        heading = _H1 <= tag <= _H6
        # what is marked up as text is text wherever it stands
        marked = heading or tag == _P or _is_listed(tag) or nodes[blocks[k]["node"]]["formats"] & (T.PRE | T.QUOTE)
        if k > final and not marked and blocks[k]["chars"] < limits.after_chars and blocks[k]["marks"] == 0:
            blocks[k]["verdict"] = AFTER_TEXT
            continue
        lead = blocks[k]["chars"] >= limits.lead_chars and blocks[k]["links"] == 0 and k < opening
        if (
            heading
            and not lead
            and (following - k > limits.alone_blocks or (level and level <= tag and following - k > 1))
        ):
            blocks[k]["verdict"] = ALONE
        else:
            following = k
            level = tag if heading else 0
