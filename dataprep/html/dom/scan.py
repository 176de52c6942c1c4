"""Bytes to flat DOM in one loop: a tokenizer and tree builder for what the web calls HTML, without a tree.

It follows the HTML Standard where that decides which text belongs to which element (raw text, implied end tags, what
an end tag may close, comments, what ends svg and math) and leaves out what only a browser needs (the adoption agency,
foster parents). Time is linear: a byte is read once or twice, and the stack of open elements is never deeper than
`DEPTH`. What runs at every tag is compiled into the loop (``inline``): handing over a dozen arrays takes longer than
the work.

Decisions:
- A deeper element becomes a node but is not opened; its text belongs to what is open.
- An unclosed link ends with its block: a browser goes on to the end of the page, which no reader would call a link.
- Text and cells stay where they are written, in a table or outside it.
- A button in a heading is part of it: it unfolds the text below, which is there without a click.
- In pages that begin like XML, ``<div/>`` is closed and CDATA sections are text; in others only inside svg and math.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dataprep.compiled import njit
from dataprep.html.dom import tags as T
from dataprep.html.dom.attributes import hides, is_space, is_tex, next_attribute, skip_attributes
from dataprep.html.dom.automaton import BOUNDARY, CATEGORY, ITEM, ROLE, class_words, match
from dataprep.html.dom.borrow import borrowed
from dataprep.html.dom.measure import byte_kinds, ends_sentence, measure
from dataprep.html.dom.raw import after_bracket, begins_markup, closed_by, comment_end, find, raw_end, text_end
from dataprep.html.dom.records import BLOCKS, FORMULA, SEGMENTS, SENTENCE, TEXT, TRAILING, Dom, Records
from dataprep.html.dom.tags import ATTRIBUTE, NAMES, TAG, add_to_hash, place_of, start_hash
from dataprep.html.dom.tree import (
    DEPTH,
    MATH_BLOCKS,
    MATH_CHARS,
    MATH_LINKS,
    MATH_MARKS,
    MATH_SEGMENTS,
    OPEN,
    OVER,
    PLACES,
    SEEN_BODY,
    SPACED,
    STACK,
    TOP,
    XML,
    add_break,
    add_node,
    add_segment,
    close_implied,
    close_named,
    flush,
    leave_foreign,
    leave_head,
    pop,
    push,
)
from dataprep.text.utf8 import Bytes, Hashes, Longs

_A, _ANNOTATION, _BODY, _BR, _BUTTON, _DOCUMENT, _HEAD, _HTML, _IMG, _MATH, _PLAINTEXT, _SCRIPT, _TEMPLATE = (
    TAG[name]
    for name in (
        *("a", "annotation", "body", "br", "button", "document", "head", "html", "img", "math", "plaintext", "script"),
        "template",
    )
)
_ALT, _ALTTEXT, _ARIA_HIDDEN, _CLASS, _ENCODING, _HIDDEN, _HREF, _ID, _ITEMPROP, _ROLE, _SHADOW, _STYLE, _TYPE = (
    ATTRIBUTE[name] for name in T.ATTRIBUTES[1:]
)
# an id on one of these is a slug of its text ("related-work"), for links to it
_SLUGS = np.array([name in ("a", "dt", "h1", "h2", "h3", "h4", "h5", "h6") for name in T.TAGS])
_HIDDEN_WORDS, _MATH_WORDS = CATEGORY["hidden"], CATEGORY["math"]


class Tables(NamedTuple):
    """Everything the scanner looks up."""

    names: Records  # see `tags.NAME`
    traits: Records  # see `tags.TRAIT`
    step: NDArray[np.uint16]  # see `automaton.match`
    found: Hashes
    symbols: Bytes
    kinds: Bytes  # see `measure.measure`


@cache
def tables() -> Tables:
    """The tables, made once a process."""
    step, found, symbols, categories = class_words()
    return Tables(NAMES, T.traits(categories), step, found, symbols, byte_kinds())


@njit(nogil=True, cache=True)
def scan(b: Bytes, dom: Dom, tables: Tables) -> None:
    """Fill ``dom`` from the page ``b`` (UTF-8, at most 1 GiB), which must have room for its tags (`dom.room_for`)."""
    # made here, because what is borrowed must outlive the kernel that borrows it
    now, stack = np.zeros(PLACES, np.int64), np.zeros(DEPTH + 1, STACK)
    _fill(b, dom, tables, now, stack)


@njit(nogil=True, cache=True)
def _fill(b: Bytes, dom: Dom, tables: Tables, now: Longs, stack: Records) -> None:
    size = len(b)
    b, now, stack = borrowed(b), borrowed(now), borrowed(stack)
    nodes, segments, blocks = borrowed(dom.nodes), borrowed(dom.segments), borrowed(dom.blocks)
    names, traits, kinds = borrowed(tables.names), borrowed(tables.traits), borrowed(tables.kinds)
    step, found, symbols = borrowed(tables.step), borrowed(tables.found), borrowed(tables.symbols)
    add_node(nodes, traits, now, stack, _DOCUMENT, 0)
    nodes[0]["categories"] = np.uint64(0)
    stack[0]["tag"], stack[0]["flags"] = _DOCUMENT, traits[_DOCUMENT]["flags"]
    i = 3 if size >= 3 and b[0] == 0xEF and b[1] == 0xBB and b[2] == 0xBF else 0
    now[XML] = _begins_like_xml(b, i)
    while i < size:
        if not begins_markup(b, i):
            end = text_end(b, i)
            _add_text(b, i, end, nodes, segments, blocks, now, stack, kinds)
            i = end
            continue
        byte = b[i + 1]
        if byte == 47:
            if i + 2 < size and np.uint8(97) <= b[i + 2] | np.uint8(32) <= np.uint8(122):
                i = _end_tag(b, i + 2, nodes, segments, blocks, now, stack, names, traits)
            else:
                i = after_bracket(b, i + 2)
        elif byte == 33:
            i = _declaration(b, i + 2, nodes, segments, blocks, now, stack, kinds)
        elif byte == 63:
            i = after_bracket(b, i + 2)
        else:
            i = _start_tag(b, i + 1, nodes, segments, blocks, now, stack, names, traits, kinds, step, found, symbols)
    pop(nodes, now, stack, -1, size)
    blocks[now[BLOCKS]]["first"] = now[SEGMENTS]
    for block in range(now[BLOCKS]):
        last = blocks[block + 1]["first"] - 1
        if segments[last]["kind"] == TEXT and ends_sentence(b, segments[last]["start"], segments[last]["end"]):
            blocks[block]["flags"] |= SENTENCE
        if blocks[block]["flags"] & TRAILING:
            while segments[last]["chars"] == 0:
                last -= 1
            segments[last]["chars"] -= 1
            blocks[block]["chars"] -= 1
            if nodes[segments[last]["node"]]["link"] >= 0:
                blocks[block]["links"] -= 1
    dom.counts[:] = now[:3]


@njit(nogil=True, cache=True)
def _begins_like_xml(b: Bytes, i: int) -> bool:
    size = len(b)
    while i < size and is_space(b[i]):
        i += 1
    return i + 5 < size and b[i] == 60 and b[i + 1] == 63 and b[i + 2] == 120 and b[i + 3] == 109


@njit(nogil=True, cache=True, inline="always")
def _add_text(
    b: Bytes, start: int, end: int,
    nodes: Records, segments: Records, blocks: Records, now: Longs, stack: Records, kinds: Bytes,
) -> None:  # fmt: skip
    """The text from ``start`` to ``end`` belongs to the innermost open element."""
    if stack[now[TOP]]["tag"] == _HEAD and not _is_blank(b, start, end):
        pop(nodes, now, stack, now[TOP] - 1, start)  # text ends a head
    if stack[now[TOP]]["skip"]:
        return
    seen, gaps, marks, spaced = measure(b, start, end, kinds, now[SPACED] if now[OPEN] else 1)
    node = stack[now[TOP]]["node"]
    if seen or now[OPEN] or nodes[node]["formats"] & T.PRE:
        add_segment(nodes, segments, blocks, now, stack, TEXT, node, start, end, seen + gaps, marks, spaced)


@njit(nogil=True, cache=True)
def _is_blank(b: Bytes, i: int, end: int) -> bool:
    while i < end and is_space(b[i]):
        i += 1
    return i == end


@njit(nogil=True, cache=True)
def _declaration(
    b: Bytes, i: int, nodes: Records, segments: Records, blocks: Records, now: Longs, stack: Records, kinds: Bytes
) -> int:
    """What begins with ``<!``: a comment, a doctype, a CDATA section. Returns the byte after it."""
    size = len(b)
    if i + 1 < size and b[i] == 45 and b[i + 1] == 45:
        return comment_end(b, i + 2)
    cdata = i + 6 < size and b[i] == 91 and b[i + 1] == 67 and b[i + 2] == 68 and b[i + 6] == 91
    if not cdata or not (now[XML] or stack[now[TOP]]["foreign"]):
        return after_bracket(b, i)
    start = i + 7
    i = closed_by(b, start, 93)
    end = i - 2 if i < size else size
    if end > start:
        _add_text(b, start, end, nodes, segments, blocks, now, stack, kinds)
    return min(i + 1, size)


@njit(nogil=True, cache=True, inline="always")
def _start_tag(
    b: Bytes, i: int,
    nodes: Records, segments: Records, blocks: Records, now: Longs, stack: Records,
    names: Records, traits: Records, kinds: Bytes, step: NDArray[np.uint16], found: Hashes, symbols: Bytes,
) -> int:  # fmt: skip
    """The start tag whose name begins at byte ``i``; returns the byte after it, or after its raw text."""
    size = len(b)
    start = i
    hashed = start_hash()
    custom = False
    while i < size and not (b[i] == 62 or b[i] == 47 or is_space(b[i])):
        hashed = add_to_hash(hashed, b[i])
        custom |= b[i] == 45
        i += 1
    tag = int(names[place_of(names, hashed)]["tag"])
    flags = int(traits[tag]["flags"])
    if not _opens(nodes, now, stack, tag, flags, start - 1):
        return skip_attributes(b, i)
    node = add_node(nodes, traits, now, stack, tag, i)
    mask = nodes[node]["categories"]
    if custom and not tag:
        mask |= match(step, found, symbols, b, start, i, BOUNDARY)

    alt_start = alt_end = -1
    formula = shadow = False
    after_value = i
    had = 0  # the first of two attributes counts
    while True:
        i, name, first, last = next_attribute(b, i)
        if name == np.uint64(0):
            break
        after_value = i
        attribute = int(names[place_of(names, name)]["attribute"])
        if attribute == 0 or had >> attribute & 1:
            continue
        had |= 1 << attribute
        if attribute == _CLASS or (attribute == _ID and not _SLUGS[tag]):
            mask |= match(step, found, symbols, b, first, last, BOUNDARY)
        elif attribute == _ROLE:
            mask |= match(step, found, symbols, b, first, last, ROLE)
        elif attribute == _ITEMPROP:
            mask |= match(step, found, symbols, b, first, last, ITEM)
        elif attribute == _HREF:
            if tag == _A:
                nodes[node]["link"] = node
        elif attribute == _STYLE:
            if hides(b, first, last):
                nodes[node]["hidden"] = 1
        elif attribute == _HIDDEN:
            if last == first or b[first] | np.uint8(32) != 117:  # not hidden="until-found"
                nodes[node]["hidden"] = 1
        elif attribute == _ARIA_HIDDEN:
            if last - first == 4 and b[first] | np.uint8(32) == 116:
                mask |= _HIDDEN_WORDS
        elif attribute == _SHADOW:
            shadow = True
        elif attribute == _ALTTEXT or (attribute == _ALT and tag == _IMG):
            alt_start, alt_end = first, last
        elif (attribute == _TYPE and tag == _SCRIPT) or (attribute == _ENCODING and tag == _ANNOTATION):
            formula = is_tex(b, first, last)
    nodes[node]["categories"] = mask
    closed = i < size and i > after_value and b[i - 1] == 47
    i = min(i + 1, size)
    nodes[node]["inner"] = nodes[node]["outer"] = i

    depth = now[TOP]
    foreign = stack[depth]["foreign"] > 0
    skipped = stack[depth]["skip"]
    if not skipped and alt_end > alt_start and (tag == _MATH or (tag == _IMG and mask & _MATH_WORDS)):
        add_segment(nodes, segments, blocks, now, stack, FORMULA, node, alt_start, alt_end, 1, 0, 0)
        nodes[node]["last"] = now[BLOCKS] + 1
    if tag == _BR:
        add_break(nodes, segments, blocks, now, stack, node, i)
    if flags & T.VOID or (closed and (now[XML] or foreign or flags & T.FOREIGN)):
        return i
    raw = flags & T.RAW and not foreign
    end = i
    if raw:
        end = size if tag == _PLAINTEXT else raw_end(b, i, hashed, tag == _SCRIPT)
        nodes[node]["outer"] = end
    if depth >= DEPTH:
        now[OVER] += not raw and flags & T.BLOCK != 0
    elif raw:
        if formula and tag == _SCRIPT and not skipped and end > i:
            add_segment(nodes, segments, blocks, now, stack, FORMULA, node, i, end, 1, 0, 0)
            nodes[node]["last"] = now[BLOCKS] + 1
        elif not flags & T.SKIP and end > i:
            push(now, stack, node, tag, flags, False)
            _add_text(b, i, end, nodes, segments, blocks, now, stack, kinds)
            pop(nodes, now, stack, depth, end)
    else:
        skip = (
            (tag == _MATH and alt_end > alt_start)
            or tag == _ANNOTATION
            or (
                flags & T.SKIP != 0
                and not (tag == _TEMPLATE and shadow)
                and not (tag == _BUTTON and nodes[node]["formats"] & T.HEADING)
            )
            or (nodes[node]["hidden"] != 0 and not flags & T.BLOCK)
        )
        depth = push(now, stack, node, tag, flags, skip)
        if stack[depth]["foreign"] == depth:
            _remember(blocks, now)
        elif formula and not skipped:
            _annotate(b, i, nodes, segments, blocks, now, stack)
    return skip_attributes(b, end + 2) if raw and end < size else end


@njit(nogil=True, cache=True, inline="always")
def _opens(nodes: Records, now: Longs, stack: Records, tag: int, flags: int, at: int) -> bool:
    """Close what the start tag at byte ``at`` ends; whether it opens an element."""
    if tag in (_HTML, _BODY):
        if now[SEEN_BODY] or (tag == _HTML and now[TOP] > 0):
            return False
        if tag == _BODY:
            now[SEEN_BODY] = 1
            leave_head(nodes, now, stack, at)
    elif tag == _HEAD:
        if now[SEEN_BODY]:
            return False
    elif not flags & T.IN_HEAD:
        leave_head(nodes, now, stack, at)
    if flags & T.LEAVES:
        leave_foreign(nodes, now, stack, at)
    close_implied(nodes, now, stack, tag, flags, at)
    if flags & T.BLOCK and not stack[now[TOP]]["skip"]:
        flush(now)
    return True


@njit(nogil=True, cache=True)
def _remember(blocks: Records, now: Longs) -> None:
    """What stands before a formula, for `_annotate`."""
    block = now[BLOCKS]
    now[MATH_SEGMENTS], now[MATH_BLOCKS] = now[SEGMENTS], block
    now[MATH_CHARS] = blocks[block]["chars"] if now[OPEN] else 0
    now[MATH_LINKS] = blocks[block]["links"] if now[OPEN] else 0
    now[MATH_MARKS] = blocks[block]["marks"] if now[OPEN] else 0


@njit(nogil=True, cache=True)
def _annotate(
    b: Bytes, start: int, nodes: Records, segments: Records, blocks: Records, now: Longs, stack: Records
) -> None:
    """The TeX that an annotation gives from byte ``start`` on takes the place of the formula's own text."""
    depth = now[TOP]
    math = stack[depth]["foreign"]
    end = find(b, start, 60)
    if end == start or not math or now[MATH_BLOCKS] != now[BLOCKS] or stack[depth]["block"] != stack[math]["block"]:
        return
    block = now[BLOCKS]
    now[SEGMENTS] = now[MATH_SEGMENTS]
    if now[OPEN]:
        blocks[block]["chars"] = now[MATH_CHARS]
        blocks[block]["links"] = now[MATH_LINKS]
        blocks[block]["marks"] = now[MATH_MARKS]
    add_segment(nodes, segments, blocks, now, stack, FORMULA, stack[math]["node"], start, end, 1, 0, 0)


@njit(nogil=True, cache=True, inline="always")
def _end_tag(
    b: Bytes, i: int, nodes: Records, segments: Records, blocks: Records, now: Longs, stack: Records,
    names: Records, traits: Records,
) -> int:  # fmt: skip
    """The end tag whose name begins at byte ``i``; returns the byte after it."""
    at = i - 2
    hashed = start_hash()
    while i < len(b) and not (b[i] == 62 or b[i] == 47 or is_space(b[i])):
        hashed = add_to_hash(hashed, b[i])
        i += 1
    tag = int(names[place_of(names, hashed)]["tag"])
    flags = int(traits[tag]["flags"])
    i = skip_attributes(b, i)
    if tag == _BR:
        add_break(nodes, segments, blocks, now, stack, stack[now[TOP]]["node"], i)
    elif not (tag in (_HTML, _BODY) or flags & T.VOID):
        close_named(nodes, now, stack, tag, flags, at)
    return i
