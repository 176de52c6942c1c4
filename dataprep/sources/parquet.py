"""Parquet rows become items, by row group; only the columns that are needed are read, ``ROWS`` rows at a time.

Locator: the number of the row in its file. Quarantined: ``bad_row`` (null text), ``damaged_archive`` (the rest of a row
group, or the whole file, cannot be read; one row of quarantine for each).
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
        columns = _columns(file.schema_arrow, piece, source, settings)
        end = file.num_row_groups if piece.end is None else piece.end
        number = sum(file.metadata.row_group(group).num_rows for group in range(piece.start))
        for group in range(piece.start, end):
            after = number + file.metadata.row_group(group).num_rows
            batches = file.iter_batches(ROWS, [group], columns)
            while number < after:
                try:
                    batch = next(batches)
                except (pa.ArrowException, OSError, StopIteration) as error:
                    message = f"row group {group}, its last {after - number} rows: {one_line(error)}"
                    yield Quarantined(source, f"{piece.name}#{number}", "read", "damaged_archive", message)
                    break
                values = [_values(batch.column(name)) for name in columns]
                for index, row in enumerate(zip(*values, strict=True)):
                    locator = f"{piece.name}#{number + index}"
                    yield text_of(dict(zip(columns, row, strict=True)), locator, source, settings, {})
                number += batch.num_rows
            number = after


def _values(column: pa.Array) -> list[object]:
    """As Python values; a date as seconds since 1970, for Python has neither nanoseconds nor years beyond 9999."""
    if _is_date(column.type):
        column = column.cast(pa.timestamp("s", getattr(column.type, "tz", None)), safe=False).cast(pa.int64())
    try:
        return column.to_pylist()
    except UnicodeDecodeError:  # Parquet promises UTF-8, and nobody checks it when a file is written
        values = column.cast(pa.large_binary()).to_pylist()
        return [value if value is None else value.decode("utf-8", "replace") for value in values]


def _is_date(kind: pa.DataType) -> bool:
    return pa.types.is_timestamp(kind) or pa.types.is_date(kind)


def _columns(schema: pa.Schema, piece: Piece, source: str, settings: FilesSettings) -> list[str]:
    wanted = {name: getattr(settings, name) for name in ("text_column", "id_column", "url_column", "date_column")}
    for field, name in wanted.items():
        if name not in schema.names and (field == "text_column" or field in settings.model_fields_set):
            raise ValueError(
                f"sources.{source}.files.{field}: {piece.path} has no column {name!r}; it has {', '.join(schema.names)}"
            )
    kind = schema.field(settings.text_column).type
    if not any(check(kind) for check in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)):
        raise ValueError(
            f"sources.{source}.files.text_column: {settings.text_column!r} of {piece.path} is {kind}, "
            "expected a string column"
        )
    # other points and spans of time are no date, url or id, and not all of them have a Python value
    return [
        name
        for name in dict.fromkeys(wanted.values())
        if name in schema.names
        and (
            not pa.types.is_temporal(schema.field(name).type)
            or (name == settings.date_column and _is_date(schema.field(name).type))
        )
    ]
