"""What the documents of a run are like, counted with array kernels while the parts' columns stream by.

Decisions:
- Only lengths need the text. Where there is more text than ``TEXT_BYTES``, every n-th row group is read and the figure
  says so; labels and signals are small columns and are counted in full.
- Length bins are equally wide on a logarithmic axis, six to a decade.
"""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dataprep import storage
from dataprep.report.inspect import Document, any_of, find
from dataprep.report.layout import id_bytes, parts, row_groups, schema, signal_names
from dataprep.storage import FileInfo

TEXT_BYTES = 1 << 30
BINS_PER_DECADE = 6
SIGNAL_BINS = 40
LARGEST_CLUSTERS = 12


@dataclass(frozen=True)
class Lengths:
    """``counts``: int64[bins], documents whose text has 10^(i/6) to 10^((i+1)/6) characters (the first bin: also none).

    ``step``: every step-th row group was read. ``quartiles``: of the documents read, in characters.
    """

    counts: NDArray[np.int64]
    documents: int
    characters: int
    step: int
    quartiles: tuple[int, int, int]


def length_bin(characters: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.floor(np.log10(np.maximum(characters, 1)) * BINS_PER_DECADE + 1e-9).astype(np.int64)


def bin_edge(index: int) -> int:
    """The smallest length, in characters, of a bin of ``length_bin``."""
    return math.ceil(10 ** (index / BINS_PER_DECADE) - 1e-6)


def text_lengths(out: str, stage: str, kind: str) -> Lengths | None:
    """None when the stage has no such documents, or no text of them."""
    files = parts(out, stage, kind)
    if "text" not in schema(files).names:
        return None
    step = max(1, -(-_text_bytes(files) // TEXT_BYTES))
    lengths = [np.zeros(0, np.int64)]
    for rows in _every(files, ["text"], step):
        lengths.append(pc.utf8_length(rows["text"]).to_numpy().astype(np.int64))
    every = np.concatenate(lengths)
    if not len(every):
        return None
    low, middle, high = (int(value) for value in np.quantile(every, (0.25, 0.5, 0.75)))
    return Lengths(np.bincount(length_bin(every)), len(every), int(every.sum()), step, (low, middle, high))


def _every(files: list[FileInfo], columns: list[str], step: int) -> Iterator[pa.Table]:
    position = 0
    for file in files:
        start = -position % step  # the first of this part's row groups whose number in the whole listing is a multiple
        for _, rows in row_groups(file.path, columns, start, step):
            yield rows
        position += _groups(file)


def _groups(file: FileInfo) -> int:
    with storage.open_read(file.path) as handle:
        return pq.ParquetFile(handle).metadata.num_row_groups


def _text_bytes(files: list[FileInfo]) -> int:
    total = 0
    for file in files:
        with storage.open_read(file.path) as handle:
            metadata = pq.ParquetFile(handle).metadata
            column = metadata.schema.names.index("text") if "text" in metadata.schema.names else None
            if column is not None:
                groups = range(metadata.num_row_groups)
                total += sum(metadata.row_group(group).column(column).total_uncompressed_size for group in groups)
    return total


def label_counts(out: str, stage: str, kind: str, column: str) -> Counter[str]:
    """Documents for each value of a text column; nothing when there is no such column. A null is counted as ``""``."""
    counts: Counter[str] = Counter()
    for file in parts(out, stage, kind):
        for _, rows in row_groups(file.path, [column]):
            if column in rows.column_names:
                for entry in pc.value_counts(rows[column].cast(pa.string())).to_pylist():
                    counts[entry["values"] or ""] += entry["counts"]
    return counts


def language_column(out: str) -> str | None:
    """The signal that names a document's language: the first text column of the family ``language``."""
    for stage in ("clean", "documents"):
        for kind in ("kept", "removed"):
            for column in schema(parts(out, stage, kind)):
                label = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
                if column.name.startswith("language.") and (label or pa.types.is_dictionary(column.type)):
                    return column.name
    return None


@dataclass(frozen=True)
class SignalHistogram:
    """One signal of the kept and the removed documents: int64[SIGNAL_BINS] each, over ``low`` to ``high``.

    The range is that of the values but for the outermost hundredth on each side, which is counted in the end bins.
    """

    name: str
    low: float
    high: float
    kept: NDArray[np.int64]
    removed: NDArray[np.int64]


def signal_histograms(out: str, stage: str = "clean") -> list[SignalHistogram]:
    """Every numeric signal that is not the same everywhere, by name."""
    kinds = ("kept", "removed")
    columns = {field.name: field.type for kind in kinds for field in schema(parts(out, stage, kind))}
    numeric = sorted(
        name
        for name in signal_names(pa.schema(list(columns.items())))
        if pa.types.is_floating(columns[name]) or pa.types.is_integer(columns[name])
    )
    found = []
    for name in numeric:
        kept, removed = (_values(out, stage, kind, name) for kind in kinds)
        every = np.concatenate([kept, removed])
        if not len(every):
            continue
        low, high = (float(value) for value in np.quantile(every, (0.01, 0.99)))
        if low == high:
            low, high = float(every.min()), float(every.max())
        if low < high:
            counts = [np.histogram(values.clip(low, high), SIGNAL_BINS, (low, high))[0] for values in (kept, removed)]
            found.append(SignalHistogram(name, low, high, counts[0], counts[1]))
    return found


def _values(out: str, stage: str, kind: str, name: str) -> NDArray[np.float64]:
    values = [np.zeros(0)]
    for file in parts(out, stage, kind):
        for _, rows in row_groups(file.path, [name]):
            if name in rows.column_names:
                column = rows[name].drop_null().to_numpy().astype(np.float64)
                values.append(column[np.isfinite(column)])
    return np.concatenate(values)


@dataclass(frozen=True)
class Cluster:
    """A kept document and how many were removed as copies of it. ``kept`` is None when its row is not there."""

    id: str  # hex
    removed: int
    kept: Document | None


def largest_clusters(out: str, limit: int = LARGEST_CLUSTERS) -> list[Cluster]:
    """The kept documents with most removed copies; by id where the numbers are equal."""
    columns = []
    for file in parts(out, "unique", "removed"):
        for _, rows in row_groups(file.path, ["duplicate_of"]):
            if "duplicate_of" in rows.column_names:
                columns.append(rows["duplicate_of"].combine_chunks().drop_null())
    if not columns:
        return []
    counted = pc.value_counts(pa.chunked_array(columns))
    ids, sizes = id_bytes(counted.field("values")), np.asarray(counted.field("counts"))
    words = np.ascontiguousarray(ids).view(">u8").reshape(-1, 2)
    order = np.lexsort((words[:, 1], words[:, 0], -sizes))[:limit]
    chosen = [(int(sizes[row]), ids[row].tobytes()) for row in order.tolist()]
    kept = {one.id: one for one in find(out, "unique", "kept", any_of(key for _, key in chosen))}
    return [Cluster(key.hex(), size, kept.get(key.hex())) for size, key in chosen]


def similarities(out: str) -> NDArray[np.float64]:
    """float64[removed duplicates]: how like the kept copy each is, where it was measured."""
    return _values(out, "unique", "removed", "similarity")
