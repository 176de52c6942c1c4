"""Pages become texts: a batch of payloads in, one row for each page out, whatever the engine.

Decisions:
- One call takes a batch, so that our engine works on its buffers; what a page gives never depends on the others.
- Ours runs in the calling process (see `kernel`).
- An engine from a library runs in the child process, page by page, for it may spin, grow or crash. It measures nothing:
  its signals are null.
- A page that fails has an empty text and a ``reason``; it is the caller's to put into quarantine.
"""

from collections.abc import Callable, Mapping
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataprep.child.parent import borrowed
from dataprep.document import PAGE_SIGNALS
from dataprep.html.decode.charset_batch import decode_pages
from dataprep.html.kernel import extract
from dataprep.html.metadata.fields import latest_days
from dataprep.html.others.sandbox import Extracted, Failed, Sandbox
from dataprep.html.selection.rules import PROFILES
from dataprep.html.selection.select import AUTO
from dataprep.html.settings import ExtractSettings
from dataprep.html.sites.memory import Repeated, SiteMemory
from dataprep.html.sites.repeats import NONE, hash_urls
from dataprep.html.sites.samples import Samples, sample
from dataprep.text.normal import composed
from dataprep.text.utf8 import Hashes, Utf8, text_column

PAGES = pa.schema(
    [
        pa.field("payload", pa.large_binary(), nullable=False),
        pa.field("charset", pa.string()),  # what the transport declared
        pa.field("url", pa.string()),
        pa.field("date", pa.timestamp("ms")),  # when it was fetched
    ]
)
EXTRACTED_PAGES = pa.schema(
    [
        pa.field("text", pa.large_string(), nullable=False),  # empty where the page failed
        pa.field("title", pa.string()),
        pa.field("author", pa.string()),
        pa.field("published", pa.string()),
        pa.field("language", pa.string()),  # the page's own ``lang``
        pa.field("canonical", pa.string()),
        pa.field("json_ld_type", pa.string()),
        pa.field("charset", pa.string()),  # what it was decoded as
        pa.field("charset_from", pa.string()),
        pa.field("charset_replaced", pa.int32()),
        *PAGE_SIGNALS,
        pa.field("reason", pa.string()),  # why it failed; null where it did not
        pa.field("error", pa.string()),
    ]
)

Engine = Callable[[pa.RecordBatch, ExtractSettings], pa.RecordBatch]


def extract_pages(pages: pa.RecordBatch, settings: ExtractSettings, memory: SiteMemory | None = None) -> pa.RecordBatch:
    """``PAGES`` to ``EXTRACTED_PAGES``, row by row; only our own engine can use a memory."""
    return ENGINES[settings.engine](pages, settings) if memory is None else in_process(pages, settings, memory)


def sample_pages(pages: pa.RecordBatch, settings: ExtractSettings, samples: Samples) -> None:
    """Add to ``samples`` those of ``PAGES`` that they want."""
    hosts, keys = _hashes(pages)
    small = pc.less_equal(pc.binary_length(pages.column("payload")), settings.page_bytes)
    hosts = np.where(small.to_numpy(zero_copy_only=False), hosts, NONE)
    wanted = samples.wanted(hosts, keys)
    chosen = pages.take(pa.array(wanted))
    text = decode_pages(chosen.column("payload"), chosen.column("charset"), html=True).text
    samples.add(sample(text, hosts[wanted], keys[wanted], settings.page_tags))


def repeated_on(pages: pa.RecordBatch, memory: SiteMemory | None) -> Repeated:
    """What the hosts of ``PAGES`` repeat, as far as it is remembered."""
    return memory.of(_hashes(pages)[0]) if memory else Repeated.nothing(pages.num_rows)


def _hashes(pages: pa.RecordBatch) -> tuple[Hashes, Hashes]:
    urls = Utf8.of(pages.column("url").fill_null(""))
    return hash_urls(urls.values, urls.offsets)


def in_process(pages: pa.RecordBatch, settings: ExtractSettings, memory: SiteMemory | None = None) -> pa.RecordBatch:
    """By our own engine."""
    repeated = repeated_on(pages, memory)
    decoded = decode_pages(pages.column("payload"), pages.column("charset"), html=True)
    profile = PROFILES.index(settings.profile) if settings.profile in PROFILES else AUTO
    most_bytes, most_tags = settings.page_bytes, settings.page_tags
    urls = pc.fill_null(pages.column("url"), "")
    latest, markdown = latest_days(pages.column("date")), settings.format == "markdown"
    found = extract(decoded.text, urls, latest, repeated, profile, markdown, most_bytes, most_tags)
    measures, text = found.measures, composed(found.text)
    done = measures["profile"] >= 0
    sizes = np.diff(decoded.text.offsets)
    failed = {}
    for row in np.flatnonzero(~done).tolist():
        if sizes[row] > most_bytes:
            failed[row] = "too_large", f"the page has {sizes[row]} bytes, the limit is {most_bytes}"
        else:
            failed[row] = "too_many_tags", f"the page has {found.tags[row]} tags, the limit is {most_tags}"
    characters = np.maximum(measures["characters"], 1)
    columns = {
        **found.fields,
        "text": text_column(text.values, text.offsets, pa.large_string()),
        **{
            name: pc.if_else(done, getattr(decoded, name), None)
            for name in ("charset", "charset_from", "charset_replaced")
        },
        "html.profile": pa.array(np.array(PROFILES)[measures["profile"]], pa.string(), mask=~done),
        "html.characters": pa.array(measures["characters"], mask=~done),
        "html.kept": pa.array(measures["kept"] / characters, mask=~done),
        "html.links": pa.array(measures["links"] / characters, mask=~done),
        "html.blocks": pa.array(measures["blocks"], mask=~done),
        "html.blocks_kept": pa.array(measures["blocks_kept"], mask=~done),
        "reason": [failed[row][0] if row in failed else None for row in range(len(done))],
        "error": [failed[row][1] if row in failed else None for row in range(len(done))],
    }
    return page_batch(pages.num_rows, columns)


def in_child(pages: pa.RecordBatch, settings: ExtractSettings) -> pa.RecordBatch:
    """By an engine of `engines`, in the child process."""
    asked = list(zip(payload_views(pages.column("payload")), pages.column("charset").to_pylist(), strict=True))
    with borrowed(Sandbox(settings)) as sandbox:
        results = sandbox.extract(asked)
    found = [result if isinstance(result, Extracted) else None for result in results]
    failed = [result if isinstance(result, Failed) else None for result in results]
    titles = [" ".join(page.title.split()) if page else "" for page in found]
    columns = {
        "text": [page.text if page else "" for page in found],
        "title": [title or None for title in titles],
        "charset": [page.charset if page else None for page in found],
        "charset_from": [page.how if page else None for page in found],
        "charset_replaced": [page.replaced if page else None for page in found],
        "reason": [page.reason if page else None for page in failed],
        "error": [page.error if page else None for page in failed],
    }
    return page_batch(len(results), columns)


def plain_pages(pages: pa.RecordBatch) -> pa.RecordBatch:
    """``PAGES`` of plain text, decoded, to ``EXTRACTED_PAGES``."""
    decoded = decode_pages(pages.column("payload"), pages.column("charset"), html=False)
    text = text_column(decoded.text.values, decoded.text.offsets, pa.large_string())
    columns = {
        "text": pc.replace_substring(text, "\0", ""),
        "charset": decoded.charset,
        "charset_from": decoded.charset_from,
        "charset_replaced": decoded.charset_replaced,
    }
    return page_batch(pages.num_rows, columns)


def page_batch(rows: int, columns: Mapping[str, object]) -> pa.RecordBatch:
    """``EXTRACTED_PAGES`` from the columns that an engine has; the others are null."""
    arrays = []
    for field in EXTRACTED_PAGES:
        values = columns.get(field.name)
        if values is None:
            arrays.append(pa.nulls(rows, field.type))
        else:
            arrays.append(values if isinstance(values, pa.Array) else pa.array(values, field.type))
    return pa.RecordBatch.from_arrays(arrays, schema=EXTRACTED_PAGES)


def payload_views(payloads: pa.LargeBinaryArray) -> list[memoryview]:
    """Each payload where it lies in the column's buffer."""
    _, offsets, values = payloads.buffers()
    if offsets is None or values is None:
        return [memoryview(b"")] * len(payloads)
    edges = np.frombuffer(offsets, np.int64)[payloads.offset : payloads.offset + len(payloads) + 1].tolist()
    whole = memoryview(values)
    return [whole[start:end] for start, end in pairwise(edges)]


ENGINES: dict[str, Engine] = {"corpusmill": in_process, "resiliparse": in_child, "trafilatura": in_child}


def compile_kernels() -> None:
    """Have our engine compiled, on disk for later processes: one or two minutes if it has not been yet."""
    page = b"<html><title>A page</title><p>One sentence is enough to have everything compiled, or so one hopes."
    pages = pa.RecordBatch.from_pylist([{"payload": page, "url": "http://localhost/"}], schema=PAGES)
    extract_pages(pages, ExtractSettings())
