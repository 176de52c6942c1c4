"""Content decoding with a cap, and what a body is by its first bytes.

152 bytes of brotli make 100 MB, 1 MB of gzip makes 1 GB; so nothing is decoded past the cap, and a body that grows more
than 200-fold is cut where that shows.
"""

import re
import zlib
from typing import Protocol

import brotli

MAX_RATIO = 200
RATIO_FREE = 1 << 20  # small bodies may compress as well as they like
_SNIFF = 1024


class _Stream(Protocol):
    def feed(self, data: bytes, limit: int) -> bytes: ...


class _Identity:
    def feed(self, data: bytes, limit: int) -> bytes:
        return data[:limit]


class _Zlib:
    """gzip (several members one after the other occur) or deflate, with zlib header or raw."""

    def __init__(self, wbits: int) -> None:
        self._wbits = wbits
        self._inner = zlib.decompressobj(wbits)
        self._between = b""

    def feed(self, data: bytes, limit: int) -> bytes:
        out = bytearray()
        data, self._between = self._between + data, b""
        while data and len(out) < limit:
            if self._inner.eof:
                if data == b"\x1f":  # half the magic number of another member
                    self._between = data
                    break
                if not data.startswith(b"\x1f\x8b"):
                    break  # padding or rubbish behind the last member
                self._inner = zlib.decompressobj(self._wbits)
            out += self._inner.decompress(data, limit - len(out))
            data = self._inner.unused_data if self._inner.eof else self._inner.unconsumed_tail
        return bytes(out)


class _Brotli:
    def __init__(self) -> None:
        self._inner = brotli.Decompressor()

    def feed(self, data: bytes, limit: int) -> bytes:
        out = bytearray()
        while len(out) < limit and (data or not self._inner.can_accept_more_data()):
            piece = self._inner.process(data, output_buffer_limit=limit - len(out))
            if not piece and not data:
                break
            out += piece
            data = b""
        return bytes(out)


class CappedDecoder:
    """Decodes a body piece by piece; ``truncated`` becomes True once ``limit`` bytes, wire or decoded, are exceeded.

    An encoding that was announced but not applied is recognised by its missing magic number. Raises ``ValueError`` for
    a stream that cannot be decoded.
    """

    def __init__(self, encoding: str, limit: int) -> None:
        self.limit = limit
        self.truncated = False
        self.wire = 0
        self.body = bytearray()
        self._encoding = encoding.strip().lower()
        self._stream: _Stream | None = None

    def feed(self, data: bytes) -> None:
        if not data or self.truncated:
            return
        if self._stream is None:
            self._stream = self._choose(data)
        self.wire += len(data)
        if self.wire > self.limit:
            data = data[: len(data) - (self.wire - self.limit)]
            self.truncated = True
        # one byte more than allowed, so that a body of exactly the limit is not called truncated
        room = self.limit + 1 - len(self.body)
        growth = max(RATIO_FREE, self.wire * MAX_RATIO) + 1 - len(self.body)
        try:
            self.body += self._stream.feed(data, max(1, min(room, growth)))
        except (zlib.error, brotli.error) as error:
            raise ValueError(f"{self._encoding} body cannot be decoded: {error}") from None
        allowed = min(self.limit, max(RATIO_FREE, self.wire * MAX_RATIO))
        if len(self.body) > allowed:
            del self.body[allowed:]
            self.truncated = True

    def _choose(self, data: bytes) -> _Stream:
        if self._encoding in ("gzip", "x-gzip"):
            return _Zlib(47) if data[:1] == b"\x1f" else _Identity()
        if self._encoding == "deflate":
            return _Zlib(15) if data[:1] == b"\x78" else _Zlib(-15)
        if self._encoding == "br":
            return _Brotli()
        return _Identity()


_MAGIC = (
    (b"%PDF-", "application/pdf"),
    (b"%!PS-Adobe-", "application/postscript"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"),
    (b"OggS\x00", "application/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"\x1aE\xdf\xa3", "video/webm"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b", "application/gzip"),
    (b"Rar!\x1a\x07", "application/x-rar-compressed"),
    (b"7z\xbc\xaf'\x1c", "application/x-7z-compressed"),
    (b"wOFF", "font/woff"),
    (b"wOF2", "font/woff2"),
    (b"\x7fELF", "application/octet-stream"),
)
_HTML = re.compile(
    rb"[\t\n\x0c\r ]*<(?:!DOCTYPE|HTML|HEAD|SCRIPT|IFRAME|H1|DIV|FONT|TABLE|A|STYLE|TITLE|B|BODY|BR|P|META|LINK|!--)"
    rb"[\t\n\x0c\r >\-]",
    re.IGNORECASE,
).match
_XML = re.compile(rb"[\t\n\x0c\r ]*<\?xml").match
_BINARY = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]").search
TEXT_TYPES = frozenset({"text/html", "application/xhtml+xml", "text/plain"})


def sniff(head: bytes, header: str) -> str:
    """The media type of a body from its first 1,024 bytes, the header deciding only between kinds of text.

    A subset of the WHATWG MIME Sniffing Standard (sections 6 and 7): what a crawler of text has to tell apart.
    """
    head = head[:_SNIFF]
    declared = header.partition(";")[0].strip().lower()
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    marked = head.startswith((b"\xfe\xff", b"\xff\xfe", b"\xef\xbb\xbf"))
    text = head.removeprefix(b"\xef\xbb\xbf")
    if _HTML(text) and declared != "text/plain":
        return "text/html"
    if _XML(text):
        return "application/xhtml+xml" if b"//www.w3.org/1999/xhtml" in text else declared or "text/xml"
    if not marked and _BINARY(head):
        return "application/octet-stream"
    if declared in ("", "unknown/unknown", "application/unknown", "*/*", "application/octet-stream"):
        return "text/plain"
    return declared
