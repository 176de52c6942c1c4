"""What a page says about itself: title, author, date, language, address and kind, from the flat DOM.

Sources in order of belief; what a source says must have the shape of the field, or the next is asked:

- ``title``: the ``h1`` that one of the following begins with, if punctuation or less than there was follows; headline
  or name of JSON-LD of an article, ``og:title``, other meta elements, name of JSON-LD of a page, ``<title>``; the first
  ``h1``. The site's name (``og:site_name``, ``application-name``) is cut off; from ``<title>``, if the site is not
  known, the last of several parts.
- ``author``: persons of JSON-LD, of the article before the page; meta elements; links with rel=author; elements with
  itemprop=author, and such whose class says author, without words like "by". Several are joined by "; ". No addresses,
  no hosts, nobody called "admin"; the site's own name only if nobody else signs; nobody inside comments or lists of
  other pages, in a cell of a table or in the midst of a paragraph.
- ``published``: the path of the page's URL (what it was asked by, canonical, ``og:url``), which is in the publisher's
  own time; meta elements; JSON-LD of the page, of the article; itemprop=datePublished; eight digits in the path;
  ``<time>``; elements whose class says date; meta elements that may mean another date; the first date in a short block
  near a heading that is no sentence. No day after the page was fetched; none in a list of other pages.
  ``YYYY-MM-DD``, or ``YYYY-MM-DDTHH:MM:SS`` with ``Z`` or ``+HH:MM`` if the page says which; never converted.
- ``language``: lang, xml:lang of ``<html>``; content-language; JSON-LD; ``og:locale``.
- ``canonical``: the link, ``og:url``; absolute. ``json_ld_type`` as it is.

The names and words are in ``words/metadata.yaml``. They follow trafilatura 2.3 (``metadata.py``) and htmldate 1.11.
"""

from datetime import timedelta

import ada_url
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataprep.compiled import njit
from dataprep.html.dom.records import Dom
from dataprep.html.metadata.choose import (
    Found,
    choose_author,
    choose_first,
    choose_language,
    choose_published,
    choose_title,
)  # fmt: skip
from dataprep.html.metadata.claims import BASE, CANONICAL, JSON_TYPE
from dataprep.html.metadata.collect import Words, collect
from dataprep.html.metadata.dates import FIRST_WEB_DAY, LAST_DAY
from dataprep.text.utf8 import Bytes, Longs, text_column

COLUMNS = ("title", "author", "published", "language", "canonical", "json_ld_type")


@njit(nogil=True, cache=True)
def metadata(b: Bytes, dom: Dom, url: Bytes, latest: int, words: Words, found: Found, page: int) -> None:
    """Find the fields of the page ``b``, number ``page`` of the batch, which was at ``url`` (empty if not known).

    It was published on the day ``latest`` or before.
    """
    collect(b, dom, words, found.claims, found.counts)
    choose_title(b, dom, words, found, page)
    choose_author(b, dom, words, found, page)
    choose_language(b, dom, words, found, page)
    choose_published(b, dom, url, latest, words, found, page)
    for field in (CANONICAL, JSON_TYPE, BASE):
        choose_first(b, dom, words, found, page, field)


def latest_days(fetched: pa.Array) -> Longs:
    """The last day that pages fetched at these times can be from: with zones that of tomorrow (see `dates`).

    A time before there was a web, or none, says nothing.
    """
    tomorrow = pc.fill_null(pc.add(fetched.cast(pa.timestamp("ms")), pa.scalar(timedelta(days=1))), 0)
    numbers = [function(tomorrow).to_numpy() for function in (pc.year, pc.month, pc.day)]
    days = numbers[0] * 10000 + numbers[1] * 100 + numbers[2]
    return np.where(days < FIRST_WEB_DAY, LAST_DAY, days)


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
