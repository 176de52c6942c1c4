"""Whole files become items: plain text, Markdown, reStructuredText as they are, HTML as pages.

Locator: the file's name. Quarantined: ``empty_file``, ``too_large``, ``damaged_archive`` (compressed and unreadable).
"""

from collections.abc import Iterator

from dataprep.parts import Quarantined
from dataprep.sources.items import Item, Page, one_line
from dataprep.sources.opening import DAMAGE, open_decompressed
from dataprep.sources.settings import FilesSettings
from dataprep.sources.splitting import Piece


def read_text(piece: Piece, source: str, settings: FilesSettings) -> Iterator[Item]:
    """One item."""
    limit = settings.document_bytes
    try:
        with open_decompressed(piece.path) as file:
            data = file.read(limit + 1)
    except DAMAGE as error:
        reason = "truncated_archive" if isinstance(error, EOFError) else "damaged_archive"
        yield Quarantined(source, piece.name, "read", reason, one_line(error))
        return
    if not data:
        yield Quarantined(source, piece.name, "read", "empty_file", "the file is empty")
    elif len(data) > limit:
        message = f"the file has {max(piece.size, limit + 1)} bytes or more, the limit is {limit}"
        yield Quarantined(source, piece.name, "read", "too_large", message)
    else:
        yield Page(piece.name, data, "html" if is_html(piece.name) else "text")


def is_html(name: str) -> bool:
    """Whether the file's name says so."""
    return name.lower().removesuffix(".gz").removesuffix(".zst").endswith((".html", ".htm", ".xhtml"))
