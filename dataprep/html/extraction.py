"""A source's items become what a stage writes: kept and removed documents, quarantine rows, in the order of reading.

Items are gathered until there is a batch of pages; then every column of its documents is made at once. Only what
readers hand over as Python objects (locators, URLs, dates, the texts of rows) is ever one object a document.
"""

import operator
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataprep.document import EXTRACTED, PAGE_SIGNALS, document_ids, metadata_column, source_column
from dataprep.html.pages import PAGES, extract_pages, page_batch, plain_pages, sample_pages
from dataprep.html.settings import ExtractSettings
from dataprep.html.sites.memory import SiteMemory
from dataprep.html.sites.samples import Samples
from dataprep.parts import Quarantined
from dataprep.sources.items import Item, Page, Removed, Text

WAITING_ITEMS = 1024
WAITING_BYTES = 16 << 20  # with 8 what a batch costs is 0.02 ms a page more, with 32 its memory is new each time

REMOVED = EXTRACTED.append(pa.field("rejected_by", pa.string()))
# what metadata says of a page: key, and column of EXTRACTED_PAGES
FOUND = {
    "author": "author",
    "canonical": "canonical",
    "charset": "charset",
    "charset_from": "charset_from",
    "charset_replaced": "charset_replaced",
    "json_ld_type": "json_ld_type",
    "lang": "language",  # ``language`` is what the archive found
    "published": "published",
    "title": "title",
}
HTML, PLAIN, GIVEN = range(3)  # where a document's text comes from


@dataclass(frozen=True)
class Outcome:
    """What became of ``items`` items: ``kept`` is ``EXTRACTED``, ``removed`` is ``REMOVED`` and has no texts."""

    items: int
    kept: pa.RecordBatch
    removed: pa.RecordBatch
    quarantined: list[Quarantined]


def extract(
    items: Iterable[Item], source: str, settings: ExtractSettings, memory: SiteMemory | None = None
) -> Iterator[Outcome]:
    """Each item ends in one place of one outcome. Texts of nothing but white space are removed as ``empty_text``."""
    waiting = _Waiting()
    for item in items:
        waiting.add(item)
        if waiting.items >= WAITING_ITEMS or waiting.bytes >= WAITING_BYTES:
            yield waiting.outcome(source, settings, memory)
            waiting = _Waiting()
    if waiting.items:
        yield waiting.outcome(source, settings, memory)


def sample_items(items: Iterable[Item], settings: ExtractSettings) -> pa.RecordBatch:
    """The samples (`samples.SAMPLES`) of the hosts whose pages are among ``items``."""
    samples, waiting = Samples(), _Pages()
    for item in items:
        if isinstance(item, Page) and item.media == "html" and item.url:
            waiting.add(item)
            if len(waiting.urls) >= WAITING_ITEMS or len(waiting.payloads) >= WAITING_BYTES:
                sample_pages(waiting.batch(), settings, samples)
                waiting = _Pages()
    sample_pages(waiting.batch(), settings, samples)
    return samples.rows()


class _Pages:
    """Payloads, copied one behind the other so that no reader's buffer is kept, and what was declared about them."""

    def __init__(self) -> None:
        self.payloads = bytearray()
        self.ends = [0]
        self.charsets: list[str | None] = []
        self.urls: list[str | None] = []
        self.dates: list[datetime | None] = []

    def add(self, page: Page) -> None:
        self.payloads += page.payload
        self.ends.append(len(self.payloads))
        self.charsets.append(page.charset)
        self.urls.append(page.url)
        self.dates.append(page.date)

    def batch(self) -> pa.RecordBatch:
        offsets, values = pa.py_buffer(np.array(self.ends, np.int64)), pa.py_buffer(self.payloads)
        payloads = pa.Array.from_buffers(pa.large_binary(), len(self.charsets), [None, offsets, values])
        columns = [
            payloads,
            pa.array(self.charsets, pa.string()),
            pa.array(self.urls, pa.string()),
            pa.array(self.dates, pa.timestamp("ms")),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=PAGES)


class _Waiting:
    """Items that were read and have no outcome yet; those that may become documents have a row."""

    def __init__(self) -> None:
        self.items = self.bytes = 0
        self.pages = {HTML: _Pages(), PLAIN: _Pages()}
        self.texts = [""]  # the first is that of records without one
        self.texts_from: list[tuple[int, int]] = []  # and below: one for each row
        self.places: list[int] = []
        self.locators: list[str] = []
        self.urls: list[str | None] = []
        self.dates: list[datetime | None] = []
        self.metadata: list[dict[str, str]] = []
        self.rejected: list[str | None] = []
        self.quarantined: list[tuple[int, Quarantined]] = []

    def add(self, item: Item) -> None:
        place, self.items = self.items, self.items + 1
        if isinstance(item, Quarantined):
            self.quarantined.append((place, item))
            return
        if isinstance(item, Page):
            kind = HTML if item.media == "html" else PLAIN
            self.texts_from.append((kind, len(self.pages[kind].charsets)))
            self.pages[kind].add(item)
            self.bytes += len(item.payload)
        elif isinstance(item, Text):
            self.texts_from.append((GIVEN, len(self.texts)))
            self.texts.append(item.text)
            self.bytes += len(item.text)
        else:
            self.texts_from.append((GIVEN, 0))
        self.places.append(place)
        self.locators.append(item.locator)
        self.urls.append(item.url)
        self.dates.append(item.date)
        self.metadata.append(item.metadata)
        self.rejected.append(item.reason if isinstance(item, Removed) else None)

    def outcome(self, source: str, settings: ExtractSettings, memory: SiteMemory | None) -> Outcome:
        found = self._found(settings, memory)
        text, failed = found.column("text"), found.column("reason").is_valid()
        rejected = pa.array(self.rejected, pa.string())
        blank = pc.or_(pc.equal(pc.binary_length(text), 0), pc.utf8_is_space(text))
        rejected = pc.if_else(pc.and_(blank, rejected.is_null()), "empty_text", rejected)
        columns = [
            document_ids(source, self.locators),
            text,
            pa.array(self.urls, pa.string()),
            source_column(source, found.num_rows),
            pa.array(self.locators, pa.string()),
            pa.array(self.dates, pa.timestamp("ms")),
            self._metadata(found),
            *(found.column(name) for name in PAGE_SIGNALS.names),
            rejected,
        ]
        documents = pa.RecordBatch.from_arrays(columns, schema=REMOVED)
        kept = documents.filter(pc.and_not(rejected.is_null(), failed))
        removed = documents.filter(pc.and_not(rejected.is_valid(), failed))
        no_texts = pa.array([""], pa.large_string()).take(pa.array(np.zeros(removed.num_rows, np.int32)))
        return Outcome(
            self.items,
            kept.select(EXTRACTED.names),
            removed.set_column(1, REMOVED.field("text"), no_texts),
            self._quarantined(found, source),
        )

    def _found(self, settings: ExtractSettings, memory: SiteMemory | None) -> pa.RecordBatch:
        """Text, notes and signals of each row."""
        parts = [
            extract_pages(self.pages[HTML].batch(), settings, memory),
            plain_pages(self.pages[PLAIN].batch()),
            page_batch(len(self.texts), {"text": self.texts}),
        ]
        first = np.cumsum([0, *(part.num_rows for part in parts)])
        kinds, numbers = np.array(self.texts_from, np.int64).reshape(-1, 2).T
        return pa.concat_batches(parts).take(pa.array(first[kinds] + numbers))

    def _metadata(self, found: pa.RecordBatch) -> pa.MapArray:
        columns = {
            name: pa.array([values.get(name) for values in self.metadata], pa.string())
            for name in {name for values in self.metadata for name in values}
        }
        for name, source in FOUND.items():
            column = found.column(source)
            if name == "charset_replaced":
                column = pc.if_else(pc.equal(column, 0), None, column).cast(pa.string())
            columns[name] = pc.coalesce(column, columns[name]) if name in columns else column
        return metadata_column(found.num_rows, columns)

    def _quarantined(self, found: pa.RecordBatch, source: str) -> list[Quarantined]:
        rows = list(self.quarantined)
        reasons, errors = found.column("reason"), found.column("error")
        for row in np.flatnonzero(reasons.is_valid().to_numpy(zero_copy_only=False)).tolist():
            reason, error = reasons[row].as_py(), errors[row].as_py()
            failure = Quarantined(source, self.locators[row], "extract", reason, error, self.urls[row])
            rows.append((self.places[row], failure))
        return [one for _, one in sorted(rows, key=operator.itemgetter(0))]
