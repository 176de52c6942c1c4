"""WARC and WET records become items.

Counted as documents in: ``response``, ``resource`` and ``conversion`` records, and every damaged stretch. The others
(``request``, ``metadata``, ``warcinfo``, ``revisit``, ``continuation`` …) are passed over.
Removed with a reason: ``http_status`` (not 200), ``not_text`` (neither HTML nor plain text).
"""

import re
from collections.abc import Iterator

from dataprep.parts import Quarantined
from dataprep.sources.framing import Damage, Record, read_records
from dataprep.sources.http import HttpError, media_type, parse_response
from dataprep.sources.items import Item, Page, Removed, as_metadata, one_line, parse_date
from dataprep.sources.splitting import Piece

HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
TEXT_TYPES = frozenset({"text/plain", "text/markdown", "text/x-markdown", "text/x-rst", "text/prs.fallenstein.rst"})
UNTYPED = frozenset({"", "application/octet-stream", "application/unknown", "unknown", "unk", "*/*", "no-type"})
CANDIDATES = frozenset({"response", "resource", "conversion"})
_BINARY = re.compile(rb"%PDF|PK\x03\x04|\x89PNG|GIF8[79]a|\xff\xd8\xff|\x1f\x8b|BM|RIFF|OggS|ID3|\x7fELF|wOF[F2]")
_HTML = re.compile(
    rb"(?:\xef\xbb\xbf)?(?:\s|<!--.*?-->|<\?xml[^>]*>)*<(?:!doctype\s+html|html|head|body|title)\b", re.I | re.S
)


def read_warc(piece: Piece, source: str, limit: int) -> Iterator[Item]:
    """The items of one archive; ``limit`` is in bytes, for a block and for its decoded payload."""
    record: Record | Damage | None = None
    for record in read_records(piece.path, limit, piece.start):
        if isinstance(record, Damage):
            locator = f"{piece.name}#{record.offset}"
            yield Quarantined(source, locator, "read", record.reason, record.error, record.url)
        elif record.headers.get("warc-type", "").lower() in CANDIDATES:
            yield _item(record, f"{piece.name}#{record.offset}", source, limit)
    if record is None:
        yield Quarantined(source, f"{piece.name}#0", "read", "empty_file", "the file holds no record")


def _item(record: Record, locator: str, source: str, limit: int) -> Item:
    headers = record.headers
    kind = headers["warc-type"].lower()
    url = headers.get("warc-target-uri", "").strip("<>") or None
    date = parse_date(headers.get("warc-date"))
    if record.block is None:
        size = headers["content-length"]
        return Quarantined(
            source, locator, "read", "too_large", f"the record has {size} bytes, the limit is {limit}", url
        )
    content_type = headers.get("content-type", "")
    payload: bytes | memoryview = record.block
    status = None
    if kind == "response" and (content_type.lower().startswith("application/http") or payload[:5] == b"HTTP/"):
        try:
            response = parse_response(payload)
            status = response.status
            content_type = response.headers.get("content-type", "")
            if status == 200:
                payload = response.payload(limit)
        except HttpError as error:
            return Quarantined(source, locator, "read", error.reason, one_line(error), url)
    declared, charset = media_type(content_type)
    metadata = as_metadata(
        {
            "content_type": declared[:200],
            "http_status": status,
            "truncated": headers.get("warc-truncated"),
            "language": headers.get("warc-identified-content-language"),
        }
    )
    if status not in (None, 200):
        return Removed(locator, "http_status", url, date, metadata)
    media = identify(declared, headers.get("warc-identified-payload-type", ""), payload)
    if media is None:
        return Removed(locator, "not_text", url, date, metadata)
    if kind == "conversion":
        charset = charset or "utf-8"
    return Page(locator, payload, media, charset, url, date, metadata)  # type: ignore[arg-type]


def identify(declared: str, identified: str, payload: bytes | memoryview) -> str | None:
    """``html``, ``text`` or None, from what the server declared, what the crawler found, and the first bytes."""
    name = declared
    if name in UNTYPED and identified:
        name = identified.partition(";")[0].strip().lower()
    if name in HTML_TYPES or name in TEXT_TYPES:
        if _BINARY.match(payload):
            return None
        return "html" if name in HTML_TYPES else "text"
    if name in UNTYPED and _HTML.match(payload[:1024]):
        return "html"
    return None
