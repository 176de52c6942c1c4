"""A run directory as the stages leave it: real parts, real manifests, real shards; written once for all tests here."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from dataprep import storage
from dataprep.document import SCHEMA, BatchBuilder, document_id
from dataprep.parts import QUARANTINE_SCHEMA, PartWriter, Quarantined, quarantine_batch
from dataprep.shards import Manifest, write_shard
from dataprep.tally import Tally

HOSTILE = (
    "</script><script>alert(1)</script> <img src=x onerror=alert(1)> & \"quoted\" 'text' "
    "\x1b[31mred\x07 \u202eright to left\u202c \u0000 مرحبا بالعالم"
)
HOSTILE_URL = 'https://example.org/"><script>alert(2)</script>'
SOURCES = ("web", "books")
WORDS = ("the quick brown fox jumps over the lazy dog and does not look back at what it left behind " * 2).split()
REASONS = ("gopher_quality.too_short", "gopher_quality.stop_words", "language.not_wanted")


@dataclass(frozen=True)
class MadeRun:
    """``ids``: what became of some documents → hex ids."""

    out: str
    ids: dict[str, list[str]]


def documents(count: int) -> pa.RecordBatch:
    """``count`` documents of two sources, of lengths over three decades; one is hostile in text, URL and locator."""
    batches = []
    for source in SOURCES:
        builder = BatchBuilder(source)
        for index in range(SOURCES.index(source), count, len(SOURCES)):
            length = 3 + int(10 ** (index % 97 / 97 * 3))
            text = " ".join(WORDS[(index + word) % len(WORDS)] for word in range(length))
            url = f"https://example.org/{source}/{index}"
            locator = f"{source}.warc.gz@{index * 1000}"
            if index == 3:
                text, url, locator = HOSTILE, HOSTILE_URL, "<b>locator</b>"
            builder.add(f"{index}: {text}", locator, url)
        batches.append(builder.finish())
    return pa.concat_batches([batch for batch in batches if batch is not None])


def characters(batch: pa.RecordBatch) -> int:
    return sum(len(text) for text in batch.column("text").to_pylist())


def hexes(batch: pa.RecordBatch) -> list[str]:
    return [key.hex() for key in batch.column("id").to_pylist()]


def write_parts(directory: Path, batch: pa.RecordBatch, parts: int = 2) -> None:
    """Rows dealt to ``parts`` parts, each of two row groups."""
    for index in range(parts):
        rows = batch.take(pa.array(np.arange(index, batch.num_rows, parts)))
        with PartWriter(str(directory / f"part-{index:05d}.parquet"), batch.schema) as part:
            middle = rows.num_rows // 2
            part.write(rows.slice(0, middle))
            part.write(rows.slice(middle))


def write_manifest(directory: Path, tally: Tally, extra: dict[str, Any] | None = None) -> None:
    outputs = {
        str(path.relative_to(directory)): path.stat().st_size for path in sorted(directory.rglob("*")) if path.is_file()
    }
    value = {
        "stage": directory.name,
        "recipe": "a <test> recipe",
        "fingerprint": "0" * 32,
        "counts": tally.to_json(),
        "extra": extra or {},
        "outputs": outputs,
        "splits": 2,
        "timings": {"wall_seconds": 12.5, "task_seconds": 20.0, "task_cpu_seconds": 19.0, "peak_rss_mb": 321},
        "versions": {"python": "3.11.2", "pyarrow": "25.0.1"},
    }
    storage.write_json(str(directory / "_stage.json"), value)


def write_documents(root: Path, batch: pa.RecordBatch) -> None:
    """All rows kept, four records without text removed, two unreadable."""
    directory = root / "documents"
    write_parts(directory / "kept", batch)
    locators = [f"web.warc.gz@{9_000_000 + index}" for index in range(4)]
    removed = pa.table(
        {
            "id": pa.array([document_id("web", locator) for locator in locators], pa.binary(16)),
            "url": pa.array([f"https://example.org/image/{index}" for index in range(4)]),
            "source": pa.array(["web"] * 4),
            "locator": pa.array(locators),
            "rejected_by": pa.array(["not_html"] * 3 + ["no_text"]),
        }
    ).to_batches()[0]
    write_parts(directory / "removed", removed, 1)
    rows = [
        Quarantined("web", "bad.warc.gz@17", "reader", "truncated", "the gzip member ends early", None),
        Quarantined("web", "evil.html", "extractor", "too_deep", "</td><script>alert(3)</script>", HOSTILE_URL),
    ]
    with PartWriter(str(directory / "quarantine" / "extract-00000.parquet"), QUARANTINE_SCHEMA) as part:
        part.write(quarantine_batch(rows))
    tally = Tally()
    tally.take(batch.num_rows + 6)
    tally.keep(batch.num_rows, characters(batch))
    tally.remove("not_html", 3)
    tally.remove("no_text", 1)
    tally.quarantine("truncated")
    tally.quarantine("too_deep")
    write_manifest(directory, tally, {"records": {"response": batch.num_rows, "request": 3}})


def write_clean(root: Path, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """Every fifth document removed, for three reasons in turn; with signals."""
    rows = batch.num_rows
    lengths = np.array([len(text.split()) for text in batch.column("text").to_pylist()])
    languages = ["en" if index % 7 else "und" for index in range(rows)]
    rejected = [REASONS[index // 5 % 3] if index % 5 == 3 else None for index in range(rows)]
    measured = pa.table(
        {
            **{name: batch.column(name) for name in SCHEMA.names},
            "gopher.words": pa.array(lengths, pa.int32()),
            "gopher.stop_words": pa.array(lengths % 11 / 11, pa.float32()),
            "language.label": pa.array(languages),
            "language.score": pa.array([0.5 + index % 50 / 100 for index in range(rows)], pa.float32()),
            "rejected_by": pa.array(rejected, pa.string()),
        }
    ).combine_chunks()
    goes = np.array([reason is not None for reason in rejected])
    kept, removed = (measured.filter(pa.array(mask)).combine_chunks().to_batches()[0] for mask in (~goes, goes))
    write_parts(root / "clean" / "kept", kept)
    write_parts(root / "clean" / "removed", removed)
    tally = Tally()
    tally.take(rows, characters(batch))
    tally.keep(kept.num_rows, characters(kept))
    for reason, text in zip(removed.column("rejected_by").to_pylist(), removed.column("text").to_pylist(), strict=True):
        tally.remove(reason, 1, len(text))
    write_manifest(root / "clean", tally)
    return kept, removed


def write_unique(root: Path, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """The last ten documents are removed: six copies of the first, four of the second."""
    kept, removed = batch.slice(0, batch.num_rows - 10), batch.slice(batch.num_rows - 10)
    copied = [kept.column("id")[index].as_py() for index in (0,) * 6 + (1,) * 4]
    table = pa.Table.from_batches([removed]).drop_columns(["rejected_by"])
    for name, column in (
        ("rejected_by", pa.array(["exact_duplicate"] * 2 + ["near_duplicate"] * 8)),
        ("duplicate_of", pa.array(copied, pa.binary(16))),
        ("similarity", pa.array([1.0, 1.0, *np.linspace(0.8, 0.99, 8)], pa.float32())),
        ("component", pa.array([7] * 6 + [5] * 4, pa.int32())),
    ):
        table = table.append_column(name, column)
    removed = table.combine_chunks().to_batches()[0]
    write_parts(root / "unique" / "kept", kept)
    write_parts(root / "unique" / "removed", removed, 1)
    tally = Tally()
    tally.take(batch.num_rows, characters(batch))
    tally.keep(kept.num_rows, characters(kept))
    for reason, text in zip(removed.column("rejected_by").to_pylist(), removed.column("text").to_pylist(), strict=True):
        tally.remove(reason, 1, len(text))
    cluster = {"size": 7, "kept_copies": 1, "kept": copied[0].hex(), "members": ["https://example.org/<one>"]}
    write_manifest(root / "unique", tally, {"bands": 9, "rows": 13, "largest_clusters": [cluster]})
    return kept, removed


def write_shards(root: Path, batch: pa.RecordBatch) -> None:
    """One shard a source, a byte a token, with its manifest; and a tokenizer's directory."""
    directory = root / "shards"
    written = []
    for source in SOURCES:
        rows = [row for row in batch.select(["id", "source", "text"]).to_pylist() if row["source"] == source]
        texts = [row["text"].encode() for row in rows]
        tokens = [np.append(np.frombuffer(text, np.uint8).astype(np.uint16), np.uint16(256)) for text in texts]
        info = write_shard(
            str(directory),
            f"{source}/train-00000.arrow",
            np.concatenate(tokens),
            np.cumsum([0, *(len(one) for one in tokens)], dtype=np.int64),
            np.frombuffer(b"".join(row["id"] for row in rows), np.uint8).reshape(-1, 16),
            source=source,
            split="train",
            tokenizer_fingerprint="f" * 32,
            vocabulary_size=257,
            eos_id=256,
            text_bytes=sum(map(len, texts)),
        )
        written.append(info)
    Manifest.build(str(directory), written).save()
    tally = Tally()
    tally.take(batch.num_rows, characters(batch))
    tally.keep(batch.num_rows, characters(batch))
    storage.write_json(str(root / "tokenizer" / "tokenizer.json"), {})
    write_manifest(
        root / "tokenizer", tally, {"vocabulary_size": 257, "sample": {"documents": 30}, "notes": ["<i>all</i>"]}
    )
    write_manifest(directory, tally)


def _token(number: int, text: str, count: int) -> dict[str, object]:
    return {"id": number, "text": text, "bytes": len(text.encode()), "count": count}


def write_vocabulary(out: str, groups: list[dict[str, object]]) -> None:
    """What the tokenizer stage writes about a vocabulary of 256 tokens for text."""
    value = {
        "groups": groups,
        "tokens": 256,
        "unused": 64,
        "unused_first": [_token(258, " <script>", 0)],
        "longest": [_token(299, "        ", 1234)],
        "control_tokens": {"<|user|>": 1, "<|endoftext|>": 0},
    }
    storage.write_json(f"{out}/tokenizer/report.json", value)


def group(source: str, language: str, size: int, tokens: int) -> dict[str, object]:
    return {"source": source, "language": language, "bytes": size, "tokens": tokens}


def make_run(root: Path, count: int = 200, until: str = "shards") -> MadeRun:
    """Every stage up to ``until``, finished."""
    batch = documents(count)
    write_documents(root, batch)
    ids = {"hostile": [document_id("books", "<b>locator</b>").hex()]}
    if until != "documents":
        kept, removed = write_clean(root, batch)
        ids["clean"] = hexes(removed)
    if until in ("unique", "shards"):
        kept, removed = write_unique(root, kept)
        ids |= {"duplicates": hexes(removed), "kept": hexes(kept)}
    if until == "shards":
        write_shards(root, kept)
    return MadeRun(str(root), ids)


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> MadeRun:
    """A whole run; tests do not change it."""
    return make_run(tmp_path_factory.mktemp("run"))


@pytest.fixture
def new_run(tmp_path: Path) -> Callable[..., MadeRun]:
    return lambda **options: make_run(tmp_path / "run", **options)
