"""Second stage: files and crawled archives → ``documents/kept`` and ``documents/removed``, damage into ``quarantine``.

One pipeline, one fused step a split: read its pieces, extract its pages in the child process, write its two parts.
A removed part has no text, and ``rejected_by`` names the reason. Of a crawl, only fetched pages are read
(``OUT/crawl/<source>/…/fetch/…/seg-*.warc.gz``), not what it keeps as proof (robots.txt, errors); the files' names
below ``<source>`` are what locators are made of.
"""

from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import pyarrow.compute as pc

from dataprep import storage
from dataprep.document import EXTRACTED, Regrouped
from dataprep.html.extraction import REMOVED, Outcome, extract
from dataprep.html.settings import ExtractSettings
from dataprep.parts import PartWriter
from dataprep.recipe import Source
from dataprep.sources.listing import InputFile, list_inputs
from dataprep.sources.reading import read_pieces
from dataprep.sources.settings import FilesSettings
from dataprep.sources.splitting import Piece, plan
from dataprep.storage import FileInfo
from dataprep.tally import Tally
from pipelines.batches import Split
from pipelines.receipts import Receipt
from pipelines.shuffle import Each
from pipelines.stage import Stage

SEGMENT = "seg-"
SHOWN_IGNORED = 50


class DocumentsStage(Stage):
    name = "documents"
    title = "extract documents"
    code = ("dataprep.child", "dataprep.sources", "dataprep.html", "pipelines.documents")
    libraries = ("chardet", "webencodings", "resiliparse", "trafilatura", "fastwarc", "isal", "brotli", "zstandard")
    upstream = ("crawl",)
    phases = ("extract",)
    reads_kept_documents = False

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

    def build(self, splits: beam.PCollection) -> beam.PCollection:
        return splits | "documents/extract" >> Each(
            "extract", self.directory, ExtractSplit(self.directory, self.recipe.extract)
        )

    def finish(self) -> tuple[Tally, dict[str, Any]]:
        """Adds what lay beside the input files and was not read: names of the first few, and how many."""
        tally, extra = super().finish()
        ignored = {source.name: self._listing(source)[1] for source in self.recipe.sources if source.files}
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


def _files(source: Source) -> FilesSettings:
    return source.files or FilesSettings(paths=("crawl",), format="warc")


@dataclass(frozen=True)
class ExtractSplit:
    """Task: the documents of one split, kept and removed."""

    directory: str
    settings: ExtractSettings

    def __call__(self, split: Split, receipt: Receipt) -> dict[str, Any]:
        work = split.load()
        source = work["source"]
        pieces = [Piece(**piece) for piece in work["pieces"]]
        items = read_pieces(pieces, source, FilesSettings.model_validate(work["files"]))
        with (
            PartWriter(_part(self.directory, "kept", split), EXTRACTED) as kept_part,
            PartWriter(_part(self.directory, "removed", split), REMOVED) as removed_part,
        ):
            kept, removed = Regrouped(kept_part.write), Regrouped(removed_part.write)
            for outcome in extract(items, source, self.settings):
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
    receipt.tally.keep(outcome.kept.num_rows, pc.sum(pc.utf8_length(outcome.kept.column("text"))).as_py() or 0)
    receipt.pulse()
