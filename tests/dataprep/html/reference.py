"""The words of a page and what they are in, once from the flat DOM and once from a real HTML5 parser (lexbor).

Both leave out the same elements: those of `tags.SKIP`, inline ones that are hidden, formulas.
"""

import html
import re
from bisect import bisect_right
from collections.abc import Iterator

import numpy as np
from selectolax.lexbor import LexborHTMLParser, LexborNode

from dataprep.html.dom import tags as T
from dataprep.html.dom.records import BREAK, TEXT, count_tags, room_for
from dataprep.html.dom.scan import scan, tables
from dataprep.html.dom.tags import TAGS

FLAGS = {name: int(flags) for name, flags in zip(TAGS, tables().traits["flags"], strict=True)}
HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
PRE = {"pre", "listing", "xmp", "plaintext"}
HIDES = re.compile(r"(?<![\w-])(display\s*:\s*none|visibility\s*:\s*hidden)", re.I)

Context = tuple[bool, str, bool, bool, bool]  # in a link, which heading, in pre, in an item, in a cell
NOTHING: Context = (False, "", False, False, False)
Piece = tuple[str, Context]


def inside(context: Context, tag: str, href: bool) -> Context:
    link, heading, pre, item, cell = context
    return (
        link or (tag == "a" and href),
        tag if tag in HEADINGS else heading,
        pre or tag in PRE,
        item or tag == "li",
        cell or tag in ("td", "th"),
    )


def lexbor_pieces(page: str) -> Iterator[Piece]:
    root = LexborHTMLParser(page.removeprefix("\ufeff")).root
    stack: list[tuple[LexborNode | None, Context, bool]] = [(root, NOTHING, False)]
    while stack:
        node, context, after = stack.pop()
        if node is None:
            continue
        if after:
            yield "\n", context
            continue
        tag = node.tag or ""
        stack.append((node.next, context, False))
        if tag == "-text":
            yield node.text_content or "", context
        elif not tag.startswith(("-", "!")):
            attributes = node.attributes
            flags = FLAGS.get(tag, 0)
            block = bool(flags & T.BLOCK)
            hidden = not block and (
                attributes.get("hidden", "until-found") != "until-found" or HIDES.search(attributes.get("style") or "")
            )
            in_heading = tag == "button" and context[1] != ""
            if (flags & T.SKIP and not in_heading) or hidden or tag == "math":
                if block:
                    yield "\n", context
                continue
            within = inside(context, tag, "href" in attributes)
            if block:
                yield "\n", context
                stack.append((node, context, True))
            if tag == "br":
                yield "\n", context
            stack.append((node.child, within, False))


def own_pieces(page: str) -> Iterator[Piece]:
    values = np.frombuffer(page.encode("utf-8", "replace"), np.uint8)
    dom = room_for(count_tags(values))
    scan(values, dom, tables())
    count, _, blocks = dom.counts.tolist()
    contexts: list[Context] = []
    for node in dom.nodes[:count]:
        outer = contexts[node["parent"]] if contexts else NOTHING
        contexts.append(inside(outer, TAGS[node["tag"]], bool(node["link"] == len(contexts))))
    for k in range(blocks):
        for segment in dom.segments[dom.blocks[k]["first"] : dom.blocks[k + 1]["first"]]:
            node = dom.nodes[segment["node"]]
            if segment["kind"] == BREAK:
                yield "\n", NOTHING
            elif segment["kind"] == TEXT and not node["formats"] & T.MATH:
                text = bytes(values[segment["start"] : segment["end"]]).decode()
                yield html.unescape(text), contexts[segment["node"]]
        yield "\n", NOTHING


def words(pieces: Iterator[Piece]) -> list[tuple[str, Context]]:
    """Words between white space, each with what its first character is in."""
    starts, contexts, texts = [], [], []
    size = 0
    for text, context in pieces:
        starts.append(size)
        contexts.append(context)
        texts.append(text)
        size += len(text)
    joined = "".join(texts).replace("\0", "")
    return [(found[0], contexts[bisect_right(starts, found.start()) - 1]) for found in re.finditer(r"\S+", joined)]
