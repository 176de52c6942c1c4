"""From the block of a WARC response record to the bytes a browser would show: headers off, encodings undone.

Decisions:
- Many archives store decoded bodies under the headers of encoded ones (Common Crawl, pywb, ClueWeb). A body that does
  not begin like what its header claims is taken as it is.
- Whatever grows is capped: a body may not decode to more than ``limit`` bytes.
"""

import io
import re
from dataclasses import dataclass
from email.message import Message
from functools import lru_cache

import brotli
import zstandard
from isal import isal_zlib

from dataprep.sources.framing import parse_headers
from dataprep.sources.items import one_line
from dataprep.sources.opening import InflateError, ZstdFile

PLAIN = ("", "identity", "none", "utf-8", "binary")  # what servers call a body that is not encoded
_STATUS = re.compile(rb"HTTP/\d(?:\.\d)?[ \t]+(\d{1,3})(?:[ \t\r\n]|$)")
_LINE = re.compile(rb"\n")
_HEADER_END = re.compile(rb"\r?\n\r?\n")
_CHUNK = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?\r?\n")


class HttpError(ValueError):
    """The payload cannot be had; ``reason`` is the name that is counted."""

    def __init__(self, reason: str, error: str) -> None:
        super().__init__(error)
        self.reason = reason


@dataclass(slots=True)
class Response:
    status: int
    headers: dict[str, str]
    body: bytes | memoryview

    def payload(self, limit: int) -> bytes | memoryview:
        """The body without transfer and content encodings; no copy where there are none. Raises ``HttpError``."""
        body = self.body
        if "chunked" in self.headers.get("transfer-encoding", "").lower():
            body = _unchunk(bytes(body))
        for name in reversed(self.headers.get("content-encoding", "").lower().split(",")):
            name = name.strip()
            if name not in PLAIN:
                body = _decode(bytes(body), name, limit)
        if len(body) > limit:
            raise HttpError("too_large", f"the payload has {len(body)} bytes, the limit is {limit}")
        return body


def parse_response(block: bytes | memoryview) -> Response:
    """Split status line, headers and body. Raises ``HttpError``."""
    status = _STATUS.match(block)
    if not status:
        raise HttpError("bad_http", f"no HTTP status line, but {bytes(block[:40])!r}")
    line = _LINE.search(block)
    start = line.end() if line else len(block)
    end = _HEADER_END.search(block, max(start - 2, 0))
    head, body = (block[start : end.start()], block[end.end() :]) if end else (block[start:], b"")
    return Response(int(status[1]), parse_headers(bytes(head)), body)


@lru_cache(4096)  # a crawl has a few dozen of them
def media_type(content_type: str) -> tuple[str, str | None]:
    """``text/html; charset=x`` → (``text/html``, ``x``): lower case, without quotes."""
    if ";" not in content_type:
        return content_type.strip().lower(), None
    message = Message()
    message["content-type"] = content_type.replace("\n", " ")
    charset = message.get_param("charset")
    return content_type.partition(";")[0].strip().lower(), charset.strip("'\" ") if isinstance(charset, str) else None


def _unchunk(body: bytes) -> bytes:
    pieces: list[bytes] = []
    position = 0
    while True:
        size = _CHUNK.match(body, position)
        if not size:
            if not pieces:
                return body  # the transfer encoding was undone when the page was stored
            raise HttpError("bad_chunking", f"no chunk size at byte {position}, but {body[position : position + 20]!r}")
        length = int(size[1], 16)
        start = size.end()
        if length == 0:
            return b"".join(pieces)
        if start + length > len(body):
            raise HttpError("bad_chunking", f"a chunk of {length} bytes has only {len(body) - start}")
        pieces.append(body[start : start + length])
        position = start + length
        if body.startswith(b"\r\n", position):
            position += 2
        elif body.startswith(b"\n", position):
            position += 1


def _decode(body: bytes, name: str, limit: int) -> bytes:
    try:
        if name in ("gzip", "x-gzip"):
            return _inflate(body, 31, limit) if body.startswith(b"\x1f\x8b") else body
        if name == "deflate":
            # zlib's header is what the standard asks for, raw deflate is what some servers send
            try:
                return _inflate(body, 15, limit)
            except InflateError:
                return body if _is_text(body) else _inflate(body, -15, limit)
        if name == "br":
            return body if _is_text(body) else _unbrotli(body, limit)
        if name == "zstd":
            if not body.startswith(b"\x28\xb5\x2f\xfd"):
                return body
            return _capped(io.BufferedReader(ZstdFile(io.BytesIO(body))).read(limit + 1), limit)
    except (InflateError, brotli.error, zstandard.ZstdError, EOFError) as error:
        raise HttpError("bad_encoding", f"Content-Encoding {name}: {one_line(error)}") from None
    if _is_text(body):
        return body
    raise HttpError("bad_encoding", f"Content-Encoding {name[:40]!r} is not known")


def _inflate(body: bytes, bits: int, limit: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while body:
        inflate = isal_zlib.decompressobj(bits)
        pieces.append(inflate.decompress(body, limit - size + 1))
        size += len(pieces[-1])
        if size > limit:
            raise HttpError("too_large", f"the payload decodes to more than {limit} bytes")
        if not inflate.eof:
            raise EOFError("the compressed data ends early")
        body = inflate.unused_data if bits == 31 and inflate.unused_data.startswith(b"\x1f\x8b") else b""
    return b"".join(pieces)


def _unbrotli(body: bytes, limit: int) -> bytes:
    decompressor = brotli.Decompressor()
    pieces = [decompressor.process(body, output_buffer_limit=1 << 20)]
    size = len(pieces[0])
    while not decompressor.is_finished():
        piece = b"" if decompressor.can_accept_more_data() else decompressor.process(b"", output_buffer_limit=1 << 20)
        if not piece:
            raise EOFError("the compressed data ends early")
        pieces.append(piece)
        size += len(piece)
        if size > limit:
            break
    return _capped(b"".join(pieces), limit)


def _capped(data: bytes, limit: int) -> bytes:
    if len(data) > limit:
        raise HttpError("too_large", f"the payload decodes to more than {limit} bytes")
    return data


def _is_text(body: bytes) -> bool:
    """Whether a body looks like markup that was stored already decoded."""
    return body[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")
