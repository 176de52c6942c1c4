"""How the cost of deduplication grows with the corpus: everything after signatures, on made-up ones.

    python -m benchmarks.dedup_growth [--documents 100000 1000000 10000000] [--verify estimate] [--folder FOLDER]

Of n documents up to 100,000 are one skewed cluster (a template with one value in ten replaced), up to 10,000 one chain
(each is .95 like the one before it, and the ends have nothing in common), a fifth are pairs, and the rest is like
nothing. A document has 512 shingles, as alike as the signatures; ``--verify estimate`` compares signatures alone.
Each size runs the stage's own phases in one process of its own: seconds of wall and CPU, the largest resident
memory, the bytes that went through the shuffles. Signatures of 10 million documents take 6 GB below the folder.
"""

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
from apache_beam.options.pipeline_options import PipelineOptions

from benchmarks.extraction.report import print_table
from dataprep.dedup.hashing import I64
from dataprep.dedup.sets import ShingleSets
from dataprep.dedup.sidecar import Signatures
from dataprep.recipe import parse_recipe
from pipelines import unique
from pipelines.batches import Split
from pipelines.earlier import Corpus
from pipelines.local import in_process_runner
from pipelines.receipts import Receipt
from pipelines.stage import Build
from pipelines.unique import JoinBuckets, MembersByComponent, SignPart, UniqueStage

PART = 100_000
BATCH = 4096
SHINGLES = 512
SEED = 5
CAP = 2 << 30
NAMES = (
    "documents, wall s, CPU s, CPU µs each, peak GB, rounds, candidates B each, contraction B each, judging B each, "
    "removed, below 2 GiB"
)


def made_up(first: int, last: int, documents: int, permutations: int) -> Signatures:
    """The signatures of documents ``first`` to ``last`` of ``documents``; which kind a document is, its number says."""
    number = np.arange(first, last)
    chance = np.random.default_rng([SEED, first])
    values = chance.integers(0, 2**32, (len(number), permutations), dtype=np.uint32)

    # kinds take turns, so that each is spread over all parts
    cluster, chain = min(100_000, documents // 10), min(10_000, documents // 100)
    every = documents // cluster
    clustered = (number % every == 0) & (number // every < cluster)
    template = np.random.default_rng(SEED).integers(0, 2**32, permutations, dtype=np.uint32)
    values[clustered] = np.where(chance.random((clustered.sum(), permutations)) < 0.1, values[clustered], template)

    every = documents // chain
    linked = (number % every == 1) & (number // every < chain)
    values[linked] = _chain(chain, permutations)[number[linked] // every]

    pairs = (number % 10 == 5) | (number % 10 == 6)
    pairs &= ~(clustered | linked)
    for k in np.flatnonzero(pairs[1:] & (number[1:] % 10 == 6) & pairs[:-1]):
        values[k + 1] = np.where(chance.random(permutations) < 0.05, values[k + 1], values[k])

    ids = np.column_stack([number, number + 1]).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    nothing = np.zeros(len(number))
    shingles = np.full(len(number), SHINGLES, np.uint32)
    return Signatures(ids, ids, np.zeros_like(ids), nothing.astype(np.uint64), shingles, nothing, values)


def _chain(links: int, permutations: int) -> np.ndarray:
    chance = np.random.default_rng(SEED + 1)
    values = chance.integers(0, 2**32, (links, permutations), dtype=np.uint32)
    for link in range(1, links):
        keep = np.ones(permutations, bool)
        keep[chance.choice(permutations, permutations // 20, replace=False)] = False
        values[link, keep] = values[link - 1, keep]
    return values


class Sign(SignPart):
    """In the place of the stage's own mapper, which would read texts."""

    def signatures(self, split: Split, receipt: Receipt) -> Signatures:
        started = time.process_time()
        work = split.load()
        signatures = made_up(work["first"], work["last"], work["of"], self.settings.permutations)
        receipt.extra["seconds_for_making"] = time.process_time() - started
        return signatures


class ByComponent(MembersByComponent):
    """In the place of the stage's own mapper, which would read texts.

    Half of the shingles are everybody's, the others the values of the signature: so documents that agree in a share s
    of the values have a Jaccard similarity of (1 + s) / (3 - s), which is near s where s is near 1.
    """

    def shingle_sets(self, part: int, wanted: I64) -> Iterator[tuple[slice, ShingleSets]]:
        if self.settings.verify == "estimate":
            yield from super().shingle_sets(part, wanted)
            return
        values = self.corpus.signatures(part).values
        copies = SHINGLES // values.shape[1]
        place = np.arange(SHINGLES, dtype=np.uint64) << np.uint64(32)
        for begin in range(0, len(wanted), BATCH):
            end = min(begin + BATCH, len(wanted))
            sets = np.tile(values[wanted[begin:end]], copies).astype(np.uint64) | place
            sets[:, ::2] = place[::2]
            bounds = np.arange(end - begin + 1) * SHINGLES
            yield slice(begin, end), ShingleSets(sets.reshape(-1), bounds[:-1], bounds[1:])


class Stage(UniqueStage):
    documents = 0

    def plan(self) -> list[Split]:
        bounds = [(first, min(first + PART, self.documents)) for first in range(0, self.documents, PART)]
        return [
            Split.of(k, last - first, {"first": first, "last": last, "of": self.documents, "documents": last - first})
            for k, (first, last) in enumerate(bounds)
        ]

    def upstream_parts(self, stage: str) -> list[Any]:
        return self.plan()

    def build_candidates(self, splits: beam.PCollection, corpus: Corpus, partitions: int) -> beam.PCollection:
        sign = Sign(self.directory, self.recipe.deduplicate, corpus, partitions)
        return splits | self.shuffle("sign", sign, JoinBuckets(self.directory))


def measure(documents: int, folder: str, verify: str) -> None:
    """Run one size in this process and print its row."""
    unique.MembersByComponent = ByComponent  # type: ignore[misc]
    source = {"name": "made-up", "files": {"paths": ["none"]}}
    recipe = parse_recipe({"name": "growth", "sources": [source], "deduplicate": {"verify": verify}})
    stage = Stage(recipe, folder)
    stage.documents = documents
    wall = cpu = 0.0

    def run(phase: str, build: Build, splits: list[Split]) -> None:
        nonlocal wall, cpu
        if phase == "write":
            return
        started, before = time.monotonic(), time.process_time()
        pipeline = beam.Pipeline(runner=in_process_runner(), options=PipelineOptions([]))
        build(pipeline | beam.Create(splits).with_output_types(Split))
        pipeline.run().wait_until_finish()
        wall += time.monotonic() - started
        cpu += time.process_time() - before

    stage.execute(run)
    making = sum(r["extra"]["seconds_for_making"] for r in stage.receipts("sign"))
    rounds = [f"{kind}-{number:02d}" for number in range(40) for kind in ("large", "small")]
    moved = {
        name: sum(receipt["size"] for receipt in stage.receipts(f"{name}.reduce"))
        for name in ("sign", *rounds, "members", "judge", "verdicts")
    }
    judged = [receipt["work"] for receipt in stage.receipts("judge.reduce")]
    contraction = sum(moved[name] for name in rounds)
    cpu -= making
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    judging = moved["members"] + moved["judge"] + moved["verdicts"]
    row = (
        f"{documents:,}",
        f"{wall:.0f}",
        f"{cpu:.0f}",
        f"{1e6 * cpu / documents:.1f}",
        f"{peak / 1e9:.2f}",
        str(sum(moved[name] > 0 for name in rounds)),
        *(f"{size / documents:.0f}" for size in (moved["sign"], contraction, judging)),
        f"{sum(w['removed'] for w in judged):,} of {sum(w['members'] for w in judged):,}",
        "yes" if peak < CAP else "no",
    )
    print("|".join(row))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, nargs="+", default=[100_000, 1_000_000, 10_000_000])
    parser.add_argument("--verify", choices=["jaccard", "containment", "estimate"], default="jaccard")
    parser.add_argument("--folder", help="for the signatures and what is shuffled; emptied afterwards")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        measure(arguments.one, arguments.folder, arguments.verify)
        return
    table = []
    for documents in arguments.documents:
        folder = Path(tempfile.mkdtemp(prefix="growth-", dir=arguments.folder))
        try:
            command = [sys.executable, "-m", "benchmarks.dedup_growth", "--one", str(documents)]
            command += ["--folder", str(folder), "--verify", arguments.verify]
            run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        finally:
            shutil.rmtree(folder)
        table.append(run.stdout.splitlines()[-1].split("|"))
    print_table([tuple(NAMES.split(", ")), *(tuple(row) for row in table)])


if __name__ == "__main__":
    main()
