"""What a finished clean stage says about itself: the steps that measured, in order, and the rules that decided."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from dataprep import storage
from dataprep.report.layout import MANIFEST, stages
from dataprep.report.wording import value
from dataprep.rules import Reject, compared_signals, step_name
from dataprep.tally import Tally

SYMBOLS = {
    "below": "<",
    "above": ">",
    "at_most": "≤",
    "at_least": "≥",
    "equals": "=",
    "one_of": "in",
    "none_of": "not in",
}


@dataclass(frozen=True)
class MeasuredBy:
    """One step: ``identity`` is all that decided its ``columns``; ``edits``: it also changed texts."""

    name: str
    columns: tuple[str, ...]
    edits: bool
    identity: Mapping[str, Any]


@dataclass(frozen=True)
class Measured:
    """The clean stage of a run as its manifest has it."""

    steps: tuple[MeasuredBy, ...]
    rules: tuple[Reject, ...]
    tally: Tally

    def editors(self, rules: Sequence[Reject]) -> list[str]:
        """The names of those steps whose edits ``rules`` see."""
        return [step.name for step in deciding(self.steps, rules) if step.edits]


def load_measured(out: str) -> Measured:
    """Raises ``ValueError`` when the run's clean stage is not finished, or wrote less about itself than is needed."""
    stages(out)
    found = find_measured(out)
    if found is None:
        raise ValueError(
            f"{out}: no clean stage of this version is finished in this run, so there is nothing to decide"
        )
    return found


def find_measured(out: str) -> Measured | None:
    """None when the stage is not finished, or an older version wrote it."""
    path = storage.join(out, "clean", MANIFEST)
    manifest = storage.read_json(path) if storage.exists(path) else {}
    settings = manifest.get("settings", {})
    if "rules" not in settings or any("columns" not in identity for identity in settings.get("steps", [{}])):
        return None
    return Measured(
        steps=tuple(measured_by(identity) for identity in settings["steps"]),
        rules=tuple(Reject.model_validate(rule) for rule in settings["rules"]),
        tally=Tally.from_json(manifest["counts"]),
    )


def measured_by(identity: Mapping[str, Any]) -> MeasuredBy:
    """From what `dataprep.clean.catalogue.describe_step` says; a foreign step's code is no part of what is compared."""
    compared = {key: item for key, item in identity.items() if key != "code"}
    return MeasuredBy(step_name(identity["step"]), tuple(identity["columns"]), identity["edits"], compared)


def deciding(steps: Sequence[MeasuredBy], rules: Sequence[Reject]) -> list[MeasuredBy]:
    """Those that measure what ``rules`` compare, and those that edited the text before one of them."""
    needed = compared_signals(rules)
    measuring = [position for position, step in enumerate(steps) if needed.intersection(step.columns)]
    last = max(measuring, default=0)
    return [step for position, step in enumerate(steps) if position in measuring or (step.edits and position < last)]


def fires(rule: Reject, signals: Mapping[str, Any]) -> bool:
    """Whether ``rule`` rejects a document with these ``signals``; absent ones are null."""
    needed = compared_signals([rule])
    if any(signals.get(name) is None for name in needed):
        return False
    return bool(rule.fires(pa.record_batch({name: [signals[name]] for name in needed}))[0].as_py())


def condition(rule: Reject) -> str:
    """The comparison in symbols: ``< 0.12``, ``not in en, de``."""
    items = rule.value if isinstance(rule.value, tuple) else (rule.value,)
    languages = "" if rule.languages is None else f" (only {', '.join(rule.languages)})"
    return f"{SYMBOLS[rule.comparison]} {', '.join(map(_number, items))}{languages}"


def _number(item: Any) -> str:
    # rules hold numbers as float
    return value(int(item) if isinstance(item, float) and item.is_integer() else item)


def beside(measured: Any, rule: Reject) -> str:
    """A measured value as text, with as many digits as it takes to see on which side of the rule's value it is."""
    shown = value(measured)
    near = isinstance(measured, float) and not isinstance(rule.value, tuple) and measured != rule.value
    return repr(measured) if near and shown == value(rule.value) else shown
