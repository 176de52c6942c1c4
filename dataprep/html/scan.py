"""Bytes to flat DOM in one loop: a tokenizer and tree builder for what the web calls HTML, without a tree.

It follows the HTML Standard where that decides which text belongs to which element (raw text, implied end tags, what
an end tag may close, comments) and leaves out what only a browser needs (the adoption agency, foster parents). Time is
linear: each byte is read once, and the stack of open elements is never deeper than `DEPTH`.

Decisions:
- A deeper element becomes a node but is not opened; its text belongs to what is open.
- Every unclosed ``button`` would otherwise swallow its page, so end tags reach through it.
- In pages that begin like XML, ``<div/>`` is closed and CDATA sections are text; in others only inside svg and math.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dataprep.compiled import njit
from dataprep.html import tags as T
from dataprep.html.attributes import hides, is_space, is_tex, next_attribute, skip_attributes
from dataprep.html.automaton import BOUNDARY, CATEGORY, ITEM, ROLE, class_words, match
from dataprep.html.dom import BLOCKS, BREAK, FORMULA, SEGMENTS, TEXT, Dom, Records
from dataprep.html.tags import ATTRIBUTE, NAMES, TAG, add_to_hash, place_of, start_hash
from dataprep.html.tree import (
    DEPTH,
    FOREIGN,
    MATH_BLOCKS,
    MATH_CHARS,
    MATH_LINKS,
    MATH_MARKS,
    MATH_SEGMENTS,
    NEVER,
    OPEN,
    OVER,
    PLACES,
    SEEN_BODY,
    SKIP,
    SPACED,
    STACK,
    TOP,
    add_node,
    add_segment,
    close_implied,
    close_named,
    flush,
    leave_head,
    pop,
)  # fmt: skip
from dataprep.text.utf8 import Bytes, Hashes, Longs

_A, _ANNOTATION, _BODY, _BR, _DOCUMENT, _HEAD, _HTML, _IMG, _MATH, _SCRIPT, _TEMPLATE = (
    TAG[name]
    for name in ["a", "annotation", "body", "br", "document", "head", "html", "img", "math", "script", "template"]
)
_IN_HEAD = np.array(
    [
        name in ["base", "bgsound", "link", "meta", "noframes", "noscript", "script", "style", "template", "title"]
        for name in T.TAGS
    ]
)
_ALT, _ALTTEXT, _ARIA_HIDDEN, _CLASS, _ENCODING, _HIDDEN, _HREF, _ID, _ITEMPROP, _ROLE, _SHADOW, _STYLE, _TYPE = (
    ATTRIBUTE[name] for name in T.ATTRIBUTES[1:]
)
_HIDDEN_WORDS, _MATH_WORDS = CATEGORY["hidden"], CATEGORY["math"]

# kinds of a text byte
_PLAIN, _SPACE, _MARK, _NONE, _WIDE, _AMPERSAND, _C2, _E3, _EF = range(9)


class Tables(NamedTuple):
    """Everything the scanner looks up."""

    names: Records  # see `tags.NAME`
    traits: Records  # see `tags.TRAIT`
    step: NDArray[np.int16]  # see `automaton.match`
    found: Hashes
    symbols: Bytes
    kinds: Bytes  # of each byte of text


@cache
def tables() -> Tables:
    """The tables, made once a process."""
    step, found, symbols, categories = class_words()
    kinds = np.full(256, _PLAIN, np.uint8)
    for byte in b" \t\n\f\r":
        kinds[byte] = _SPACE
    for byte in b".,;:!?":
        kinds[byte] = _MARK
    kinds[0] = _NONE
    kinds[0x80:0xC0] = _NONE
    kinds[0xE4:0xEE] = _WIDE
    kinds[ord("&")], kinds[0xC2], kinds[0xE3], kinds[0xEF] = _AMPERSAND, _C2, _E3, _EF
    return Tables(NAMES, T.traits(categories), step, found, symbols, kinds)


@njit(nogil=True, cache=True)
def scan(b: Bytes, dom: Dom, tables: Tables) -> None:
    """Fill ``dom`` from the page ``b`` (UTF-8), which must have room for its tags (`dom.room_for`)."""
    size = len(b)
    nodes, segments, blocks = dom.nodes, dom.segments, dom.blocks
    traits, kinds, names = tables.traits, tables.kinds, tables.names
    step, found, symbols = tables.step, tables.found, tables.symbols
    now = np.zeros(PLACES, np.int64)
    stack = np.zeros(DEPTH + 2, STACK)
    blocks[0]["first"] = 0
    add_node(nodes, segments, blocks, now, stack, traits, _DOCUMENT, 0)
    nodes[0]["categories"] = np.uint64(0)
    now[SKIP] = now[FOREIGN] = NEVER
    i = 3 if size >= 3 and b[0] == 0xEF and b[1] == 0xBB and b[2] == 0xBF else 0
    head = i
    while head < size and is_space(b[head]):
        head += 1
    xml = head + 5 < size and b[head] == 60 and b[head + 1] == 63 and b[head + 2] == 120 and b[head + 3] == 109
    while i < size:
        if b[i] != 60:
            i = _text(b, i, nodes, segments, blocks, now, stack, traits, kinds)
            continue
        if i + 1 >= size:
            break
        byte = b[i + 1]
        if np.uint8(97) <= byte | np.uint8(32) <= np.uint8(122):
            i = _start_tag(b, i + 1, nodes, segments, blocks, now, stack, traits, names, step, found, symbols, xml)
        elif byte == 47:
            if i + 2 < size and np.uint8(97) <= b[i + 2] | np.uint8(32) <= np.uint8(122):
                i = _end_tag(b, i + 2, nodes, segments, blocks, now, stack, traits, names)
            else:
                i = _to_bracket(b, i + 2)
        elif byte == 33:
            i = _declaration(b, i + 2, nodes, segments, blocks, now, stack, traits, kinds, xml)
        elif byte == 63:
            i = _to_bracket(b, i + 2)
        else:
            i = _text(b, i, nodes, segments, blocks, now, stack, traits, kinds)
    pop(b, nodes, segments, blocks, now, stack, traits, -1, size)
    blocks[now[BLOCKS]]["first"] = now[SEGMENTS]
    dom.counts[:] = now[:3]


@njit(nogil=True, cache=True)
def _text(
    b: Bytes,
    start: int,
    nodes: Records,
    segments: Records,
    blocks: Records,
    now: Longs,
    stack: Records,
    traits: Records,
    kinds: Bytes,
) -> int:
    """The text from ``start`` to the next tag; returns where that is."""
    size = len(b)
    i = start
    chars = marks = 0
    seen = False
    spaced = now[SPACED] if now[OPEN] else 1
    while i < size:
        byte = b[i]
        if byte == 60 and i > start:
            following = b[i + 1] if i + 1 < size else np.uint8(0)
            if following == 47 or following == 33 or following == 63 or 97 <= following | np.uint8(32) <= 122:
                break
        kind = kinds[byte]
        i += 1
        if kind == _PLAIN:
            chars += 1
            spaced = 0
            seen = True
            continue
        if kind == _SPACE:
            if not spaced:
                chars += 1
                spaced = 2
            continue
        if kind == _NONE:
            continue
        if kind == _AMPERSAND:
            if is_blank_entity(b, i):
                if not spaced:
                    chars += 1
                    spaced = 2
                while b[i - 1] != 59:
                    i += 1
                continue
            stop = min(i + 12, size)
            j = i
            while j < stop and (b[j] == 35 or 48 <= b[j] <= 57 or 97 <= b[j] | np.uint8(32) <= 122):
                j += 1
            if j < stop and b[j] == 59 and j > i:
                i = j + 1
            chars += 1
        elif kind == _C2 and i < size and b[i] == 0xA0:
            if not spaced:
                chars += 1
                spaced = 2
            continue
        elif kind == _MARK:
            chars += 1
            marks += 1
        elif kind == _WIDE:
            chars += 2
        elif kind == _E3:
            chars += 2
            marks += i + 1 < size and b[i] == 0x80 and (b[i + 1] == 0x81 or b[i + 1] == 0x82)
        else:
            chars += 1
            marks += kind == _EF and i + 1 < size and b[i] == 0xBC and _is_wide_mark(b[i + 1])
        spaced = 0
        seen = True
    depth = now[TOP]
    if now[SKIP] <= depth:
        if not (seen and nodes[stack[depth]["node"]]["tag"] == _HEAD):
            return i
        pop(b, nodes, segments, blocks, now, stack, traits, depth - 1, start)  # text ends a head
        depth = now[TOP]
    node = stack[depth]["node"]
    if not seen and not now[OPEN] and not nodes[node]["formats"] & T.PRE:
        return i
    add_segment(nodes, segments, blocks, now, stack, traits, TEXT, node, start, i, chars)
    blocks[now[BLOCKS]]["marks"] += marks
    now[SPACED] = spaced
    return i


@njit(nogil=True, cache=True)
def is_blank_entity(b: Bytes, i: int) -> bool:
    """Whether ``nbsp;`` or ``#160;`` begins at byte ``i``."""
    if i + 4 >= len(b) or b[i + 4] != 59:
        return False
    if b[i] == 110:
        return b[i + 1] == 98 and b[i + 2] == 115 and b[i + 3] == 112
    return b[i] == 35 and b[i + 1] == 49 and b[i + 2] == 54 and b[i + 3] == 48


@njit(nogil=True, cache=True)
def _is_wide_mark(byte: np.uint8) -> bool:
    """The third byte of ！ ， ． ： ； ？"""
    return byte == 0x81 or byte == 0x8C or byte == 0x8E or byte == 0x9A or byte == 0x9B or byte == 0x9F


@njit(nogil=True, cache=True)
def _to_bracket(b: Bytes, i: int) -> int:
    while i < len(b) and b[i] != 62:
        i += 1
    return min(i + 1, len(b))


@njit(nogil=True, cache=True)
def _declaration(
    b: Bytes,
    i: int,
    nodes: Records,
    segments: Records,
    blocks: Records,
    now: Longs,
    stack: Records,
    traits: Records,
    kinds: Bytes,
    xml: bool,
) -> int:
    """What begins with ``<!``: a comment, a doctype, a CDATA section. Returns the byte after it."""
    size = len(b)
    if i + 1 < size and b[i] == 45 and b[i + 1] == 45:
        i += 2
        if i < size and b[i] == 62:
            return i + 1
        if i + 1 < size and b[i] == 45 and b[i + 1] == 62:
            return i + 2
        while i + 2 < size:
            if b[i] == 45 and b[i + 1] == 45:
                if b[i + 2] == 62:
                    return i + 3
                if b[i + 2] == 33 and i + 3 < size and b[i + 3] == 62:
                    return i + 4
            i += 1
        return size
    foreign = xml or now[FOREIGN] <= now[TOP]
    if foreign and i + 6 < size and b[i] == 91 and b[i + 1] == 67 and b[i + 2] == 68 and b[i + 6] == 91:
        start = i = i + 7
        while i + 2 < size and not (b[i] == 93 and b[i + 1] == 93 and b[i + 2] == 62):
            i += 1
        end = i if i + 2 < size else size
        if end > start:
            i = _text(b[:end], start, nodes, segments, blocks, now, stack, traits, kinds)
            if i < end:
                return i  # markup in it is read as markup
        return min(end + 3, size)
    return _to_bracket(b, i)


@njit(nogil=True, cache=True)
def _start_tag(
    b: Bytes,
    i: int,
    nodes: Records,
    segments: Records,
    blocks: Records,
    now: Longs,
    stack: Records,
    traits: Records,
    names: Records,
    step: NDArray[np.int16],
    found: Hashes,
    symbols: Bytes,
    xml: bool,
) -> int:
    """The start tag whose name begins at byte ``i``; returns the byte after it, or after its raw text."""
    size = len(b)
    start = i
    hashed = start_hash()
    custom = False
    while i < size and not (b[i] == 62 or b[i] == 47 or is_space(b[i])):
        hashed = add_to_hash(hashed, b[i])
        custom |= b[i] == 45
        i += 1
    hashed_name = hashed
    tag = int(names[place_of(names, hashed)]["tag"])
    name_end = i
    flags = traits[tag]["flags"]

    if (tag in (_HTML, _BODY)) and now[TOP] > 0:
        if tag == _BODY and not now[SEEN_BODY]:
            leave_head(b, nodes, segments, blocks, now, stack, traits, start - 1)
        if tag == _HTML or now[SEEN_BODY]:
            return skip_attributes(b, i)
    if tag == _BODY:
        now[SEEN_BODY] = 1
    elif tag == _HEAD:
        if now[SEEN_BODY]:
            return skip_attributes(b, i)
    elif not _IN_HEAD[tag]:
        leave_head(b, nodes, segments, blocks, now, stack, traits, start - 1)
    close_implied(b, tag, flags, nodes, segments, blocks, now, stack, traits, start - 1)
    if flags & T.BLOCK:
        flush(b, nodes, segments, blocks, now, stack, traits)

    node = add_node(nodes, segments, blocks, now, stack, traits, tag, name_end)
    mask = nodes[node]["categories"]
    if custom and not tag:
        mask |= match(step, found, symbols, b, start, name_end, BOUNDARY)
    alt_start = alt_end = -1
    formula = shadow = False
    after_value = i
    while True:
        i, hashed, first, last = next_attribute(b, i)
        if hashed == np.uint64(0):
            break
        after_value = i
        attribute = names[place_of(names, hashed)]["attribute"]
        if attribute == 0:
            continue
        if attribute in (_CLASS, _ID):
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
    foreign = now[FOREIGN] <= depth
    skipped = now[SKIP] <= depth
    if not skipped and alt_end > alt_start and (tag == _MATH or (tag == _IMG and mask & _MATH_WORDS)):
        add_segment(nodes, segments, blocks, now, stack, traits, FORMULA, node, alt_start, alt_end, 1)
        nodes[node]["last"] = now[BLOCKS] + 1
    if tag == _BR and not skipped and now[OPEN]:
        add_segment(nodes, segments, blocks, now, stack, traits, BREAK, node, i, i, 0)
        now[SPACED] = 1
    if flags & T.VOID or (closed and (xml or foreign or bool(flags & T.FOREIGN))):
        return i
    if flags & T.RAW and not foreign:
        end = _raw_end(b, i, hashed_name)
        nodes[node]["outer"] = end
        if formula and tag == _SCRIPT and not skipped and end > i:
            add_segment(nodes, segments, blocks, now, stack, traits, FORMULA, node, i, end, 1)
            nodes[node]["last"] = now[BLOCKS] + 1
        return skip_attributes(b, end + 2) if end < size else size
    if depth >= DEPTH:
        now[OVER] += bool(flags & T.BLOCK)
        return i
    depth += 1
    stack[depth]["node"] = node
    stack[depth]["block"] = node if flags & T.BLOCK else stack[depth - 1]["block"]
    now[TOP] = depth
    if flags & T.FOREIGN and not foreign:
        now[FOREIGN] = depth
        now[MATH_SEGMENTS], now[MATH_BLOCKS] = now[SEGMENTS], now[BLOCKS]
        block = now[BLOCKS]
        now[MATH_CHARS] = blocks[block]["chars"] if now[OPEN] else 0
        now[MATH_LINKS] = blocks[block]["links"] if now[OPEN] else 0
        now[MATH_MARKS] = blocks[block]["marks"] if now[OPEN] else 0
    if not skipped:
        if tag == _ANNOTATION and formula:
            _annotate(b, i, nodes, segments, blocks, now, stack, traits)
        if (
            (tag == _MATH and alt_end > alt_start)
            or tag == _ANNOTATION
            or (flags & T.SKIP and not (tag == _TEMPLATE and shadow))
            or (nodes[node]["hidden"] and not flags & T.BLOCK)
        ):
            now[SKIP] = depth
    return i


@njit(nogil=True, cache=True)
def _annotate(
    b: Bytes,
    start: int,
    nodes: Records,
    segments: Records,
    blocks: Records,
    now: Longs,
    stack: Records,
    traits: Records,
) -> None:
    """The TeX that an annotation gives from byte ``start`` on takes the place of the formula's own text."""
    if now[FOREIGN] > now[TOP] or now[MATH_BLOCKS] != now[BLOCKS]:
        return
    if stack[now[TOP]]["block"] != stack[now[FOREIGN]]["block"]:
        return
    end = start
    while end < len(b) and b[end] != 60:
        end += 1
    if end == start:
        return
    node = stack[now[FOREIGN]]["node"]
    now[SEGMENTS] = now[MATH_SEGMENTS]
    if now[OPEN]:
        block = now[BLOCKS]
        blocks[block]["chars"] = now[MATH_CHARS]
        blocks[block]["links"] = now[MATH_LINKS]
        blocks[block]["marks"] = now[MATH_MARKS]
    add_segment(nodes, segments, blocks, now, stack, traits, FORMULA, node, start, end, 1)


@njit(nogil=True, cache=True)
def _raw_end(b: Bytes, i: int, name: np.uint64) -> int:
    """Where the end tag of the raw text from byte ``i`` on begins, or the end of the page."""
    size = len(b)
    while i + 1 < size:
        if b[i] == 60 and b[i + 1] == 47:
            j = i + 2
            stop = min(j + 10, size)  # no raw element has a longer name
            hashed = start_hash()
            while j < stop and not (b[j] == 62 or b[j] == 47 or is_space(b[j])):
                hashed = add_to_hash(hashed, b[j])
                j += 1
            if hashed == name:
                return i
        i += 1
    return size


@njit(nogil=True, cache=True)
def _end_tag(
    b: Bytes,
    i: int,
    nodes: Records,
    segments: Records,
    blocks: Records,
    now: Longs,
    stack: Records,
    traits: Records,
    names: Records,
) -> int:
    """The end tag whose name begins at byte ``i``; returns the byte after it."""
    size = len(b)
    at = i - 2
    hashed = start_hash()
    while i < size and not (b[i] == 62 or b[i] == 47 or is_space(b[i])):
        hashed = add_to_hash(hashed, b[i])
        i += 1
    tag = int(names[place_of(names, hashed)]["tag"])
    i = skip_attributes(b, i)
    flags = traits[tag]["flags"]
    depth = now[TOP]
    if tag == _BR:
        if now[OPEN] and now[SKIP] > depth:
            add_segment(nodes, segments, blocks, now, stack, traits, BREAK, stack[depth]["node"], i, i, 0)
            now[SPACED] = 1
        return i
    if tag in (_HTML, _BODY) or flags & T.VOID:
        return i
    close_named(b, nodes, segments, blocks, now, stack, traits, tag, at)
    return i
