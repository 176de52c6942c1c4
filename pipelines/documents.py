"""Second stage: files and crawled archives → ``documents/kept`` and ``documents/removed``, damage into ``quarantine``.

- *sites* (only with ``extract.site_memory``): samples of every split's pages are regrouped by partition of hosts and
  become ``documents/sites``, what each host repeats.
- *extract*: one fused step a split, which reads its pieces, extracts its pages and writes its two parts.

A removed part has no text, and ``rejected_by`` names the reason. Of a crawl, only fetched pages are read
(``OUT/crawl/<source>/…/fetch/…/seg-*.warc.gz``), not what it keeps as proof (robots.txt, errors); the files' names
below ``<source>`` are what locators are made of.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc

from dataprep import storage
from dataprep.dedup.hashing import partition_of
from dataprep.dedup.rows import divided
from dataprep.document import EXTRACTED, Regrouped, characters
from dataprep.html.extraction import REMOVED, Outcome, extract, sample_items
from dataprep.html.settings import ExtractSettings
from dataprep.html.sites.memory import SiteMemory, repeated
from dataprep.html.sites.samples import Samples
from dataprep.parts import PartWriter
from dataprep.recipe import Source
from dataprep.report.layout import SITES
from dataprep.sources.items import Item
from dataprep.sources.listing import InputFile, list_inputs
from dataprep.sources.reading import read_pieces
from dataprep.sources.settings import FilesSettings
from dataprep.sources.splitting import Piece, plan
from dataprep.storage import FileInfo
from dataprep.tally import Tally
from pipelines.batches import Split
from pipelines.receipts import Receipt
from pipelines.shuffle import Each
from pipelines.stage import Build, Run, Stage, sum_extras

SEGMENT = "seg-"
SHOWN_IGNORED = 50


class DocumentsStage(Stage):
    name = "documents"
    title = "extract documents"
    code = (
        "dataprep.child",
        "dataprep.dedup.hashing",
        "dataprep.dedup.rows",
        "dataprep.html",
        "dataprep.sources",
        "dataprep.text.normal",
        "dataprep.text.utf8",
        "pipelines.documents",
    )
    libraries = ("chardet", "webencodings", "resiliparse", "trafilatura", "fastwarc", "isal", "brotli", "zstandard")
    upstream = ("crawl",)
    phases = ("sites", "extract")
    reads_kept_documents = False

    partition_bytes: ClassVar[int] = 512 << 20  # of input; a page's sample has a tenth of its compressed size, or less

    def settings(self) -> dict[str, Any]:
        return {
            "extract": self.recipe.extract.model_dump(mode="json"),
            # a list: their order numbers the splits
            "sources": [[source.name, _files(source).model_dump(mode="json")] for source in self.recipe.sources],
        }

    def inputs(self) -> list[FileInfo]:
        return [
            FileInfo(file.path, file.size, file.version)
            for source in self.recipe.sources
            if source.files
            for file in self._listing(source)[0]
        ]

    def plan(self) -> list[Split]:
        splits: list[Split] = []
        for source in self.recipe.sources:
            # what is unset stays unset: a reader asks whether the recipe names a column
            settings = _files(source).model_dump(mode="json", exclude_unset=True)
            for pieces in plan(self._listing(source)[0]):
                size = sum(piece.size for piece in pieces)
                work = {"source": source.name, "files": settings, "pieces": [piece.to_json() for piece in pieces]}
                splits.append(Split.of(len(splits), size, work))
        return splits

    def graphs(self) -> list[tuple[str, Build]]:
        graphs: list[tuple[str, Build]] = [("extract", partial(self.build_documents, partitions=1))]
        if self.recipe.extract.site_memory:
            graphs.insert(0, ("sites", partial(self.build_memory, partitions=1)))
        return graphs

    def execute(self, run: Run) -> None:
        splits = self.plan()
        partitions = self._partitions(splits)
        if self.recipe.extract.site_memory:
            run("sites", partial(self.build_memory, partitions=partitions), splits)
        run("extract", partial(self.build_documents, partitions=partitions), splits)

    def build(self, splits: beam.PCollection) -> beam.PCollection:
        return self.build_documents(splits, self._partitions(self.plan()))

    def build_memory(self, splits: beam.PCollection, partitions: int) -> beam.PCollection:
        sample = SampleSplit(self.recipe.extract, partitions)
        remember = RememberSites(self.directory, partitions)
        return splits | self.shuffle("sites", sample, remember)

    def build_documents(self, splits: beam.PCollection, partitions: int) -> beam.PCollection:
        extract = ExtractSplit(self.directory, self.recipe.extract, partitions)
        return splits | "documents/extract" >> Each("extract", self.directory, extract)

    def _partitions(self, splits: Iterable[Split]) -> int:
        return self.partitions(sum(split.size for split in splits))

    def finish(self) -> tuple[Tally, dict[str, Any]]:
        """Adds what lay beside the input files and was not read: names of the first few, and how many."""
        tally, extra = super().finish()
        ignored = {source.name: self._listing(source)[1] for source in self.recipe.sources if source.files}
        if self.recipe.extract.site_memory:
            extra["sites"] = sum_extras(receipt["extra"] for receipt in self.receipts("sites.reduce"))
            extra["sites"]["partitions"] = self._partitions(self.plan())  # without it nobody finds a host's file
        extra["ignored_files"] = {name: len(files) for name, files in ignored.items()}
        extra["ignored_examples"] = {name: files[:SHOWN_IGNORED] for name, files in ignored.items() if files}
        return tally, extra

    def _listing(self, source: Source) -> tuple[list[InputFile], list[str]]:
        if source.files:
            found, ignored = list_inputs(source.files, f"sources.{source.name}.files.paths")
            own = storage.absolute(self.out) + "/"  # a run below its own input must not read what it wrote
            return [file for file in found if not file.path.startswith(own)], ignored
        root = storage.join(self.out, "crawl", source.name)
        return [
            InputFile(file.path[len(root) + 1 :], file.path, file.size, file.version, "warc")
            for file in storage.list_files(root, ".warc.gz", recursive=True)
            if "fetch" in file.path[len(root) :].split("/") and file.path.rpartition("/")[2].startswith(SEGMENT)
        ], []


def _items(split: Split) -> tuple[str, Iterator[Item]]:
    """The name of a split's source, and what its reader yields."""
    work = split.load()
    pieces = [Piece(**piece) for piece in work["pieces"]]
    return work["source"], read_pieces(pieces, work["source"], FilesSettings.model_validate(work["files"]))


def _files(source: Source) -> FilesSettings:
    return source.files or FilesSettings(paths=("crawl",), format="warc")


@dataclass(frozen=True)
class SampleSplit:
    """Mapper: samples of the hosts of one split, by partition of hosts."""

    settings: ExtractSettings
    partitions: int

    def __call__(self, split: Split, receipt: Receipt) -> Iterator[tuple[int, pa.RecordBatch]]:
        rows = sample_items(_items(split)[1], self.settings)
        yield from divided(rows, partition_of(rows.column("host").to_numpy(), self.partitions))


@dataclass(frozen=True)
class RememberSites:
    """Reducer: samples of all splits → what the partition's hosts repeat."""

    directory: str
    partitions: int

    def __call__(self, partition: int, batches: Iterable[pa.RecordBatch], receipt: Receipt) -> None:
        samples = Samples()
        for batch in batches:
            samples.add(batch)
        rows = samples.rows()
        table = repeated(rows)
        SiteMemory(storage.join(self.directory, SITES), self.partitions).write(partition, table)
        receipt.extra["hosts"] = pc.count_distinct(rows.column("host")).as_py()
        receipt.extra["pages"] = rows.num_rows
        receipt.extra["hosts_that_repeat"] = pc.count_distinct(table.column("host")).as_py()
        receipt.extra["texts_repeated"] = table.num_rows


@dataclass(frozen=True)
class ExtractSplit:
    """Task: the documents of one split, kept and removed."""

    directory: str
    settings: ExtractSettings
    partitions: int  # of hosts

    def __call__(self, split: Split, receipt: Receipt) -> dict[str, Any]:
        source, items = _items(split)
        directory = storage.join(self.directory, SITES)
        memory = SiteMemory(directory, self.partitions) if self.settings.site_memory else None
        with (
            PartWriter(_part(self.directory, "kept", split), EXTRACTED) as kept_part,
            PartWriter(_part(self.directory, "removed", split), REMOVED) as removed_part,
        ):
            kept, removed = Regrouped(kept_part.write), Regrouped(removed_part.write)
            for outcome in extract(items, source, self.settings, memory):
                _count(outcome, receipt)
                kept.add(outcome.kept)
                removed.add(outcome.removed)
            kept.finish()
            removed.finish()
        return {"source": source, "kept": kept_part.rows, "removed": removed_part.rows}


def _part(directory: str, verdict: str, split: Split) -> str:
    return storage.join(directory, verdict, f"part-{split.name}.parquet")


def _count(outcome: Outcome, receipt: Receipt) -> None:
    receipt.tally.take(outcome.items)
    for row in outcome.quarantined:
        receipt.quarantine(row)
    for reason in pc.value_counts(outcome.removed.column("rejected_by")).to_pylist():
        receipt.tally.remove(reason["values"], reason["counts"])
    receipt.tally.keep(outcome.kept.num_rows, characters(outcome.kept))
    receipt.pulse()
