"""The cleaning part of a recipe: defaults, and one clear line for each mistake."""

from typing import Any

import pyarrow as pa
import pytest
import yaml
from pydantic import ValidationError

from dataprep.signals.settings import ALL_SIGNALS, CleanSettings

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
    assert [step.name for step in settings.steps()] == list(ALL_SIGNALS)
    assert settings.resolved_rules() == ()
    assert len(set(settings.columns().names)) == len(settings.columns())


def test_settings_survive_the_trip_through_json() -> None:
    settings = parse(METHOD)
    assert CleanSettings.model_validate_json(settings.model_dump_json()) == settings
    assert len(settings.resolved_rules()) == 2 + 13 + 9 + 5


def test_the_steps_add_the_columns_that_the_settings_promise() -> None:
    settings = parse(METHOD)
    batch = pa.record_batch({"text": pa.array(["Some words.", ""], pa.large_string())})
    for step in settings.steps():
        batch = step(batch)
    assert batch.schema.names[1:] == settings.columns().names
    assert [field.type for field in batch.schema][1:] == [field.type for field in settings.columns()]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("signals: [gopher]", "'language', 'gopher_quality', 'gopher_repetition' or 'fineweb'"),
        ("signals: [fineweb, fineweb]", "signals must differ"),
        ("rules: [{use: gopher}]", "no rule set 'gopher'; allowed: fineweb, gopher_quality, gopher_repetition"),
        ("rules: [{use: fineweb, without: [x]}]", "'fineweb' has no rule 'x'; allowed: empty, line_punct_ratio"),
        ("rules: [{use: fineweb, change: {x: 1}}]", "'fineweb' has no rule 'x'; allowed: empty"),
        ("rules: [{use: fineweb}, {use: fineweb}]", "different names: fineweb.char_dup_ratio"),
        (
            "rules: [{reject: a, when: gopher.wods, below: 3}]",
            "'gopher.wods', which is not measured; allowed: language",
        ),
        ("rules: [{reject: a, when: gopher.words}]", "no comparison; exactly one is needed: below, above"),
        ("rules: [{reject: a, when: gopher.words, below: 1, above: 2}]", "below and above; exactly one"),
        ("rules: [{reject: a, when: gopher.words, below: few}]", "valid number"),
        ("rules: [{reject: a, when: language.label, below: 3}]", "language.label, which is text, with 3.0"),
        ("rules: [{reject: a, when: gopher.words, equals: en}]", "gopher.words, which is a number, with 'en'"),
        ("rules: [{reject: a, when: language.label, one_of: [en, 3]}]", "which is text, with ('en', 3)"),
        (
            "{signals: [fineweb], rules: [{use: gopher_quality}]}",
            "'gopher.words', which is not measured; allowed: fine",
        ),
        ("{signals: [fineweb], rules: [{use: fineweb, languages: [en]}]}", "needs the signal 'language.label'"),
        ("language: {model: /nowhere.bin}", "'/nowhere.bin' is not a file; allowed: lid.176"),
        ("language: {first_characters: 0}", "greater than or equal to 1"),
    ],
)
def test_a_mistake_is_named_with_what_is_allowed(text: str, message: str) -> None:
    with pytest.raises(ValidationError) as error:
        parse(text)
    lines: list[Any] = error.value.errors()
    assert len(lines) == 1
    assert message in lines[0]["msg"]
