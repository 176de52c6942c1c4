"""The annotated pages of the shared test data's `html-extraction`, each with the site it comes from.

- `zyte`: 83 pages of article-extraction-benchmark, the article's text.
- `trafilatura`: 507 pages of trafilatura's evaluation, phrases that belong to the text and phrases that do not.
- `newspaper`: the 117 pages of newspaper's tests whose expected text has 200 characters or more. The expected texts are
  that extractor's own output, checked by its authors; shorter ones are mostly its failures.
- `languages`: 7 more of them, in Arabic, Chinese, Japanese, Spanish, Thai and English.
- `readability`: Readability's 68 test pages; the expected HTML's text. `readability-real` is the 53 of them above
  20 kB: the others are a few tags around filler text.

A page's site is its registrable domain. Sites, not pages, are dealt to halves and folds, since pages of a site share
their template.
"""

import gzip
import hashlib
import json
import os
import re
import tarfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import lxml.html

from benchmarks.extraction.metrics import Segments, Truth
from dataprep.urls import registered_domain

DATA = "html-extraction"
FOLDS = 5
_SHORTEST = 200  # characters of a newspaper text
_REAL = 20_000  # bytes of a readability page
_LANGUAGES = {
    "arabic_article": "arabic",
    "chinese_article": "chinese",
    "cnn_article": "cnn",
    "japanese_article": "japanese",
    "japanese_article2": "japanese2",
    "spanish_article": "spanish",
    "thai_article": "thai",
}
_ARCHIVED = re.compile(r"https?://web\.archive\.org/web/\d+/")
_HOST = re.compile(r"(?:https?://)?([^/:?#]+)")
_OWN_HOST = re.compile(r"https?://([^/:?#\"]+)")
_ADDRESS = re.compile(r"<(?:link|meta)\b[^>]*\b(?:canonical|og:url)\b[^>]*>", re.I)
_INLINE = frozenset(
    "a abbr b big cite code em font i kbd mark q s small span strong sub sup time tt u var".split()  # noqa: SIM905
)


@dataclass(frozen=True, slots=True)
class Page:
    name: str
    site: str
    url: str | None
    html: bytes
    truth: Truth

    @property
    def held(self) -> bool:
        """Whether the page's site is in the half that nothing is tuned on."""
        return bool(_hash(self.site)[0] & 1)


def folds(pages: Sequence[Page]) -> list[list[int]]:
    """Indices of the pages in each of ``FOLDS`` folds: sites in the order of their hash, each to the smallest fold."""
    sites: dict[str, list[int]] = {}
    for index, page in enumerate(pages):
        sites.setdefault(page.site, []).append(index)
    dealt: list[list[int]] = [[] for _ in range(FOLDS)]
    for site in sorted(sites, key=_hash):
        min(dealt, key=len).extend(sites[site])
    return dealt


def find_data(given: str | None) -> Path:
    """``given``, or $CORPUSMILL_TEST_DATA, or ``shared/data`` beside the checkout."""
    place = given or os.environ.get("CORPUSMILL_TEST_DATA")
    return (Path(place) if place else Path(__file__).parents[3] / "shared" / "data") / DATA


def load(name: str, folder: Path) -> list[Page]:
    """The pages of a set, in the order of their names."""
    return sorted(SETS[name](folder), key=lambda page: page.name)


def members(archive: Path) -> dict[str, bytes]:
    """The files of a tar file by name."""
    with tarfile.open(archive) as tar:
        return {item.name: tar.extractfile(item).read() for item in tar if item.isfile()}  # type: ignore[union-attr]


def html_text(html: str) -> str:
    """All text of a fragment that is known to be content: line breaks around everything that is not inline."""
    pieces: list[str] = []

    def add(text: str | None) -> None:
        pieces.append((text or "").replace("\n", " "))

    def walk(element: lxml.html.HtmlElement) -> None:
        if not isinstance(element.tag, str):  # a comment's tag is a function
            return
        edge = "" if element.tag in _INLINE else "\n"
        pieces.append(edge)
        if element.tag not in ("script", "style"):
            add(element.text)
            for child in element:
                walk(child)
                add(child.tail)
        pieces.append(edge)

    if html.strip():
        walk(lxml.html.fragment_fromstring(html, create_parent="div"))
    lines = (" ".join(line.split()) for line in "".join(pieces).split("\n"))
    return "\n".join(line for line in lines if line)


def site_of(url: str) -> str:
    host = _HOST.match(_ARCHIVED.sub("", url))
    assert host, url
    return registered_domain(host[1].lower())


def _zyte(folder: Path) -> Iterable[Page]:
    for name, item in json.loads(gzip.decompress((folder / "zyte" / "ground-truth.json.gz").read_bytes())).items():
        html = gzip.decompress((folder / "zyte" / "html" / f"{name}.html.gz").read_bytes())
        yield Page(name, site_of(item["url"]), item["url"], html, item["articleBody"])


def _trafilatura(folder: Path) -> Iterable[Page]:
    html = members(folder / "trafilatura" / "html.tar.xz")
    entries = json.loads(gzip.decompress((folder / "trafilatura" / "evaldata.json.gz").read_bytes()))
    for url, item in entries.items():
        truth = Segments(tuple(item["with"]), tuple(item["without"]))
        yield Page(item["file"], site_of(url), url, html[item["file"]], truth)


def _newspaper(folder: Path) -> Iterable[Page]:
    files = members(folder / "newspaper" / "html-text.tar.xz")
    for path, html in files.items():
        name = Path(path).stem
        text = files.get(f"text/{name}.txt", b"").decode().strip()
        if path.startswith("html/") and len(text) >= _SHORTEST:
            yield Page(name, registered_domain(name.rstrip("0123456789")), None, html, text)


def _languages(folder: Path) -> Iterable[Page]:
    files = members(folder / "newspaper" / "html-text.tar.xz")
    for name, text in _LANGUAGES.items():
        yield Page(name, name.rstrip("2"), None, files[f"html/{name}.html"], files[f"text/{text}.txt"].decode().strip())


def _readability(folder: Path) -> Iterable[Page]:
    files = members(folder / "readability" / "test-pages.tar.xz")
    for path, html in files.items():
        name, _, file = path.rpartition("/")
        if file == "source.html":
            own = _ADDRESS.search(html.decode("utf-8", "replace"))
            host = own and _OWN_HOST.search(own[0])
            site = registered_domain(host[1].lower()) if host else re.sub(r"-\d+$", "", name)
            yield Page(name, site, None, html, html_text(files[f"{name}/expected.html"].decode()))


def _readability_real(folder: Path) -> Iterable[Page]:
    return (page for page in _readability(folder) if len(page.html) > _REAL)


def _hash(site: str) -> bytes:
    return hashlib.sha256(site.encode()).digest()


SETS: dict[str, Callable[[Path], Iterable[Page]]] = {
    "zyte": _zyte,
    "trafilatura": _trafilatura,
    "newspaper": _newspaper,
    "languages": _languages,
    "readability": _readability,
    "readability-real": _readability_real,
}
