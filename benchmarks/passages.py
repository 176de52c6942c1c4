"""How fast repeated passages are found and cut out, and how many there are: the whole stage in one process.

``python -m benchmarks.passages PATH … [--set substring_tokens=100] [--rivals RIVALS/bin/python]``; paths as in
`benchmarks.documents`. The rival is datatrove's removal of repeated lines, which looks for nothing shorter or longer;
RIVALS has benchmarks/rivals/dedup.txt.
"""

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import apache_beam as beam
import yaml
from apache_beam.options.pipeline_options import PipelineOptions

from benchmarks.dedup import measured
from benchmarks.documents import documents
from dataprep import storage
from dataprep.document import BatchBuilder
from dataprep.parts import PartWriter
from dataprep.recipe import parse_recipe
from pipelines.batches import Split
from pipelines.local import in_process_runner
from pipelines.passages import PassagesStage
from pipelines.stage import Build

PART_DOCUMENTS = 4096
SHOWN = 3  # of the most repeated, for each reason


def write_parts(paths: Sequence[str], out: str) -> int:
    """The documents as the stage before leaves them; bytes of text."""
    builder, size, part = BatchBuilder("bench"), 0, 0
    texts = enumerate(documents(paths))
    while True:
        batches = []
        for number, text in texts:
            size += len(text.encode())
            full = builder.add(text, str(number))
            batches += [full] if full else []
            if (number + 1) % PART_DOCUMENTS == 0:
                break
        last = builder.finish()
        batches += [last] if last else []
        if not batches:
            return size
        with PartWriter(f"{out}/unique/kept/part-{part:05d}.parquet", batches[0].schema) as writer:
            for batch in batches:
                writer.write(batch)
        part += 1


def run(phase: str, build: Build, splits: list[Split]) -> None:
    pipeline = beam.Pipeline(runner=in_process_runner(), options=PipelineOptions([]))
    build(pipeline | beam.Create(splits).with_output_types(Split))
    pipeline.run().wait_until_finish()


def measure(out: str, settings: dict[str, object], size: int) -> PassagesStage:
    recipe = {"name": "bench", "sources": [{"name": "bench", "files": {"paths": ["x"]}}], "passages": settings}
    stage = PassagesStage(parse_recipe(recipe), out)
    storage.remove_tree(stage.directory)
    started, cpu = time.perf_counter(), time.process_time()
    stage.execute(run)
    wall, cpu = time.perf_counter() - started, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{wall:.1f} s wall, {cpu:.1f} s CPU: {size / cpu / 1e6:.1f} MB/s a core; {peak} MB")
    return stage


def datatrove(python: str, paths: Sequence[str], size: int) -> None:
    """Measure the rival on the same documents in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        given = Path(folder) / "given"
        given.mkdir()
        with (given / "documents.jsonl").open("w", encoding="utf-8") as file:
            for number, text in enumerate(documents(paths)):
                file.write(json.dumps({"id": str(number), "text": text}) + "\n")
        script = Path(__file__).parent / "rivals" / "passages_lines.py"
        used = measured([python, str(script), str(given), f"{folder}/out"])
    speed = size / used["cpu"] / 1e6
    print(f"datatrove, lines: {used['wall']:.1f} s wall, {used['cpu']:.1f} s CPU: {speed:.2f} MB/s a core")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rivals", help="the Python of an environment with the rivals")
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help="a setting of passages")
    arguments = parser.parse_args()
    settings = {name: yaml.safe_load(text) for name, _, text in (one.partition("=") for one in arguments.set)}
    with tempfile.TemporaryDirectory() as out:
        size = write_parts(arguments.paths, out)
        print(f"{size / 1e6:.0f} MB of text")
        measure(out, settings, size)  # compiles
        stage = measure(out, settings, size)
        for phase in ("anchors", "anchors.reduce", "units", "units.reduce", "write"):
            receipts = stage.receipts(phase)
            shuffled = sum(receipt["size"] for receipt in receipts) if phase.endswith("reduce") else 0
            seconds = sum(receipt["cpu_seconds"] for receipt in receipts)
            print(f"{phase}: {seconds:.1f} s" + (f", {shuffled / size:.2f} bytes a byte of text" if shuffled else ""))
        tally, extra = stage.finish()
        print(f"{tally.documents_in} documents in, {tally.kept} kept, {extra['documents_edited']} edited")
        for reason, number in extra["edits"].items():
            share = extra["characters_edited"][reason] / tally.characters_in
            print(f"{reason}: {number} cut out, {share:.1%} of the characters")
            for one in [one for one in extra["most_repeated"] if one["reason"] == reason][:SHOWN]:
                print(f"  {one['occurrences']} × {one['text'][:90]!r}")
    if arguments.rivals:
        datatrove(arguments.rivals, arguments.paths, size)


if __name__ == "__main__":
    main()
