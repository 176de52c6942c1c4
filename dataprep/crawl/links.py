"""The links of a page: every place HTML puts a URL that a reader could follow, in document order, each once.

Decisions:
- From a, area, link (canonical, alternate, next, prev), iframe, frame, meta refresh within 5 s and the Link header;
  the first ``<base href>`` resolves them. Never from forms, scripts, styles or images.
- Lexbor's time is quadratic in nesting and in the attributes of one tag, so a page is looked over once in linear time
  first, and what is too deep, too wide or over 2 MiB gives only those of its header. What the guard cannot see is
  stopped by the CPU limit of the child process these functions run in (``linkchild``).
"""

import re
from collections.abc import Iterator

from selectolax.lexbor import LexborHTMLParser, LexborNode

from dataprep.crawl.urls import normalise

MAX_HTML = 2 << 20
MAX_DEPTH = 5000
MAX_ATTRIBUTES = 2000
REFRESH_SECONDS = 5.0
LINK_RELATIONS = frozenset({"canonical", "alternate", "next", "prev"})

# Possessive quantifiers throughout, and every construct may end at the end of the text: one pass, no way back.
_ATTRIBUTE = r"[^\s/>][^\s/>=]*+(?:\s*+=\s*+(?:\"[^\"]*+(?:\"|\Z)|'[^']*+(?:'|\Z)|[^\s>\"'][^\s>]*+|(?=>|\Z)))?+"
_TAG = re.compile(rf"<!--.*?(?:-->|\Z)|<(/?)([a-zA-Z][^\s/>]*+)((?:[\s/]++|{_ATTRIBUTE})*+)(?:>|\Z)", re.DOTALL)
_ATTRIBUTES = re.compile(_ATTRIBUTE)
# Void elements, and those whose end tag may be left out and which then do not nest.
_FLAT = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"}
    | {"p", "li", "dt", "dd", "tr", "td", "th", "thead", "tbody", "tfoot", "colgroup", "caption"}
    | {"option", "optgroup", "rb", "rt", "rp", "html", "head", "body"}
)
_CHARSET_HEADER = re.compile(r"charset\s*=\s*[\"']?([^\s\"';,]+)", re.IGNORECASE)
_CHARSET_META = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?([A-Za-z0-9_:.-]+)", re.IGNORECASE)
_REFRESH = re.compile(r"\s*([\d.]+)\s*[;,]?\s*(?:url\s*=\s*)?[\"']?([^\"']*)", re.IGNORECASE)
_LINK_HEADER = re.compile(r"<([^<>]*)>([^,<]*)")
_REL = re.compile(r"\brel\s*=\s*\"?([^\";]*)", re.IGNORECASE)


def hazard(html: str) -> str | None:
    """Why a page is not given to the parser (``size``, ``depth``, ``attributes``), or None. Linear in its length."""
    if len(html) > MAX_HTML:
        return "size"
    deep = html.count("<") > MAX_DEPTH
    if not deep and len(html) <= 2 * MAX_ATTRIBUTES:
        return None
    open_tags: dict[str, int] = {}
    depth = 0
    for match in _TAG.finditer(html):
        closing, name, attributes = match.groups()
        if name is None:
            continue
        if len(attributes) > 2 * MAX_ATTRIBUTES and len(_ATTRIBUTES.findall(attributes)) > MAX_ATTRIBUTES:
            return "attributes"
        if not deep:
            continue
        name = name.lower()
        if name in _FLAT:
            continue
        if not closing:
            open_tags[name] = open_tags.get(name, 0) + 1
            depth += 1
            if depth > MAX_DEPTH:
                return "depth"
        elif open_tags.get(name, 0):
            open_tags[name] -= 1
            depth -= 1
    return None


def decode_html(body: bytes, content_type: str) -> str:
    """Text of a page for reading its links: byte-order mark, header, ``<meta>`` in 1,024 bytes, else UTF-8."""
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        return body.decode("utf-16", "replace")
    header = _CHARSET_HEADER.search(content_type)
    meta = _CHARSET_META.search(body[:1024])
    name = header[1] if header else meta[1].decode("ascii") if meta else "utf-8"
    try:
        return body.decode(name, "replace")
    except (LookupError, UnicodeError):
        return body.decode("utf-8", "replace")


def extract_links(html: str, url: str, link_headers: list[str]) -> tuple[list[str], str | None]:
    """Normal URLs that the page at ``url`` links to, without itself, and why its HTML was not read (``hazard``)."""
    reason = hazard(html)
    if reason is not None:
        found = list(_header_links(link_headers))
        base = url
    else:
        tree = LexborHTMLParser(html)
        base = _base(tree, url)
        found = [*_header_links(link_headers), *_tree_links(tree)]
    links: dict[str, None] = {}
    for link in found:
        # most links of a page are to places inside it
        if link and not link.startswith("#") and (target := normalise(link, base)) is not None:
            links[target] = None
    links.pop(url, None)
    return list(links), reason


def _base(tree: LexborHTMLParser, url: str) -> str:
    for node in tree.css("base[href]"):
        return normalise(node.attributes.get("href") or "", url) or url
    return url


def _tree_links(tree: LexborHTMLParser) -> Iterator[str]:
    for node in tree.css("a[href], area[href], link[href], iframe[src], frame[src], meta[http-equiv]"):
        link = _link_of(node)
        if link:
            yield link


def _link_of(node: LexborNode) -> str | None:
    attributes = node.attributes
    if node.tag in ("a", "area"):
        return attributes.get("href")
    if node.tag in ("iframe", "frame"):
        return attributes.get("src")
    if node.tag == "link":
        relations = (attributes.get("rel") or "").lower().split()
        return attributes.get("href") if LINK_RELATIONS.intersection(relations) else None
    if (attributes.get("http-equiv") or "").lower() == "refresh":
        match = _REFRESH.match(attributes.get("content") or "")
        if match and match[2] and match[1].count(".") < 2 and float(match[1].strip(".") or 0) <= REFRESH_SECONDS:
            return match[2].strip()
    return None


def _header_links(headers: list[str]) -> Iterator[str]:
    for header in headers:
        for target, parameters in _LINK_HEADER.findall(header[:8192]):
            relation = _REL.search(parameters)
            if relation and LINK_RELATIONS.intersection(relation[1].lower().split()):
                yield target
