"""Inputs become batches of lines, as fastText reads them.

Decisions:
- Files are read as the stage ``documents`` reads them; pages and archives are refused, for their text must be extracted
  first. Where a reason is asked for, the files are parts that a run wrote.
- A record that cannot be read is counted, not fatal. Documents without words are left out: nothing is learnt from them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dataprep import storage
from dataprep.classifier.settings import Input, TrainSettings
from dataprep.document import BATCH_BYTES, BATCH_ROWS
from dataprep.rules import REJECTED_BY
from dataprep.signals.classifier import as_lines
from dataprep.sources.items import Page, Text, valid_text
from dataprep.sources.listing import InputFile, list_inputs
from dataprep.sources.reading import read_pieces
from dataprep.sources.settings import FilesSettings
from dataprep.sources.splitting import Piece


@dataclass
class Lines:
    """One input: its files, its documents as lines, and how many there were when it was last read."""

    label: str
    source: Input
    settings: TrainSettings
    files: list[InputFile] = field(init=False)
    documents: int = field(default=0, init=False)
    unreadable: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.files, _ = list_inputs(FilesSettings(paths=(self.source.path,)), self.label)
        for file in self.files:
            if self.source.rejected_by is not None and file.format != "parquet":
                raise ValueError(f"{self.label}: {file.path} has no {REJECTED_BY.name}; a run's Parquet parts have it")
            if file.format in ("warc", "wet"):
                raise ValueError(_unextracted(self.label, file.path))

    def __iter__(self) -> Iterator[list[str]]:
        self.documents = self.unreadable = 0
        for file in self.files:
            for texts in self._items(file) if self.source.rejected_by is None else self._rejected(file):
                self.documents += len(texts)
                lines = as_lines(texts, self.settings.first_characters, self.settings.lower_case)
                yield [line for line in lines if line and not line.isspace()]

    def _rejected(self, file: InputFile) -> Iterator[pa.Array]:
        columns = [self.source.text_column, REJECTED_BY.name]
        with storage.open_read(file.path) as handle:
            parquet = pq.ParquetFile(handle)
            for name in columns:
                if name not in parquet.schema_arrow.names:
                    known = ", ".join(parquet.schema_arrow.names)
                    raise ValueError(f"{self.label}: {file.path} has no column {name!r}; it has {known}")
            for batch in parquet.iter_batches(BATCH_ROWS, columns=columns):
                texts, reasons = (batch.column(name) for name in columns)
                yield texts.filter(pc.equal(reasons, self.source.rejected_by)).cast(pa.large_string())

    def _items(self, file: InputFile) -> Iterator[pa.Array]:
        texts: list[str] = []
        held = 0
        piece = Piece(file.name, file.path, file.format, file.size)
        settings = FilesSettings(paths=(file.path,), text_column=self.source.text_column)
        try:
            for item in read_pieces([piece], self.label, settings):
                if isinstance(item, Page) and item.media == "html":
                    raise ValueError(_unextracted(self.label, file.path))
                if not isinstance(item, Text | Page):
                    self.unreadable += 1
                    continue
                texts.append(item.text if isinstance(item, Text) else _decoded(item.payload))
                held += len(texts[-1])
                if len(texts) >= BATCH_ROWS or held >= BATCH_BYTES:
                    yield pa.array(texts, pa.large_string())
                    texts, held = [], 0
        except ValueError as error:
            raise ValueError(str(error).replace(f"sources.{self.label}.files.", f"{self.label}: ")) from None
        yield pa.array(texts, pa.large_string())


def _decoded(payload: bytes | memoryview) -> str:
    return valid_text(bytes(payload).decode("utf-8-sig", "replace"))


def _unextracted(label: str, path: str) -> str:
    return f"{label}: {path} holds pages, not text; run `dataprep ingest` on it first and give OUT/documents/kept"
