"""Splits, receipts and the partition shuffle on a real Beam runner."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import apache_beam as beam
import pyarrow as pa
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from dataprep import storage
from dataprep.parts import Quarantined
from dataprep.recipe import load_recipe
from pipelines import local
from pipelines.batches import RecordBatchCoder, Split, SplitCoder
from pipelines.job import WORKER_KILLED
from pipelines.local import in_process_runner, last_line, worker_runner
from pipelines.receipts import Receipt, read_receipts
from pipelines.run import CHAIN
from pipelines.shuffle import Each, PartitionShuffle
from tests.pipelines.tasks import Count, Fail, Words, Write

TEXTS = ["the cat and the dog", "a dog", "the end", "", "cat cat cat", "zebra"]


def splits(texts=TEXTS):
    return [Split.of(i, len(text), {"text": text}) for i, text in enumerate(texts)]


def run(directory, runner, kind="files", items=None):
    pipeline = beam.Pipeline(runner=runner, options=PipelineOptions([]))
    (
        pipeline
        | beam.Create(items or splits()).with_output_types(Split)
        | Each("write", directory, Write(directory))
        | PartitionShuffle("count", directory, Words(3), Count(directory), kind)
    )
    pipeline.run().wait_until_finish()


def data(directory):
    files = storage.list_files(directory, recursive=True)
    return {
        f.path.removeprefix(directory): storage.read_bytes(f.path)
        for f in files
        if "/_receipts/" not in f.path and "/_work/" not in f.path
    }


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    directory = str(tmp_path_factory.mktemp("expected"))
    run(directory, in_process_runner())
    found = data(directory)
    assert sum(name.startswith("/kept/part-") for name in found) == len(TEXTS)
    assert b'"CAT": 4' in b"".join(found.values())
    return found


@pytest.mark.parametrize("kind", ["files", "beam"])
def test_bundles_run_twice_give_the_same_directory(tmp_path, expected, kind):
    run(str(tmp_path), in_process_runner(bundle_repeat=2), kind)
    assert data(str(tmp_path)) == expected


@pytest.mark.parametrize("kind", ["files", "beam"])
def test_lazily_fetched_groups_give_the_same_directory(tmp_path, expected, kind):
    run(str(tmp_path), in_process_runner(use_state_iterables=True), kind)
    assert data(str(tmp_path)) == expected


@pytest.mark.parametrize(("workers", "kind"), [(1, "files"), (2, "files"), (4, "files"), (2, "beam")])
def test_worker_processes_over_the_fn_api_give_the_same_directory(tmp_path, expected, workers, kind):
    log = str(tmp_path / "log")
    out = str(tmp_path / "out")
    run(out, worker_runner(workers, PipelineOptions([]), log), kind)
    assert data(out) == expected


def test_there_may_be_more_partitions_than_a_process_may_have_files_at_first(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/dev/fd")) + 100, hard))
    try:
        pipeline = beam.Pipeline(runner=in_process_runner(), options=PipelineOptions([]))
        given = pipeline | beam.Create(splits([" ".join(f"word{i}" for i in range(400))])).with_output_types(Split)
        given | PartitionShuffle("count", str(tmp_path), Words(300), Count(str(tmp_path)))
        pipeline.run().wait_until_finish()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert len(read_receipts(str(tmp_path), "count.reduce")) > 150


def test_a_split_with_a_receipt_is_not_run_again_and_one_without_is(tmp_path, expected):
    out = str(tmp_path)
    run(out, in_process_runner())
    storage.remove_file(f"{out}/_receipts/write/00002.json")
    storage.remove_file(f"{out}/kept/part-00002.txt")
    storage.remove_file(f"{out}/kept/part-00003.txt")  # its receipt is there: whoever removes the file must say so
    run(out, in_process_runner())
    missing = {name for name in expected if name not in data(out)}
    assert missing == {"/kept/part-00003.txt"}


@pytest.mark.parametrize("kinds", [("beam", "files"), ("files", "beam")])
def test_a_run_cut_short_with_one_carrier_is_continued_with_the_other(tmp_path, expected, kinds):
    out = str(tmp_path)
    run(out, in_process_runner(), kinds[0])
    # as if it had been killed when one partition was reduced and the others were not
    for partition in (1, 2):
        storage.remove_file(f"{out}/_receipts/count.reduce/{partition:05d}.json")
        storage.remove_file(f"{out}/kept/counts-{partition:05d}.json")
    run(out, in_process_runner(), kinds[1])
    assert data(out) == expected


def test_the_receipt_of_another_plan_does_not_stand_for_this_one(tmp_path, expected):
    out = str(tmp_path)
    run(out, in_process_runner(), items=splits(TEXTS[::-1]))
    storage.remove_tree(f"{out}/_receipts/count.reduce")
    run(out, in_process_runner())
    assert data(out) == expected


def test_receipts_say_what_each_split_did(tmp_path):
    run(str(tmp_path), in_process_runner())
    receipts = read_receipts(str(tmp_path), "write")
    assert [r["index"] for r in receipts] == list(range(len(TEXTS)))
    assert sum(r["tally"]["characters_in"] for r in receipts) == sum(map(len, TEXTS))
    assert all(r["extra"] == {"runs": 1} for r in receipts)


def test_a_receipt_with_counts_that_do_not_add_up_is_never_written(tmp_path):
    receipt = Receipt(str(tmp_path), "p", 0, 0)
    receipt.tally.take(2)
    receipt.quarantine(Quarantined("web", "a#0", "reader", "truncated", "cut"))
    with pytest.raises(RuntimeError, match="2 documents in, 1 out"):
        receipt.commit(None)
    assert read_receipts(str(tmp_path), "p") == []


def test_the_users_error_is_the_last_line_of_what_beam_reports(tmp_path):
    pipeline = beam.Pipeline(runner=in_process_runner(), options=PipelineOptions([]))
    pipeline | beam.Create(splits()).with_output_types(Split) | Each("fail", str(tmp_path), Fail())
    with pytest.raises(Exception, match="split") as caught:
        pipeline.run().wait_until_finish()
    assert "the file of split" in last_line(caught.value)


def test_a_killed_worker_ends_the_run_and_the_next_run_completes(tmp_path):
    script = f"""
import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from pipelines.batches import Split
from pipelines.local import worker_runner
from pipelines.shuffle import Each
from tests.pipelines.tasks import KillOnce
out = {str(tmp_path)!r}
pipeline = beam.Pipeline(runner=worker_runner(2, PipelineOptions([]), out + "/log"), options=PipelineOptions([]))
items = [Split.of(i, 1, {{}}) for i in range(4)]
pipeline | beam.Create(items).with_output_types(Split) | Each("kill", out, KillOnce(out + "/flag"))
pipeline.run().wait_until_finish()
"""
    first = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert first.returncode == WORKER_KILLED, first.stderr
    assert "was killed" in first.stderr
    second = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert second.returncode == 0, second.stderr
    assert len(read_receipts(str(tmp_path), "kill")) == 4


def test_a_slice_crosses_an_edge_as_its_own_rows_only():
    batch = pa.RecordBatch.from_pydict({"x": pa.array(["y" * 1000] * 4000, pa.large_string())})
    coder = RecordBatchCoder()
    encoded = coder.encode(batch.slice(100, 5))
    assert len(encoded) < 10_000
    assert coder.decode(encoded).equals(batch.slice(100, 5))


def test_sizes_are_estimated_without_encoding(tmp_path, monkeypatch):
    monkeypatch.setattr(RecordBatchCoder, "encode", lambda *_: pytest.fail("encoded to be measured"))
    batch = pa.RecordBatch.from_pydict({"x": [1, 2, 3]})
    assert RecordBatchCoder().estimate_size(batch) == batch.nbytes


def test_a_split_survives_its_coder():
    split = Split.of(7, 123, {"b": ["ü"], "a": None})
    assert SplitCoder().decode(SplitCoder().encode(split)) == split
    assert split.load() == {"a": None, "b": ["ü"]}


@pytest.mark.parametrize(
    ("cpu", "memory", "expected_workers"),
    [
        ("max 100000", "max", None),
        ("100000 100000", "max", 1),
        ("50000 100000", "max", 1),
        ("max 100000", "3000000000", 1),
    ],
)
def test_a_containers_limits_are_limits_for_workers(tmp_path, monkeypatch, cpu, memory, expected_workers):
    (tmp_path / "cpu.max").write_text(cpu + "\n")
    (tmp_path / "memory.max").write_text(memory + "\n")
    monkeypatch.setattr(local, "CGROUP", tmp_path / "absent")
    free = local.default_workers()
    monkeypatch.setattr(local, "CGROUP", tmp_path)
    assert local.default_workers() == (expected_workers or free)


class FirstPhase:
    """Stands where the splits would, and remembers which phase took them."""

    def __init__(self):
        self.phase = None

    def __or__(self, transform):
        self.phase = self.phase or getattr(transform, "transform", transform).phase
        return self


@pytest.mark.parametrize("kind", CHAIN, ids=lambda kind: kind.name)
def test_every_graph_is_named_after_the_phase_that_takes_its_splits(tmp_path, kind):
    # the driver looks for the splits' receipts there, and misses none that way
    recipe = load_recipe(Path(__file__).parents[2] / "recipes" / "demo.yaml")
    for phase, build in kind(recipe, str(tmp_path)).graphs():
        splits = FirstPhase()
        build(splits)
        assert splits.phase == phase
