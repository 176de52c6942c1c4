"""From WARC to documents: what a page costs in each part of the documents stage. One core, no Beam.

    python -m benchmarks.archives [--engine resiliparse] [--times 4] [--repeat 3] [--keep FILE] FOLDER

The HTML files below FOLDER are written ``--times`` times over into one ``.warc.gz``, a gzip member a page. Milliseconds
of CPU a page, child processes included, the best of the repetitions; beside it FastWARC, which only reads, and
resiliparse, which only extracts pages that are decoded and in memory.
"""

import argparse
import gzip
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from fastwarc.warc import ArchiveIterator

from dataprep.html import pages
from dataprep.html.decode.charset import decode
from dataprep.html.extraction import extract
from dataprep.html.others.engines import load_engine
from dataprep.html.settings import ExtractSettings
from dataprep.sources.framing import read_records
from dataprep.sources.reading import read_pieces
from dataprep.sources.settings import FilesSettings
from dataprep.sources.splitting import Piece
from pipelines.batches import Split
from pipelines.documents import ExtractSplit
from pipelines.receipts import Receipt

LIMIT = 64 << 20
RECORD = (
    "WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://pages.example/{name}\r\n"
    "WARC-Date: 2026-01-01T00:00:00Z\r\nContent-Type: application/http; msgtype=response\r\n"
    "Content-Length: {length}\r\n\r\n"
)
HTTP = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"


def write_warc(folder: Path, target: Path, times: int) -> tuple[int, int]:
    """How many pages were written, and their bytes."""
    files = sorted(p for p in folder.rglob("*") if p.suffix in (".html", ".htm") and p.is_file())
    members, size = [], 0
    for file in files:
        page = file.read_bytes()
        head = RECORD.format(name=file.name, length=len(HTTP) + len(page)).encode("utf-8", "replace")
        members.append(gzip.compress(head + HTTP + page + b"\r\n\r\n", 6, mtime=0))
        size += len(page)
    target.write_bytes(b"".join(members * times))
    return len(files) * times, size * times


def children() -> float:
    """CPU seconds of this process's children."""
    spent = 0.0
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            times = child.cpu_times()
            spent += times.user + times.system
    return spent


class Timed:
    """The engine, and the CPU seconds of this process that its calls took."""

    def __init__(self, engine: pages.Engine) -> None:
        self.engine = engine
        self.seconds = 0.0

    def __call__(self, *arguments: Any) -> Any:
        start = time.process_time()
        result = self.engine(*arguments)
        self.seconds += time.process_time() - start
        return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", default=ExtractSettings().engine, choices=sorted(pages.ENGINES))
    parser.add_argument("--times", type=int, default=4)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="where the archive is written, and stays")
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        archive = arguments.keep or Path(scratch) / "pages.warc.gz"
        count, size = write_warc(arguments.folder, archive, arguments.times)
        print(
            f"{count:,} pages of {size / count / 1e3:.0f} kB, {archive.stat().st_size / count / 1e3:.1f} kB compressed"
        )
        measure(archive, count, size, arguments.engine, arguments.repeat, Path(scratch))


def measure(archive: Path, count: int, size: int, engine: str, repeat: int, scratch: Path) -> None:
    settings = ExtractSettings(engine=engine)  # type: ignore[arg-type]
    timed = pages.ENGINES[engine] = Timed(pages.ENGINES[engine])
    piece = Piece(archive.name, str(archive), "warc", archive.stat().st_size)
    files = FilesSettings(paths=(str(archive),))
    work = {"source": "web", "files": {"paths": [str(archive)]}, "pieces": [piece.to_json()]}
    split = Split.of(0, piece.size, work)
    parse = load_engine("resiliparse")
    texts = [decode(bytes(i.payload), None, html=True).text for i in read_pieces([piece], "web", files)]  # type: ignore
    texts = texts[: count // 2]

    def read_with_fastwarc() -> None:
        with archive.open("rb") as file:
            for record in ArchiveIterator(file, parse_http=True):
                record.reader.read()

    calls: dict[str, Callable[[], Any]] = {
        "fastwarc": read_with_fastwarc,
        "resiliparse": lambda: [parse(text) for text in texts],
        "records": lambda: all(read_records(str(archive), LIMIT)),
        "items": lambda: all(read_pieces([piece], "web", files)),
        "outcomes": lambda: all(extract(read_pieces([piece], "web", files), "web", settings)),
        "stage": lambda: ExtractSplit(str(scratch), settings, 1)(split, Receipt(str(scratch), "extract", 0, 0)),
    }
    best: dict[str, float] = {}
    for _ in range(repeat + 1):  # the first compiles, and starts the child
        for name, call in calls.items():
            timed.seconds, outside, start = 0.0, children(), time.process_time()
            call()
            inside = time.process_time() - start - timed.seconds
            engine_seconds = children() - outside + timed.seconds
            for key, spent in ((name, inside), (f"{name}: engine", engine_seconds)):
                best[key] = min(spent, best.get(key, spent))
    rows = {
        "records read and inflated": best["records"],
        "HTTP undone, items made": best["items"] - best["records"],
        f"pages extracted ({engine})": best["stage: engine"],
        "columns put together": best["outcomes"] - best["items"],
        "counted, Parquet written": best["stage"] - best["outcomes"],
        "all of the stage": best["stage"] + best["stage: engine"],
        "all but the extraction": best["stage"],
        "FastWARC, reading": best["fastwarc"],
        "resiliparse, extracting": best["resiliparse"] * count / len(texts),
    }
    for name, seconds in rows.items():
        speed = f"{count / seconds:9,.0f} pages/s {size / seconds / 1e6:8,.0f} MB/s"
        print(f"{name:34}{1e3 * seconds / count:8.3f} ms {speed}")


if __name__ == "__main__":
    main()
