"""A quality classifier: ``classifier.score``, the probability that a fastText model gives to one of its labels.

The DCLM way (Li et al. 2024, arXiv 2406.11794, section 4.4): a supervised fastText model tells good documents from
random ones of the web, and those with the highest scores are kept. `dataprep.classifier` trains one; any other
supervised fastText model is used by giving its path and label.

Decisions:
- fastText reads one line a document. ``as_lines`` makes it, here and in training, so the two cannot differ.
- Words that fastText would take for its own, the label prefix and the end of a line, are spaces (`dataprep.models`).
- Rounded as `dataprep.signals.language` does, and at most 1. A document without words scores 0, for it is like nothing.
"""

from typing import Annotated, Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ConfigDict, Field, model_validator

from dataprep.models import LABEL_PREFIX, SCORE_DECIMALS, load_model, model_fingerprint, model_labels, without_own_words
from dataprep.steps import Step, with_columns

POSITIVE = "positive"
ALL = -1

FirstCharacters = Annotated[int, Field(ge=1)] | None


class Classifier(Step):
    """How likely ``label`` is by the fastText model at the path ``model``, which reads the ``first_characters`` (all).

    Adds ``classifier.score``; with ``as: edu`` the column is ``classifier.edu``, so that several models can run.
    """

    model_config = ConfigDict(serialize_by_alias=True)

    name: ClassVar[str] = "classifier"
    model: str
    label: str = POSITIVE
    first_characters: FirstCharacters = None
    lower_case: bool = False
    column: Annotated[str, Field(pattern=r"^[a-z0-9_]+$", max_length=64)] = Field(default="score", alias="as")

    @model_validator(mode="after")
    def _known_label(self) -> "Classifier":
        labels = model_labels(self.model)
        if self.label not in labels:
            shown = ", ".join(labels[:20]) + (", …" if len(labels) > 20 else "")
            raise ValueError(f"model {self.model!r} has no label {self.label!r}; allowed: {shown}")
        return self

    @property
    def role(self) -> str:
        return self.column

    @property
    def columns(self) -> pa.Schema:
        return pa.schema([(f"classifier.{self.column}", pa.float64())])

    def depends_on(self) -> dict[str, Any]:
        return {"model": model_fingerprint(self.model)}

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        lines = as_lines(batch.column("text"), self.first_characters, self.lower_case)
        return with_columns(
            batch, self.columns, {self.columns.names[0]: scores(load_model(self.model), self.label, lines)}
        )


def as_lines(texts: pa.Array, first_characters: int | None, lower_case: bool) -> list[str]:
    """One line a document, as fastText reads it in training and in scoring; line breaks are those of ``splitlines``."""
    if first_characters is not None:
        texts = pc.utf8_slice_codeunits(texts, 0, first_characters)
    if lower_case:
        texts = pc.utf8_lower(texts)
    return [without_own_words(" ".join(text.splitlines())) for text in texts.to_pylist()]


def scores(model: Any, label: str, lines: list[str]) -> list[float]:
    """The probability of ``label`` for each line, with ``SCORE_DECIMALS`` decimals."""
    predict = model.f.predict  # below the package's own, which makes an array for each document
    wanted = LABEL_PREFIX + label
    return [
        0.0 if not line or line.isspace() else _score(predict(line + "\n", ALL, 0.0, "strict"), wanted)
        for line in lines
    ]


def _score(answers: list[tuple[float, str]], wanted: str) -> float:
    for score, label in answers:
        if label == wanted:
            return min(round(score, SCORE_DECIMALS), 1.0)
    return 0.0
