"""What a reader yields: one item for each record that could become a document.

Decisions:
- A reader never decodes or parses a page; it hands over bytes and what was declared about them (``Page``), so that all
  guessing and all hostile input is handled in one place (``dataprep.html``).
- Every item counts as one document in; ``Quarantined`` rows (``dataprep.parts``) are the fourth kind of item.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from dataprep.parts import Quarantined


@dataclass(slots=True)
class Text:
    """A finished text; free of NUL and lone surrogates."""

    locator: str
    text: str
    url: str | None = None
    date: datetime | None = None
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Page:
    """Bytes to be decoded (``text``) or decoded and extracted (``html``); ``charset`` is what a header declared.

    ``payload`` may be a view of a reader's buffer, so that a page is copied once, to where it is extracted.
    """

    locator: str
    payload: bytes | memoryview
    media: Literal["html", "text"]
    charset: str | None = None
    url: str | None = None
    date: datetime | None = None
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Removed:
    """A record that is whole and well understood, but is no document: ``reason`` is a short name that is counted."""

    locator: str
    reason: str
    url: str | None = None
    date: datetime | None = None
    metadata: dict[str, str] = field(default_factory=dict)


Item = Text | Page | Removed | Quarantined


def valid_text(text: str) -> str:
    """``text`` without NUL, and with U+FFFD for lone surrogates: what UTF-8 buffers and Parquet can hold."""
    if "\0" in text:
        text = text.replace("\0", "")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def one_line(error: object, limit: int = 300) -> str:
    """An error message on one line, for a quarantine row."""
    message = valid_text(" ".join(str(error).split()))[:limit]
    return message or type(error).__name__


def parse_date(value: object) -> datetime | None:
    """UTC without a zone, whole seconds; None where it cannot be understood.

    Takes datetimes, seconds since 1970, and ISO 8601 of any precision (a WARC-Date may be ``2019`` or ``2019-08``).
    """
    try:
        if isinstance(value, str):
            value = value.strip()
            date = datetime.fromisoformat(value + {4: "-01-01", 7: "-01"}.get(len(value), ""))
        elif isinstance(value, datetime):
            date = value
        elif isinstance(value, int | float) and not isinstance(value, bool):
            date = datetime.fromtimestamp(value, UTC)
        else:
            return None
        if date.tzinfo is not None:
            date = date.astimezone(UTC).replace(tzinfo=None)
        return date.replace(microsecond=0)
    except (ValueError, OverflowError, OSError):
        return None


def as_metadata(values: Mapping[str, object]) -> dict[str, str]:
    """The values that are there, as valid text."""
    return {name: valid_text(str(value)) for name, value in values.items() if value is not None and value != ""}
