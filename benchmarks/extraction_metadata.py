"""Titles, authors and dates of annotated pages: ours against trafilatura's, in the same run.

``python -m benchmarks.extraction_metadata [--data FOLDER]`` reads the pages of trafilatura's own evaluation (507 of
them) and of readability's tests (68), with what people noted about them. A title is right if its letters and digits
are, a date if its day is, authors if the names are, in any order. Where people noted that there is none, what is given
all the same is counted as invented. Time is CPU, ours of the whole extraction, trafilatura's with its parse.
"""

import argparse
import gzip
import io
import json
import logging
import re
import tarfile
import time
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa

from dataprep.html.decode.charset import decode
from dataprep.html.pages import PAGES, extract_pages
from dataprep.html.settings import ExtractSettings

FIELDS = ("title", "author", "date")
Noted = dict[str, Any]


def trafilatura_pages(folder: Path) -> tuple[list[str], list[bytes], list[Noted]]:
    noted = json.loads(gzip.decompress((folder / "trafilatura" / "evaldata.json.gz").read_bytes()))
    files = _members(folder / "trafilatura" / "html.tar.xz")
    return list(noted), [files[entry["file"]] for entry in noted.values()], list(noted.values())


def readability_pages(folder: Path) -> tuple[list[str], list[bytes], list[Noted]]:
    files = _members(folder / "readability" / "test-pages.tar.xz")
    names = sorted(name.split("/")[0] for name in files if name.endswith("/source.html"))
    noted = []
    for name in names:
        expected = json.loads(files[f"{name}/expected-metadata.json"])
        keys = zip(FIELDS, ("title", "byline", "publishedTime"), strict=True)
        noted.append({field: expected.get(key) for field, key in keys})
    return [""] * len(names), [files[f"{name}/source.html"] for name in names], noted


def _members(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as handle:
        return {
            member.name: (handle.extractfile(member) or io.BytesIO()).read() for member in handle if member.isfile()
        }


def letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text).casefold())


def right(field: str, noted: Any, given: str) -> bool:
    if field == "date":
        return bool(noted[:10] == given[:10])
    if field == "title":
        return letters(noted) == letters(given)
    return _names("; ".join(noted) if isinstance(noted, list) else noted) == _names(given)


def _names(text: str) -> set[str]:
    return {letters(name) for name in re.split(r"[;,/&]|\b(?:and|und|et)\b", text)} - {""}


def ours(urls: list[str], texts: list[str]) -> list[Noted]:
    rows = [{"payload": text.encode(), "charset": "utf-8", "url": url} for url, text in zip(urls, texts, strict=True)]
    pages = extract_pages(pa.RecordBatch.from_pylist(rows, schema=PAGES), ExtractSettings())
    found = [pages.column(name).fill_null("").to_pylist() for name in ("title", "author", "published")]
    return [dict(zip(FIELDS, row, strict=True)) for row in zip(*found, strict=True)]


def theirs(urls: list[str], texts: list[str]) -> list[Noted]:
    from trafilatura.metadata import extract_metadata

    logging.getLogger("trafilatura").disabled = True
    found = []
    for url, text in zip(urls, texts, strict=True):
        page = extract_metadata(text, default_url=url or None)
        found.append({field: getattr(page, field) or "" for field in FIELDS})
    return found


def score(noted: list[Noted], found: list[Noted]) -> str:
    cells = []
    for field in FIELDS:
        asked = [(page[field], given[field]) for page, given in zip(noted, found, strict=True) if page.get(field)]
        good = sum(bool(given) and right(field, wanted, given) for wanted, given in asked)
        nothing = [given[field] for page, given in zip(noted, found, strict=True) if page.get(field, 0) == ""]
        cells.append(f"{good / len(asked):.3f} ({good} of {len(asked)}) | {sum(map(bool, nothing))} of {len(nothing)}")
    return " | ".join(cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/html-extraction"))
    folder = parser.parse_args().data
    engines: list[tuple[str, Callable[[list[str], list[str]], list[Noted]]]] = [
        ("ours", ours),
        ("trafilatura", theirs),
    ]
    ours([""], ["<p>"])  # compiles
    print(
        "| pages | reader | titles right | invented | authors right | invented | dates right | invented | ms a page |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, read in (("trafilatura", trafilatura_pages), ("readability", readability_pages)):
        urls, pages, noted = read(folder)
        texts = [decode(page, None, html=True).text for page in pages]
        for engine, function in engines:
            start = time.process_time()
            found = function(urls, texts)
            spent = (time.process_time() - start) / len(pages) * 1000
            print(f"| {name} | {engine} | {score(noted, found)} | {spent:.2f} |")


if __name__ == "__main__":
    main()
