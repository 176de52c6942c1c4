"""A clean stage as a run leaves it, made by the stage's own code from real text."""

import pydoc
import random
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataprep.clean.settings import CleanSettings
from dataprep.document import SCHEMA, BatchBuilder
from dataprep.parts import PartWriter, read_part
from dataprep.recipe import parse_recipe
from dataprep.steps import Step, with_columns
from pipelines.clean import CleanPart, CleanStage
from pipelines.receipts import Receipt

MODULES = ("argparse", "calendar", "csv", "difflib", "fractions", "heapq", "html.parser", "shelve", "string", "zipfile")
RULES: list[dict[str, Any]] = [
    {"reject": "language", "when": "language.label", "none_of": ["en"]},
    {"use": "gopher_repetition"},
    {"use": "gopher_quality", "change": {"short_doc": 20}},
    {"use": "fineweb"},
]
PROSE = (
    "the people of that town have to be at home with the river and a baker who opened his shop before dawn while rain "
    "fell on roofs under which nobody had slept since children found an old map of islands"
)
GROUP_ROWS = 9  # several row groups a part


class DropMarks(Step):
    """An editor: drops ``|``, and counts them."""

    name: ClassVar[str] = "drop_marks"
    edits: ClassVar[bool] = True

    @property
    def columns(self) -> pa.Schema:
        return pa.schema([("edit.marks", pa.int32())])

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        text = batch.column("text")
        edited = batch.set_column(1, SCHEMA.field("text"), pc.replace_substring(text, "|", ""))
        return with_columns(edited, self.columns, {"edit.marks": pc.count_substring(text, "|")})


class Length(Step):
    """Characters, some times over; can run in several roles."""

    name: ClassVar[str] = "length"
    part: str
    times: int = 1

    @property
    def role(self) -> str:
        return self.part

    @property
    def columns(self) -> pa.Schema:
        return pa.schema([(f"length.{self.part}", pa.int32())])

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        lengths = pc.multiply(pc.utf8_length(batch.column("text")), self.times).cast(pa.int32())
        return with_columns(batch, self.columns, {f"length.{self.part}": lengths})


LENGTH = f"{Length.__module__}:Length"
EDITOR = f"{DropMarks.__module__}:DropMarks"


def texts() -> list[str]:
    """Passages of the standard library's documentation, prose in two languages, and what no rule likes."""
    found = []
    for module in MODULES:
        object_, name = pydoc.resolve(module)
        passages = pydoc.plain(pydoc.text.document(object_, name)).split("\n\n")
        size = 4 + len(passages) // 6
        found += ["\n\n".join(passages[at : at + size]) for at in range(0, len(passages), size)]
    german = "Der Bäcker öffnete seinen Laden mit einem Lächeln. " * 6
    return [*found, *(_prose(seed) for seed in range(40)), german, "", "# # #", "a\n" * 80]


def _prose(seed: int) -> str:
    """A text of some lines, more or less repetitive, more or less of which end a sentence."""
    chance = random.Random(seed)
    lines = []
    for _ in range(chance.randint(2, 25)):
        words = chance.choices(PROSE.split(), k=chance.randint(4, 15))
        lines.append(" ".join(words) + chance.choice((".", ".", ":", "", "", f" {chance.randint(1, 9)}")))
    return "\n".join([*lines, *chance.choices(lines, k=chance.choice((0, 0, 1, 4)))])


def write_documents(out: Path, documents: list[str], parts: int = 2) -> None:
    for number in range(parts):
        with PartWriter(str(out / "documents" / "kept" / f"part-{number:05d}.parquet"), SCHEMA) as part:
            builder = BatchBuilder("s")
            for index in range(number, len(documents), parts):
                batch = None
                if len(builder.rows) == GROUP_ROWS:
                    batch = builder.finish()
                builder.add(documents[index], f"file:{index}", url=f"https://example.org/{index // 2}")
                if batch is not None:
                    part.write(batch)
            batch = builder.finish()
            if batch is not None:
                part.write(batch)


def write_clean(out: Path, **clean: Any) -> CleanSettings:
    """Clean ``out/documents`` as the stage does, with its manifest, in this process."""
    files = {"paths": ["unused"], "format": "text"}
    recipe = parse_recipe({"name": "test", "sources": [{"name": "s", "files": files}], "clean": clean})
    stage = CleanStage(recipe, str(out))
    for split in stage.plan():
        receipt = Receipt(stage.directory, "clean", split.index, split.size)
        CleanPart(stage.directory, recipe.clean)(split, receipt)
        receipt.commit(None)
    stage.write_manifest(stage.fingerprint_parts(), 0.0)
    return recipe.clean


def verdicts(out: Path) -> dict[str, tuple[str, int]]:
    """Of every document that was cleaned: its reason (``""``: kept) and its characters."""
    return {
        row["id"].hex(): (row["rejected_by"] or "", len(row["text"]))
        for side in ("kept", "removed")
        for path in sorted((out / "clean" / side).glob("*.parquet"))
        for batch in read_part(str(path), ["id", "text", "rejected_by"])
        for row in batch.to_pylist()
    }


def quantiles(out: Path, column: str) -> list[float]:
    """Values that the column has, from its smallest to its largest."""
    values = [
        value
        for side in ("kept", "removed")
        for path in sorted((out / "clean" / side).glob("*.parquet"))
        for batch in read_part(str(path), [column])
        for value in batch.column(column).to_pylist()
    ]
    return [float(value) for value in np.quantile(values, np.linspace(0, 1, 9), method="nearest")]
