"""Ours and the others behind one interface: pages' bytes in, texts out.

The others get text decoded by resiliparse (byte order mark, meta element, detection), which is the fastest decoder they
have; ours decodes for itself. A page on which an engine raises counts as a page without text.
"""

import hashlib
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pyarrow as pa

from benchmarks.extraction.sets import Page

BATCH = 64
INSTALL = "pip install -r benchmarks/rivals/extraction.txt"
Rival = Callable[[bytes], str]


@dataclass(frozen=True, slots=True)
class Result:
    """A text and its CPU seconds for every page; ``notes`` is what ours says about a page."""

    texts: list[str]
    seconds: list[float]
    notes: list[str] = field(default_factory=list)

    def part(self, picked: Sequence[int]) -> "Result":
        notes = [self.notes[i] for i in picked] if self.notes else []
        return Result([self.texts[i] for i in picked], [self.seconds[i] for i in picked], notes)


class AbsentError(Exception):
    """An engine that cannot run here, and why."""


def ours(profile: str) -> Callable[[Sequence[Page]], Result]:
    """Corpusmill's own engine, a batch of pages at a time; a batch's time is shared out by the pages' bytes."""
    extract = ours_arrow(profile)

    def run(pages: Sequence[Page]) -> Result:
        result = Result([], [])
        for start in range(0, len(pages), BATCH):
            some = pages[start : start + BATCH]
            batch = arrow_pages([page.html for page in some], [page.url for page in some])
            began = time.process_time()
            found = extract(batch)
            spent = time.process_time() - began
            size = sum(len(page.html) for page in some)
            result.seconds.extend(spent * len(page.html) / size for page in some)
            result.texts.extend(text or "" for text in found.column("text").to_pylist())
            result.notes.extend(map(_note, found.drop_columns(["text"]).to_pylist()))
        return result

    return run


def ours_arrow(profile: str) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
    """Our engine on Arrow batches, its kernels compiled."""
    try:
        from dataprep.html.pages import extract_pages
    except ModuleNotFoundError as error:
        if error.name != "dataprep.html.pages":
            raise
        raise AbsentError(f"{error.name} is not in this checkout") from error
    from dataprep.html.settings import ExtractSettings

    settings = ExtractSettings(engine="corpusmill", profile=profile)
    words = "<p>Some words of a paragraph, and of that the caf\u00e9 &amp; more.</p>" * 9
    extract_pages(arrow_pages([f"<title>T</title><h1>H</h1>{words}<table><td>1</table>".encode()], [None]), settings)
    return lambda batch: extract_pages(batch, settings)


def arrow_pages(payloads: Sequence[bytes], urls: Sequence[str | None]) -> pa.RecordBatch:
    return pa.record_batch(
        {
            "payload": pa.array(payloads, pa.large_binary()),
            "charset": pa.nulls(len(payloads), pa.string()),
            "url": pa.array(urls, pa.string()),
            "date": pa.nulls(len(payloads), pa.timestamp("ms")),
        }
    )


def rival(name: str) -> Rival:
    """Another extractor as a function of a page's bytes."""
    try:
        return RIVALS[name][1]()
    except ModuleNotFoundError as error:
        raise AbsentError(f"{error.name} is not installed: {INSTALL}") from error


def rival_version(name: str) -> str:
    try:
        return version(RIVALS[name][0])
    except PackageNotFoundError as error:
        raise AbsentError(f"{RIVALS[name][0]} is not installed: {INSTALL}") from error


def attempt(extract: Rival, html: bytes) -> str:
    """The page's text, or nothing if the engine raises."""
    try:
        return extract(html)
    except Exception:
        return ""


def run_rival(name: str, pages: Sequence[Page], cache: Path) -> tuple[Result, bool]:
    """Its texts, and whether an earlier run left them in the cache: same version, same pages."""
    key = hashlib.sha256(f"{name} {rival_version(name)}".encode())
    for page in pages:
        key.update(hashlib.sha256(page.html).digest())
    file = cache / f"{name}-{key.hexdigest()[:16]}.json"
    if file.exists():
        return Result(**json.loads(file.read_text(encoding="utf-8"))), True
    extract = rival(name)
    attempt(extract, b"<p>Some words of a paragraph.</p>")  # what is loaded at the first page is not a page's time
    result = Result([], [])
    for page in pages:
        began = time.process_time()
        result.texts.append(attempt(extract, page.html))
        result.seconds.append(time.process_time() - began)
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=cache, delete=False, encoding="utf-8") as out:
        json.dump({"texts": result.texts, "seconds": result.seconds}, out)
    Path(out.name).replace(file)
    return result, False


def _note(row: dict[str, object]) -> str:
    said = {key: value for key, value in row.items() if value and key in ("reason", "error", "charset", "html.profile")}
    return " ".join(f"{key}={value}" for key, value in said.items())


def _decoder() -> Callable[[bytes], str]:
    from resiliparse.parse.encoding import bytes_to_str, detect_encoding

    return lambda html: bytes_to_str(html, detect_encoding(html, from_html_meta=True) or "utf-8")


def _resiliparse(**options: bool) -> Rival:
    from resiliparse.extract.html2text import extract_plain_text

    decode = _decoder()
    return lambda html: extract_plain_text(decode(html), main_content=True, **options)


def _trafilatura(fast: bool) -> Rival:
    import trafilatura

    decode = _decoder()
    return lambda html: trafilatura.extract(decode(html), include_comments=False, fast=fast) or ""


def _readability() -> Rival:
    from readability import Document

    from benchmarks.extraction.sets import html_text

    decode = _decoder()
    return lambda html: html_text(Document(decode(html)).summary(html_partial=True))


TUNED = {
    "alt_texts": False,
    "comments": False,
    "list_bullets": False,
    "post_meta": False,
}  # as others/engines.py has it
RIVALS: dict[str, tuple[str, Callable[[], Rival]]] = {
    "trafilatura": ("trafilatura", lambda: _trafilatura(fast=False)),
    "trafilatura-fast": ("trafilatura", lambda: _trafilatura(fast=True)),
    "resiliparse": ("resiliparse", _resiliparse),
    "resiliparse-tuned": ("resiliparse", lambda: _resiliparse(**TUNED)),
    "readability-lxml": ("readability-lxml", _readability),
}
OURS = {"corpusmill": "auto", "corpusmill-article": "article"}
