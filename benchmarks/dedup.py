"""Deduplication against its rivals: what is found and what is removed wrongly, time and memory; signatures alone.

    python -m benchmarks.dedup [--rivals RIVALS/bin/python] [--workers 0] whole DOCUMENTS PAIRS [FIELD=VALUE…]
    python -m benchmarks.dedup [--rivals RIVALS/bin/python] signatures PATH… [--documents 2000]

``whole``: DOCUMENTS is a Parquet or JSON Lines file, or a folder of the latter, with ``id`` and ``text``; PAIRS names
similar ones: tab-separated ``a b …`` with a heading, or JSON Lines with ``a`` and ``b``; their exact Jaccard
similarity (word 5-grams, words as in ``words-1``) is computed here. Both tools read four JSON Lines files and write
files: ours is the command ``dataprep deduplicate`` in a process of its own, with ``deduplicate.FIELD=VALUE``;
datatrove's four stages run one after the other in one process. Recall: pairs of which at least one document went.
Precision: removed documents whose kept copy is as similar as that, exactly; datatrove's kept copy is the one left of
the cluster.

``signatures``: one core, documents in memory (`benchmarks.documents`). RIVALS has benchmarks/rivals/dedup.txt.
"""

import argparse
import gzip
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from benchmarks.documents import documents
from dataprep.dedup.minhash import signatures
from dataprep.dedup.sets import ShingleSets, shared
from dataprep.dedup.settings import DedupSettings

FILES = 4
LEVELS = (0.8, 0.7)
PERMUTATIONS = (112, 128)
RIVALS = Path(__file__).parent / "rivals"


def read(place: Path) -> Iterator[tuple[str, str]]:
    """(id, text) of every document."""
    if place.suffix == ".parquet":
        for batch in pq.ParquetFile(place).iter_batches(columns=["id", "text"]):
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)
        return
    for file in sorted(place.iterdir()) if place.is_dir() else [place]:
        with gzip.open(file, "rt", encoding="utf-8") if file.suffix == ".gz" else file.open(encoding="utf-8") as lines:
            yield from ((row["id"], row["text"]) for row in map(json.loads, lines))


def read_pairs(place: Path) -> list[tuple[str, str]]:
    with gzip.open(place, "rt", encoding="utf-8") if place.suffix == ".gz" else place.open(encoding="utf-8") as file:
        lines = file.read().splitlines()
    if ".jsonl" in place.name:
        return [(row["a"], row["b"]) for row in map(json.loads, lines)]
    return [(a, b) for a, b, *_ in (line.split("\t") for line in lines[1:])]


def jaccard(texts: Mapping[str, str], pairs: list[tuple[str, str]]) -> np.ndarray:
    """Exact similarity of the sets of word 5-grams of each pair of documents."""
    names = sorted({name for pair in pairs for name in pair})
    row_of = {name: row for row, name in enumerate(names)}
    sets = ShingleSets.of(pa.array([texts[name] for name in names], pa.large_string()), DedupSettings())
    found = []
    for a, b in ((row_of[a], row_of[b]) for a, b in pairs):
        common = shared(sets.values, sets.starts[a], sets.ends[a], sets.starts[b], sets.ends[b], 0)
        either = sets.ends[a] - sets.starts[a] + sets.ends[b] - sets.starts[b] - common
        found.append(common / either if either else float(texts[names[a]].split() == texts[names[b]].split()))
    return np.array(found)


def measured(command: list[str]) -> dict[str, float]:
    """Wall and CPU seconds of a command with its children, and the most memory that one of its processes had."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr
    said = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)}:\n{said}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall": time.perf_counter() - start, "cpu": cpu, "peak_mb": used.ru_maxrss / 1024}


def ours(folder: Path, workers: int, fields: list[str]) -> tuple[dict[str, float], dict[str, str]]:
    recipe = {
        "name": "benchmark",
        "sources": [{"name": "given", "files": {"paths": [f"{folder}/given/*.jsonl"], "format": "jsonl"}}],
        "clean": None,
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    sets = [part for field in fields for part in ("--set", f"deduplicate.{field}")]
    command = [sys.executable, "-m", "pipelines.cli", "deduplicate", str(folder / "recipe.yaml"), *sets]
    few = f"sources.given.files.paths=[{folder}/few.jsonl]"
    measured([*command, "--out", str(folder / "compiled"), "--workers", "0", "--set", few])  # kernels, once
    used = measured([*command, "--out", str(folder / "ours"), "--workers", str(workers)])
    name_of: dict[bytes, str] = {}
    removed: dict[str, bytes] = {}
    for kind in ("kept", "removed"):
        for part in sorted((folder / "ours" / "unique" / kind).glob("*.parquet")):
            table = pq.read_table(part)
            names = [dict(metadata)["id"] for metadata in table["metadata"].to_pylist()]
            name_of |= zip(table["id"].to_pylist(), names, strict=True)
            if kind == "removed":
                removed |= zip(names, table["duplicate_of"].to_pylist(), strict=True)
    stage = json.loads((folder / "ours" / "unique" / "_stage.json").read_text(encoding="utf-8"))["timings"]
    used |= {"unique_wall": stage["wall_seconds"], "unique_cpu": stage["task_cpu_seconds"]}
    return used, {gone: name_of[kept] for gone, kept in removed.items()}


def datatrove(folder: Path, python: str) -> tuple[dict[str, float], dict[str, str]]:
    result = folder / "datatrove.json"
    script = RIVALS / "dedup_whole.py"
    used = measured([python, str(script), str(folder / "given"), str(folder / "datatrove"), str(result)])
    return used, json.loads(result.read_text(encoding="utf-8"))["removed"]


def whole(place: Path, pairs: list[tuple[str, str]], rivals: str | None, workers: int, fields: list[str]) -> None:
    texts = dict(read(place))
    megabytes = sum(len(text.encode()) for text in texts.values()) / 1e6
    print(f"{place.name}: {len(texts):,} documents, {megabytes:.1f} MB")
    known = jaccard(texts, pairs)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "given").mkdir()
        names = list(texts)
        for part in range(FILES):
            rows = [json.dumps({"id": name, "text": texts[name]}) + "\n" for name in names[part::FILES]]
            (folder / "given" / f"{part}.jsonl").write_text("".join(rows), encoding="utf-8")
        (folder / "few.jsonl").write_text("".join(2 * rows[:2]), encoding="utf-8")
        tools = {"corpusmill": lambda: ours(folder, workers, fields)}
        if rivals:
            tools["datatrove"] = lambda: datatrove(folder, rivals)
        for tool, run in tools.items():
            used, removed = run()
            shown = ", ".join(f"{key} {value:.1f}" for key, value in used.items())
            print(f"{tool}: {megabytes / used['cpu']:.2f} MB per CPU second; {shown}")
            exact = jaccard(texts, list(removed.items()))
            for level in LEVELS:
                similar = [pair for pair, like in zip(pairs, known, strict=True) if like >= level]
                found = sum(a in removed or b in removed for a, b in similar)
                right = np.count_nonzero(exact >= level)
                print(
                    f"  at {level}: recall {found / len(similar):.4f} of {len(similar)} pairs, "
                    f"precision {right / len(removed):.4f} of {len(removed)} removed"
                )


def sign(paths: list[str], count: int, rivals: str | None) -> None:
    texts = [text for text, _ in zip(documents(paths), range(count), strict=False)]
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    print(f"signatures of {len(texts):,} documents, {megabytes:.1f} MB, one core")
    column = pa.array(texts, pa.large_string())
    for permutations in PERMUTATIONS:
        settings = DedupSettings(permutations=permutations)
        signatures(column.slice(0, 10), settings)
        start = time.process_time()
        signatures(column, settings)
        print(f"  corpusmill {permutations}: {megabytes / (time.process_time() - start):.1f} MB/s")
    if not rivals:
        return
    with tempfile.TemporaryDirectory() as folder:
        rows, result = Path(folder) / "documents.jsonl", Path(folder) / "result.json"
        rows.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
        script = RIVALS / "dedup_signatures.py"
        subprocess.run([rivals, str(script), str(rows), str(result), *map(str, PERMUTATIONS)], check=True)
        for tool, used in json.loads(result.read_text(encoding="utf-8")).items():
            said = used.get("missing") or f"{used['bytes'] / 1e6 / used['cpu_seconds']:.2f} MB/s"
            print(f"  {tool}: {said}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rivals", help="the Python of an environment with the rivals")
    parser.add_argument("--workers", type=int, default=0)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("whole")
    one.add_argument("documents", type=Path)
    one.add_argument("pairs", type=Path)
    one.add_argument("fields", nargs="*", metavar="FIELD=VALUE")
    two = commands.add_parser("signatures")
    two.add_argument("paths", nargs="+")
    two.add_argument("--documents", type=int, default=2000)
    given = parser.parse_args()
    if given.command == "whole":
        whole(given.documents, read_pairs(given.pairs), given.rivals, given.workers, given.fields)
    else:
        sign(given.paths, given.documents, given.rivals)


if __name__ == "__main__":
    main()
