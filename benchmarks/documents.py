"""Real documents for benchmarks, as texts: from Parquet, JSON Lines, plain text and HTML files, also inside tar files.

A text of more than ``LONGEST`` characters, such as a book, is cut at blank lines into documents of about that length.
"""

import gzip
import json
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow.parquet as pq

from dataprep.html.decode.charset import decode
from dataprep.html.others.engines import load_engine

LONGEST = 12_000


def documents(paths: Sequence[str]) -> Iterator[str]:
    """The documents of files, and of the files in folders, in the order of their names."""
    for path in paths:
        place = Path(path)
        files = sorted(p for p in place.rglob("*") if p.is_file()) if place.is_dir() else [place]
        for file in files:
            for text in _texts(file):
                yield from _cut(text)


def _texts(file: Path) -> Iterator[str]:
    name = file.name
    if name.endswith(".parquet"):
        for batch in pq.ParquetFile(file).iter_batches(columns=["text"]):
            yield from batch.column(0).to_pylist()
    elif name.endswith((".jsonl", ".jsonl.gz")):
        data = gzip.decompress(file.read_bytes()) if name.endswith(".gz") else file.read_bytes()
        for line in data.splitlines():
            row = json.loads(line)
            if isinstance(row.get("text"), str):
                yield row["text"]
    elif name.endswith((".tar.xz", ".tar.gz")):
        with tarfile.open(file) as archive:
            for member in archive:
                handle = archive.extractfile(member)
                if handle is not None:
                    yield from _plain(member.name, handle.read())
    else:
        yield from _plain(name, file.read_bytes())


def _plain(name: str, data: bytes) -> Iterator[str]:
    if name.endswith(".gz"):
        name, data = name.removesuffix(".gz"), gzip.decompress(data)
    if name.endswith((".html", ".htm")):
        yield load_engine("resiliparse")(decode(data, None, html=True).text.replace("\0", ""))[0]
    elif name.endswith((".txt", ".md", ".rst")):
        yield decode(data, None, html=False).text


def _cut(text: str) -> Iterator[str]:
    start = 0
    while len(text) - start > LONGEST:
        end = text.find("\n\n", start + LONGEST)
        if end < 0:
            break
        yield text[start:end]
        start = end + 2
    yield text[start:]
