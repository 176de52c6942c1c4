"""The reader for each piece of a split."""

from collections.abc import Iterable, Iterator

from dataprep.sources.items import Item
from dataprep.sources.jsonl import read_jsonl
from dataprep.sources.parquet import read_parquet
from dataprep.sources.settings import FilesSettings
from dataprep.sources.splitting import Piece
from dataprep.sources.text import read_text
from dataprep.sources.warc import read_warc


def read_pieces(pieces: Iterable[Piece], source: str, settings: FilesSettings) -> Iterator[Item]:
    """All items of ``pieces`` in their order; every item is one document in.

    Damage is an item. Raises ``ValueError`` where the recipe does not fit the files (a column that is not there) and
    ``OSError`` where a file is gone or the store fails: those are not properties of a document.
    """
    for piece in pieces:
        match piece.format:
            case "warc" | "wet":
                yield from read_warc(piece, source, settings.document_bytes)
            case "jsonl":
                yield from read_jsonl(piece, source, settings)
            case "parquet":
                yield from read_parquet(piece, source, settings)
            case "text":
                yield from read_text(piece, source, settings)
