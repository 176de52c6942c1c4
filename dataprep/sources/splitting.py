"""Input files become pieces of work of similar size.

Decisions:
- The plan is a function of the files' names, sizes and formats, never of listing order or of the number of workers.
- The aim is ``SPLIT_BYTES`` a split, less for a small corpus (about ``SPLITS`` splits, but not under
  ``SMALLEST_BYTES``), because the engine divides splits among workers beforehand and nobody steals work.
- A file is cut only where a reader can start in the middle without reading what precedes: uncompressed JSON Lines by
  byte range, Parquet by row group. Compressed files and archives stay whole.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import pyarrow.parquet as pq

from dataprep import storage
from dataprep.sources.listing import InputFile
from dataprep.sources.opening import is_compressed
from dataprep.sources.settings import Format

SPLIT_BYTES = 64 << 20
SMALLEST_BYTES = 2 << 20
SPLITS = 64


@dataclass(frozen=True)
class Piece:
    """A file or a part of it: ``start`` and ``end`` are bytes for JSON Lines, row groups for Parquet.

    Others are whole (0, None); of an archive ``start`` may be the offset of a record's section.
    """

    name: str
    path: str
    format: Format
    size: int
    start: int = 0
    end: int | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def plan(files: Iterable[InputFile]) -> list[list[Piece]]:
    """Groups of pieces in the order of the files' names; each group is one split."""
    ordered = sorted(files)
    total = sum(file.size for file in ordered)
    target = min(SPLIT_BYTES, max(SMALLEST_BYTES, total // SPLITS))
    groups: list[list[Piece]] = []
    filled = 0
    for piece in (piece for file in ordered for piece in _cut(file, target)):
        if not groups or filled + piece.size > target:
            groups.append([])
            filled = 0
        groups[-1].append(piece)
        filled += piece.size
    return groups


def _cut(file: InputFile, target: int) -> list[Piece]:
    whole = Piece(file.name, file.path, file.format, file.size)
    if file.size <= target + target // 2:
        return [whole]
    if file.format == "jsonl" and not is_compressed(file.path):
        count = -(-file.size // target)
        edges = [file.size * i // count for i in range(count + 1)]
        return [Piece(file.name, file.path, file.format, end - start, start, end) for start, end in pairwise(edges)]
    if file.format == "parquet":
        return _row_groups(file, target) or [whole]
    return [whole]


def _row_groups(file: InputFile, target: int) -> list[Piece]:
    try:
        with storage.open_read(file.path) as handle:
            footer = pq.ParquetFile(handle).metadata
    except Exception:  # the reader meets the same damage and puts it into quarantine
        return []
    sizes = [
        sum(footer.row_group(group).column(c).total_compressed_size for c in range(footer.num_columns))
        for group in range(footer.num_row_groups)
    ]
    pieces: list[Piece] = []
    start = held = 0
    for group, size in enumerate(sizes):
        if group > start and held + size > target:
            pieces.append(Piece(file.name, file.path, file.format, held, start, group))
            start, held = group, 0
        held += size
    if sizes:
        pieces.append(Piece(file.name, file.path, file.format, held, start, len(sizes)))
    return pieces
