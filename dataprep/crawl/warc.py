"""WARC/1.1 as Common Crawl writes it: decoded payloads, true lengths, every record a gzip member of its own.

Decisions:
- fastwarc writes; ``finish()`` after each record ends its gzip member, without which every offset would be wrong.
- Record ids are UUIDv5 of (URL, date, type) and the header's time is fixed, so the same fetch gives the same bytes.
- What a server said about the encoding of the body no longer holds for the stored payload: those headers are kept under
  ``X-Crawl-`` and a true Content-Length is added.

Source: ISO 28500 as WARC/1.1 (sections named in comments), CC-MAIN files.
"""

import base64
import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, Any

import fastwarc.stream_io
import fastwarc.warc
from fastwarc.warc import WarcRecordType

Headers = Sequence[tuple[bytes, bytes]]
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:corpusmill:warc")
_CHANGED = (b"content-encoding", b"transfer-encoding", b"content-length")


@dataclass(frozen=True)
class Exchange:
    """One request and its response. ``time`` is the Unix time of the request; ``body`` is decoded."""

    url: str
    time: float
    request: bytes
    status: int
    reason: str
    headers: Headers
    body: bytes
    address: str | None
    protocol: str = "http/1.1"
    cipher: str | None = None
    identified: str | None = None
    truncated: str | None = None


def warc_date(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def digest(data: bytes) -> str:
    return "sha1:" + base64.b32encode(hashlib.sha1(data).digest()).decode()


def response_block(exchange: Exchange) -> bytes:
    """Status line, headers and payload as they are stored. Header bytes are kept as the server sent them."""
    reason = exchange.reason.encode("latin-1", "replace").replace(b"\r", b" ").replace(b"\n", b" ")
    lines = [b"HTTP/1.1 %d %s" % (exchange.status, reason)]
    for name, value in exchange.headers:
        prefix = b"X-Crawl-" if name.lower() in _CHANGED else b""
        lines.append(prefix + name + b": " + value)
    lines.append(b"Content-Length: %d" % len(exchange.body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + exchange.body


class WarcFile:
    """Appends records to an open binary file that starts empty. ``time`` is the Unix time of its first exchange."""

    def __init__(self, handle: IO[bytes], name: str, information: dict[str, str], time: float) -> None:
        self._handle = handle
        self._gzip = fastwarc.stream_io.GzipWriter(handle, compression_level=6)
        self.size = 0
        self.payloads = 0
        date = warc_date(time)
        self._info_id = _record_id("warcinfo", name, date)
        text = "".join(f"{key}: {value}\r\n" for key, value in information.items()).encode()
        headers = {"WARC-Filename": name, "Content-Type": "application/warc-fields"}
        self._write(WarcRecordType.warcinfo, self._info_id, date, headers, text)

    def exchange(self, exchange: Exchange) -> tuple[int, int, str]:
        """Write ``response`` and ``request``; returns the response's offset and length, and the payload digest."""
        date = warc_date(exchange.time)
        response_id = _record_id("response", exchange.url, date)
        payload_digest = digest(exchange.body)
        shared = {"WARC-Target-URI": exchange.url, "WARC-Warcinfo-ID": self._info_id}
        if exchange.address:
            shared["WARC-IP-Address"] = exchange.address
        response = {**shared, "WARC-Payload-Digest": payload_digest}
        if exchange.identified:  # only what was sniffed here, never the server's word (5.19)
            response["WARC-Identified-Payload-Type"] = exchange.identified
        if exchange.truncated:
            response["WARC-Truncated"] = exchange.truncated
        response["WARC-Protocol"] = exchange.protocol
        if exchange.cipher:
            response["WARC-Cipher-Suite"] = exchange.cipher
        response["Content-Type"] = "application/http; msgtype=response"
        offset = self.size
        length = self._write(WarcRecordType.response, response_id, date, response, response_block(exchange))
        request = {
            **shared,
            "WARC-Concurrent-To": response_id,  # same date on both: they are one fetch (5.4)
            "Content-Type": "application/http; msgtype=request",
        }
        request_id = _record_id("request", exchange.url, date)
        self._write(WarcRecordType.request, request_id, date, request, exchange.request)
        self.payloads += 1
        return offset, length, payload_digest

    def _write(self, kind: Any, record_id: str, date: str, headers: dict[str, str], block: bytes) -> int:
        record = fastwarc.warc.WarcRecord()
        record.init_headers(kind, record_id.removeprefix("<urn:").rstrip(">").encode())
        record.headers["WARC-Date"] = date
        for name, value in headers.items():
            record.headers[name] = value
        record.headers["WARC-Block-Digest"] = digest(block)
        record.set_bytes_content(block)
        record.write(self._gzip)
        self._gzip.finish()
        before, self.size = self.size, self._handle.tell()
        return self.size - before

    def close(self) -> None:
        self._gzip.flush()


def _record_id(kind: str, url: str, date: str) -> str:
    return f"<urn:uuid:{uuid.uuid5(_NAMESPACE, f'{kind} {url} {date}')}>"
