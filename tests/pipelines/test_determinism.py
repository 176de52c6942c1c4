"""The same recipe gives the same bytes however it is run, and nothing is done twice."""

import socket
import subprocess
import sys

import pytest

from dataprep import storage
from pipelines.local import in_process_runner
from pipelines.stage import read_manifest
from tests.pipelines.chain import STAGES, assert_same, data, drive, run_cli
from tests.pipelines.corpus import recipe


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


# one process is what `finished` ran in
@pytest.mark.parametrize("workers", [2, 4])
def test_any_number_of_worker_processes_gives_the_same_bytes(library, finished, tmp_path, workers):
    drive(recipe(library), tmp_path, workers=workers)
    assert_same(data(tmp_path), data(finished))


def test_a_job_service_and_the_engines_own_shuffle_give_the_same_bytes(library, finished, tmp_path):
    """The way to a Flink or Spark job server: graph, artifacts and data over gRPC, rows through its shuffle."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    module = "apache_beam.runners.portability.local_job_service_main"
    service = subprocess.Popen([sys.executable, "-m", module, "--port", str(port)], stderr=subprocess.DEVNULL)
    try:
        endpoint = ["--runner", "PortableRunner", "--job_endpoint", f"localhost:{port}"]
        result = run_cli(tmp_path, recipe(library), *endpoint, "--environment_type", "LOOPBACK")
    finally:
        service.kill()
        service.wait()
    assert result.returncode == 0, result.stderr
    assert_same(data(tmp_path / "out"), data(finished))


def test_bundles_run_twice_give_the_same_bytes(library, finished, tmp_path):
    drive(recipe(library), tmp_path, runner=in_process_runner(bundle_repeat=2))
    assert_same(data(tmp_path), data(finished))


def test_tasks_that_run_again_over_their_own_output_give_the_same_bytes(library, finished, copied):
    for stage in reversed(STAGES):  # of which none then waits for one before it
        # as if every worker had died after writing its files and before saying so
        storage.remove_tree(str(copied / stage / "_receipts"))
        manifest = read_manifest(str(copied / stage))
        storage.write_json(str(copied / stage / "_running.json"), {"fingerprint": manifest["fingerprint"]})
        storage.remove_file(str(copied / stage / "_stage.json"))
        ran, _ = drive(recipe(library), copied, until=stage)
        assert ran == [stage]
    assert_same(data(copied), data(finished))


def test_a_second_run_does_nothing(library, finished):
    times = {f.path: f.version for f in storage.list_files(str(finished), recursive=True)}
    assert drive(recipe(library), finished) == ([], STAGES)
    assert {f.path: f.version for f in storage.list_files(str(finished), recursive=True)} == times


def test_a_run_needs_no_network(library, tmp_path, monkeypatch):
    def refuse(self, address, *rest):
        raise AssertionError(f"something wants the network: {address}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    drive(recipe(library), tmp_path)
