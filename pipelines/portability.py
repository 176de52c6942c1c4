"""Whether a recipe's job graphs can leave this machine: built and checked without running anything or using a network.

A service runner pickles every function, ships it, and unpickles it in a worker that has the packages it was told to
install. What breaks there, late and at a price, is found here: an edge without a type (Beam would pickle what crosses
it), a coder that is neither Beam's nor ours, a function that only this process can name, a package nobody declared.
"""

import io
import pickle
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import apache_beam as beam
from apache_beam.coders.coders import deserialize_coder
from apache_beam.internal import pickler
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.pipeline import PipelineVisitor
from apache_beam.portability import common_urns, python_urns
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.typehints import typehints
from fsspec.registry import known_implementations
from google.protobuf.wrappers_pb2 import BytesValue

from dataprep.recipe import Recipe
from pipelines.batches import RecordBatchCoder, Split, SplitCoder
from pipelines.local import in_process_runner, last_line
from pipelines.options import named_runner
from pipelines.packages import DISTRIBUTION, canonical, declared_packages, needed_packages
from pipelines.run import CHAIN
from pipelines.stage import Build, Stage

CHECK_SPLITS = "splits"
OPTIONS = "options"  # the finding that is about no stage
PROJECT = re.compile(r"([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]")
BUCKET_PATH = re.compile(r"gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]/.*")
DATAFLOW_NEEDS = {
    "project": (PROJECT, "a project's id, 6 to 30 of a-z, 0-9 and -"),
    "region": (re.compile(r"[a-z]+(-[a-z]+)+[0-9]+"), "a region as us-central1"),
    "temp_location": (BUCKET_PATH, "gs://BUCKET/…, the bucket at least 3 of a-z, 0-9, -, _ and ."),
}
CODE_DELIVERY = {
    "sdk_container_image": "--sdk_container_image",
    "setup_file": "--setup_file",
    "requirements_file": "--requirements_file",
    "extra_packages": "--extra_package",
}


@dataclass
class Finding:
    """What a stage's job graphs consist of, and what would go wrong elsewhere; each problem and note is one line."""

    stage: str
    transforms: int = 0
    coders: int = 0
    packages: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def check_chain(recipe: Recipe, out: str, beam_args: list[str], until: str) -> list[Finding]:
    """Check the graphs that a run up to ``until`` would run, a finding a stage, after one of the options if need be."""
    runner = named_runner(beam_args)
    last = next(number for number, kind in enumerate(CHAIN) if kind.name == until)
    stages = [kind(recipe, out, "beam" if runner else "files") for kind in CHAIN[: last + 1]]
    stages = [stage for stage in stages if stage.needed()]
    findings = [check_stage(stage) for stage in stages]
    if runner and runner.endswith("DataflowRunner"):
        options = Finding(OPTIONS, problems=check_dataflow_options(beam_args, out))
        if not options.problems:
            _dry_run_by_beam(stages, beam_args, options)
        findings.insert(0, options)
    return findings


def check_dataflow_options(beam_args: list[str], out: str) -> list[str]:
    """What of Dataflow's required options is missing or malformed, a line each. Uses no network."""
    options = PipelineOptions(beam_args).get_all_options()
    problems = []
    for name, (pattern, allowed) in DATAFLOW_NEEDS.items():
        value = options[name]
        if not value:
            problems.append(f"Dataflow needs --{name}: {allowed}")
        elif not pattern.fullmatch(value):
            problems.append(f"--{name} {value!r} is not what Dataflow takes; allowed: {allowed}")
    if not any(options[name] for name in CODE_DELIVERY):
        problems.append(
            f"Dataflow's workers need {DISTRIBUTION} and its packages: give one of {', '.join(CODE_DELIVERY.values())}"
        )
    if not out.startswith("gs://"):
        problems.append(f"--out {out}: Dataflow's workers cannot see it; allowed: gs://…")
    return problems


def _dry_run_by_beam(stages: list[Stage], beam_args: list[str], finding: Finding) -> None:
    """Let Beam's Dataflow runner translate every graph into the job it would submit.

    Only with options that ``check_dataflow_options`` passed: for a malformed bucket Beam asks the network for another.
    Of the rest only what the job description needs is handed on: some options download or build packages.
    """
    try:
        from apache_beam.runners.dataflow.internal import apiclient  # noqa: F401  (what the runner needs to import)
    except ImportError:
        finding.notes.append(f"Beam's own dry run for Dataflow is left out: it needs '{DISTRIBUTION}[gcp]'")
        return
    given = PipelineOptions(beam_args).get_all_options()
    flags = [f"--{name}={given[name]}" for name in DATAFLOW_NEEDS]
    flags += ["--runner=DataflowRunner", "--dry_run=True", "--sdk_location=container"]
    flags += ["--experiments=disable_logging_submission_environment"]  # would run pip
    if given["sdk_container_image"]:
        flags.append(f"--sdk_container_image={given['sdk_container_image']}")
    for stage in stages:
        for phase, build in stage.graphs():
            try:
                pipeline = beam.Pipeline(options=PipelineOptions(flags))
                _start(pipeline, build)
                pipeline.run()
            except Exception as error:
                finding.problems.append(f"{stage.name}/{phase}: Dataflow's runner refuses: {last_line(error)}")
    if not finding.problems:
        finding.notes.append("Beam's own dry run for Dataflow translated every graph")


def check_stage(stage: Stage) -> Finding:
    finding = Finding(stage.name)
    modules: set[str] = set()
    for phase, build in stage.graphs():
        try:
            modules |= _check_graph(f"{stage.name}/{phase}", build, finding)
        except (TypeError, pickle.PicklingError, AttributeError) as error:
            finding.problems.append(f"{phase}: cannot be pickled: {error}")
    _check_packages(modules, stage.out, finding)
    return finding


def _start(pipeline: beam.Pipeline, build: Build) -> None:
    splits = [Split.of(0, 0, {}), Split.of(1, 0, {})]
    build(pipeline | CHECK_SPLITS >> beam.Create(splits).with_output_types(Split))


def _check_graph(where: str, build: Build, finding: Finding) -> set[str]:
    """Returns the modules that the graph's functions name."""
    pipeline = beam.Pipeline(runner=in_process_runner(), options=PipelineOptions([]))
    _start(pipeline, build)
    for label, kind in _edges(pipeline):
        if kind in (typehints.Any, Any, None):
            finding.problems.append(f"{where}: the edge out of {label!r} has no type, so Beam would pickle it")
    proto = pipeline.to_runner_api()
    finding.transforms += len(proto.components.transforms)
    finding.coders += len(proto.components.coders)
    for coder in proto.components.coders.values():
        if coder.spec.urn == python_urns.PICKLED_CODER:
            ours = deserialize_coder(BytesValue.FromString(coder.spec.payload).value)
            if not isinstance(ours, RecordBatchCoder | SplitCoder) and not _is_inside_beam(ours):
                finding.problems.append(f"{where}: coder {type(ours).__name__} is pickled")
    modules: set[str] = set()
    for label, function in _functions(proto):
        modules |= _check_function(f"{where}: {label}", function, finding)
    return modules


def _edges(pipeline: beam.Pipeline) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []

    class Visitor(PipelineVisitor):
        def visit_value(self, value: Any, producer: Any) -> None:
            # what the Create of the check itself does inside is not the stage's
            if isinstance(value, beam.PCollection) and not producer.full_label.startswith(CHECK_SPLITS):
                found.append((producer.full_label, value.element_type))

    pipeline.visit(Visitor())
    return found


def _functions(proto: beam_runner_api_pb2.Pipeline) -> Iterator[tuple[str, Any]]:
    for transform in proto.components.transforms.values():
        if transform.spec.urn != common_urns.primitives.PAR_DO.urn:
            continue
        payload = beam_runner_api_pb2.ParDoPayload.FromString(transform.spec.payload)
        function = pickler.loads(payload.do_fn.payload)[0]
        if not type(function).__module__.startswith("apache_beam"):
            yield transform.unique_name, function


def _check_function(where: str, function: Any, finding: Finding) -> set[str]:
    try:
        # plain pickle, unlike Beam's, refuses lambdas, local functions, open files and locks
        data = pickle.dumps(function)
    except Exception as error:
        finding.problems.append(f"{where}: cannot be staged: {error}")
        return set()
    modules = _modules(data)
    if "__main__" in modules:
        finding.problems.append(f"{where}: refers to __main__, which a worker does not have")
    return modules - {"__main__"}


def _modules(data: bytes) -> set[str]:
    modules: set[str] = set()

    class Recorder(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            modules.add(module)
            return super().find_class(module, name)

    Recorder(io.BytesIO(data)).load()
    return modules


def _check_packages(modules: set[str], out: str, finding: Finding) -> None:
    base, extras = declared_packages()
    for name, importer in needed_packages(modules).items():
        finding.packages.add(name)
        if canonical(name) not in base:
            finding.problems.append(f"{importer} needs the package {name!r}, which {DISTRIBUTION} does not declare")
    protocol = out.partition("://")[0] if "://" in out else "file"
    if protocol in known_implementations:
        name = known_implementations[protocol]["class"].partition(".")[0]
        finding.packages.add(name)
        if canonical(name) not in base | extras:
            finding.problems.append(f"--out {out} needs the package {name!r}, which {DISTRIBUTION} does not declare")


def _is_inside_beam(coder: Any) -> bool:
    # what Create and GroupByKey use between their own halves
    return type(coder).__module__.startswith("apache_beam")
