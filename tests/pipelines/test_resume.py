"""A run is killed, changed, moved, disturbed; the same command ends with the same bytes, or says why not."""

import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict

import psutil
import pyarrow.parquet as pq
import pytest

from dataprep import storage
from pipelines.run import locked
from tests.pipelines.chain import STAGES, assert_same, command_line, data, drive, job, one_line, run_cli, start_cli
from tests.pipelines.corpus import recipe


@pytest.mark.parametrize(
    ("change", "first"),
    [
        (("deduplicate", {"threshold": 0.6}), "unique"),
        (("tokenizer", {"vocabulary_size": 900, "sample_bytes": 300_000}), "tokenizer"),
        (("shards", {"tokens_per_shard": 50_000, "validation_fraction": 0.1}), "shards"),
        (("description", "other words"), None),
    ],
)
def test_a_changed_setting_re_runs_exactly_the_stages_that_depend_on_it(library, finished, copied, change, first):
    changed = {**recipe(library), change[0]: change[1]}
    dependent = STAGES[STAGES.index(first) :] if first else []
    assert drive(changed, copied) == (dependent, [s for s in STAGES if s not in dependent])
    drive(recipe(library), copied)
    assert_same(data(copied), data(finished))


def test_documents_that_are_clean_already_need_no_clean_stage(library, copied, tmp_path):
    value = {**recipe(library), "clean": None, "shards": {"columns": ["html.profile"], "tokens_per_shard": 100_000}}
    ran, skipped = drive(value, copied)
    assert (skipped, ran) == (["documents"], ["unique", "tokenizer", "shards"])
    assert not (copied / "clean").exists()
    documents, unique = (storage.read_json(str(copied / s / "_stage.json")) for s in ("documents", "unique"))
    assert unique["counts"]["documents_in"] == documents["counts"]["kept"]
    drive(value, tmp_path / "anew")
    assert_same(data(copied), data(tmp_path / "anew"))
    kept = next((copied / "unique" / "kept").glob("*.parquet"))
    name = pq.read_table(kept, columns=["id"])["id"][0].as_py().hex()
    for command in (["inspect"], ["why", "--id", name], ["report"], ["stats"]):
        place = [command[0], str(copied), *command[1:]]
        said = subprocess.run([sys.executable, "-m", "pipelines.cli", *place], capture_output=True, text=True)
        assert said.returncode == 0, said.stderr
    asked = command_line(tmp_path, value)
    asked[asked.index("run")] = "clean"
    one_line(subprocess.run(asked, capture_output=True, text=True), "clean: null", "clean.rules")


def test_a_changed_input_file_is_noticed(library, tmp_path):
    folder = shutil.copytree(library, tmp_path / "corpus")
    drive(recipe(folder), tmp_path / "out", until="documents")
    (folder / "library" / "added.txt").write_text("A new page about the weather and the sea. " * 40)
    assert drive(recipe(folder), tmp_path / "out", until="documents") == (["documents"], [])


@pytest.mark.parametrize("workers", [0, 2])
def test_killed_at_any_moment_and_run_again_it_ends_with_the_same_bytes(library, finished, tmp_path, workers):
    command = command_line(tmp_path, recipe(library), "--workers", str(workers))
    moments = random.Random(workers)
    for _ in range(4 if workers == 0 else 2):
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
        time.sleep(2.0 + moments.random() * 4)
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    assert run_cli(tmp_path, recipe(library), "--workers", str(workers)).returncode == 0
    assert_same(data(tmp_path / "out"), data(finished))
    assert temporary_files(tmp_path) == []


DIE_AT_A_STEP = """
import json, os, sys
left = int(sys.argv[1])
def dying(function):
    def call(*arguments, **options):
        global left
        left -= 1
        if left == 0:
            os._exit(9)  # nothing is closed, flushed or cleaned up
        return function(*arguments, **options)
    return call
for name in ("replace", "rename", "unlink", "rmdir"):
    setattr(os, name, dying(getattr(os, name)))
from pipelines.job import Job
from pipelines.run import Driver, locked
job = Job(**json.loads(sys.argv[2]))
with locked(job.out):
    Driver(job).run()
"""


def test_death_at_any_file_that_appears_or_goes_is_survived(library, finished, tmp_path):
    """Every commit and every clean-up is a rename, a removal or a removal inside a tree: die at many of them."""
    text = json.dumps(asdict(job(recipe(library), str(tmp_path / "out"))))
    deaths = 0
    for steps in itertools.cycle([13, 37, 5, 59, 2, 83]):
        child = subprocess.run([sys.executable, "-c", DIE_AT_A_STEP, str(steps), text], capture_output=True)
        if child.returncode == 0:
            break
        assert child.returncode == 9, child.stderr
        deaths += 1
    assert deaths > 4
    assert_same(data(tmp_path / "out"), data(finished))
    assert temporary_files(tmp_path) == []


def temporary_files(folder):
    return [str(path) for path in folder.rglob(f"*{storage.TEMPORARY}*")]


def test_a_driver_whose_command_line_is_killed_leaves_too(library, tmp_path):
    child = start_cli(tmp_path, recipe(library))
    child.stdout.readline()  # the first stage has begun, so the driver is there
    driver = psutil.Process(child.pid).children()[0]
    child.kill()
    child.wait()
    driver.wait(timeout=10)
    assert run_cli(tmp_path, recipe(library)).returncode == 0


def test_two_runs_in_one_directory_are_refused(library, tmp_path):
    with locked(str(tmp_path / "out")):
        one_line(run_cli(tmp_path, recipe(library)), "another run is at work", str(tmp_path / "out"))


def test_a_file_url_is_the_same_place_as_its_path(library, copied, tmp_path):
    again = run_cli(tmp_path, recipe(library), "--out", f"file://{copied}")
    assert "nothing to do" in again.stdout


def test_a_run_below_its_own_input_does_not_read_what_it_wrote(library, tmp_path):
    folder = shutil.copytree(library / "library", tmp_path / "all")
    value = recipe(library)
    value["sources"] = [{"name": "all", "files": {"paths": [str(folder)]}}]
    drive(value, folder / "out")
    assert drive(value, folder / "out") == ([], STAGES)


def test_a_stage_whose_files_were_lost_is_made_again(library, finished, copied):
    os.unlink(copied / "unique" / "kept" / "part-00001.parquet")
    (copied / "clean" / "notes.txt").write_text("not ours, not in the way")
    ran, _ = drive(recipe(library), copied)
    assert ran == ["unique", "tokenizer", "shards"]
    assert_same({name: bytes_ for name, bytes_ in data(copied).items() if name != "clean/notes.txt"}, data(finished))
