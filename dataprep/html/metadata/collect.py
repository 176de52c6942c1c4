"""From elements to claims: one walk over the nodes, which reads the attributes of those few that may say something."""

from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np
import yaml

from dataprep.compiled import njit
from dataprep.html.dom.attributes import next_attribute
from dataprep.html.dom.automaton import CATEGORY
from dataprep.html.dom.records import NODES, Dom, Records
from dataprep.html.dom.tags import TAG
from dataprep.html.metadata.claims import (
    AUTHOR,
    BASE,
    CANONICAL,
    ELEMENT,
    FIELDS,
    FIRST,
    LANGUAGE,
    PUBLISHED,
    SECOND,
    SITE,
    TITLE,
    VALUE,
    Claims,
    Counts,
    claim,
    hash_of,
    integers,
    wide,
    word_at,
    word_table,
)  # fmt: skip
from dataprep.html.metadata.jsonld import ARTICLE, GROUP, KEYS, PAGE, read_json
from dataprep.html.metadata.names import AFTER, AND, BY, NOBODY
from dataprep.text.utf8 import Bytes, Longs

# how much a source is believed, by field; what is in the same place in words/metadata.yaml follows META
JSON_ARTICLE, META, _, JSON_PAGE = integers(0, 4)  # two ranks of META
ITEM, TIME, SHOWN = integers(4, 7)  # of dates: itemprop; a time element; an element whose class says date
LINKED, BYLINE = integers(5, 7)  # of authors, beside ITEM: rel=author; an element whose class says author
TITLE_ELEMENT, HEADING = integers(4, 6)  # of titles

LONG = 150  # characters outside links; no byline has more

_A, _BASE, _H1, _HTML, _LINK, _META, _SCRIPT, _SVG, _TD, _TH, _TIME, _TITLE = (
    TAG[name] for name in ["a", "base", "h1", "html", "link", "meta", "script", "svg", "td", "th", "time", "title"]
)
_READ = np.zeros(256, np.bool_)
_READ[[_BASE, _H1, _HTML, _LINK, _META, _SCRIPT, _SVG, _TIME, _TITLE]] = True
_DATED, _SIGNED = CATEGORY["meta"], CATEGORY["author"]
_OTHERS = CATEGORY["comment"] | CATEGORY["related"] | CATEGORY["news"]  # what is in these signs and dates only those

_NAME, _ITEMPROP, _HTTP, _CONTENT, _LANG, _XML_LANG, _REL, _HREF, _TYPE, _DATETIME = range(1, 11)
_ATTRIBUTES = {
    "name": _NAME, "property": _NAME, "itemprop": _ITEMPROP, "http-equiv": _HTTP, "content": _CONTENT, "lang": _LANG,
    "xml:lang": _XML_LANG, "rel": _REL, "href": _HREF, "type": _TYPE, "datetime": _DATETIME,
}  # fmt: skip
_LD_JSON, _CANONICAL, _AUTHOR = (np.frombuffer(word, np.uint8) for word in (b"ld+json", b"canonical", b"author"))
_META_NAMES = {
    "og:url": (CANONICAL, 1), "og:site_name": (SITE, 0), "application-name": (SITE, 1),
    "content-language": (LANGUAGE, 2), "og:locale": (LANGUAGE, 4),
}  # fmt: skip


class Words(NamedTuple):
    """Tables of words by hash, each with what it means."""

    attributes: Records
    names: Records  # of meta elements: field + 1 and rank
    keys: Records  # of JSON-LD
    types: Records
    months: Records
    phrases: Records  # around names
    ranks: Longs  # of JSON-LD, by type and field


@cache
def words() -> Words:
    """The tables, made once a process."""
    lists: dict[str, Any] = yaml.safe_load(files("dataprep.html").joinpath("words", "metadata.yaml").read_text("utf-8"))
    names = {name: (field + 1, rank) for name, (field, rank) in _META_NAMES.items()}
    for field, key in ((TITLE, "title"), (AUTHOR, "author"), (PUBLISHED, "published")):
        for rank, group in enumerate(lists[key], META):
            names |= dict.fromkeys(group, (field + 1, rank))
    types = dict.fromkeys(lists["article_types"], (ARTICLE, 0)) | dict.fromkeys(lists["page_types"], (PAGE, 0))
    types |= dict.fromkeys(lists["group_types"], (GROUP, 0))
    months = {
        form: (number, 0)
        for listed in lists["months"].values()
        for number, forms in enumerate(listed, 1)
        for form in forms.split()
    }
    phrases = {
        phrase: (kind, 0)
        for key, kind in (("by", BY), ("after", AFTER), ("nobody", NOBODY), ("and", AND))
        for listed in lists[key].values()
        for phrase in listed
    }
    ranks = np.full((3, FIELDS), JSON_PAGE)
    ranks[ARTICLE] = JSON_ARTICLE
    ranks[ARTICLE, LANGUAGE] = JSON_PAGE
    return Words(
        word_table({name: (code, 0) for name, code in _ATTRIBUTES.items()}),
        word_table(names),
        word_table({name: (code, 0) for name, code in KEYS.items()}),
        word_table(types),
        word_table(months),
        word_table(phrases),
        ranks,
    )


@njit(nogil=True, cache=True)
def collect(b: Bytes, dom: Dom, words: Words, claims: Claims, counts: Counts) -> None:
    """The claims of a page, in its order. Comments and lists of other pages sign and date only themselves."""
    counts[:] = 0
    nodes = dom.nodes
    total = dom.counts[NODES]
    starts = np.zeros(11, np.int64)
    ends = np.zeros(11, np.int64)
    signature = others = picture = 0  # the node after the last of them
    for node in range(total):
        tag = nodes[node]["tag"]
        categories = nodes[node]["categories"]
        if categories & _OTHERS and 2 * (nodes[node]["end"] - node) < total:
            others = max(others, nodes[node]["end"])
        shown = node >= others
        signed = shown and categories & _SIGNED != np.uint64(0) and not _mentions(dom, node)
        dated = shown and categories & _DATED != np.uint64(0)
        if signed:
            signature = max(signature, nodes[node]["end"])
        if not (_READ[tag] or signed or dated or (tag == _A and node < signature)):
            continue
        if tag == _SVG:
            picture = nodes[node]["end"]
        elif tag == _H1:
            claim(claims, counts, TITLE, HEADING, ELEMENT, node, node)
        elif tag == _TITLE and node >= picture:
            first, last = wide(nodes[node]["inner"]), wide(nodes[node]["outer"])
            claim(claims, counts, TITLE, TITLE_ELEMENT, VALUE, first, last)
        starts[:] = 0
        ends[:] = 0
        i = nodes[node]["attributes"]
        while True:
            i, hashed, first, last = next_attribute(b, i)
            if hashed == np.uint64(0):
                break
            code, _ = word_at(words.attributes, hashed)
            if code and ends[code] == 0:
                starts[code], ends[code] = first, last
        if tag == _META:
            for code in (_NAME, _ITEMPROP, _HTTP):
                if ends[code] > starts[code]:
                    field, rank = word_at(words.names, hash_of(b, starts[code], ends[code]))
                    if field:
                        claim(claims, counts, field - 1, rank, VALUE, starts[_CONTENT], ends[_CONTENT])
        elif tag == _SCRIPT:
            if _has(b, starts[_TYPE], ends[_TYPE], _LD_JSON):
                first, last = wide(nodes[node]["inner"]), wide(nodes[node]["outer"])
                read_json(b, first, last, words.keys, words.types, claims, counts, words.ranks)
        elif tag == _LINK:
            if _has(b, starts[_REL], ends[_REL], _CANONICAL):
                claim(claims, counts, CANONICAL, FIRST, VALUE, starts[_HREF], ends[_HREF])
        elif tag == _HTML:
            claim(claims, counts, LANGUAGE, FIRST, VALUE, starts[_LANG], ends[_LANG])
            claim(claims, counts, LANGUAGE, SECOND, VALUE, starts[_XML_LANG], ends[_XML_LANG])
        elif tag == _BASE:
            claim(claims, counts, BASE, FIRST, VALUE, starts[_HREF], ends[_HREF])
        elif shown:
            _shown(b, dom, words, claims, counts, node, tag, starts, ends, signed, dated)


@njit(nogil=True, cache=True)
def _mentions(dom: Dom, node: int) -> bool:
    """Whether the element is a cell of a table, or a word in a paragraph: whoever it names signs something else."""
    tag, first = dom.nodes[node]["tag"], dom.nodes[node]["first"]
    if tag in (_TD, _TH):
        return True
    inline = first < dom.nodes[node]["last"] and dom.blocks[first]["node"] < node
    return inline and dom.blocks[first]["chars"] - dom.blocks[first]["links"] > LONG


@njit(nogil=True, cache=True)
def _shown(
    b: Bytes,
    dom: Dom,
    words: Words,
    claims: Claims,
    counts: Counts,
    node: int,
    tag: int,
    starts: Longs,
    ends: Longs,
    signed: bool,
    dated: bool,
) -> None:
    """What an element says that readers see."""
    code = _DATETIME if ends[_DATETIME] > starts[_DATETIME] else _CONTENT
    how, first, last = VALUE, starts[code], ends[code]
    if last == first:
        how, first, last = ELEMENT, node, node
    field = 0
    if ends[_ITEMPROP] > starts[_ITEMPROP]:
        field, _ = word_at(words.names, hash_of(b, starts[_ITEMPROP], ends[_ITEMPROP]))
    if field == PUBLISHED + 1:
        claim(claims, counts, PUBLISHED, ITEM, how, first, last)
    elif tag == _TIME:
        claim(claims, counts, PUBLISHED, TIME, how, first, last)
    elif dated:
        claim(claims, counts, PUBLISHED, SHOWN, ELEMENT, node, node)
    if tag == _A and _has(b, starts[_REL], ends[_REL], _AUTHOR):
        claim(claims, counts, AUTHOR, LINKED, ELEMENT, node, node)
    elif field == AUTHOR + 1:
        claim(claims, counts, AUTHOR, ITEM, ELEMENT, node, node)
    elif signed:
        claim(claims, counts, AUTHOR, BYLINE, ELEMENT, node, node)


@njit(nogil=True, cache=True)
def _has(b: Bytes, start: int, end: int, word: Bytes) -> bool:
    """Whether the word, in small letters, is in ``b[start:end]``."""
    for i in range(start, end - len(word) + 1):
        k = 0
        while k < len(word) and (b[i + k] | np.uint8(32 if 65 <= b[i + k] <= 90 else 0)) == word[k]:
            k += 1
        if k == len(word):
            return True
    return False
