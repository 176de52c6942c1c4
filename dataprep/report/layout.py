"""Where a run directory keeps what, and its rows one row group at a time.

Decisions:
- Columns and stages that are missing are left out, never an error: an older run, or one that is still going on, can be
  looked at.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dataprep import storage
from dataprep.document import SCHEMA
from dataprep.storage import FileInfo

STAGES = ("crawl", "documents", "clean", "unique", "passages", "tokenizer", "shards")
OPTIONAL = ("crawl", "passages")  # a recipe may do without
DOCUMENT_STAGES = ("documents", "clean", "unique", "passages")  # those that leave documents as Parquet
MANIFEST = "_stage.json"
SITES = "sites"  # in that of documents: what each host repeats (`sites.memory`)
FOLDERS = {"kept": "kept", "removed": "removed", "quarantined": "quarantine"}
KINDS = tuple(FOLDERS)
ID_BYTES = 16


def stages(out: str) -> list[str]:
    """The stages that have left files under ``out``, in chain order. Raises ``ValueError`` when there is none."""
    found = [name for name in STAGES if storage.list_files(storage.join(out, name), recursive=True)]
    if not found:
        raise ValueError(f"{out}: not a run directory; none of {', '.join(STAGES)} is in it")
    return found


def parts(out: str, stage: str, kind: str) -> list[FileInfo]:
    """The Parquet parts of one stage that hold documents of one kind (see ``KINDS``), by name."""
    return storage.list_files(storage.join(out, stage, FOLDERS[kind]), ".parquet")


def count_rows(files: list[FileInfo]) -> int:
    """Rows of the parts, from their footers."""
    total = 0
    for file in files:
        with storage.open_read(file.path) as handle:
            total += pq.ParquetFile(handle).metadata.num_rows
    return total


def row_groups(
    path: str, columns: list[str] | None = None, start: int = 0, step: int = 1
) -> Iterator[tuple[int, pa.Table]]:
    """Number and rows of every ``step``-th row group, with those of ``columns`` (None: all) that the part has."""
    with storage.open_read(path) as handle:
        file = pq.ParquetFile(handle)
        for group in range(start, file.num_row_groups, step):
            yield group, read_group(file, group, columns)


def read_group(file: pq.ParquetFile, group: int, columns: list[str] | None = None) -> pa.Table:
    return read_groups(file, [group], columns)


def read_groups(file: pq.ParquetFile, groups: list[int], columns: list[str] | None = None) -> pa.Table:
    """Several row groups as one table."""
    names = file.schema_arrow.names
    present = names if columns is None else [name for name in columns if name in names]
    return file.read_row_groups(groups, columns=present)


def schema(files: list[FileInfo]) -> pa.Schema:
    """The columns of the first part that has rows; of any part when all are empty; no columns without parts."""
    found = pa.schema([])
    for file in files:
        with storage.open_read(file.path) as handle:
            part = pq.ParquetFile(handle)
            found = part.schema_arrow
            if part.metadata.num_rows:
                break
    return found


def signal_names(columns: pa.Schema) -> list[str]:
    """The columns that are signals: ``family.signal``."""
    return [name for name in columns.names if "." in name and name not in SCHEMA.names]


def id_bytes(column: pa.ChunkedArray | pa.Array) -> NDArray[np.uint8]:
    """uint8[rows, 16] of a column of ids; a null is sixteen zero bytes."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if array.null_count:
        array = array.fill_null(bytes(ID_BYTES))
    if len(array) == 0:
        return np.zeros((0, ID_BYTES), np.uint8)
    start = array.offset * ID_BYTES
    values = np.frombuffer(array.buffers()[1], np.uint8)[start : start + len(array) * ID_BYTES]
    return values.reshape(-1, ID_BYTES)
