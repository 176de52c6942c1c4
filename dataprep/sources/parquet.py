"""Parquet rows become items, by row group; only the columns that are needed are read.

Locator: the number of the row in its file. Quarantined: ``bad_row`` (null text), ``damaged_archive`` (a row group or
the whole file cannot be read; one row of quarantine for each).
"""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from dataprep import storage
from dataprep.parts import Quarantined
from dataprep.sources.items import Item, one_line
from dataprep.sources.jsonl import text_of
from dataprep.sources.settings import FilesSettings
from dataprep.sources.splitting import Piece

ROWS = 1024


def read_parquet(piece: Piece, source: str, settings: FilesSettings) -> Iterator[Item]:
    """The rows of the row groups ``piece.start`` to ``piece.end``.

    Raises ``ValueError`` if the text column, or another column that the recipe names, is not there.
    """
    if piece.size == 0 and piece.end is None:
        yield Quarantined(source, f"{piece.name}#0", "read", "empty_file", "the file is empty")
        return
    with storage.open_read(piece.path) as handle:
        try:
            file = pq.ParquetFile(handle)
        except (pa.ArrowException, OSError) as error:
            yield Quarantined(source, f"{piece.name}#0", "read", "damaged_archive", one_line(error))
            return
        columns = _columns(file.schema_arrow, piece, settings)
        end = file.num_row_groups if piece.end is None else piece.end
        number = sum(file.metadata.row_group(group).num_rows for group in range(piece.start))
        for group in range(piece.start, end):
            rows = file.metadata.row_group(group).num_rows
            try:
                table = file.read_row_group(group, columns=columns)
            except (pa.ArrowException, OSError) as error:
                locator = f"{piece.name}#{number}"
                message = f"row group {group} with {rows} rows: {one_line(error)}"
                yield Quarantined(source, locator, "read", "damaged_archive", message)
            else:
                for batch in table.to_batches(ROWS):
                    values = [batch.column(name).to_pylist() for name in columns]
                    for index, row in enumerate(zip(*values, strict=True)):
                        locator = f"{piece.name}#{number + index}"
                        yield text_of(dict(zip(columns, row, strict=True)), locator, source, settings, {})
                    number += batch.num_rows
                continue
            number += rows


def _columns(schema: pa.Schema, piece: Piece, settings: FilesSettings) -> list[str]:
    wanted = {name: getattr(settings, name) for name in ("text_column", "id_column", "url_column", "date_column")}
    for field, name in wanted.items():
        if name not in schema.names and (field == "text_column" or field in settings.model_fields_set):
            raise ValueError(f"{field}: {piece.path} has no column {name!r}; it has {', '.join(schema.names)}")
    kind = schema.field(settings.text_column).type
    if not any(check(kind) for check in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)):
        raise ValueError(f"text_column: {settings.text_column!r} of {piece.path} is {kind}, expected a string column")
    return [name for name in dict.fromkeys(wanted.values()) if name in schema.names]
