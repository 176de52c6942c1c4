"""Documents → ``clean/kept/part-00000.parquet`` and ``clean/removed/part-00000.parquet``, both with every signal.

Rows also get ``text.characters``, so that deciding again (`dataprep.report.decide`) counts characters without the text.

One split a part of the stage before: read, measure everything, then decide, write two parts. A document that makes a
step raise, spin, grow or crash is quarantined with the step's name.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc

from dataprep import storage
from dataprep.child.parent import borrowed
from dataprep.clean.catalogue import STEPS, describe_step
from dataprep.clean.sandbox import Sandbox
from dataprep.clean.settings import CleanSettings
from dataprep.document import CHARACTERS, EXTRACTED, characters
from dataprep.parts import PartWriter, read_part
from dataprep.rules import REJECTED_BY, decide, separate
from dataprep.steps import Step
from dataprep.text.classes import UNICODE_VERSION
from pipelines.batches import Split
from pipelines.receipts import Receipt
from pipelines.shuffle import Each, Kind
from pipelines.stage import Stage, code_fingerprint

if TYPE_CHECKING:
    from dataprep.recipe import Recipe


class CleanStage(Stage):
    name = "clean"
    title = "measure and decide"
    code = (
        "dataprep.child",
        "dataprep.clean",
        "dataprep.edits",
        "dataprep.models",
        "dataprep.rules",
        "dataprep.signals",
        "dataprep.sources.items",
        "dataprep.sources.opening",
        "dataprep.steps",
        "dataprep.text",
        "pipelines.clean",
    )
    libraries = ("fasttext-community",)
    upstream = ("documents",)
    phases = ("clean",)

    def __init__(self, recipe: "Recipe", out: str, kind: Kind = "files") -> None:
        super().__init__(recipe, out, kind)
        self.rules = recipe.clean or CleanSettings()

    def needed(self) -> bool:
        return self.recipe.clean is not None

    def settings(self) -> dict[str, Any]:
        clean = self.rules
        return {
            "steps": [_identity(step) for step in clean.resolved_steps()],
            "rules": [rule.model_dump(mode="json", exclude_none=True) for rule in clean.resolved_rules()],
            "unicode": UNICODE_VERSION,
            "limits": {"document_seconds": clean.document_seconds, "memory": clean.memory},
        }

    def plan(self) -> list[Split]:
        parts = self.upstream_parts("documents")
        return [Split.of(i, part.size, {"path": part.path}) for i, part in enumerate(parts)]

    def build(self, splits: beam.PCollection) -> beam.PCollection:
        return splits | "clean" >> Each("clean", self.directory, CleanPart(self.directory, self.rules))


def _identity(step: Step) -> dict[str, Any]:
    """All that decides what a step does: parameters, the files and libraries it depends on, and foreign code."""
    value = describe_step(step)
    if type(step) not in STEPS.values():
        value["code"] = code_fingerprint(type(step).__module__)
    return value


@dataclass(frozen=True)
class CleanPart:
    """The task of one split: one part of documents → one kept and one removed part."""

    directory: str
    settings: CleanSettings

    def __call__(self, split: Split, receipt: Receipt) -> None:
        path, file = split.load()["path"], f"part-{split.name}.parquet"
        rules = self.settings.resolved_rules()
        schema = pa.schema([*EXTRACTED, *self.settings.columns(), CHARACTERS, REJECTED_BY])
        with (
            borrowed(Sandbox(self.settings)) as sandbox,
            PartWriter(storage.join(self.directory, "kept", file), schema) as kept,
            PartWriter(storage.join(self.directory, "removed", file), schema) as removed,
        ):
            for batch in read_part(path):
                receipt.tally.take(batch.num_rows, characters(batch))
                measured, quarantined = sandbox.apply(batch)
                for row in quarantined:
                    receipt.quarantine(row)
                if measured.num_rows == 0:
                    continue
                measured = measured.append_column(CHARACTERS, pc.utf8_length(measured.column("text")))
                stays, goes = separate(decide(measured, rules), receipt.tally)
                kept.write(stays)
                removed.write(goes)
