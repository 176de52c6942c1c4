"""The links of pages with their text, from the same scan: every place HTML puts a URL that a reader could follow.

- ``a`` and ``area``; ``link`` with rel canonical, alternate, next or prev; ``iframe`` and ``frame``; a meta refresh
  within 5 s. The first ``<base href>`` is one more row. Nothing of forms, scripts, styles or images, and nothing inside
  a ``template``, which nobody sees.
- URLs are as the page has them, references replaced; resolving them is for who knows the page's address.
- ``nofollow``, ``ugc`` and ``sponsored`` (https://developers.google.com/search/docs/crawling-indexing/qualify-outbound-links)
  are of the link, ``page_nofollow`` and ``page_noindex`` what ``<meta name=robots>`` asks for the whole page.
"""

from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dataprep.compiled import njit
from dataprep.html.dom.attributes import is_space, next_attribute
from dataprep.html.dom.entities import refer
from dataprep.html.dom.records import NODES, Dom, Records, room_for, tags_of
from dataprep.html.dom.scan import Tables, scan, tables
from dataprep.html.dom.tags import TAG
from dataprep.html.metadata.claims import ELEMENT, SPARE, hash_of, integers, text_of, word_at, word_table
from dataprep.text.utf8 import Bytes, Longs, Utf8, encode, text_column

KINDS = ("", "a", "area", "canonical", "alternate", "next", "prev", "frame", "refresh", "base")
NOTHING, ANCHOR, AREA, CANONICAL, ALTERNATE, NEXT, PREV, FRAME, REFRESH, BASE = integers(0, len(KINDS))
FLAGS = ("nofollow", "ugc", "sponsored", "page_nofollow", "page_noindex")
_NOFOLLOW, _UGC, _SPONSORED, _PAGE_NOFOLLOW, _PAGE_NOINDEX = (1 << bit for bit in range(len(FLAGS)))
LONGEST_TEXT = 500  # bytes of a link's text
_TEXT_ROOM = LONGEST_TEXT + SPARE - 4  # so that no character ends beyond
LONGEST_URL = 8192  # bytes; a longer one is no link
REFRESH_SECONDS = 5

LINK = np.dtype(
    [("page", np.int32), ("kind", np.uint8), ("flags", np.uint8), ("url", np.int64), ("text", np.int64)], align=True
)  # of url and text: where they end among those of all links

_A, _AREA, _BASE, _FRAME, _IFRAME, _LINK, _META, _TEMPLATE = (
    TAG[name] for name in ["a", "area", "base", "frame", "iframe", "link", "meta", "template"]
)
_KIND = np.zeros(256, np.int64)
_KIND[[_A, _AREA, _BASE, _FRAME, _IFRAME, _LINK, _META]] = ANCHOR, AREA, BASE, FRAME, FRAME, CANONICAL, REFRESH
_HREF, _SRC, _REL, _CONTENT, _HTTP, _NAME = range(1, 7)
_ATTRIBUTES = {"href": _HREF, "src": _SRC, "rel": _REL, "content": _CONTENT, "http-equiv": _HTTP, "name": _NAME}
_IS_REFRESH, _IS_ROBOTS, _RELATION, _FLAG = range(1, 5)
_VALUES = {
    "refresh": (_IS_REFRESH, 0), "robots": (_IS_ROBOTS, 0), "canonical": (_RELATION, CANONICAL),
    "alternate": (_RELATION, ALTERNATE), "next": (_RELATION, NEXT), "prev": (_RELATION, PREV),
    "nofollow": (_FLAG, _NOFOLLOW), "ugc": (_FLAG, _UGC), "sponsored": (_FLAG, _SPONSORED),
    "noindex": (_FLAG, _PAGE_NOINDEX), "none": (_FLAG, _PAGE_NOFOLLOW | _PAGE_NOINDEX),
}  # fmt: skip
_BLANK = np.uint8(32)


class Links(NamedTuple):
    """The links of a batch of pages, in their order."""

    rows: Records  # of LINK
    urls: Bytes
    texts: Bytes


@cache
def _tables() -> tuple[Records, Records]:
    return word_table({name: (code, 0) for name, code in _ATTRIBUTES.items()}), word_table(_VALUES)


def read_links(pages: pa.Array) -> pa.RecordBatch:
    """A row for each link of the pages, texts: ``page`` is the number of its page, ``kind`` one of `KINDS`."""
    found = find_links(Utf8.of(pages))
    kinds = pa.DictionaryArray.from_arrays(pa.array(found.rows["kind"].astype(np.int8)), pa.array(KINDS))
    columns = {
        "page": pa.array(found.rows["page"]),
        "kind": kinds,
        "url": _column(found.urls, found.rows["url"]),
        "text": _column(found.texts, found.rows["text"]),
        **{name: pa.array(found.rows["flags"] >> bit & 1 == 1) for bit, name in enumerate(FLAGS)},
    }
    return pa.RecordBatch.from_pydict(columns)


def _column(values: Bytes, ends: Longs) -> pa.Array:
    return text_column(values, np.concatenate([np.zeros(1, np.int64), ends]), pa.string())


def find_links(pages: Utf8) -> Links:
    attributes, words = _tables()
    dom = room_for(int(tags_of(pages.values, pages.offsets).max(initial=0)))
    return Links(*_find_links(pages.values, pages.offsets, dom, tables(), attributes, words))


@njit(nogil=True, cache=True)
def _find_links(
    values: Bytes, offsets: Longs, dom: Dom, tables: Tables, attributes: Records, words: Records
) -> tuple[Records, Bytes, Bytes]:
    rows = np.empty(1024, LINK)
    urls = np.empty(1 << 16, np.uint8)
    texts = np.empty(1 << 16, np.uint8)
    count = url_end = text_end = 0
    spans = np.zeros((7, 2), np.int64)  # of the attributes of one element
    for page in range(len(offsets) - 1):
        b = values[offsets[page] : offsets[page + 1]]
        scan(b, dom, tables)
        before = count
        robots = template = 0
        based = False
        for node in range(dom.counts[NODES]):
            tag = dom.nodes[node]["tag"]
            if tag == _TEMPLATE:
                template = max(template, dom.nodes[node]["end"])
            kind = _KIND[tag]
            if kind == NOTHING or node < template or (kind == BASE and based):
                continue
            _attributes(b, dom.nodes[node]["attributes"], attributes, spans)
            kind, flags, place = _kind(b, kind, spans, words)
            if kind == NOTHING:
                robots |= flags
                continue
            start, end = spans[place, 0], spans[place, 1]
            if end < start or end - start > LONGEST_URL:
                continue
            rows = _room(rows, count, 1)
            urls = _room(urls, url_end, 2 * (end - start) + 4)  # no reference is shorter than half of what it means
            size = _value(b, start, end, urls, url_end)
            if kind == REFRESH:
                size = _refresh(urls, url_end, size)
                if size == url_end:
                    continue
            based |= kind == BASE
            url_end = size
            if kind == ANCHOR:
                texts = _room(texts, text_end, _TEXT_ROOM)
                text_end += text_of(b, dom, ELEMENT, node, node, texts[text_end : text_end + _TEXT_ROOM])
            rows[count]["page"] = page
            rows[count]["kind"] = kind
            rows[count]["flags"] = flags
            rows[count]["url"] = url_end
            rows[count]["text"] = text_end
            count += 1
        for row in range(before, count):
            rows[row]["flags"] |= robots
    return rows[:count], urls[:url_end], texts[:text_end]


@njit(nogil=True, cache=True)
def _room(array: NDArray[Any], used: int, more: int) -> NDArray[Any]:
    """The array, or twice as much with the same beginning if it has no room for ``more``."""
    if used + more <= len(array):
        return array
    larger = np.empty(2 * (used + more), array.dtype)
    larger[:used] = array[:used]
    return larger


@njit(nogil=True, cache=True)
def _attributes(b: Bytes, i: int, attributes: Records, spans: Longs) -> None:
    """Where the first value of each attribute starts and ends; it ends before it starts if there is none."""
    spans[:, 0] = 0
    spans[:, 1] = -1
    while True:
        i, hashed, start, end = next_attribute(b, i)
        if hashed == np.uint64(0):
            return
        code, _ = word_at(attributes, hashed)
        if code and spans[code, 1] < 0:
            spans[code, 0], spans[code, 1] = start, end


@njit(nogil=True, cache=True)
def _kind(b: Bytes, kind: int, spans: Longs, words: Records) -> tuple[int, int, int]:
    """Kind and flags of what an element links to, and in which attribute; the flags of no link are the page's."""
    if kind == FRAME:
        return kind, 0, _SRC
    if kind == BASE:
        return kind, 0, _HREF
    if kind != REFRESH:
        relation, flags = _words(b, spans[_REL, 0], spans[_REL, 1], words)
        if kind == CANONICAL:
            kind = relation
        return kind, flags & (_NOFOLLOW | _UGC | _SPONSORED) if kind else 0, _HREF
    meaning, _ = word_at(words, hash_of(b, spans[_HTTP, 0], spans[_HTTP, 1]))
    if meaning == _IS_REFRESH:
        return kind, 0, _CONTENT
    meaning, _ = word_at(words, hash_of(b, spans[_NAME, 0], spans[_NAME, 1]))
    if meaning != _IS_ROBOTS:
        return NOTHING, 0, 0
    _, flags = _words(b, spans[_CONTENT, 0], spans[_CONTENT, 1], words)
    if flags & _NOFOLLOW:
        flags |= _PAGE_NOFOLLOW
    return NOTHING, flags & (_PAGE_NOFOLLOW | _PAGE_NOINDEX), 0


@njit(nogil=True, cache=True)
def _words(b: Bytes, start: int, end: int, words: Records) -> tuple[int, int]:
    """The first relation among the words of a value, and the flags of all of them."""
    relation, flags = NOTHING, 0
    i = start
    while i < end:
        first = i
        while i < end and not is_space(b[i]) and b[i] != 44:
            i += 1
        meaning, which = word_at(words, hash_of(b, first, i))
        if meaning == _FLAG:
            flags |= which
        elif meaning == _RELATION and relation == NOTHING:
            relation = which
        i += 1
    return relation, flags


@njit(nogil=True, cache=True)
def _value(b: Bytes, start: int, end: int, out: Bytes, at: int) -> int:
    """Write an attribute's value to ``out`` from byte ``at`` on, references replaced; where it ends."""
    i = start
    while i < end:
        if b[i] == 38:
            i, first, second = refer(b, i, end, True)
            for code in (first, second):
                if code:
                    at += encode(code, out, at)
        else:
            out[at] = b[i]
            at += 1
            i += 1
    return at


@njit(nogil=True, cache=True)
def _refresh(text: Bytes, start: int, end: int) -> int:
    """Leave of the content of a meta refresh its URL, from ``start`` on, or nothing if it is not soon; where it ends.

    As in the HTML Standard, 4.2.5.3, but a time with two points is none.
    """
    i = _after_blanks(text, start, end)
    digits = points = seconds = 0
    while i < end and (48 <= text[i] <= 57 or text[i] == 46):
        if text[i] == 46:
            points += 1
        else:
            digits += 1
            if points == 0:
                seconds = min(10 * seconds + int(text[i]) - 48, 1000)
            elif text[i] != 48 and seconds == REFRESH_SECONDS:
                seconds += 1
        i += 1
    if digits + points == 0 or points > 1 or seconds > REFRESH_SECONDS:
        return start
    i = _after_blanks(text, i, end)
    if i < end and (text[i] == 59 or text[i] == 44):
        i = _after_blanks(text, i + 1, end)
    if i + 2 < end and text[i] | _BLANK == 117 and text[i + 1] | _BLANK == 114 and text[i + 2] | _BLANK == 108:
        k = _after_blanks(text, i + 3, end)
        if k < end and text[k] == 61:
            i = _after_blanks(text, k + 1, end)
    if i < end and (text[i] == 34 or text[i] == 39):
        i += 1
    at = start
    while i < end and text[i] != 34 and text[i] != 39:
        text[at] = text[i]
        at += 1
        i += 1
    return at


@njit(nogil=True, cache=True)
def _after_blanks(text: Bytes, i: int, end: int) -> int:
    while i < end and is_space(text[i]):
        i += 1
    return i
