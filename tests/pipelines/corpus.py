"""A small corpus of real text that is on every machine: the standard library's documentation, as pages and as text.

It has what the stages are there to find: near-duplicates, exact copies, records that are not text or broken.
"""

import gzip
import io
import json
import pydoc
from functools import cache
from pathlib import Path

from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

NAMES = (
    "argparse ast asyncio.tasks bisect calendar codecs collections configparser contextlib copy csv dataclasses "
    "datetime decimal difflib dis email.message enum fractions functools gzip hashlib heapq html.parser "
    "http.client inspect io itertools json logging mailbox mimetypes operator optparse os pathlib pickle "
    "pickletools random re sched shelve shlex shutil socket sqlite3 statistics string struct subprocess tarfile "
    "tempfile textwrap threading timeit tokenize traceback types typing unittest.case unittest.mock urllib.parse "
    "urllib.request uuid warnings wave weakref xml.dom.minidom zipfile zoneinfo "
)
MODULES = NAMES.split()


def _page(module):
    object_, name = pydoc.resolve(module)
    return pydoc.html.page(pydoc.describe(object_), pydoc.html.document(object_, name))


@cache
def _text(module):
    object_, name = pydoc.resolve(module)
    return pydoc.plain(pydoc.text.document(object_, name))


def write_corpus(folder: Path) -> None:
    """``site.warc.gz``, ``notes.jsonl.gz``, ``library/*.txt`` under ``folder``; the same bytes each time."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "library").mkdir()
    half = len(MODULES) // 2
    with open(folder / "site.warc.gz", "wb") as handle:
        writer = WARCWriter(handle, gzip=True)
        for i, module in enumerate(MODULES[:half]):
            status = "404 Not Found" if i == 3 else "200 OK"
            headers = StatusAndHeaders(status, [("Content-Type", "text/html; charset=utf-8")], protocol="HTTP/1.1")
            record = writer.create_warc_record(
                f"http://docs.example/{module}.html",
                "response",
                payload=io.BytesIO(_page(module).encode()),
                http_headers=headers,
                warc_headers_dict={
                    "WARC-Date": "2024-05-01T12:00:00Z",
                    "WARC-Record-ID": f"<urn:uuid:00000000-0000-0000-0000-{i:012d}>",
                },
            )
            writer.write_record(record)
    with open(folder / "site.warc.gz", "ab") as handle:
        handle.write(gzip.compress(b"WARC/1.0\r\nWARC-Type: response\r\nContent-Len", mtime=0))  # half a record
    with gzip.GzipFile(folder / "notes.jsonl.gz", "wb", mtime=0) as handle:
        for i, module in enumerate(MODULES):
            text = _text(module)
            rows = [{"id": i, "text": text, "url": f"http://notes.example/{module}"}]
            if i % 7 == 0:
                rows.append({"id": -i, "text": text.replace("the", "a", 3)})  # a near copy
            for row in rows:
                handle.write(json.dumps(row).encode() + b"\n")
        handle.write(b'{"text": "cut off\n')
    for module in MODULES[half:]:
        (folder / "library" / f"{module}.txt").write_text(_text(module), encoding="utf-8")
    (folder / "library" / "empty.txt").write_text("")


def recipe(folder: Path) -> dict:
    """A recipe over that corpus: every stage at work, small enough for a test."""
    return {
        "name": "promises",
        "seed": 7,
        "sources": [
            {"name": "site", "files": {"paths": [str(folder / "site.warc.gz")]}},
            {"name": "notes", "files": {"paths": [str(folder / "notes.jsonl.gz")]}},
            {"name": "library", "files": {"paths": [str(folder / "library")]}},
        ],
        # reference pages repeat themselves more than prose does: the published thresholds would leave five of them
        "clean": {
            "rules": [
                {"reject": "repeated_lines", "when": "repetition.dup_line_frac", "above": 0.5},
                {"use": "gopher_quality"},
            ]
        },
        "tokenizer": {"vocabulary_size": 1000, "sample_bytes": 300_000},
        "shards": {
            "tokens_per_shard": 100_000,
            "validation_fraction": 0.1,
            "columns": ["gopher.words", "html.profile", "repetition.dup_line_frac"],
        },
    }
