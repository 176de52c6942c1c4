"""The links of a page: every place HTML puts a URL that a reader could follow, in document order, each once.

Decisions:
- From the Link header, and from what ``dataprep.html.links`` finds in the page; the first ``<base href>`` resolves
  them. Never from forms, scripts, styles or images.
- The page is scanned in linear time and decoded as it is when its text is extracted. Only memory has to be bounded:
  about 200 bytes a tag, so the links of the first ``MAX_TAGS`` tags are read.
- ``rel=nofollow`` is a hint for ranking and decides nothing here.
"""

import re
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from dataprep.html.decode.charset import decode
from dataprep.html.links import BASE, find_links
from dataprep.sources.http import media_type
from dataprep.text.utf8 import Utf8, frozen
from dataprep.urls import normalise

MAX_TAGS = 250_000
LINK_RELATIONS = frozenset({"canonical", "alternate", "next", "prev"})

_LINK_HEADER = re.compile(r"<([^<>]*)>([^,<]*)")
_REL = re.compile(r"\brel\s*=\s*\"?([^\";]*)", re.IGNORECASE)


def extract_links(body: bytes, content_type: str, url: str, link_headers: list[str]) -> tuple[list[str], bool]:
    """Normal URLs that the page at ``url`` links to, without itself, and whether all of it was read."""
    text = decode(body, media_type(content_type)[1], html=True).text.encode("utf-8", "replace")
    whole = text.count(b"<") <= MAX_TAGS
    if not whole:
        text = b"<".join(text.split(b"<", MAX_TAGS)[:MAX_TAGS])
    found = find_links(Utf8(frozen(np.frombuffer(text, np.uint8)), np.array([0, len(text)])))
    urls = found.urls.tobytes()
    ends = [0, *found.rows["url"].tolist()]
    targets = [urls[start:end].decode() for start, end in pairwise(ends)]
    base = url
    for row in np.flatnonzero(found.rows["kind"] == BASE).tolist():  # at most one
        base = normalise(targets.pop(row), url) or url
    links: dict[str, None] = {}
    for link in (*_header_links(link_headers), *targets):
        # most links of a page are to places inside it
        if link and not link.startswith("#") and (target := normalise(link, base)) is not None:
            links[target] = None
    links.pop(url, None)
    return list(links), whole


def _header_links(headers: list[str]) -> Iterator[str]:
    for header in headers:
        for target, parameters in _LINK_HEADER.findall(header[:8192]):
            relation = _REL.search(parameters)
            if relation and LINK_RELATIONS.intersection(relation[1].lower().split()):
                yield target
