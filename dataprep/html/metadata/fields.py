"""What a page says about itself: title, author, date, language, address and kind, from the flat DOM.

Sources in order of belief; what a source says must have the shape of the field, or the next is asked:

- ``title``: the ``h1`` that one of the following begins with; headline or name of JSON-LD of an article, ``og:title``,
  other meta elements, name of JSON-LD of a page, ``<title>``; the first ``h1``. The site's name (``og:site_name``,
  ``application-name``) is cut off; from ``<title>``, if the site is not known, the last of several parts.
- ``author``: persons of JSON-LD, of the article before the page; meta elements; links with rel=author; elements with
  itemprop=author, and such whose class says author, without words like "by". Several are joined by "; ". No addresses,
  no hosts, nobody called "admin"; the site's own name only if nobody else signs; nobody inside comments.
- ``published``: the path of the page's URL (what it was asked by, canonical, ``og:url``), which is in the publisher's
  own time; meta elements; JSON-LD of the page, of the article; itemprop=datePublished; ``<time>``; elements whose
  class says date; meta elements that may mean another date; the first date in a short block near a heading.
  ``YYYY-MM-DD``, or ``YYYY-MM-DDTHH:MM:SS`` with ``Z`` or ``+HH:MM`` if the page says which; never converted.
- ``language``: lang, xml:lang of ``<html>``; content-language; JSON-LD; ``og:locale``.
- ``canonical``: the link, ``og:url``; absolute. ``og_type`` and ``json_ld_type`` as they are.

The names and words are in ``words/metadata.yaml``. They follow trafilatura 2.3 (``metadata.py``) and htmldate 1.11.
"""

import ada_url
import pyarrow as pa
import pyarrow.compute as pc

from dataprep.compiled import njit
from dataprep.html.dom.records import Dom, count_tags, room_for
from dataprep.html.dom.scan import Tables, scan, tables
from dataprep.html.metadata.choose import (
    Found,
    choose_author,
    choose_first,
    choose_language,
    choose_published,
    choose_title,
    room,
)  # fmt: skip
from dataprep.html.metadata.claims import BASE, CANONICAL, JSON_TYPE, OG_TYPE
from dataprep.html.metadata.collect import Words, collect, words
from dataprep.text.utf8 import Bytes, Longs, Utf8, text_column

COLUMNS = ("title", "author", "published", "language", "canonical", "og_type", "json_ld_type")


@njit(nogil=True, cache=True)
def metadata(b: Bytes, dom: Dom, url: Bytes, words: Words, found: Found, page: int) -> None:
    """Find the fields of the page ``b``, number ``page`` of the batch, which was at ``url`` (empty if not known)."""
    collect(b, dom, words, found.claims, found.counts)
    choose_title(b, dom, words, found, page)
    choose_author(b, dom, words, found, page)
    choose_language(b, dom, words, found, page)
    choose_published(b, dom, url, words, found, page)
    for field in (CANONICAL, OG_TYPE, JSON_TYPE, BASE):
        choose_first(b, dom, words, found, page, field)


def columns(found: Found, urls: pa.Array) -> dict[str, pa.Array]:
    """The `COLUMNS` of a batch whose pages all went through `metadata`; null where a page says nothing."""
    texts = [text_column(found.text, ends, pa.string()) for ends in found.ends]
    texts[CANONICAL] = _absolute(texts[CANONICAL], texts[BASE], urls)
    return {
        name: pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)
        for name, text in zip(COLUMNS, texts, strict=False)
    }


def _absolute(links: pa.Array, bases: pa.Array, urls: pa.Array) -> pa.Array:
    relative = pc.invert(pc.or_(pc.equal(links, ""), pc.match_substring_regex(links, "^(?i:https?)://[^/]")))
    rows = pc.indices_nonzero(relative)
    if not len(rows):
        return links
    columns = (column.take(rows).to_pylist() for column in (links, bases, urls))
    joined = [_join(link, _join(base, url) or url) for link, base, url in zip(*columns, strict=True)]
    return pc.replace_with_mask(links, relative, pa.array(joined, pa.string()))


def _join(link: str, base: str) -> str:
    """The web address that a link means, or nothing."""
    try:
        href: str = ada_url.URL(link, base or None).href
    except ValueError:
        return ""
    return href if href.startswith(("http://", "https://")) else ""


def read_metadata(pages: pa.Array, urls: pa.Array) -> dict[str, pa.Array]:
    """The `COLUMNS` of pages, text, each from the URL in ``urls`` (empty if not known)."""
    texts, addresses = Utf8.of(pages), Utf8.of(urls)
    found = room(texts.documents)
    dom = room_for(_most_tags(texts.values, texts.offsets))
    _read_pages(texts.values, texts.offsets, addresses.values, addresses.offsets, dom, tables(), words(), found)
    return columns(found, urls)


@njit(nogil=True, cache=True)
def _read_pages(
    values: Bytes,
    offsets: Longs,
    urls: Bytes,
    url_offsets: Longs,
    dom: Dom,
    tables: Tables,
    words: Words,
    found: Found,
) -> None:
    for page in range(len(offsets) - 1):
        b = values[offsets[page] : offsets[page + 1]]
        scan(b, dom, tables)
        metadata(b, dom, urls[url_offsets[page] : url_offsets[page + 1]], words, found, page)


@njit(nogil=True, cache=True)
def _most_tags(values: Bytes, offsets: Longs) -> int:
    most = 0
    for page in range(len(offsets) - 1):
        most = max(most, count_tags(values[offsets[page] : offsets[page + 1]]))
    return most
