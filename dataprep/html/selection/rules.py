"""The numbers and names the selection rules share: thresholds, reasons, groups of categories."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dataprep.html.dom.automaton import CATEGORIES, CATEGORY

# why a block is not kept: a category (its place in CATEGORIES + 1), or one of these
_OTHER = (
    "invisible", "outside", "links", "list_of_links", "teasers", "title", "phrase", "credit", "after_text",
    "heading_alone", "repeated_on_site",
)  # fmt: skip
REASONS: tuple[str, ...] = ("", *CATEGORIES, *_OTHER)
INVISIBLE, OUTSIDE, LINKS, LIST_OF_LINKS, TEASERS, TITLE, PHRASE, CREDIT, AFTER_TEXT, ALONE, ON_SITE = (
    np.uint8(REASONS.index(name)) for name in _OTHER
)

PROFILES = ("article", "page")
ARTICLE, PAGE, GENTLE = range(3)  # ways to read a page; the last is an article's second reading


def mask(*names: str) -> np.uint64:
    """The categories of these names."""
    return np.uint64(sum(int(CATEGORY[name]) for name in names))


NEGATIVE = mask(
    "comment", "footer", "nav", "side", "share", "tools", "related", "news", "cookie", "meta", "author", "hidden",
    "login", "media", "tags", "promo", "figcaption", "form",
)  # fmt: skip
STRUCTURE = mask("comment", "footer", "nav")
TOOLS = mask("share", "tools", "form")
CONTENT = mask("body", "main")

# over the blocks before one; ``linked`` counts those that are mostly links
SUM = np.dtype([("mass", np.int64), ("links", np.int64), ("chars", np.int64), ("linked", np.int64)], align=True)
Sums = NDArray[np.void]


class Thresholds(NamedTuple):
    """What the rules compare with; docs/extraction.md explains each and says how wide its plateau is."""

    good_chars: int = 50
    good_links: float = 0.35
    cut_structure: float = 0.7
    cut_structure_content: float = 0.3
    cut_side: float = 0.3
    cut_tools: float = 0.15
    cut_other: float = 0.3
    cut_other_content: float = 0.05
    apart_chars: int = 500
    rest_chars: int = 20
    unhide_chars: int = 200
    descend: float = 0.8
    first_article: float = 0.25
    first_article_chars: int = 200
    list_links: float = 0.6
    table_links: float = 0.67
    teaser_children: int = 3
    teaser_share: float = 0.7
    teaser_chars: int = 12
    teaser_link: float = 0.15
    teaser_mass: float = 0.9
    inside_links: float = 0.5
    paragraph_links: float = 0.8
    prose_chars: int = 40
    outside_links: float = 0.2
    outside_long: int = 100
    lead_blocks: int = 80
    lead_chars: int = 120
    lead_marks: int = 2
    phrase_chars: int = 60
    phrase_links: float = 0.2
    phrase_longest: int = 160
    credit_chars: int = 120
    after_chars: int = 30
    alone_blocks: int = 4
    gentle_structure: float = 0.5
    gentle_tools: float = 0.05
    reread_chars: int = 200
    page_kept: int = 300
    page_lost: float = 0.5
    page_links_lost: float = 0.8
    page_links: float = 0.8
    reference_share: float = 0.3
    reference_lost: float = 0.1


THRESHOLDS = Thresholds()
