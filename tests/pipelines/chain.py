"""Running the whole chain over the small corpus, in a test, and comparing what came out."""

import os
import subprocess
import sys

import apache_beam as beam
import yaml
from apache_beam.options.pipeline_options import PipelineOptions

from dataprep import storage
from pipelines.batches import Split
from pipelines.job import Job
from pipelines.local import in_process_runner
from pipelines.run import CHAIN, Driver

STAGES = [kind.name for kind in CHAIN if kind.name not in ("crawl", "passages")]  # those of every recipe


def job(value, out, workers=0, until="shards"):
    logs = os.path.join(out, "_logs")
    os.makedirs(logs, exist_ok=True)
    return Job(recipe=value, out=str(out), until=until, workers=workers, logs=logs)


def drive(value, out, workers=0, runner=None, until="shards"):
    """Run the chain; returns which stages ran and which were skipped."""
    events = []
    driver = Driver(job(value, str(out), workers, until), runner)
    driver.emit = lambda event, **values: events.append((event, values.get("stage")))
    driver.run()
    return [s for e, s in events if e == "done"], [s for e, s in events if e == "skip"]


def run_alone(stage, runner=None, interrupt_after=99):
    """Run one stage, without the driver; returns its tally, what else it says, and the phases that ran."""
    phases = []

    def run(phase, build, splits):
        if len(phases) == interrupt_after:
            raise KeyboardInterrupt
        phases.append(phase)
        pipeline = beam.Pipeline(runner=runner or in_process_runner(), options=PipelineOptions([]))
        build(pipeline | beam.Create(splits).with_output_types(Split))
        pipeline.run().wait_until_finish()

    stage.execute(run)
    tally, extra = stage.finish()
    tally.check(stage.name)
    return tally, extra, phases


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


def command_line(tmp_path, value, *arguments):
    file = tmp_path / "recipe.yaml"
    file.write_text(yaml.safe_dump(value))
    command = [sys.executable, "-m", "pipelines.cli", "run", str(file), "--out", str(tmp_path / "out")]
    local = [] if {"--runner", "--workers"} & set(arguments) else ["--workers", "0"]
    return [*command, *local, *arguments]


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
