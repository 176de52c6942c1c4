"""The part of a recipe that says what is measured and what is rejected.

clean:
  signals: [language, gopher_quality, gopher_repetition, fineweb]
  language: {model: lid.176, first_characters: 1000}
  rules:
    - {reject: language, when: language.label, none_of: [en]}
    - {reject: language_score, when: language.score, below: 0.65}
    - {use: gopher_repetition}
    - {use: gopher_quality, without: [stop_words], change: {short_doc: 20}}
    - {use: fineweb, languages: [en]}
"""

from typing import Annotated, Literal

import pyarrow as pa
from pydantic import Field, field_validator, model_validator

from dataprep.rules import Reject, RuleSettings, check_signals, resolve
from dataprep.settings import Settings
from dataprep.signals.base import Signal
from dataprep.signals.fineweb import FineWeb
from dataprep.signals.gopher import GopherQuality
from dataprep.signals.language import BUILT_IN, Language, model_path
from dataprep.signals.repetition import GopherRepetition

SignalName = Literal["language", "gopher_quality", "gopher_repetition", "fineweb"]
ALL_SIGNALS: tuple[SignalName, ...] = ("language", "gopher_quality", "gopher_repetition", "fineweb")


class LanguageSettings(Settings):
    """``model`` is ``lid.176`` or the path of a fastText model; it reads the ``first_characters`` of each document."""

    model: str = BUILT_IN
    first_characters: Annotated[int, Field(ge=1)] = 1000

    @field_validator("model")
    @classmethod
    def _exists(cls, model: str) -> str:
        model_path(model)
        return model


class CleanSettings(Settings):
    """Every signal is measured by default; without rules every document is kept."""

    signals: tuple[SignalName, ...] = ALL_SIGNALS
    language: LanguageSettings = LanguageSettings()
    rules: tuple[RuleSettings, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> "CleanSettings":
        if len(set(self.signals)) != len(self.signals):
            raise ValueError(f"signals must differ: {', '.join(self.signals)}")
        resolved = self.resolved_rules()
        names = [rule.reject for rule in resolved]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"rules must have different names: {', '.join(twice)} given more than once")
        check_signals(resolved, self.columns())
        return self

    def steps(self) -> list[Signal]:
        """The signals to run over a batch, in the order of the recipe."""
        made: dict[SignalName, Signal] = {
            "language": Language(self.language.model, self.language.first_characters),
            "gopher_quality": GopherQuality(),
            "gopher_repetition": GopherRepetition(),
            "fineweb": FineWeb(),
        }
        return [made[name] for name in self.signals]

    def columns(self) -> pa.Schema:
        """The signal columns, in the order of the steps."""
        return pa.schema([field for step in self.steps() for field in step.columns])

    def resolved_rules(self) -> tuple[Reject, ...]:
        """The single rules in order; see `rules.resolve`."""
        return resolve(self.rules)
