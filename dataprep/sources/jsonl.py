"""JSON Lines become items, one a line; a byte range yields exactly the lines that start inside it.

Locator: byte offset of the line (in the decompressed file).
Quarantined: ``bad_json`` (not a JSON object), ``bad_row`` (no text column, or one that is no string), ``too_large``,
``damaged_archive`` / ``truncated_archive`` (the rest of a compressed file is unreadable).
A file that never has the text column at its beginning is an error in the recipe and no damage.
"""

import json
from collections.abc import Iterator, Mapping
from typing import IO

from dataprep.parts import Quarantined
from dataprep.sources.items import Item, Text, as_metadata, one_line, parse_date, valid_text
from dataprep.sources.opening import DAMAGE, open_decompressed
from dataprep.sources.settings import FilesSettings
from dataprep.sources.splitting import Piece

PROBED_ROWS = 1000
SHOWN_KEYS = 20


def read_jsonl(piece: Piece, source: str, settings: FilesSettings) -> Iterator[Item]:
    """The lines of ``piece``; blank lines are passed over and not counted.

    Raises ``ValueError`` if ``piece`` is the beginning of a file and none of its first ``PROBED_ROWS`` rows has the
    text column.
    """
    if piece.size == 0 and piece.start == 0:
        yield Quarantined(source, f"{piece.name}#0", "read", "empty_file", "the file is empty")
        return
    probe = _Probe(piece, source, settings.text_column) if piece.start == 0 else None
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
                break
            if not line:
                break
            locator = f"{piece.name}#{offset}"
            offset += size
            if size > settings.document_bytes:
                message = f"the line has {size} bytes, the limit is {settings.document_bytes}"
                yield Quarantined(source, locator, "read", "too_large", message)
            elif not line.isspace():
                row, notes = _parse(line, locator, source)
                if isinstance(row, Quarantined):
                    yield row
                    continue
                if probe and probe.finds(row):
                    probe = None
                yield text_of(row, locator, source, settings, notes)
    if probe:
        probe.check()


class _Probe:
    """Looks for the text column in a file's first rows."""

    def __init__(self, piece: Piece, source: str, column: str) -> None:
        self.piece = piece
        self.source = source
        self.column = column
        self.rows = 0
        self.keys: dict[str, None] = {}

    def finds(self, row: dict[str, object]) -> bool:
        if self.column in row:
            return True
        self.rows += 1
        self.keys.update(dict.fromkeys(row))
        if self.rows == PROBED_ROWS:
            self.check()
        return False

    def check(self) -> None:
        if self.rows:
            shown = ", ".join(list(self.keys)[:SHOWN_KEYS]) + (", …" if len(self.keys) > SHOWN_KEYS else "")
            raise ValueError(
                f"sources.{self.source}.files.text_column: {self.column!r} is in none of the first {self.rows} rows of "
                f"{self.piece.path}; they have {one_line(shown)}"
            )


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


def _parse(line: bytes, locator: str, source: str) -> tuple[dict[str, object] | Quarantined, dict[str, object]]:
    """The line's object, and notes on how it was decoded."""
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
        return Quarantined(source, locator, "read", "bad_json", f"not JSON: {one_line(error)}"), notes
    if not isinstance(row, dict):
        message = f"the line is a {type(row).__name__}, not an object"
        return Quarantined(source, locator, "read", "bad_json", message), notes
    return row, notes


def text_of(
    row: Mapping[str, object], locator: str, source: str, settings: FilesSettings, notes: Mapping[str, object]
) -> Item:
    """A row of named values as a text; ``notes`` go into its metadata."""
    text = row.get(settings.text_column)
    url = row.get(settings.url_column)
    url = valid_text(url) if isinstance(url, str) and url else None
    if not isinstance(text, str):
        found = "null" if text is None and settings.text_column in row else f"a {type(text).__name__}, not a string"
        message = f"the column {settings.text_column!r} is " + (found if settings.text_column in row else "missing")
        return Quarantined(source, locator, "read", "bad_row", message, url)
    identity = row.get(settings.id_column)
    metadata = as_metadata({"id": identity if isinstance(identity, str | int) else None, **notes})
    return Text(locator, valid_text(text), url, parse_date(row.get(settings.date_column)), metadata)
