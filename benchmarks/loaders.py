"""The loader against its rivals: random windows of the same tokens, warm, in one process, and with threads ahead.

    python -m benchmarks.loaders [--rivals RIVALS/bin/python] [--mosaic MOSAIC/bin/python] [--rounds 3] [--workers 2]

Tokens are drawn at random (no tool looks at them) and written once as shards of 10 million and as one flat uint16 file;
the rivals write their own formats from that. Each tool is a process of its own (`benchmarks/rivals/loaders.py`), one
after the other, all of them ROUNDS times in turn; the medians are told, and each tool's ratio to the memory map of its
own round. Everything is in the page cache. ``cpu``: tokens a second of the process's CPU time, the fairer figure where
others use the machine. RIVALS has benchmarks/rivals/loaders.txt, and MOSAIC what is said there.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Literal

import numpy as np
import torch

from dataprep.shards import Manifest, write_shard
from trainer.data.batches import Batch, TrainingOrder, Windows
from trainer.data.prefetch import Prefetch
from trainer.data.stream import Proof, TokenStream

Packing = Literal["windows", "documents"]

LENGTH, BATCH = 2049, 16
VOCABULARY, DOCUMENT = 50_000, 1000
SHARD = 10_000_000
RIVAL = Path(__file__).parent / "rivals" / "loaders.py"
RIVALS = ("datatrove", "litdata", "datasets")


def write(folder: Path, tokens: int) -> None:
    """Shards, and the same tokens as one flat file."""
    generator = np.random.default_rng(0)
    written = []
    with open(folder / "tokens.bin", "wb") as flat:
        for number, size in enumerate([SHARD] * (tokens // SHARD)):
            drawn = generator.integers(1, VOCABULARY, size).astype(np.uint16)
            offsets = np.arange(0, size + 1, DOCUMENT)
            drawn[offsets[1:] - 1] = 0
            ids = generator.integers(0, 256, (len(offsets) - 1, 16)).astype(np.uint8)
            written.append(
                write_shard(
                    str(folder / "shards"),
                    f"random/train-{number:05d}.arrow",
                    drawn,
                    offsets,
                    ids,
                    source="random",
                    split="train",
                    tokenizer_fingerprint="",
                    vocabulary_size=VOCABULARY,
                    eos_id=0,
                    text_bytes=4 * size,
                )
            )
            flat.write(drawn.tobytes())
    Manifest.build(str(folder / "shards"), written).save()


def random_windows(stream: TokenStream, batch: int) -> Callable[[int], torch.Tensor]:
    def make(step: int) -> torch.Tensor:
        starts = np.random.default_rng(step).integers(0, stream.tokens - LENGTH, batch)
        out = torch.empty((batch, LENGTH), dtype=torch.int64)
        stream.read_windows(starts, LENGTH, out.numpy())
        return out

    return make


def steps_of(stream: TokenStream, batch: int, packing: Packing) -> Callable[[int], Batch]:
    """A run's own batches, in an epoch's order; packed documents are kept apart."""
    windows = Windows(stream, LENGTH - 1, packing=packing, mask_documents=packing == "documents")
    order = TrainingOrder(windows, 0, batch)
    return lambda step: windows.batch(order.step(step))


def ours(
    folder: Path, batch: int, seconds: float, threads: int, share: float, packing: Packing | None
) -> dict[str, float]:
    """As the rivals' ``main``, from opening the manifest on."""
    began = time.perf_counter()
    stream = TokenStream(Manifest.load(str(folder / "shards")), "train", VOCABULARY, proof=Proof(share))
    make: Callable[[int], object] = steps_of(stream, batch, packing) if packing else random_windows(stream, batch)
    with Prefetch(make, 0, 1 << 60, threads, 4) as steps:
        next(steps)
        first = time.perf_counter() - began
        proving = time.process_time()
        for start in range(0, stream.tokens - 1, 1 << 18):
            stream.read(start, start + 1)
        proving = time.process_time() - proving
        end = time.perf_counter() + seconds / 4
        while time.perf_counter() < end:
            next(steps)
        count, began, cpu = 0, time.perf_counter(), time.process_time()
        while time.perf_counter() < began + seconds:
            next(steps)
            count += 1
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    tokens = count * batch * LENGTH
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    proved = 2 * stream.tokens / proving if share else 0.0
    return {"wall": tokens / wall, "cpu": tokens / cpu, "first": first, "peak_mb": peak, "proved": proved}


def measured(command: list[str]) -> dict[str, float]:
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: exit code {done.returncode}")
    return json.loads(done.stdout.splitlines()[-1])


def compare(folder: Path, rivals: dict[str, str], seconds: float, rounds: int, workers: int) -> None:
    me = [sys.executable, "-m", "benchmarks.loaders", "--ours", str(folder), "--seconds", str(seconds)]
    given = [str(LENGTH), str(BATCH), str(seconds)]
    tools = {
        "memmap": [sys.executable, str(RIVAL), "memmap", str(folder), *given],
        "corpusmill": me,
        "corpusmill, nothing proven": [*me, "--share", "0"],
        "corpusmill, 1 thread ahead": [*me, "--threads", "1"],
        "corpusmill, 2 threads ahead": [*me, "--threads", "2"],
        "corpusmill, 256 windows": [*me, "--batch", "256"],
        "corpusmill, 256 windows, 1 thread ahead": [*me, "--batch", "256", "--threads", "1"],
        "corpusmill, 256 windows, 2 threads ahead": [*me, "--batch", "256", "--threads", "2"],
        "corpusmill, steps of a run": [*me, "--batch", "256", "--packing", "windows"],
        "corpusmill, steps of packed documents": [*me, "--batch", "256", "--packing", "documents"],
    }
    for name, python in rivals.items():
        tools[name] = [python, str(RIVAL), name, str(folder), *given]
        if workers:
            tools[f"{name}, {workers} workers"] = [*tools[name], str(workers)]
    found: dict[str, list[dict[str, float]]] = {name: [] for name in tools}
    for _ in range(rounds):
        for name, command in tools.items():
            found[name].append(measured(command))
    print("| loader | M tokens/s wall | cpu | of memmap, wall | cpu | first batch s | peak MB |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, runs in found.items():
        wall, cpu, first, peak = (median(run[key] for run in runs) for key in ("wall", "cpu", "first", "peak_mb"))
        pairs = list(zip(runs, found["memmap"], strict=True))
        ratios = [median(run[key] / base[key] for run, base in pairs) for key in ("wall", "cpu")]
        shown = f"{wall / 1e6:.1f} | {cpu / 1e6:.1f} | {ratios[0]:.2f} | {ratios[1]:.2f} | {first:.3f} | {peak:.0f}"
        print(f"| {name} | {shown} |")
    proved = median(run["proved"] for run in found["corpusmill"])
    print(f"proving every MiB, once: {proved / 1e9:.1f} GB per CPU second")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rivals", help="the Python of an environment with the rivals")
    parser.add_argument("--mosaic", help="the Python of one with mosaicml-streaming, whose pins clash with the others'")
    parser.add_argument("--tokens", type=int, default=100_000_000)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=0, help="the rivals also with so many DataLoader processes")
    parser.add_argument("--folder", type=Path, help="where to write, and find what an earlier call wrote")
    one = parser.add_argument_group("one measurement of ours, as JSON")
    one.add_argument("--ours", type=Path, metavar="FOLDER")
    one.add_argument("--batch", type=int, default=BATCH)
    one.add_argument("--threads", type=int, default=0)
    one.add_argument("--share", type=float, default=1.0)
    one.add_argument("--packing", choices=["windows", "documents"])
    given = parser.parse_args()
    if given.ours:
        print(json.dumps(ours(given.ours, given.batch, given.seconds, given.threads, given.share, given.packing)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        if not (folder / "shards" / "manifest.json").exists():
            folder.mkdir(parents=True, exist_ok=True)
            write(folder, given.tokens)
        rivals = dict.fromkeys(RIVALS, given.rivals) if given.rivals else {}
        rivals |= {"mosaic": given.mosaic} if given.mosaic else {}
        compare(folder, rivals, given.seconds, given.rounds, given.workers)


if __name__ == "__main__":
    main()
