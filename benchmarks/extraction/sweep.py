"""What a threshold, or a rule without it, is worth on the annotated pages.

``python -m benchmarks.extraction.sweep [--set NAME…] [--dev | --held] [THRESHOLD=VALUE,VALUE…]``; without thresholds,
each rule is switched off in turn. Thresholds are the fields of `dataprep.html.selection.rules.Thresholds`.
"""

import argparse
from unittest.mock import patch

import numpy as np

from benchmarks.extraction import metrics
from benchmarks.extraction.engines import ours
from benchmarks.extraction.sets import Page, find_data, load
from dataprep.html import kernel
from dataprep.html.selection.rules import THRESHOLDS, Thresholds

NEVER = 10**9
WITHOUT: dict[str, dict[str, float]] = {
    "cutting off by names": {name: -1.0 for name in Thresholds._fields if name.startswith("cut_")},
    "cutting comments, footers, navigation": {"cut_structure": -1.0, "cut_structure_content": -1.0},
    "walking down": {"descend": 2.0},
    "the first of several articles": {"first_article": 2.0},
    "lists of links": {"list_links": 2.0},
    "teasers": {"teaser_share": 2.0},
    "the link limit inside": {"inside_links": 2.0},
    "leads": {"lead_chars": NEVER},
    "phrases": {"phrase_chars": -1, "phrase_longest": -1, "credit_chars": -1},
    "picture credits": {"credit_chars": -1},
    "tables and lists as a whole": {"table_links": -1.0},
    "what is left over at the end": {"after_chars": 0},
    "headings that stand alone": {"alone_blocks": NEVER},
    "the gentle reading": {"reread_chars": -1},
    "the profile page": {"page_kept": -1},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("thresholds", nargs="*", metavar="THRESHOLD=VALUE,…")
    parser.add_argument("--set", action="append", dest="sets", metavar="NAME")
    parser.add_argument("--data", help="the folder that holds html-extraction")
    halves = parser.add_mutually_exclusive_group()
    halves.add_argument("--dev", action="store_const", const=False, dest="held", help="sites of the first half only")
    halves.add_argument("--held", action="store_const", const=True, dest="held", help="sites of the second half only")
    given = parser.parse_args()
    folder = find_data(given.data)
    sets = {name: load(name, folder) for name in given.sets or ("zyte", "trafilatura", "newspaper", "readability")}
    if given.held is not None:
        sets = {name: [page for page in pages if page.held == given.held] for name, pages in sets.items()}
    base = {name: f1(pages, THRESHOLDS) for name, pages in sets.items()}
    print(f"{'':40}", *(f"{name:>12}" for name in sets))
    print(f"{'as it is':40}", *(f"{value:12.4f}" for value in base.values()))
    for label, limits in variants(given.thresholds).items():
        print(f"{label:40}", *(f"{f1(pages, limits) - base[name]:+12.4f}" for name, pages in sets.items()), flush=True)


def variants(given: list[str]) -> dict[str, Thresholds]:
    if not given:
        return {f"without {rule}": changed(values) for rule, values in WITHOUT.items()}
    found = {}
    for item in given:
        name, _, values = item.partition("=")
        if name not in Thresholds._fields:
            raise SystemExit(f"no threshold is called {name!r}; there are {', '.join(Thresholds._fields)}")
        for value in values.split(","):
            found[f"{name} = {value}"] = changed({name: float(value)})
    return found


def changed(values: dict[str, float]) -> Thresholds:
    """The thresholds with some others, each of the type it has: kernels are compiled for that."""
    return THRESHOLDS._replace(**{name: type(getattr(THRESHOLDS, name))(value) for name, value in values.items()})


def f1(pages: list[Page], limits: Thresholds) -> float:
    with patch.object(kernel, "THRESHOLDS", limits):
        texts = ours("auto")(pages).texts
    rows = np.array([metrics.counts(page.truth, text) for page, text in zip(pages, texts, strict=True)])
    return float(metrics.scores(rows, pooled=isinstance(pages[0].truth, metrics.Segments)).f1[0])


if __name__ == "__main__":
    main()
