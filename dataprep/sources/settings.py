"""Which files a source reads, and which columns of theirs mean what."""

from typing import Literal

from pydantic import Field

from dataprep.settings import Settings

Format = Literal["warc", "wet", "jsonl", "parquet", "text"]


class FilesSettings(Settings):
    """A source made of files. ``paths`` are files, folders (read recursively) or globs, local or ``scheme://``.

    ``format: auto`` goes by file names and ignores those it does not know, except a file named outright, which is an
    error; any other format reads every file named or matched by a glob as that format.
    The columns are those of JSON Lines and Parquet; ``id_column`` is kept in the metadata, since a document's own id
    comes from where it was read. A record or text larger than ``document_bytes`` (after decompression) is quarantined.
    """

    paths: tuple[str, ...] = Field(min_length=1)
    format: Literal["auto", "warc", "wet", "jsonl", "parquet", "text"] = "auto"
    text_column: str = "text"
    id_column: str = "id"
    url_column: str = "url"
    date_column: str = "date"
    document_bytes: int = Field(default=64 << 20, ge=1)
