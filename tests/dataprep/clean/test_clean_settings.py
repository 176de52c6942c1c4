"""The cleaning part of a recipe: defaults, and one clear line for each mistake."""

from contextlib import suppress
from typing import Any, ClassVar

import pyarrow as pa
import pytest
import yaml
from pydantic import ValidationError

from dataprep.clean.catalogue import STEPS
from dataprep.clean.settings import DEFAULT_STEPS, CleanSettings
from dataprep.document import BatchBuilder
from dataprep.steps import Step

METHOD = """
rules:
  - {reject: language, when: language.label, none_of: [en]}
  - {reject: language_score, when: language.score, below: 0.65}
  - {use: gopher_repetition}
  - {use: gopher_quality, without: [stop_words], change: {short_doc: 20}}
  - {use: fineweb, languages: [en]}
"""


def parse(text: str) -> CleanSettings:
    return CleanSettings.model_validate(yaml.safe_load(text))


def test_by_default_everything_is_measured_and_nothing_removed() -> None:
    settings = CleanSettings()
    assert [step.name for step in settings.resolved_steps()] == list(DEFAULT_STEPS)
    assert settings.resolved_rules() == ()
    assert len(set(settings.columns().names)) == len(settings.columns())


def test_settings_survive_the_trip_through_json() -> None:
    settings = parse(METHOD)
    assert CleanSettings.model_validate_json(settings.model_dump_json()) == settings
    assert len(settings.resolved_rules()) == 2 + 13 + 9 + 5


def test_the_steps_add_the_columns_that_the_settings_promise() -> None:
    settings = parse(METHOD)
    batch = pa.record_batch({"text": pa.array(["Some words.", ""], pa.large_string())})
    for step in settings.resolved_steps():
        batch = step(batch)
    assert batch.schema.names[1:] == settings.columns().names
    assert [field.type for field in batch.schema][1:] == [field.type for field in settings.columns()]


def test_rules_bring_their_steps_in_their_order_and_language_comes_first() -> None:
    settings = parse("rules: [{use: fineweb, languages: [en]}, {reject: few, when: gopher.words, below: 3}]")
    assert [step.name for step in settings.resolved_steps()] == ["language", "fineweb", "gopher_quality"]
    given = parse("{steps: [{language: {first_characters: 9}}, gopher_repetition], rules: [{use: fineweb}]}")
    assert [step.name for step in given.resolved_steps()] == ["language", "gopher_repetition", "fineweb"]
    assert given.resolved_steps()[0].first_characters == 9


def test_what_runs_after_sees_what_the_rules_steps_left() -> None:
    settings = parse("{rules: [{use: c4@datatrove-0.10}], after: [pii, {unicode: {normalise: NFKC}}]}")
    assert [step.name for step in settings.resolved_steps()] == ["c4", "pii", "unicode"]
    assert [step.name for step in parse("after: [pii]").resolved_steps()] == [*DEFAULT_STEPS, "pii"]
    assert CleanSettings.model_validate_json(settings.model_dump_json()) == settings


def test_a_set_keeps_other_languages_when_told_so() -> None:
    settings = parse("rules: [{use: dclm-baseline, change: {language: [de, fr], language_score: 0.5}}]")
    assert [(rule.value, rule.comparison) for rule in settings.resolved_rules()[:2]] == [
        (("de", "fr"), "none_of"),
        (0.5, "at_most"),
    ]


def test_a_rule_brings_no_editor() -> None:
    with pytest.raises(ValidationError, match=r"no step measures 'pii\.emails'"):
        parse("rules: [{reject: addresses, when: pii.emails, above: 3}]")
    assert len(parse("{rules: [{reject: a, when: pii.emails, above: 3}], after: [pii]}").resolved_steps()) == 1


def test_a_set_can_be_used_twice_under_two_names_with_thresholds_for_each_language() -> None:
    settings = parse(
        "rules: [{use: fineweb, languages: [en]}, {use: fineweb, as: german, languages: [de], change: {list_ratio: 1}}]"
    )
    names = [rule.reject for rule in settings.resolved_rules()]
    assert names[4:6] == ["fineweb.list_ratio", "german.empty"]
    assert CleanSettings.model_validate_json(settings.model_dump_json()) == settings


class Shouting(Step):
    """A step as a user writes one."""

    name: ClassVar[str] = "shouting"
    least: int = 3

    @property
    def columns(self) -> pa.Schema:
        return pa.schema([("shouting.words", pa.int32())])


def test_a_step_of_ones_own_is_named_by_its_place() -> None:
    place = f"{Shouting.__module__}:Shouting"
    rule = "{reject: a, when: shouting.words, above: 3}"
    settings = parse(f"{{steps: [{{'{place}': {{least: 4}}}}], rules: [{rule}]}}")
    assert settings.resolved_steps() == [Shouting(least=4)]
    assert CleanSettings.model_validate_json(settings.model_dump_json()) == settings


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("steps: [gopher]", "no step 'gopher'; allowed: language, gopher_quality, gopher_repetition, fineweb"),
        ("steps: ['nowhere:Step']", "step 'nowhere:Step' cannot be imported: No module named 'nowhere'"),
        ("steps: ['json:JSONDecoder']", "'json:JSONDecoder' is not a subclass of dataprep.steps.Step"),
        ("steps: [fineweb, fineweb]", "a step can run once; given: fineweb, fineweb"),
        ("steps: [{fineweb: {wods: unicode}}]", "step fineweb has no parameter 'wods'; allowed: words"),
        ("steps: [{fineweb: {words: latin}}]", "fineweb.words: 'latin': Input should be 'unicode'"),
        ("rules: [{use: gopher}]", "no rule set 'gopher'"),
        ("rules: [{use: fineweb, without: [x]}]", "'fineweb' has no rule 'x'; allowed: empty, line_punct_ratio"),
        ("rules: [{use: fineweb, change: {x: 1}}]", "'fineweb' has no rule 'x'; allowed: empty"),
        ("rules: [{use: fineweb, change: {list_ratio: .nan}}]", "finite number"),
        ("rules: [{use: fineweb, change: {list_ratio: [1, 2]}}]", "change of list_ratio to [1, 2]: input should be a"),
        ("rules: [{use: dclm-baseline, change: {language: []}}]", "at least 1 item"),
        ("rules: [{reject: a, when: gopher.words, one_of: []}]", "at least 1 item"),
        ("rules: [{reject: a, when: gopher.words, below: true}]", "valid number"),
        ("rules: [{use: fineweb, with: {x: {}}}]", "rule set 'fineweb' has no step 'x'; allowed: fineweb"),
        ("rules: [{use: fineweb, with: {fineweb: {x: 1}}}]", "step fineweb has no parameter 'x'; allowed: words"),
        ("rules: [{use: fineweb}, {use: fineweb}]", "different names: fineweb.char_dup_ratio"),
        (
            "rules: [{reject: a, when: gopher.wods, below: 3}]",
            "no step measures 'gopher.wods', which the rule 'a' compares; did you mean",
        ),
        (
            "rules: [{reject: a, when: toxicity.words, above: 0}]",
            "which the rule 'a' compares; give the step toxicity among the steps",
        ),
        ("rules: [{use: urls@datatrove-0.10}]", "urls: needs a list; allowed: domains, urls, hard_words"),
        ("rules: [{reject: a, when: gopher.words}]", "no comparison; exactly one is needed: below, above"),
        ("rules: [{reject: a, when: gopher.words, below: 1, above: 2}]", "below and above; exactly one"),
        ("rules: [{reject: a, when: gopher.words, below: few}]", "valid number"),
        ("rules: [{reject: a, when: language.label, below: 3}]", "language.label, which is text, with 3.0"),
        ("rules: [{reject: a, when: gopher.words, equals: en}]", "gopher.words, which is a number, with 'en'"),
        ("rules: [{reject: a, when: language.label, one_of: [en, 3]}]", "which is text, with ('en', 3)"),
        (
            "steps: [{language: {model: /nowhere.bin}}]",
            "'/nowhere.bin' is not a file; allowed: a fastText model's path",
        ),
        ("steps: [{language: {first_characters: 0}}]", "greater than or equal to 1"),
    ],
)
def test_a_mistake_is_named_with_what_is_allowed(text: str, message: str) -> None:
    with pytest.raises(ValidationError) as error:
        parse(text)
    lines: list[Any] = error.value.errors()
    assert len(lines) == 1
    assert message in lines[0]["msg"]


def test_a_step_that_changes_texts_says_so() -> None:
    builder = BatchBuilder("s")
    text = "no end mark\nThe end.\nThe end.\n\x00 a@b.org 192.0.2.1 +1 202 555 0123 caf\u00c3\u00a9 e\u0301 \ufb01 {"
    builder.add(text, "f#0", "https://example.org")
    batch = builder.finish()
    assert batch is not None
    for kind in STEPS.values():
        with suppress(ValidationError):  # what needs parameters is measured in its own tests
            step = kind()
            assert step.edits or step(batch).column("text").to_pylist() == [text], f"{kind.name}: edits must be True"
