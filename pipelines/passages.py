"""Unique documents → ``passages/kept/part-00000.parquet`` without what the corpus repeats, ``passages/edits/`` with
what went and why, and ``passages/removed/`` with the documents of which no word was left.

- *anchors*, *repeated* (only for long stretches): every part's anchors are regrouped by partition; those that were seen
  more than once go back to their parts.
- *units*, *verdicts*: keys of lines, paragraphs, and stretches with a repeated anchor are regrouped by partition, and
  what the corpus has too often goes back to its parts.
- *write*: every part is rewritten.

What goes depends on texts and ids only. Numbers of partitions come from numbers of bytes and rows, never from workers.
"""

import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dataprep import storage
from dataprep.dedup.hashing import partition_of
from dataprep.dedup.rows import divided, read_rows, write_rows
from dataprep.dedup.sidecar import halves
from dataprep.document import characters
from dataprep.parts import PartWriter, read_part
from dataprep.passages import rows
from dataprep.passages.anchors import anchor_hashes, anchor_words
from dataprep.passages.cut import cut
from dataprep.passages.edit import EDITS, NOTHING_LEFT, edited, removed_schema
from dataprep.passages.remove import Told, removals
from dataprep.passages.settings import PassageSettings
from dataprep.passages.top import merged, most_repeated
from dataprep.passages.units import units_of
from dataprep.tally import Tally
from dataprep.text.utf8 import Hashes, Utf8
from pipelines.batches import Split
from pipelines.receipts import Receipt
from pipelines.shuffle import Each, Kind, group_width, work_file
from pipelines.stage import Build, Run, Stage

if TYPE_CHECKING:
    from dataprep.recipe import Recipe

Rows = Iterator[tuple[int, pa.RecordBatch]]


class PassagesStage(Stage):
    name = "passages"
    title = "remove repeated passages"
    code = (
        "dataprep.dedup",
        "dataprep.edits.base",
        "dataprep.passages",
        "dataprep.text.fold",
        "dataprep.text.utf8",
        "dataprep.text.xxh3",
        "pipelines.passages",
    )
    upstream = ("unique",)
    phases = ("anchors", "repeated", "units", "verdicts", "write")

    def __init__(self, recipe: "Recipe", out: str, kind: Kind = "files") -> None:
        super().__init__(recipe, out, kind)
        self.rules = recipe.passages or PassageSettings()

    def needed(self) -> bool:
        return self.recipe.passages is not None

    def settings(self) -> dict[str, Any]:
        # which letters there are is the interpreter's knowledge
        return {"passages": self.rules.model_dump(mode="json"), "unicode": unicodedata.unidata_version}

    def plan(self) -> list[Split]:
        parts = []
        for index, file in enumerate(self.upstream_parts("unique")):
            with storage.open_read(file.path) as handle:
                size = text_bytes(pq.ParquetFile(handle).metadata)
            parts.append(Split.of(index, file.size, {"path": file.path, "bytes": size}))
        return parts

    def graphs(self) -> list[tuple[str, Build]]:
        return [
            ("anchors", partial(self.build_anchors, partitions=1, parts=1)),
            ("units", partial(self.build_verdicts, partitions=1, parts=1)),
            ("write", partial(self.build_output, parts=1)),
        ]

    def execute(self, run: Run) -> None:
        parts = self.plan()
        size = sum(part.load()["bytes"] for part in parts)
        stretches = 0
        n = self.rules.substring_tokens
        if n is not None:
            density = 2 / (n - anchor_words(n) + 2)  # of anchors among words (Schleimer et al. 2003)
            anchors = self.partitions(int(size / 2 * density) * rows.ANCHOR_BYTES)  # a word has two bytes at least
            run("anchors", partial(self.build_anchors, partitions=anchors, parts=len(parts)), parts)
            found = sum(receipt["work"]["anchors"] for receipt in self.receipts("anchors.reduce"))
            stretches = int(found / density)
        # each line and each paragraph has so many letters, and what ends it
        whole = 2 * size // (self.rules.characters + 1)
        units = self.partitions((whole + stretches) * rows.ROW_BYTES)
        run("units", partial(self.build_verdicts, partitions=units, parts=len(parts)), parts)
        run("write", partial(self.build_output, parts=len(parts)), parts)

    def build(self, splits: beam.PCollection) -> beam.PCollection:
        return self.build_output(splits, parts=len(self.upstream_parts("unique")))

    def build_anchors(self, splits: beam.PCollection, partitions: int, parts: int) -> beam.PCollection:
        n = self.rules.substring_tokens or 0
        repeated = splits | self.shuffle("anchors", AnchorsOfPart(n, partitions), RepeatedAnchors(self.directory))
        return repeated | self.shuffle(
            "repeated", ByPart(group_width(parts)), GatherRows(self.directory, "repeated", rows.in_order_of_anchors)
        )

    def build_verdicts(self, splits: beam.PCollection, partitions: int, parts: int) -> beam.PCollection:
        width = group_width(parts)
        units = UnitsOfPart(self.directory, self.rules, partitions, width)
        judged = splits | self.shuffle("units", units, JudgeUnits(self.directory, self.rules))
        return judged | self.shuffle(
            "verdicts", ByPart(width), GatherRows(self.directory, "verdicts", rows.in_order_of_keys)
        )

    def build_output(self, splits: beam.PCollection, parts: int) -> beam.PCollection:
        write = WritePart(self.directory, self.rules, group_width(parts))
        return splits | "passages/write" >> Each("write", self.directory, write)

    def finish(self) -> tuple[Tally, dict[str, Any]]:
        tally, extra = super().finish()
        found = sum(receipt["work"]["units"] for receipt in self.receipts("units.reduce"))
        went = extra.pop("units", 0)
        if found != went:
            raise RuntimeError(f"stage passages: {found} lines, paragraphs and stretches are to go, {went} went")
        lists = [entry for receipt in self.receipts("write") for entry in receipt["work"]]
        shown = [{name: entry[name] for name in entry if name != "key"} for entry in merged(lists)]
        return tally, extra | {"most_repeated": shown}


def text_bytes(part: pq.FileMetaData) -> int:
    """Bytes of the ``text`` column of a part, from its footer."""
    names = [part.schema.column(i).path for i in range(part.num_columns)]
    column = names.index("text")
    return sum(part.row_group(group).column(column).total_uncompressed_size for group in range(part.num_row_groups))


def rows_of_part(directory: str, phase: str, part: int, width: int) -> pa.RecordBatch | None:
    """What a part was told in a phase; None if nothing."""
    path = work_file(directory, phase, part // width)
    if not storage.exists(path):
        return None
    batch = read_rows(path)
    return batch.filter(pc.equal(batch.column("part"), part))


def known_anchors(directory: str, part: int, width: int) -> Hashes:
    """The anchors of a part that the corpus has more than once, sorted."""
    told = rows_of_part(directory, "repeated", part, width)
    return np.empty(0, np.uint64) if told is None else told.column("anchor").to_numpy()


@dataclass(frozen=True)
class AnchorsOfPart:
    """Mapper: a part of documents → its anchors by partition."""

    stretch: int
    partitions: int

    def __call__(self, split: Split, receipt: Receipt) -> Rows:
        found = [np.empty(0, np.uint64)]
        for batch in read_part(split.load()["path"], ["text"]):
            pieces = cut(Utf8.of(batch.column("text")))
            anchors = anchor_hashes(pieces.hashes[0], pieces.word_offsets, self.stretch, anchor_words(self.stretch))
            found.append(anchors)
            receipt.pulse()
        batch = rows.anchor_rows(np.concatenate(found), split.index)
        yield from divided(batch, partition_of(batch.column("anchor").to_numpy(), self.partitions))


@dataclass(frozen=True)
class RepeatedAnchors:
    """Reducer: all parts' numbers of some anchors → those of anchors that are there more than once."""

    directory: str

    def __call__(self, partition: int, batches: Iterable[pa.RecordBatch], receipt: Receipt) -> dict[str, Any]:
        path = work_file(self.directory, "anchors", partition)
        batch = rows.repeated_anchors(batches)
        write_rows(path, batch)
        return {"path": path, "anchors": pc.sum(batch.column("count"), min_count=0).as_py()}


@dataclass(frozen=True)
class ByPart:
    """Mapper: rows by the part they are for."""

    width: int

    def __call__(self, split: Split, receipt: Receipt) -> Rows:
        batch = read_rows(split.load()["path"])
        yield from divided(batch, batch.column("part").to_numpy().astype(np.int64) // self.width)


@dataclass(frozen=True)
class GatherRows:
    """Reducer: the rows for a few parts, in an order that does not depend on who sent them."""

    directory: str
    phase: str
    ordered: Callable[[Iterable[pa.RecordBatch]], pa.RecordBatch]

    def __call__(self, partition: int, batches: Iterable[pa.RecordBatch], receipt: Receipt) -> dict[str, Any]:
        path = work_file(self.directory, self.phase, partition)
        write_rows(path, self.ordered(batches))
        return {"path": path}


@dataclass(frozen=True)
class UnitsOfPart:
    """Mapper: a part of documents → the keys of what may be repeated, by partition."""

    directory: str
    settings: PassageSettings
    partitions: int
    width: int

    def __call__(self, split: Split, receipt: Receipt) -> Rows:
        repeated = known_anchors(self.directory, split.index, self.width)
        found = []
        for batch in read_part(split.load()["path"], ["id", "text"]):
            units = units_of(cut(Utf8.of(batch.column("text"))), repeated, self.settings)
            found.append(rows.Seen.of(units, halves(batch.column("id")), split.index))
            receipt.pulse()
        seen = rows.combined(rows.Seen.concatenate(found))
        yield from divided(seen.to_batch(), partition_of(seen.keys[:, 0].copy(), self.partitions))


@dataclass(frozen=True)
class JudgeUnits:
    """Reducer: all parts' numbers of some keys → verdicts for the parts that have too many of one."""

    directory: str
    settings: PassageSettings

    def __call__(self, partition: int, batches: Iterable[pa.RecordBatch], receipt: Receipt) -> dict[str, Any]:
        verdicts, units = rows.verdicts(rows.Seen.from_batches(batches), self.settings)
        path = work_file(self.directory, "units", partition)
        write_rows(path, verdicts.to_batch())
        return {"path": path, "units": units}


@dataclass(frozen=True)
class WritePart:
    """Task: one part of documents → its kept and its removed part, and its edits."""

    directory: str
    settings: PassageSettings
    width: int

    def __call__(self, split: Split, receipt: Receipt) -> list[dict[str, Any]]:
        path, name = split.load()["path"], f"part-{split.name}.parquet"
        repeated = known_anchors(self.directory, split.index, self.width)
        told = rows_of_part(self.directory, "verdicts", split.index, self.width)
        verdicts = Told(rows.Seen.from_batches([] if told is None else [told]))
        with storage.open_read(path) as handle:
            schema = pq.read_schema(handle)
        top: list[dict[str, Any]] = []
        with (
            PartWriter(storage.join(self.directory, "kept", name), schema) as kept,
            PartWriter(storage.join(self.directory, "removed", name), removed_schema(schema)) as removed,
            PartWriter(storage.join(self.directory, "edits", name), EDITS) as edits,
        ):
            for batch in read_part(path):
                text = Utf8.of(batch.column("text"))
                pieces = cut(text)
                units = units_of(pieces, repeated, self.settings)
                stretch = self.settings.substring_tokens or 0
                found = removals(text, pieces, units, halves(batch.column("id")), verdicts, stretch)
                result = edited(batch, found, verdicts.verdicts)
                kept.write(result.kept)
                removed.write(result.removed)
                edits.write(result.edits)
                top = merged([*top, *most_repeated(result.edits, found, verdicts.verdicts, stretch)])
                _count(receipt, batch, result.kept, result.removed, result.edits)
                receipt.extra["units"] = receipt.extra.get("units", 0) + found.units
        return top


def _count(
    receipt: Receipt, batch: pa.RecordBatch, kept: pa.RecordBatch, removed: pa.RecordBatch, edits: pa.RecordBatch
) -> None:
    receipt.tally.take(batch.num_rows, characters(batch))
    receipt.tally.keep(kept.num_rows, characters(kept))
    if removed.num_rows:
        receipt.tally.remove(NOTHING_LEFT, removed.num_rows, characters(removed))
    edited_documents = receipt.extra.get("documents_edited", 0) + pc.count_distinct(edits.column("id")).as_py()
    receipt.extra["documents_edited"] = edited_documents
    spans = receipt.extra.setdefault("edits", {})
    lengths = receipt.extra.setdefault("characters_edited", {})
    table = pa.table(
        {
            "reason": edits.column("reason"),
            "characters": pc.subtract(edits.column("end"), edits.column("start")),
        }
    )
    for row in table.group_by("reason").aggregate([("characters", "sum"), ("characters", "count")]).to_pylist():
        spans[row["reason"]] = spans.get(row["reason"], 0) + row["characters_count"]
        lengths[row["reason"]] = lengths.get(row["reason"], 0) + row["characters_sum"]
