"""Other rules for a run that is measured: thresholds changed one by one, or the rules of another recipe.

Decisions:
- A rule is addressed by its full reason, as documents carry it: ``gopher_quality.stop_words``.
- Another recipe's rules mean the same only on what its own steps would have measured: a step that its rules need, and
  every step that edits before one of those, must be in the run with equal parameters and files, after the same edits.
"""

import difflib
from collections.abc import Sequence
from typing import Any

import yaml

from dataprep.clean.catalogue import describe_step
from dataprep.clean.settings import CleanSettings
from dataprep.report.measured import Measured, MeasuredBy, deciding, measured_by
from dataprep.rules import Reject, RuleSet, load_rule_set, rule_set_names

OFF = "off"


def change_rules(rules: Sequence[Reject], overrides: Sequence[str]) -> tuple[Reject, ...]:
    """``rules`` with ``REASON=VALUE`` changed and ``REASON=off`` left out. Raises ``ValueError`` in one line."""
    changed = {rule.reject: rule for rule in rules}
    for override in overrides:
        reason, equals, text = override.partition("=")
        if not equals or not text:
            raise ValueError(f"--set {override}: must be REASON=VALUE or REASON={OFF}")
        if reason not in {rule.reject for rule in rules}:
            raise ValueError(f"--set {override}: no rule {reason!r}; {_suggest(reason, rules)}")
        if text == OFF:
            changed.pop(reason, None)
        elif reason in changed:
            changed[reason] = _changed(changed[reason], text, override)
    return tuple(changed.values())


def _changed(rule: Reject, text: str, override: str) -> Reject:
    first = _values(rule)[0]
    kind = "text" if isinstance(first, str) else "a number"
    try:
        new = float(text) if isinstance(rule.value, float) else yaml.safe_load(text)
        values = new if isinstance(new, list) else [new]
        if not values or any(isinstance(item, str) != isinstance(first, str) for item in values):
            raise ValueError
        new = values if isinstance(rule.value, tuple) else new
        return Reject.model_validate({**rule.model_dump(exclude_none=True), rule.comparison: new})
    except (yaml.YAMLError, ValueError):  # pydantic's own is a ValueError
        allowed = "a list: [a, b]" if isinstance(rule.value, tuple) else kind
        comparison = rule.comparison.replace("_", " ")
        raise ValueError(f"--set {override}: the rule rejects {rule.when} {comparison} {allowed}") from None


def _suggest(reason: str, rules: Sequence[Reject]) -> str:
    names = [rule.reject for rule in rules]
    close = [rule.reject for rule in rules if rule.reject.endswith(f".{reason}") or rule.when == reason]
    close = close[:3] or difflib.get_close_matches(reason, names, 3)
    if close:
        return f"did you mean {' or '.join(close)}?"
    return f"rules are: {', '.join(names) or 'none'}"


def rules_of_recipe(clean: CleanSettings, measured: Measured, where: str) -> tuple[Reject, ...]:
    """The rules of another recipe. Raises ``ValueError`` naming the step that the run did not measure so."""
    rules = clean.resolved_rules()
    steps = [measured_by(describe_step(step)) for step in clean.resolved_steps()]
    missing = [name for name in measured.editors(rules) if name not in _editors(steps)]
    if missing:
        raise ValueError(f"{where}: lacks the step {missing[0]}, which edited before this run measured")
    for step in deciding(steps, rules):
        known = _same_place(step, measured.steps)
        if known is None:
            names = ", ".join(other.name for other in measured.steps)
            raise ValueError(f"{where}: its step {step.name} did not run in this run, which has: {names}")
        if measured.steps[known].identity != step.identity:
            raise ValueError(f"{where}: its step {step.name} {_difference(step, measured.steps[known])}")
        mine, theirs = _editors(steps[: steps.index(step)]), _editors(measured.steps[:known])
        if mine != theirs:
            raise ValueError(
                f"{where}: its step {step.name} comes after {_listed(mine)}; in this run, after {_listed(theirs)}"
            )
    return rules


def _same_place(step: MeasuredBy, steps: Sequence[MeasuredBy]) -> int | None:
    """Which of ``steps`` is of the class and, if several are, in the role of ``step``: it shares most columns."""
    called = [i for i, other in enumerate(steps) if other.name == step.name]
    return max(called, key=lambda i: len({*steps[i].columns} & {*step.columns}), default=None)


def _editors(steps: Sequence[MeasuredBy]) -> list[str]:
    return [step.name for step in steps if step.edits]


def _listed(names: Sequence[str]) -> str:
    return f"the edits of {', '.join(names)}" if names else "no edit"


def _difference(mine: MeasuredBy, theirs: MeasuredBy) -> str:
    ours, known = (step.identity["step"][step.name] for step in (mine, theirs))
    for parameter in ours:
        if ours[parameter] != known.get(parameter):
            return f"has {parameter} = {ours[parameter]!r}; this run measured with {known.get(parameter)!r}"
    return "uses other files or libraries than this run measured with; clean again"


def to_make_it_real(rules: Sequence[Reject], other: Sequence[Reject]) -> tuple[list[str], list[str]]:
    """What turns a recipe with ``rules`` into one with ``other``: values for ``--set``, and lines to change by hand."""
    settings: list[str] = []
    by_hand: list[str] = []
    after = {rule.reject: rule for rule in other}
    dropped: dict[str, RuleSet] = {}
    for rule in rules:
        now = after.get(rule.reject)
        if now == rule:
            continue
        prefix, _, name = rule.reject.rpartition(".")
        rule_set = _rule_set(prefix, rules)
        if now is None and rule_set:
            dropped[prefix] = rule_set
        elif now is None:
            by_hand.append(f"leave out the rule {rule.reject}")
        elif rule_set and isinstance(now.value, float):
            settings.append(f"clean.rules.{prefix}.change.{name}={_flow(now)}")
        elif not prefix:
            settings.append(f"clean.rules.{name}.{rule.comparison}={_flow(now)}")
        else:
            by_hand.append(f"let {rule.reject} compare with {_flow(now)}")
    for prefix, rule_set in dropped.items():
        # all that the set lacks afterwards: the recipe's own list is overridden
        without = [rule.reject for rule in rule_set.rules if f"{prefix}.{rule.reject}" not in after]
        settings.append(f"clean.rules.{prefix}.without=[{', '.join(without)}]")
    return settings, by_hand


def _flow(rule: Reject) -> str:
    items = [int(item) if isinstance(item, float) and item.is_integer() else item for item in _values(rule)]
    plain = items if isinstance(rule.value, tuple) else items[0]
    return yaml.safe_dump(plain, default_flow_style=True, width=1000).removesuffix("\n").removesuffix("\n...")


def _values(rule: Reject) -> list[Any]:
    return list(rule.value) if isinstance(rule.value, tuple) else [rule.value]


def _rule_set(prefix: str, rules: Sequence[Reject]) -> RuleSet | None:
    """The published set that the rules called ``prefix.…`` are from; ``as`` may have given it that name."""
    mine = [rule for rule in rules if rule.reject.rpartition(".")[0] == prefix]
    names = sorted(rule_set_names(), key=lambda name: name.partition("@")[0] != prefix)
    for rule_set in map(load_rule_set, names):
        known = {(f"{prefix}.{rule.reject}", rule.when, rule.comparison) for rule in rule_set.rules}
        if prefix and all((rule.reject, rule.when, rule.comparison) in known for rule in mine):
            return rule_set
    return None
