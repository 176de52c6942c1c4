"""What site memory removes: how much, from how many pages, and the texts themselves, to be read with one's own eyes.

    python -m benchmarks.extraction.site_memory [--pages N] [--least N] [--share X] [--show N] [--profile NAME]
                                                [--host PART] [--set NAME] [--data FOLDER] [WARC…]

Of each host in WARC files (or folders of them) the pages with the smallest hashes of their URLs are read; the memory is
made from them as a run makes it, and each is read without and with it. Without WARC files the pages are those of an
annotated set, by site; what is `true` of the removed is in the page's true text, or one of the phrases it must hold.

`removed` is what memory takes out of what was kept, `gained` and `lost` what the selection then does otherwise with the
rest, all as shares of the characters kept without it; `emptied` counts pages that lose all their text. `--show` lists
the texts: how often, characters in all, element.
"""

import argparse
import html
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
from fastwarc.warc import ArchiveIterator, WarcRecordType

from benchmarks.extraction.metrics import Segments, Truth
from benchmarks.extraction.report import print_table
from benchmarks.extraction.sets import SETS, find_data, load
from dataprep.html.decode.charset import decode
from dataprep.html.dom.records import BLOCKS, BREAK, Dom, count_tags, room_for
from dataprep.html.dom.scan import scan, tables
from dataprep.html.dom.tags import TAGS
from dataprep.html.selection.phrases import phrase_table
from dataprep.html.selection.rules import ARTICLE, ON_SITE, PAGE, SUM, THRESHOLDS
from dataprep.html.selection.select import AUTO, select
from dataprep.html.sites.memory import repeated
from dataprep.html.sites.repeats import LIMITS, Limits, hash_blocks, hash_urls, mark_repeated
from dataprep.html.sites.samples import Samples, sample
from dataprep.text.utf8 import Hashes, Utf8

PROFILES = {"auto": AUTO, "article": ARTICLE, "page": PAGE}
MOST_TAGS = 1_000_000
NOTHING = np.empty(0, np.uint64)
REMOVED, GAINED, LOST = "-+~"


@dataclass(frozen=True, slots=True)
class Page:
    url: str
    html: bytes  # UTF-8
    truth: Truth | None = None


@dataclass(slots=True)
class Text:
    """Blocks with one text."""

    tag: str
    text: str
    pages: int = 0
    chars: int = 0


@dataclass
class Host:
    """What happened on the pages of one host, in characters; all of ``counts`` can be added up."""

    counts: Counter[str] = field(default_factory=Counter)
    texts: dict[str, dict[int, Text]] = field(default_factory=lambda: {kind: {} for kind in (REMOVED, GAINED, LOST)})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=LIMITS.pages, help="pages of a host")
    parser.add_argument("--least", type=int, default=LIMITS.least, help="pages that a text must be on")
    parser.add_argument("--share", type=float, default=LIMITS.share, help="share of the pages that it must be on")
    parser.add_argument("--show", type=int, default=0, metavar="N", help="show the N largest texts of each kind")
    parser.add_argument("--profile", choices=PROFILES, default="auto")
    parser.add_argument("--host", default="", metavar="PART", help="only hosts that hold PART")
    parser.add_argument("--set", choices=SETS, default="trafilatura")
    parser.add_argument("--data", help="the folder of shared test data")
    parser.add_argument("warc", nargs="*", type=Path)
    arguments = parser.parse_args()
    limits = LIMITS._replace(pages=arguments.pages, least=arguments.least, share=arguments.share)

    hosts: dict[str, list[Page]] = defaultdict(list)
    for host, page in _crawled(arguments.warc) if arguments.warc else _annotated(arguments.set, arguments.data):
        if arguments.host in host:
            hosts[host].append(page)
    found = {
        host: compared(_sampled(pages, limits), limits, PROFILES[arguments.profile])
        for host, pages in sorted(hosts.items())
        if len(pages) >= limits.least
    }
    print_table(_table(found))
    for host, result in found.items():
        for kind, texts in result.texts.items():
            largest = sorted(texts.values(), key=lambda text: -text.chars)[: arguments.show]
            for text in largest:
                print(f"{host} {kind} {text.pages} × {text.chars} {text.tag}: {text.text[:150]}")


def compared(pages: Sequence[Page], limits: Limits, profile: int) -> Host:
    """Every page without and with what the pages repeat."""
    samples = Samples(limits)
    column = pa.array([page.html.decode() for page in pages], pa.large_string())
    keys = np.arange(len(pages), dtype=np.uint64)
    samples.add(sample(Utf8.of(column), np.ones(len(pages), np.uint64), keys, MOST_TAGS, limits))
    known = repeated(samples.rows(), limits).column("hash").to_numpy()
    host = Host(Counter(pages=len(pages), repeated=len(known)))
    for page in pages:
        _compare(page, known, limits, profile, host)
    return host


def _compare(page: Page, known: Hashes, limits: Limits, profile: int, host: Host) -> None:
    b = np.frombuffer(page.html, np.uint8)
    dom = room_for(count_tags(b))
    verdicts = []
    for repeats in (NOTHING, known):
        scan(b, dom, tables())
        hash_blocks(b, dom)
        mark_repeated(dom, repeats, limits)
        select(b, dom, tables().traits, phrase_table(), THRESHOLDS, np.zeros(len(dom.blocks) + 1, SUM), profile)
        verdicts.append(dom.blocks["verdict"][: dom.counts[BLOCKS]].copy())
    without, with_memory = verdicts
    chars = dom.blocks["chars"][: dom.counts[BLOCKS]]
    host.counts["kept"] += int(chars[without == 0].sum())
    host.counts["emptied"] += bool(not without.all() and with_memory.all())
    for k in np.flatnonzero((without == 0) != (with_memory == 0)).tolist():
        kind = GAINED if without[k] else REMOVED if with_memory[k] == ON_SITE else LOST
        tag, text = TAGS[dom.nodes[dom.blocks[k]["node"]]["tag"]], _text(page.html, dom, k)
        entry = host.texts[kind].setdefault(int(dom.blocks[k]["hash"]), Text(tag, text))
        entry.pages += 1
        entry.chars += int(chars[k])
        host.counts[kind] += int(chars[k])
        if kind == REMOVED and page.truth is not None:
            host.counts["true"] += int(chars[k]) * _is_true(text, page.truth)


def _text(page: bytes, dom: Dom, k: int) -> str:
    pieces = (dom.segments[s] for s in range(dom.blocks[k]["first"], dom.blocks[k + 1]["first"]))
    text = b"".join(b" " if piece["kind"] == BREAK else page[piece["start"] : piece["end"]] for piece in pieces)
    return " ".join(html.unescape(text.decode("utf-8", "replace")).split())


def _is_true(text: str, truth: Truth) -> bool:
    if isinstance(truth, Segments):
        return any(phrase in text or text in phrase for phrase in truth.required)
    return text in " ".join(truth.split())


def _sampled(pages: Sequence[Page], limits: Limits) -> list[Page]:
    text = Utf8.of(pa.array([page.url for page in pages], pa.string()))
    order = np.argsort(hash_urls(text.values, text.offsets)[1])
    return [pages[i] for i in order[: limits.pages]]


def _crawled(paths: Sequence[Path]) -> Iterator[tuple[str, Page]]:
    for path in paths:
        for file in sorted(path.rglob("*.warc*")) if path.is_dir() else [path]:
            with file.open("rb") as handle:
                for record in ArchiveIterator(handle, record_types=WarcRecordType.response, parse_http=True):
                    url = record.headers.get("WARC-Target-URI")
                    if url and "html" in (record.http_content_type or ""):
                        text = decode(record.reader.read(), record.http_charset, html=True).text
                        yield urlsplit(url).netloc, Page(url, text.encode("utf-8", "replace"))


def _annotated(name: str, data: str | None) -> Iterator[tuple[str, Page]]:
    for page in load(name, find_data(data)):
        text = decode(page.html, None, html=True).text
        yield page.site, Page(page.url or page.name, text.encode("utf-8", "replace"), page.truth)


def _table(found: dict[str, Host]) -> Iterator[tuple[str, ...]]:
    yield "host", "pages", "M chars", "repeated", "removed", "gained", "lost", "emptied", "true"
    everything = sum((host.counts for host in found.values()), Counter[str]())
    for name, counts in [*((name, host.counts) for name, host in found.items()), ("all", everything)]:
        shares = (f"{100 * counts[kind] / max(counts['kept'], 1):.2f} %" for kind in (REMOVED, GAINED, LOST, "true"))
        removed, gained, lost, true = shares
        sizes = str(counts["pages"]), f"{counts['kept'] / 1e6:.2f}", str(counts["repeated"])
        yield name, *sizes, removed, gained, lost, str(counts["emptied"]), true


if __name__ == "__main__":
    main()
