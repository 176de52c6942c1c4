"""Whether a recipe's job graphs can leave this machine: built and checked without running anything or using a network.

A service runner pickles every function, ships it, and unpickles it in a worker that has the packages it was told to
install. What breaks there, late and at a price, is found here: an edge without a type (Beam would pickle what crosses
it), a coder that is neither Beam's nor ours, a function that only this process can name, a package nobody declared.
"""

import io
import pickle
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import packages_distributions, requires
from typing import Any

import apache_beam as beam
from apache_beam.coders.coders import deserialize_coder
from apache_beam.internal import pickler
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.pipeline import PipelineVisitor
from apache_beam.portability import common_urns, python_urns
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.typehints import typehints
from google.protobuf.wrappers_pb2 import BytesValue

from dataprep.recipe import Recipe
from pipelines.batches import RecordBatchCoder, Split, SplitCoder
from pipelines.local import in_process_runner
from pipelines.run import CHAIN
from pipelines.stage import Build, Stage

DISTRIBUTION = "corpusmill"
CHECK_SPLITS = "splits"
DATAFLOW_NEEDS = ("--project", "--region", "--temp_location")


@dataclass
class Finding:
    """What a stage's job graphs consist of, and what would go wrong elsewhere."""

    stage: str
    transforms: int = 0
    coders: int = 0
    packages: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)


def check_chain(recipe: Recipe, out: str, beam_args: list[str], until: str) -> list[Finding]:
    """Check every stage of ``recipe`` up to ``until``; the options' own gaps are reported with the first stage."""
    findings = []
    for kind in CHAIN:
        stage = kind(recipe, out)
        if stage.needed():
            findings.append(check_stage(stage))
        if kind.name == until:
            break
    findings[0].problems += check_options(beam_args, out)
    return findings


def check_options(beam_args: list[str], out: str) -> list[str]:
    options = PipelineOptions(beam_args).get_all_options()
    if options.get("runner") != "DataflowRunner":
        return []
    problems = [f"Dataflow needs {name}" for name in DATAFLOW_NEEDS if not options.get(name[2:])]
    if not out.startswith("gs://"):
        problems.append(f"--out {out}: Dataflow's workers cannot see it; allowed: gs://…")
    return problems


def check_stage(stage: Stage) -> Finding:
    finding = Finding(stage.name)
    for phase, build in stage.graphs():
        try:
            _check_graph(f"{stage.name}/{phase}", build, finding)
        except (TypeError, pickle.PicklingError, AttributeError) as error:
            finding.problems.append(f"{phase}: cannot be pickled: {error}")
    return finding


def _check_graph(where: str, build: Build, finding: Finding) -> None:
    pipeline = beam.Pipeline(runner=in_process_runner(), options=PipelineOptions([]))
    splits = [Split.of(0, 0, {}), Split.of(1, 0, {})]
    build(pipeline | CHECK_SPLITS >> beam.Create(splits).with_output_types(Split))
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
    for label, function in _functions(proto):
        _check_function(f"{where}: {label}", function, finding)


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


def _check_function(where: str, function: Any, finding: Finding) -> None:
    try:
        # plain pickle, unlike Beam's, refuses lambdas, local functions, open files and locks
        data = pickle.dumps(function)
    except Exception as error:
        finding.problems.append(f"{where}: cannot be staged: {error}")
        return
    for module in _modules(data):
        top = module.partition(".")[0]
        if top == "__main__":
            finding.problems.append(f"{where}: refers to __main__, which a worker does not have")
        elif top not in sys.stdlib_module_names and top != "builtins":
            names = _distributions().get(top, [])
            finding.packages.update(names[:1] or [top])
            if not {_canonical(name) for name in names} & _declared():
                finding.problems.append(f"{where}: needs the package {top!r}, which {DISTRIBUTION} does not declare")


def _modules(data: bytes) -> set[str]:
    modules: set[str] = set()

    class Recorder(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            modules.add(module)
            return super().find_class(module, name)

    Recorder(io.BytesIO(data)).load()
    return modules


@cache
def _distributions() -> Mapping[str, list[str]]:
    return packages_distributions()  # reads every installed file list: once


@cache
def _declared() -> set[str]:
    names = {_canonical(re.split(r"[\s\[<>=!~;]", line)[0]) for line in requires(DISTRIBUTION) or []}
    return names | {DISTRIBUTION}


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _is_inside_beam(coder: Any) -> bool:
    # what Create and GroupByKey use between their own halves
    return type(coder).__module__.startswith("apache_beam")
