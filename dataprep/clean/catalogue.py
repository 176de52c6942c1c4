"""Every step by its name, and how an entry of a recipe becomes one.

A step of one's own is named by its place, ``module:Class``: any subclass of `dataprep.steps.Step` that can be imported.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from pydantic import ValidationError

from dataprep.edits.c4 import C4Lines
from dataprep.edits.dclm import DclmLines
from dataprep.edits.dclm_text import DclmText
from dataprep.edits.pii import Pii
from dataprep.edits.unicode import Unicode
from dataprep.rules import step_name
from dataprep.signals.classifier import Classifier
from dataprep.signals.dclm import Dclm
from dataprep.signals.decontamination import Decontamination
from dataprep.signals.dolma import Dolma
from dataprep.signals.fineweb import FineWeb
from dataprep.signals.gopher import GopherQuality
from dataprep.signals.language import Language
from dataprep.signals.repetition import GopherRepetition
from dataprep.signals.technical import Technical
from dataprep.signals.toxicity import Toxicity
from dataprep.signals.urls import UrlLists
from dataprep.steps import Step

STEPS: dict[str, type[Step]] = {
    step.name: step
    for step in (
        Language,
        GopherQuality,
        GopherRepetition,
        FineWeb,
        C4Lines,
        UrlLists,
        Toxicity,
        Decontamination,
        Classifier,
        Pii,
        Unicode,
        Dolma,
        DclmText,
        Dclm,
        DclmLines,
        Technical,
    )
}


def make_step(entry: Any) -> Step:
    """The step of a recipe's entry, ``name`` or ``{name: {parameter: value}}``. Raises ``ValueError``."""
    if isinstance(entry, Step):
        return entry
    if not isinstance(entry, str) and not (isinstance(entry, Mapping) and len(entry) == 1):
        raise ValueError("a step is NAME or {NAME: {parameter: value}}")
    name = step_name(entry)  # type: ignore[arg-type]
    parameters = {} if isinstance(entry, str) else (entry[name] or {})
    try:
        return _class(name).model_validate(parameters)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in (name, *first["loc"]))
        if first["type"] == "extra_forbidden":
            known = ", ".join(field.alias or own for own, field in _class(name).model_fields.items()) or "none"
            raise ValueError(f"step {name} has no parameter {first['loc'][0]!r}; allowed: {known}") from None
        given = "" if isinstance(first["input"], dict | list) else f" {first['input']!r}:"
        raise ValueError(f"{where}:{given} {first['msg'].removeprefix('Value error, ')}") from None


def dump_step(step: Step) -> dict[str, Any]:
    """The entry from which ``make_step`` makes an equal step, as JSON."""
    return {key(step): step.model_dump(mode="json")}


def describe_step(step: Step) -> dict[str, Any]:
    """What decides the columns that a step adds, and their names, as JSON: equal for steps that measure the same."""
    return {"step": dump_step(step), "columns": step.columns.names, "edits": step.edits, **step.depends_on()}


def key(step: Step) -> str:
    """The name by which a recipe finds this step's class."""
    known = STEPS.get(step.name) is type(step)
    return step.name if known else f"{type(step).__module__}:{type(step).__qualname__}"


def place(step: Step) -> tuple[str, str]:
    """What at most one step of a recipe can have: its class and its role."""
    return key(step), step.role


def _class(name: str) -> type[Step]:
    if name in STEPS:
        return STEPS[name]
    module, colon, attribute = name.partition(":")
    if not colon:
        raise ValueError(f"no step {name!r}; allowed: {', '.join(STEPS)}, or module:Class of your own")
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"step {name!r} cannot be imported: {error} (PYTHONPATH says where modules are)") from None
    if not (isinstance(found, type) and issubclass(found, Step)):
        raise ValueError(f"step {name!r} is not a subclass of dataprep.steps.Step")
    return found
