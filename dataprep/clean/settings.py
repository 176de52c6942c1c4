"""The part of a recipe that says what is measured, what is edited, and what is rejected.

clean:
  rules:
    - {reject: language, when: language.label, none_of: [en]}
    - {reject: language_score, when: language.score, below: 0.65}
    - {use: gopher_repetition}
    - {use: gopher_quality, without: [stop_words], change: {short_doc: 20}}
    - {use: fineweb, languages: [en]}
  steps: [{language: {first_characters: 2000}}]     # only what the rules do not bring themselves
  after: [pii]

Decisions:
- Rules bring the steps that they need, in the order of the rules: a recipe reads like a paper's method section, and
  what a rule set measures is fixed by its name. ``steps`` are those that no rule needs or whose parameters differ; they
  run first, in their order, and those ``after`` run last.
- The order matters where a step edits: what follows measures the edited text. So no rule brings an editor unless its
  set says so.
- Rules may also compare what extraction measured of a page (`dataprep.document.PAGE_SIGNALS`); no step is needed then.
"""

import difflib
from collections.abc import Sequence
from typing import Annotated, Any

import pyarrow as pa
from pydantic import BeforeValidator, Field, PlainSerializer, ValidationError, model_validator

from dataprep.clean.catalogue import STEPS, dump_step, make_step, place
from dataprep.document import PAGE_SIGNALS
from dataprep.rules import Reject, RuleSettings, Use, check_signals, resolve
from dataprep.settings import Settings
from dataprep.signals.language import Language
from dataprep.steps import Step

StepField = Annotated[Any, BeforeValidator(make_step), PlainSerializer(dump_step)]
DEFAULT_STEPS = ("language", "gopher_quality", "gopher_repetition", "fineweb")


class CleanSettings(Settings):
    """What is measured and edited (``steps``) and what is rejected (``rules``); without rules every document is kept.

    Rules bring their steps, which run between ``steps`` and those ``after``, such as masking; without any, language,
    gopher_quality, gopher_repetition and fineweb are measured.
    A step may use ``document_seconds`` of CPU time on a document, and a little more on a long one; ``memory`` is the
    address space in bytes of the process that runs the steps. A document beyond a limit is quarantined.
    """

    steps: tuple[StepField, ...] = ()
    rules: tuple[RuleSettings, ...] = ()
    after: tuple[StepField, ...] = ()
    document_seconds: float = Field(default=10.0, gt=0, le=600)
    memory: int = Field(default=8 << 30, ge=2 << 30)

    @model_validator(mode="after")
    def _consistent(self) -> "CleanSettings":
        written: dict[str, str] = {}
        for step in self.resolved_steps():
            for name in step.columns.names:
                if name in written:
                    raise ValueError(f"steps {written[name]} and {step.name} both write {name}; one of them can run")
                written[name] = step.name
        resolved = self.resolved_rules()
        names = [rule.reject for rule in resolved]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"rules must have different names: {', '.join(twice)} given more than once; 'as' renames")
        check_signals(resolved, pa.schema([*PAGE_SIGNALS, *self.columns()]))
        return self

    def resolved_steps(self) -> list[Step]:
        """All steps in the order in which they run. Raises ``ValueError`` where two need one step differently."""
        steps: list[Step] = list(self.steps)
        by_place = {place(step): step for step in (*steps, *self.after)}
        if len(by_place) < len(steps) + len(self.after):
            given = ", ".join(" as ".join(filter(None, place(step))) for step in (*steps, *self.after))
            raise ValueError(f"a step can run once; given: {given}")
        if not steps and not self.rules:
            return [*(make_step(name) for name in DEFAULT_STEPS), *self.after]

        def need(step: Step, who: str) -> None:
            known = by_place.get(place(step))
            if known is None:
                by_place[place(step)] = step
                steps.append(step)
            elif known != step:
                differing = [f for f in type(step).model_fields if getattr(step, f) != getattr(known, f)]
                raise ValueError(
                    f"{who} needs the step {step.name} with "
                    + ", ".join(f"{f} = {getattr(step, f)!r} (not {getattr(known, f)!r})" for f in differing)
                )

        for rule in self.rules:
            if rule.languages is not None and place(Language()) not in by_place:
                by_place[place(Language())] = Language()
                steps.insert(0, by_place[place(Language())])
            if isinstance(rule, Use):
                for entry in rule.steps():
                    need(make_step(entry), f"rule set {rule.use!r}")
            elif rule.when not in _measured((*steps, *self.after)):
                need(_provider(rule, steps), f"rule {rule.reject!r}")
        return [*steps, *self.after]

    def columns(self) -> pa.Schema:
        """The columns that the steps add, in their order."""
        return pa.schema([field for step in self.resolved_steps() for field in step.columns])

    def resolved_rules(self) -> tuple[Reject, ...]:
        """The single rules in order; see `rules.resolve`."""
        return resolve(self.rules)


def _measured(steps: Sequence[Step]) -> list[str]:
    """The signals of extraction and of ``steps``."""
    return [*PAGE_SIGNALS.names, *(name for step in steps for name in step.columns.names)]


def _provider(rule: Reject, given: Sequence[Step]) -> Step:
    """The step that, without parameters, measures what ``rule`` compares; none that edits: a rule only looks."""
    measured: dict[str, Step] = {}
    incomplete: list[str] = []
    for kind in STEPS.values():
        if kind.edits:
            incomplete.append(kind.name)
            continue
        try:
            step = kind()
        except ValidationError:  # it needs parameters, such as the path of a list
            incomplete.append(kind.name)
            continue
        measured.update(dict.fromkeys(step.columns.names, step))
    if rule.when not in measured:
        family = rule.when.partition(".")[0]
        own = _measured(given)
        close = [name for name in own if name.startswith(f"{family}.")]
        close = close or difflib.get_close_matches(rule.when, [*own, *measured], 3)
        unsaid = [name for name in incomplete if name.startswith(family) or family.startswith(name)]
        if unsaid and not any(name.startswith(f"{family}.") for name in own):
            hint = f"give the step {' or '.join(unsaid)} among the steps"
        elif close:
            hint = f"did you mean {' or '.join(close)}?"
        else:
            hint = f"steps are: {', '.join(STEPS)}, or module:Class"
        raise ValueError(f"no step measures {rule.when!r}, which the rule {rule.reject!r} compares; {hint}")
    return measured[rule.when]
