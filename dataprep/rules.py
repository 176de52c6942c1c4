"""Rules: data that turns signals into the reason why a document is rejected.

A rule compares one signal with one value: ``{reject: few_words, when: gopher.words, below: 50}``. A recipe lists rules
of its own and published rule sets by name (``{use: gopher_quality}``), which are YAML files in `dataprep.rulesets`.

Decisions:
- Everything is measured before anything is decided, and the order of the rules only decides which reason is written:
  the first rule that fires. So thresholds can be decided again from the columns alone.
- A rule set says which steps it needs and with which parameters, so its name alone fixes what is measured and how. Sets
  named ``method@tool-version`` give the verdicts of that tool; a changed number is another file.
- A reason from a rule set is ``set.rule``, as ``gopher_repetition.top_2_gram``; a recipe's own rule has its own name.
- ``below`` and ``above`` are strict, ``at_most`` and ``at_least`` are not. A signal that is null fires no rule.
"""

import difflib
import operator
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import yaml
from pydantic import ConfigDict, Discriminator, Field, Tag, ValidationError, model_validator

from dataprep.settings import Settings
from dataprep.tally import Tally

REJECTED_BY = pa.field("rejected_by", pa.string())
LANGUAGE = "language.label"

Number = Annotated[float, Field(allow_inf_nan=False, strict=True)]
Value = bool | int | Number | str
Values = Annotated[tuple[Value, ...], Field(min_length=1)]
Languages = Annotated[tuple[str, ...], Field(min_length=1)]
StepEntry = str | dict[str, dict[str, Any]]
RuleName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$", max_length=64)]

_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "below": pc.less,
    "above": pc.greater,
    "at_most": pc.less_equal,
    "at_least": pc.greater_equal,
    "equals": pc.equal,
}
COMPARISONS = (*_COMPARE, "one_of", "none_of")


class Reject(Settings):
    """Reject documents whose signal ``when`` compares so; with ``languages``, only documents in one of those."""

    reject: RuleName
    when: str
    below: Number | None = None
    above: Number | None = None
    at_most: Number | None = None
    at_least: Number | None = None
    equals: Value | None = None
    one_of: Values | None = None
    none_of: Values | None = None
    languages: Languages | None = None

    @model_validator(mode="after")
    def _one_comparison(self) -> "Reject":
        given = [name for name in COMPARISONS if getattr(self, name) is not None]
        if len(given) != 1:
            shown = " and ".join(given) or "no comparison"
            raise ValueError(f"rule {self.reject!r} has {shown}; exactly one is needed: {', '.join(COMPARISONS)}")
        return self

    @property
    def comparison(self) -> str:
        return next(name for name in COMPARISONS if getattr(self, name) is not None)

    @property
    def value(self) -> Any:
        return getattr(self, self.comparison)

    def fires(self, batch: pa.RecordBatch) -> pa.BooleanArray:
        """One boolean a document, never null."""
        column = batch.column(self.when)
        if self.comparison in _COMPARE:
            fired = _COMPARE[self.comparison](column, pa.scalar(self.value))
        else:
            fired = pc.is_in(column, value_set=pa.array(self.value, column.type))
            if self.comparison == "none_of":
                fired = pc.and_(pc.invert(fired), pc.is_valid(column))
        if self.languages is not None:
            spoken = pc.is_in(batch.column(LANGUAGE), value_set=pa.array(self.languages, pa.string()))
            fired = pc.and_(fired, spoken)
        return pc.fill_null(fired, False)

    def __str__(self) -> str:
        value = list(self.value) if isinstance(self.value, tuple) else self.value
        return f"{self.when} {self.comparison.replace('_', ' ')} {value}"


class RuleSet(Settings):
    """A published method as data: the ``steps`` that measure for it, with their parameters, and its ``rules``."""

    steps: tuple[StepEntry, ...]
    rules: tuple[Reject, ...]


class Use(Settings):
    """A published rule set, whole or ``without`` some rules, with ``change``d thresholds, in ``languages``.

    ``with`` sets parameters of the set's steps, as in ``with: {c4: {end_marks: ""}}``. Reasons are ``as.rule``; ``as``
    is the set's name up to its ``@`` unless given.
    """

    model_config = ConfigDict(serialize_by_alias=True)

    use: str
    without: tuple[str, ...] = ()
    change: dict[str, Any] = Field(default_factory=dict)
    languages: Languages | None = None
    parameters: dict[str, dict[str, Any]] = Field(default_factory=dict, alias="with")
    prefix: RuleName | None = Field(default=None, alias="as")

    @model_validator(mode="after")
    def _known(self) -> "Use":
        rule_set = load_rule_set(self.use)
        known = [rule.reject for rule in rule_set.rules]
        for name in (*self.without, *self.change):
            if name not in known:
                raise ValueError(f"rule set {self.use!r} has no rule {name!r}; allowed: {', '.join(known)}")
        for rule in rule_set.rules:
            if rule.reject in self.change:
                _changed(rule, self.change[rule.reject])
        steps = [step_name(entry) for entry in rule_set.steps]
        for name in self.parameters:
            if name not in steps:
                raise ValueError(f"rule set {self.use!r} has no step {name!r}; allowed: {', '.join(steps)}")
        return self

    def steps(self) -> tuple[StepEntry, ...]:
        """The steps that the set needs, with the parameters changed by ``with``."""
        return tuple(
            {name: {**(entry[name] if isinstance(entry, dict) else {}), **self.parameters.get(name, {})}}
            for entry in load_rule_set(self.use).steps
            for name in [step_name(entry)]
        )

    def resolved(self) -> tuple[Reject, ...]:
        """The set's rules under their full reason, with thresholds and languages as this use says."""
        prefix = self.prefix or self.use.partition("@")[0]
        found: list[Reject] = []
        for rule in load_rule_set(self.use).rules:
            if rule.reject in self.without:
                continue
            if rule.reject in self.change:
                rule = _changed(rule, self.change[rule.reject])
            update: dict[str, Any] = {"reject": f"{prefix}.{rule.reject}"}
            if self.languages is not None:
                update["languages"] = self.languages
            found.append(rule.model_copy(update=update))
        return tuple(found)


def _changed(rule: Reject, value: Any) -> Reject:
    """``rule`` with another value. Raises ``ValueError``."""
    try:
        return Reject.model_validate(rule.model_dump(exclude_none=True) | {rule.comparison: value})
    except ValidationError as error:
        message = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        raise ValueError(f"change of {rule.reject} to {value!r}: {message[0].lower()}{message[1:]}") from None


def _kind(value: Any) -> str:
    return "Use" if (isinstance(value, Use) or (isinstance(value, Mapping) and "use" in value)) else "Reject"


RuleSettings = Annotated[Annotated[Use, Tag("Use")] | Annotated[Reject, Tag("Reject")], Discriminator(_kind)]


def step_name(entry: StepEntry) -> str:
    """What a recipe or rule set calls a step: ``name`` or ``{name: {parameter: value}}``."""
    return entry if isinstance(entry, str) else next(iter(entry))


def rule_set_names() -> list[str]:
    """The published rule sets that come along."""
    return sorted(path.name.removesuffix(".yaml") for path in _folder().iterdir() if path.name.endswith(".yaml"))


def _folder() -> Any:
    return files("dataprep.rulesets")


@cache
def load_rule_set(name: str) -> RuleSet:
    """A published set. Raises ``ValueError`` for an unknown name."""
    if name not in rule_set_names():
        close = difflib.get_close_matches(name, rule_set_names(), 1)
        hint = f"; did you mean {close[0]!r}?" if close else ";"
        raise ValueError(f"no rule set {name!r}{hint} allowed: {', '.join(rule_set_names())}")
    return RuleSet.model_validate(yaml.safe_load((_folder() / f"{name}.yaml").read_text(encoding="utf-8")))


def resolve(rules: Sequence[Use | Reject]) -> tuple[Reject, ...]:
    """All single rules in order, those of rule sets under their full reason, thresholds as changed."""
    return tuple(rule for item in rules for rule in ((item,) if isinstance(item, Reject) else item.resolved()))


def _kind_of(data_type: pa.DataType) -> str:
    if data_type == pa.string():
        return "text"
    return "true or false" if data_type == pa.bool_() else "a number"


def compared_signals(rules: Sequence[Reject]) -> set[str]:
    """The columns that decide."""
    return {rule.when for rule in rules} | {LANGUAGE for rule in rules if rule.languages is not None}


def check_signals(rules: Sequence[Reject], columns: pa.Schema) -> None:
    """Raise ``ValueError`` when a rule names a column that is not measured, or compares different kinds."""
    for rule in rules:
        needed = (rule.when, LANGUAGE) if rule.languages is not None else (rule.when,)
        for name in needed:
            if name not in columns.names:
                raise ValueError(
                    f"rule {rule.reject!r} needs the signal {name!r}, which no step measures; "
                    f"measured are: {', '.join(columns.names)}"
                )
        values = rule.value if isinstance(rule.value, tuple) else (rule.value,)
        kind = _kind_of(columns.field(rule.when).type)
        if any(_kind_of(pa.scalar(value).type) != kind for value in values):
            raise ValueError(f"rule {rule.reject!r} compares {rule.when}, which is {kind}, with {rule.value!r}")


def decide(batch: pa.RecordBatch, rules: Sequence[Reject]) -> pa.RecordBatch:
    """``batch`` with the column ``rejected_by``: the first rule that fires, or null for a document that is kept."""
    first = np.full(batch.num_rows, len(rules), np.int32)
    for position in reversed(range(len(rules))):
        first[rules[position].fires(batch).to_numpy(zero_copy_only=False)] = position
    reasons = pa.array([rule.reject for rule in rules] + [None], pa.string())
    column = reasons.take(pa.array(first))
    index = batch.schema.get_field_index(REJECTED_BY.name)
    if index >= 0:
        return batch.set_column(index, REJECTED_BY, column)
    return batch.append_column(REJECTED_BY, column)


def separate(batch: pa.RecordBatch, tally: Tally) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """The kept and the removed rows of a decided batch, in their order; ``tally`` counts both."""
    reasons = batch.column(REJECTED_BY.name)
    lengths = pc.utf8_length(batch.column("text"))
    is_kept = pc.is_null(reasons)
    kept, removed = batch.filter(is_kept), batch.filter(pc.invert(is_kept))
    tally.keep(kept.num_rows, _total(lengths.filter(is_kept)))
    table = pa.table({"reason": reasons, "characters": lengths}).filter(pc.invert(is_kept))
    counts = table.group_by("reason").aggregate([("characters", "count"), ("characters", "sum")]).to_pylist()
    for row in sorted(counts, key=operator.itemgetter("reason")):
        tally.remove(row["reason"], row["characters_count"], row["characters_sum"])
    return kept, removed


def _total(lengths: pa.Array) -> int:
    return pc.sum(lengths).as_py() or 0
