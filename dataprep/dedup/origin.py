"""Where documents come from, as numbers: the page of each, and the scope within which it is compared.

``url-1``: two URLs are one page's when their normal forms (`dataprep.urls.normalise`) have the same sort key:
lower-case host, no fragment, no known trackers or session ids, canonical percent-encoding, no default port; http is
https. ``www.`` and the order of parameters count. A document without URL, or with one that no crawler asks for, is no
page's.
"""

import numpy as np
import pyarrow as pa
import xxhash

from dataprep.dedup.hashing import U64
from dataprep.dedup.settings import DedupSettings
from dataprep.urls import normalise, sort_key

NO_PAGE = bytes(16)
NO_VALUE = 1  # the scope of documents without the column's value


def pages(batch: pa.RecordBatch, settings: DedupSettings) -> U64:
    """uint64[n, 2]: xxh3-128 of each document's page, 0 for none or if the recipe does not ask."""
    if settings.urls is None:
        return np.zeros((batch.num_rows, 2), np.uint64)
    digests = b"".join(_page(url) for url in batch.column("url").to_pylist())
    return np.frombuffer(digests, ">u8").astype(np.uint64).reshape(-1, 2)


def _page(url: str | None) -> bytes:
    normal = normalise(url) if url else None
    return xxhash.xxh3_128_digest(sort_key(normal).encode()) if normal else NO_PAGE


def scopes(batch: pa.RecordBatch, settings: DedupSettings) -> U64:
    """uint64[n]: equal for documents that are compared; 0 if that is all of them."""
    if settings.scope == "corpus":
        return np.zeros(batch.num_rows, np.uint64)
    values = batch.column(settings.scope).cast(pa.string()).dictionary_encode()
    hashed = [xxhash.xxh3_64_intdigest(value.encode()) for value in values.dictionary.to_pylist()]
    numbers = np.array([*hashed, NO_VALUE], np.uint64)
    return numbers[values.indices.fill_null(len(hashed)).to_numpy(zero_copy_only=False)]


def origin_columns(settings: DedupSettings) -> list[str]:
    """The columns ``pages`` and ``scopes`` need."""
    return [*(["url"] if settings.urls else []), *([] if settings.scope == "corpus" else [settings.scope])]
