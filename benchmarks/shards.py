"""Shards: documents → shuffled shards against datatrove, how fast they are verified, how fast a manifest is read.

    python -m benchmarks.shards write DOCUMENTS TOKENIZER.json [--megabytes 64 256] [--rivals RIVALS/bin/python]
    python -m benchmarks.shards verify FOLDER [--gigabytes 2]
    python -m benchmarks.shards stats [--shards 10000]

``write``: the first megabytes of DOCUMENTS (`benchmarks.documents`) as Parquet parts of ``PART`` documents, whose order
both tools shuffle over the whole. Ours is the stage *shards* as a run has it, on Beam's in-process runner; the rival
datatrove's tokenizer and merger. Each in a process of its own, one worker; imports and a first small run, which
compiles kernels, are not counted. Overhead: bytes of the shards over those of their tokens alone.

``verify``: shards of 128 MiB of random tokens in FOLDER, read cold (their pages dropped) and warm, by
``verify_directory`` and by ``cat``. ``stats``: the command on a made-up manifest.

RIVALS has benchmarks/rivals/shards.txt.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.options.pipeline_options import PipelineOptions

from benchmarks.documents import documents
from dataprep import storage
from dataprep.document import SCHEMA, BatchBuilder
from dataprep.parts import PartWriter
from dataprep.recipe import parse_recipe
from dataprep.shards import (
    LengthHistogram,
    Manifest,
    ShardInfo,
    WrittenShard,
    shard_name,
    verify_directory,
    write_shard,
)
from pipelines.batches import Split
from pipelines.local import in_process_runner
from pipelines.stage import Build
from pipelines.tokens import ShardsStage, TokenizerStage

PART = 4096
SHARD_TOKENS = 1 << 22  # so that a corpus of one process and a minute has several
SHARD_BYTES = 128 << 20
RIVALS = Path(__file__).parent / "rivals"


def give(place: Path, texts: list[str]) -> None:
    """The documents as the stage before leaves them, and as Parquet for others."""
    (place / "given").mkdir(parents=True)
    for part, start in enumerate(range(0, len(texts), PART)):
        builder = BatchBuilder("given")
        rows = texts[start : start + PART]
        with PartWriter(str(place / "unique" / "kept" / f"part-{part:05d}.parquet"), SCHEMA) as file:
            for row, text in enumerate(rows):
                if batch := builder.add(text, f"{start + row}"):
                    file.write(batch)
            if batch := builder.finish():
                file.write(batch)
        ids = [str(start + row) for row in range(len(rows))]
        pq.write_table(pa.table({"id": ids, "text": rows}), place / "given" / f"{part:05d}.parquet")
    storage.write_json(str(place / "unique" / "_stage.json"), {"fingerprint": "given", "counts": {"kept": len(texts)}})


def ours(place: str, tokenizer: str) -> dict[str, float]:
    """Both stages in this process; the figures are those of the second."""
    recipe = parse_recipe(
        {
            "name": "benchmark",
            "sources": [{"name": "given", "files": {"paths": ["given"]}}],
            "tokenizer": {"file": tokenizer, "sample_bytes": 4 << 20},  # a larger sample would be the peak of memory
            "shards": {"tokens_per_shard": SHARD_TOKENS},
        }
    )

    def run(phase: str, build: Build, splits: list[Split]) -> None:
        pipeline = beam.Pipeline(runner=in_process_runner(), options=PipelineOptions([]))
        build(pipeline | beam.Create(splits).with_output_types(Split))
        pipeline.run().wait_until_finish()

    for kind in (TokenizerStage, ShardsStage):
        stage = kind(recipe, place)
        parts = stage.fingerprint_parts()
        wall, cpu = time.perf_counter(), time.process_time()
        stage.execute(run)
        stage.write_manifest(parts, 0.0)
        used = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
    manifest = Manifest.load(f"{place}/shards")
    size = sum(os.path.getsize(f"{manifest.path}/{info.path}") for info in manifest.shards)
    return used | {"peak_mb": peak_mb(), "tokens": manifest.tokens, "bytes": size, "shards": len(manifest.shards)}


def peak_mb() -> float:
    """Most memory this process ever had, since it is this program (getrusage would count its parent's)."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def write(given: argparse.Namespace) -> None:
    texts, total = [], 0
    for text in documents([given.documents]):
        texts.append(text)
        total += len(text.encode())
        if total >= max(given.megabytes) * 1e6:
            break
    sizes = np.cumsum([len(text.encode()) for text in texts])
    print("| MB | documents | tool | MB/CPU s | CPU s | wall s | peak MB | shards | overhead |\n" + "| --- " * 9 + "|")
    for megabytes in (1, *given.megabytes):  # the first compiles
        few = texts[: int(np.searchsorted(sizes, megabytes * 1e6)) + 1]
        with tempfile.TemporaryDirectory() as folder:
            place, result = Path(folder, "run"), Path(folder, "result.json")
            give(place, few)
            command = [sys.executable, "-m", "benchmarks.shards", "ours", str(place), given.tokenizer, str(result)]
            tools = {"corpusmill": command}
            if given.rivals:
                rival = [
                    str(RIVALS / "shards_tokens.py"),
                    f"{place}/given",
                    given.tokenizer,
                    f"{folder}/rival",
                    str(result),
                ]
                tools["datatrove"] = [given.rivals, *rival]
            for tool, command in tools.items():
                subprocess.run(command, check=True, capture_output=True)
                used = json.loads(result.read_text(encoding="utf-8"))
                size = sum(len(text.encode()) for text in few) / 1e6
                shown = (
                    f"{size:.0f} | {len(few):,} | {tool} | {size / used['cpu']:.2f} | {used['cpu']:.1f} | "
                    f"{used['wall']:.1f} | {used['peak_mb']:.0f} | {used.get('shards', 1)} | "
                    f"{used['bytes'] / used['tokens'] / 2 - 1:.2%}"
                )
                if megabytes > 1:
                    print(f"| {shown} |", flush=True)


def verify(given: argparse.Namespace) -> None:
    folder = Path(given.folder)
    if not (folder / "manifest.json").exists():
        chance = np.random.default_rng(0)
        written = []
        for number in range(round(given.gigabytes * 1e9 / SHARD_BYTES)):
            offsets = np.arange(0, SHARD_BYTES // 2 + 1, 1024)
            tokens = chance.integers(1, 1 << 16, SHARD_BYTES // 2, dtype=np.uint16)
            tokens[offsets[1:] - 1] = 0
            ids = chance.integers(0, 256, (len(offsets) - 1, 16), dtype=np.uint8)
            name = shard_name("made", "train", number)
            fields = {"source": "made", "split": "train", "tokenizer_fingerprint": "", "text_bytes": 1}
            written.append(
                write_shard(given.folder, name, tokens, offsets, ids, vocabulary_size=1 << 16, eos_id=0, **fields)
            )
        Manifest.build(given.folder, written).save()
    files = sorted(str(path) for path in folder.rglob("*.arrow"))
    size = sum(os.path.getsize(path) for path in files) / 1e9
    print(f"{len(files)} shards, {size:.2f} GB, GB/s\n| | cat | verify, 1 thread | verify |\n| --- | --- | --- | --- |")
    tools = (
        lambda: subprocess.run(["cat", *files], stdout=subprocess.DEVNULL, check=True),
        lambda: [problems for _, problems in verify_directory(given.folder, threads=1) if problems],
        lambda: [problems for _, problems in verify_directory(given.folder) if problems],
    )
    for state in ("cold", "cold", "warm", "warm"):
        speeds = []
        for tool in tools:
            for path in files if state == "cold" else ():
                file = os.open(path, os.O_RDONLY)
                os.fsync(file)
                os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
                os.close(file)
            start = time.perf_counter()
            tool()
            speeds.append(size / (time.perf_counter() - start))
        print(f"| {state} | {' | '.join(f'{speed:.2f}' for speed in speeds)} |", flush=True)


def stats(given: argparse.Namespace) -> None:
    lengths = LengthHistogram.of(np.random.default_rng(0).integers(1, 5000, 1000))
    with tempfile.TemporaryDirectory() as folder:
        written = []
        for number in range(given.shards):
            name = shard_name("web", "train", number)
            info = ShardInfo(name, "web", "train", 60_000, 1 << 26, 1 << 28, 4095, "uint16", f"{number:032x}", "0" * 32)
            written.append(WrittenShard(info, lengths, "0" * 32, 4096, 0))
        Manifest.build(folder, written).save()
        size = os.path.getsize(f"{folder}/manifest.json") / 1e6
        start = time.perf_counter()
        Manifest.load(folder)
        loaded = time.perf_counter() - start
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "pipelines.cli", "stats", folder], check=True, stdout=subprocess.DEVNULL)
        command = time.perf_counter() - start
    print(
        f"{given.shards:,} shards, manifest of {size:.1f} MB: read in {loaded:.2f} s, `dataprep stats` {command:.2f} s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("write")
    one.add_argument("documents")
    one.add_argument("tokenizer")
    one.add_argument("--megabytes", nargs="+", type=float, default=[64, 256])
    one.add_argument("--rivals", help="the Python of an environment with the rival")
    two = commands.add_parser("verify")
    two.add_argument("folder")
    two.add_argument("--gigabytes", type=float, default=2)
    three = commands.add_parser("stats")
    three.add_argument("--shards", type=int, default=10_000)
    four = commands.add_parser("ours", help="what write runs in a process of its own")
    four.add_argument("place")
    four.add_argument("tokenizer")
    four.add_argument("result", type=Path)
    given = parser.parse_args()
    if given.command == "ours":
        given.result.write_text(json.dumps(ours(given.place, given.tokenizer)), encoding="utf-8")
    else:
        {"write": write, "verify": verify, "stats": stats}[given.command](given)


if __name__ == "__main__":
    main()
