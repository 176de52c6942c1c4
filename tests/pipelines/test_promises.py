"""The README's promises: same bytes everywhere, nothing done twice, any death survived, counts that add up."""

import os
import random
import signal
import socket
import subprocess
import sys
import time

import psutil
import pytest
import yaml

from dataprep import storage
from pipelines.local import in_process_runner
from pipelines.run import CHAIN, Driver, Job, locked
from pipelines.stage import read_manifest
from tests.pipelines.corpus import recipe, write_corpus

STAGES = [kind.name for kind in CHAIN if kind.name != "crawl"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    write_corpus(folder)
    return folder


def job(value, out, workers=0):
    logs = os.path.join(out, "_logs")
    os.makedirs(logs, exist_ok=True)
    return Job(recipe=value, out=str(out), until="shards", workers=workers, logs=logs)


def drive(value, out, workers=0, runner=None):
    """Run the whole chain; returns which stages ran and which were skipped."""
    events = []
    driver = Driver(job(value, str(out), workers), runner)
    driver.emit = lambda event, **values: events.append((event, values.get("stage")))
    driver.run()
    return [s for e, s in events if e == "done"], [s for e, s in events if e == "skip"]


def data(out):
    """Every data file of a run with its bytes: all but what begins with an underscore, which holds timings."""
    found = {}
    for file in storage.list_files(str(out), recursive=True):
        relative = os.path.relpath(file.path, out)
        if not any(part.startswith("_") for part in relative.split(os.sep)):
            found[relative] = storage.read_bytes(file.path)
    return found


def assert_same(found, expected):
    assert sorted(found) == sorted(expected)
    assert [name for name in expected if found[name] != expected[name]] == []


@pytest.fixture(scope="module")
def finished(corpus, tmp_path_factory):
    """One whole run in one process, which the other ways of running are compared with."""
    out = tmp_path_factory.mktemp("finished")
    ran, skipped = drive(recipe(corpus), out)
    assert (ran, skipped) == (STAGES, [])
    return out


def test_counts_add_up_in_every_stage_and_every_stage_has_something_to_do(finished):
    previous = None
    for stage in STAGES[:3]:
        counts = read_manifest(str(finished / stage))["counts"]
        removed = sum(documents for documents, _ in counts["removed"].values())
        assert counts["documents_in"] == counts["kept"] + removed + sum(counts["quarantined"].values())
        assert previous is None or counts["documents_in"] == previous
        assert counts["kept"] > 20, stage
        assert removed > 0, stage
        previous = counts["kept"]
    quarantined = read_manifest(str(finished / "documents"))["counts"]["quarantined"]
    assert sum(quarantined.values()) >= 2  # half a WARC record, a cut JSON line


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_any_number_of_worker_processes_gives_the_same_bytes(corpus, finished, tmp_path, workers):
    drive(recipe(corpus), tmp_path, workers)
    assert_same(data(tmp_path), data(finished))


def test_a_job_service_and_the_engines_own_shuffle_give_the_same_bytes(corpus, finished, tmp_path):
    """The way to a Flink or Spark job server: graph, artifacts and data over gRPC, rows through its shuffle."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    module = "apache_beam.runners.portability.local_job_service_main"
    service = subprocess.Popen([sys.executable, "-m", module, "--port", str(port)], stderr=subprocess.DEVNULL)
    try:
        endpoint = ["--runner", "PortableRunner", "--job_endpoint", f"localhost:{port}"]
        result = run_cli(tmp_path, recipe(corpus), *endpoint, "--environment_type", "LOOPBACK")
    finally:
        service.kill()
        service.wait()
    assert result.returncode == 0, result.stderr
    assert_same(data(tmp_path / "out"), data(finished))


def test_bundles_run_twice_give_the_same_bytes(corpus, finished, tmp_path):
    drive(recipe(corpus), tmp_path, runner=in_process_runner(bundle_repeat=2))
    assert_same(data(tmp_path), data(finished))


def test_tasks_that_run_again_over_their_own_output_give_the_same_bytes(corpus, tmp_path):
    drive(recipe(corpus), tmp_path)
    before = data(tmp_path)
    for stage in STAGES:
        # as if every worker had died after writing its files and before saying so
        storage.remove_tree(str(tmp_path / stage / "_receipts"))
        manifest = read_manifest(str(tmp_path / stage))
        storage.write_json(str(tmp_path / stage / "_running.json"), {"fingerprint": manifest["fingerprint"]})
        storage.remove_file(str(tmp_path / stage / "_stage.json"))
        drive(recipe(corpus), tmp_path)
    assert_same(data(tmp_path), before)


def test_a_second_run_does_nothing(corpus, finished):
    times = {f.path: f.version for f in storage.list_files(str(finished), recursive=True)}
    assert drive(recipe(corpus), finished) == ([], STAGES)
    assert {f.path: f.version for f in storage.list_files(str(finished), recursive=True)} == times


@pytest.mark.parametrize(
    ("change", "first"),
    [
        (("deduplicate", {"threshold": 0.6}), "unique"),
        (("tokenizer", {"vocabulary_size": 900, "sample_bytes": 300_000}), "tokenizer"),
        (("shards", {"tokens_per_shard": 50_000, "validation_fraction": 0.1}), "shards"),
        (("description", "other words"), None),
    ],
)
def test_a_changed_setting_re_runs_exactly_the_stages_that_depend_on_it(corpus, tmp_path, change, first):
    drive(recipe(corpus), tmp_path)
    changed = {**recipe(corpus), change[0]: change[1]}
    dependent = STAGES[STAGES.index(first) :] if first else []
    assert drive(changed, tmp_path) == (dependent, [s for s in STAGES if s not in dependent])
    # and back: the same bytes as ever
    drive(recipe(corpus), tmp_path)


def test_a_changed_input_file_is_noticed(corpus, tmp_path):
    folder = tmp_path / "corpus"
    write_corpus(folder)
    drive(recipe(folder), tmp_path / "out")
    (folder / "library" / "added.txt").write_text("A new page about the weather and the sea. " * 40)
    ran, _ = drive(recipe(folder), tmp_path / "out")
    assert ran[0] == "documents"


@pytest.mark.parametrize("workers", [0, 2])
def test_killed_at_any_moment_and_run_again_it_ends_with_the_same_bytes(corpus, finished, tmp_path, workers):
    file = tmp_path / "recipe.yaml"
    file.write_text(yaml.safe_dump(recipe(corpus)))
    out = tmp_path / "out"
    command = [sys.executable, "-m", "pipelines.cli", "run", str(file), "--out", str(out), "--workers", str(workers)]
    moments = random.Random(workers)
    for _ in range(4):
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
        time.sleep(2.0 + moments.random() * 4)
        killed = child.poll() is None
        if killed:
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        if not killed:
            break
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert_same(data(out), data(finished))
    assert not [name for _, _, names in os.walk(out) for name in names if storage.TEMPORARY in name]


def test_a_driver_whose_command_line_is_killed_leaves_too(corpus, tmp_path):
    child = start_cli(tmp_path, recipe(corpus))
    child.stdout.readline()  # the first stage has begun, so the driver is there
    driver = psutil.Process(child.pid).children()[0]
    child.kill()
    child.wait()
    driver.wait(timeout=10)
    assert run_cli(tmp_path, recipe(corpus)).returncode == 0


def test_two_runs_in_one_directory_are_refused(corpus, tmp_path):
    with locked(str(tmp_path / "out")):
        one_line(run_cli(tmp_path, recipe(corpus)), "another run is at work", str(tmp_path / "out"))


def test_a_file_url_is_the_same_place_as_its_path(corpus, tmp_path):
    assert run_cli(tmp_path, recipe(corpus)).returncode == 0
    again = run_cli(tmp_path, recipe(corpus), "--out", f"file://{tmp_path}/out")
    assert "nothing to do" in again.stdout


def test_a_run_below_its_own_input_does_not_read_what_it_wrote(corpus, tmp_path):
    folder = tmp_path / "all"
    write_corpus(folder)
    value = recipe(corpus)
    value["sources"] = [{"name": "all", "files": {"paths": [str(folder)]}}]
    drive(value, folder / "out")
    assert drive(value, folder / "out") == ([], STAGES)


def test_a_stage_whose_files_were_lost_is_made_again(corpus, tmp_path):
    drive(recipe(corpus), tmp_path)
    before = data(tmp_path)
    os.unlink(tmp_path / "unique" / "kept" / "part-00001.parquet")
    (tmp_path / "clean" / "notes.txt").write_text("not ours, not in the way")
    ran, _ = drive(recipe(corpus), tmp_path)
    assert ran == ["unique", "tokenizer", "shards"]
    assert_same({name: bytes_ for name, bytes_ in data(tmp_path).items() if name != "clean/notes.txt"}, before)


def test_a_run_needs_no_network(corpus, tmp_path, monkeypatch):
    def refuse(self, address, *rest):
        raise AssertionError(f"something wants the network: {address}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    drive(recipe(corpus), tmp_path)


def command_line(tmp_path, value, *arguments):
    file = tmp_path / "recipe.yaml"
    file.write_text(yaml.safe_dump(value))
    command = [sys.executable, "-m", "pipelines.cli", "run", str(file), "--out", str(tmp_path / "out")]
    return [*command, *([] if "--runner" in arguments else ["--workers", "0"]), *arguments]


def run_cli(tmp_path, value, *arguments):
    return subprocess.run(command_line(tmp_path, value, *arguments), capture_output=True, text=True, timeout=120)


def start_cli(tmp_path, value):
    return subprocess.Popen(command_line(tmp_path, value), stdout=subprocess.PIPE, text=True)


def one_line(result, *words):
    lines = [line for line in result.stderr.splitlines() if line.strip()]
    assert len(lines) == 1, result.stderr
    assert "Traceback" not in result.stderr + result.stdout
    assert result.returncode in (1, 2)
    for word in words:
        assert word in lines[0], (word, lines[0])


def test_a_missing_path_is_named_in_one_line(corpus, tmp_path):
    value = recipe(corpus)
    value["sources"][1]["files"]["paths"] = ["/no/such/place.jsonl"]
    one_line(run_cli(tmp_path, value), "/no/such/place.jsonl")


def test_an_empty_corpus_is_said_in_one_line(corpus, tmp_path):
    (tmp_path / "nothing").mkdir()
    (tmp_path / "nothing" / "empty.txt").write_text("")
    value = recipe(corpus)
    value["sources"] = [{"name": "empty", "files": {"paths": [str(tmp_path / "nothing")]}}]
    one_line(run_cli(tmp_path, value), "no documents")


def test_a_corpus_of_which_nothing_is_kept_is_said_in_one_line(corpus, tmp_path):
    (tmp_path / "junk").mkdir()
    for i in range(5):
        (tmp_path / "junk" / f"{i}.txt").write_text(f"{i} {i} {i}")
    value = recipe(corpus)
    value["sources"] = [{"name": "junk", "files": {"paths": [str(tmp_path / "junk")]}}]
    one_line(run_cli(tmp_path, value), "clean", "no documents", "dataprep inspect")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"dedupicate": {}}, ("dedupicate", "deduplicate")),
        ({"seed": -1}, ("seed", "-1", "0")),
        ({"deduplicate": {"keep": "prettiest"}}, ("deduplicate.keep", "prettiest", "longest")),
        ({"tokenizer": {"vocabulary_size": "many"}}, ("tokenizer.vocabulary_size", "many", "integer")),
        ({"sources": []}, ("sources", "at least 1")),
    ],
)
def test_a_mistake_in_a_recipe_is_one_line_with_field_value_and_what_is_allowed(corpus, tmp_path, change, words):
    one_line(run_cli(tmp_path, {**recipe(corpus), **change}), *words)


@pytest.mark.parametrize(
    ("out", "word"), [("/proc/nope", "/proc/nope"), ("memory://x", "gs://"), ("{tmp}/recipe.yaml", "recipe.yaml")]
)
def test_an_unusable_out_is_one_line(corpus, tmp_path, out, word):
    one_line(run_cli(tmp_path, recipe(corpus), "--out", out.format(tmp=tmp_path)), word)


def test_an_unknown_option_is_one_line_with_a_hint(corpus, tmp_path):
    one_line(run_cli(tmp_path, recipe(corpus), "--temp_locatoin", "x"), "--temp_locatoin", "--temp_location")
