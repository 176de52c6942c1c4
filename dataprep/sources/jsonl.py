"""JSON Lines become items, one a line; a byte range yields exactly the lines that start inside it.

Locator: byte offset of the line (in the decompressed file).
Quarantined: ``bad_json`` (not a JSON object), ``bad_row`` (no text column, or one that is no string), ``too_large``,
``damaged_archive`` / ``truncated_archive`` (the rest of a compressed file is unreadable).
"""

import json
from collections.abc import Iterator, Mapping
from typing import IO

from dataprep.parts import Quarantined
from dataprep.sources.items import Item, Text, as_metadata, one_line, parse_date, valid_text
from dataprep.sources.opening import DAMAGE, open_decompressed
from dataprep.sources.settings import FilesSettings
from dataprep.sources.splitting import Piece


def read_jsonl(piece: Piece, source: str, settings: FilesSettings) -> Iterator[Item]:
    """The lines of ``piece``; blank lines are passed over and not counted."""
    if piece.size == 0 and piece.start == 0:
        yield Quarantined(source, f"{piece.name}#0", "read", "empty_file", "the file is empty")
        return
    with open_decompressed(piece.path) as file:
        offset = _first_line(file, piece.start)
        while piece.end is None or offset < piece.end:
            try:
                line = file.readline(settings.document_bytes)
                size = len(line)
                whole = line.endswith(b"\n") or size < settings.document_bytes
                while not whole:
                    more = file.readline(1 << 20)
                    size += len(more)
                    whole = more.endswith(b"\n") or not more
            except DAMAGE as error:
                reason = "truncated_archive" if isinstance(error, EOFError) else "damaged_archive"
                yield Quarantined(source, f"{piece.name}#{offset}", "read", reason, one_line(error))
                return
            if not line:
                return
            locator = f"{piece.name}#{offset}"
            offset += size
            if size > settings.document_bytes:
                message = f"the line has {size} bytes, the limit is {settings.document_bytes}"
                yield Quarantined(source, locator, "read", "too_large", message)
            elif not line.isspace():
                yield _item(line, locator, source, settings)


def _first_line(file: IO[bytes], start: int) -> int:
    """Go to the first line that starts at or after ``start``; its offset."""
    if start == 0:
        return 0
    file.seek(start - 1)
    offset = start - 1
    while True:
        skipped = file.readline(1 << 20)
        offset += len(skipped)
        if not skipped or skipped.endswith(b"\n"):
            return offset


def _item(line: bytes, locator: str, source: str, settings: FilesSettings) -> Item:
    notes: dict[str, object] = {}
    try:
        decoded = line.decode("utf-8-sig")
    except UnicodeDecodeError:
        # JSON is UTF-8 by its standard: nothing else to detect, only bytes to replace
        decoded = line.decode("utf-8-sig", "replace")
        notes = {"charset": "utf-8", "charset_replaced": decoded.count("\ufffd")}
    try:
        row = json.loads(decoded)
    except (ValueError, RecursionError) as error:
        return Quarantined(source, locator, "read", "bad_json", one_line(error))
    if not isinstance(row, dict):
        return Quarantined(source, locator, "read", "bad_json", f"the line is a {type(row).__name__}, not an object")
    return text_of(row, locator, source, settings, notes)


def text_of(
    row: Mapping[str, object], locator: str, source: str, settings: FilesSettings, notes: Mapping[str, object]
) -> Item:
    """A row of named values as a text; ``notes`` go into its metadata."""
    text = row.get(settings.text_column)
    url = row.get(settings.url_column)
    url = valid_text(url) if isinstance(url, str) and url else None
    if not isinstance(text, str):
        found = "null" if text is None and settings.text_column in row else f"of type {type(text).__name__}"
        message = f"the column {settings.text_column!r} is " + (found if settings.text_column in row else "missing")
        return Quarantined(source, locator, "read", "bad_row", message, url)
    identity = row.get(settings.id_column)
    metadata = as_metadata({"id": identity if isinstance(identity, str | int) else None, **notes})
    return Text(locator, valid_text(text), url, parse_date(row.get(settings.date_column)), metadata)
