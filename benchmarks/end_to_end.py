"""How fast a whole run is, how much memory it takes, what a second run costs, and what Beam's share is.

    python -m benchmarks.end_to_end [--recipe FILE] [--input PATH …] [--workers N]

Three ways over the same input, in the same session: without Beam (the same tasks called in a plain loop), with Beam in
one process, and with worker processes. Then the finished run once more, which does nothing. Without ``--input`` the
corpus is the text of the Python library and of the installed packages, which the lock file fixes.
"""

import argparse
import contextlib
import json
import logging
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

from rich.console import Console
from rich.table import Table

logging.basicConfig(level=logging.ERROR)  # before Beam is imported, or its loggers print

from dataprep import storage  # noqa: E402
from dataprep.recipe import load_recipe  # noqa: E402
from pipelines.batches import Split  # noqa: E402
from pipelines.job import Job  # noqa: E402
from pipelines.receipts import Receipt, next_split  # noqa: E402
from pipelines.run import CHAIN, Driver  # noqa: E402
from pipelines.shuffle import Each, PartitionShuffle  # noqa: E402

RECIPE = Path(__file__).parent / "end_to_end.yaml"
TEXT_SUFFIXES = (".py", ".md", ".rst", ".txt", "METADATA")


class PlainSplits:
    """Stands where a ``PCollection[Split]`` would, and calls the tasks in a loop: the work without Beam."""

    def __init__(self, splits: list[Split]) -> None:
        self.splits = splits

    def __or__(self, transform) -> "PlainSplits":
        transform = getattr(transform, "transform", transform)  # "label" >> transform
        if isinstance(transform, Each):
            return PlainSplits([self._task(transform, split) for split in self.splits])
        if isinstance(transform, PartitionShuffle):
            return PlainSplits(self._shuffle(transform))
        return transform.expand(self)

    def _task(self, each: Each, split: Split) -> Split:
        receipt = Receipt(each.directory, each.phase, split.index, split.size)
        return next_split(receipt.commit(each.task(split, receipt)))

    def _shuffle(self, shuffle: PartitionShuffle) -> list[Split]:
        partitions: dict[int, list] = {}
        for split in self.splits:
            receipt = Receipt(shuffle.directory, shuffle.phase, split.index, split.size)
            for partition, batch in shuffle.mapper(split, receipt):
                if batch.num_rows:
                    partitions.setdefault(partition, []).append(batch)
            receipt.commit(None)
        done = []
        for partition in sorted(partitions):
            receipt = Receipt(shuffle.directory, f"{shuffle.phase}.reduce", partition, 0)
            done.append(next_split(receipt.commit(shuffle.reducer(partition, iter(partitions[partition]), receipt))))
        return done


class PlainDriver(Driver):
    """The driver with Beam taken out."""

    def pipeline(self, stage, phase, build, splits) -> None:
        if splits:
            build(PlainSplits(splits))


def library_corpus(folder: Path) -> None:
    """One JSONL file of every text file of the standard library and the installed packages, in path order."""
    import sysconfig

    roots = {sysconfig.get_path("stdlib"), sysconfig.get_path("purelib")}
    with open(folder / "library.jsonl", "w", encoding="utf-8") as out:
        for root in sorted(roots):
            for file in storage.list_files(root, recursive=True):
                if file.path.endswith(TEXT_SUFFIXES) and 500 < file.size < 1_000_000:
                    with contextlib.suppress(UnicodeDecodeError), warnings.catch_warnings():
                        text = Path(file.path).read_text(encoding="utf-8")
                        out.write(json.dumps({"text": text, "url": os.path.relpath(file.path, root)}) + "\n")


def measure(kind: str, recipe_json: dict, out: str, workers: int) -> dict:
    """One whole run in a process of its own, so that its memory is its own. Returns the stages' figures."""
    command = [sys.executable, "-m", "benchmarks.end_to_end", "--child", kind, "--workers", str(workers), "--out", out]
    started = time.monotonic()
    subprocess.run(command, check=True, input=json.dumps(recipe_json), text=True, stdout=subprocess.DEVNULL)
    wall = time.monotonic() - started
    usage = storage.read_json(os.path.join(out, "_logs", f"usage-{kind}.json"))
    stages = {}
    for stage in CHAIN:
        path = os.path.join(out, stage.name, "_stage.json")
        if os.path.exists(path):
            stages[stage.name] = storage.read_json(path)
    return {"wall": wall, **usage, "stages": stages}


def child(kind: str, out: str, workers: int) -> None:
    logs = os.path.join(out, "_logs")
    os.makedirs(logs, exist_ok=True)
    job = Job(json.load(sys.stdin), out, "shards", workers if kind == "workers" else 0, logs)
    driver = PlainDriver(job) if kind == "plain" else Driver(job)
    driver.run()
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    usage = {
        "cpu": own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime,
        "peak_mb": max(own.ru_maxrss, children.ru_maxrss) // 1024,
    }
    storage.write_json(os.path.join(logs, f"usage-{kind}.json"), usage)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", default=str(RECIPE))
    parser.add_argument("--input", nargs="*", help="files or folders instead of the library corpus")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", help=argparse.SUPPRESS)
    parser.add_argument("--child", choices=["plain", "process", "workers"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child, options.out, options.workers)
        return
    console = Console()
    with tempfile.TemporaryDirectory(prefix="corpusmill-bench-") as folder:
        paths = options.input
        if not paths:
            library_corpus(Path(folder))
            paths = [os.path.join(folder, "library.jsonl")]
        recipe = load_recipe(options.recipe, [f"sources.corpus.files.paths={json.dumps(paths)}"]).model_dump(
            mode="json"
        )
        runs = {}
        for kind in ("plain", "process", "workers"):
            out = os.path.join(folder, kind)
            runs[kind] = measure(kind, recipe, out, options.workers)
            if kind == "workers":
                runs["again"] = measure(kind, recipe, out, options.workers)
            else:
                shutil.rmtree(out)
        show(console, runs, options.workers)


def show(console: Console, runs: dict, workers: int) -> None:
    megabytes = runs["plain"]["stages"]["documents"]["counts"]["characters_kept"] / 1e6
    documents = runs["plain"]["stages"]["documents"]["counts"]["kept"]
    console.print(f"corpus: {documents:,} documents, {megabytes:.1f} million characters of text")
    table = Table("run", "wall s", "CPU s", "M chars/s", "M chars per CPU s", "largest process MB", box=None)
    names = {"plain": "without Beam", "process": "Beam, one process", "workers": f"Beam, {workers} workers"}
    for kind, name in names.items():
        run = runs[kind]
        rates = f"{megabytes / run['wall']:.2f}", f"{megabytes / run['cpu']:.2f}"
        table.add_row(name, f"{run['wall']:.1f}", f"{run['cpu']:.1f}", *rates, str(run["peak_mb"]))
    table.add_row("the same again (nothing to do)", f"{runs['again']['wall']:.1f}", f"{runs['again']['cpu']:.1f}")
    console.print(table)
    share = 1 - runs["plain"]["cpu"] / runs["process"]["cpu"]
    console.print(f"Beam's share of the CPU time, one process: {share:.1%}")
    stages = Table("stage", "task CPU s", "M chars per CPU s", "peak MB of a worker", "wall s", box=None)
    for name, manifest in runs["workers"]["stages"].items():
        timing = manifest["timings"]
        rate = megabytes / max(timing["task_cpu_seconds"], 1e-9)
        cells = f"{timing['task_cpu_seconds']:.1f}", f"{rate:.2f}", str(timing["peak_rss_mb"])
        stages.add_row(name, *cells, f"{timing['wall_seconds']:.1f}")
    console.print(stages)


if __name__ == "__main__":
    main()
