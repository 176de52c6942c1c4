"""Bodies: bombs are cut, honest encodings decoded, types told by their first bytes."""

import gzip
import os
import zlib

import brotli
import pytest

from dataprep.crawl.decode import MAX_RATIO, RATIO_FREE, CappedDecoder, sniff

LIMIT = 5 << 20


def decode(encoding: str, data: bytes, step: int = 1000, limit: int = LIMIT) -> CappedDecoder:
    decoder = CappedDecoder(encoding, limit)
    for start in range(0, len(data), step):
        decoder.feed(data[start : start + step])
    return decoder


@pytest.mark.parametrize("encoding", ["gzip", "br"])
def test_a_bomb_is_truncated_where_it_shows(encoding: str) -> None:
    bomb = gzip.compress(b"\0" * (64 << 20)) if encoding == "gzip" else brotli.compress(b"\0" * (64 << 20), quality=1)
    decoder = decode(encoding, bomb)
    assert decoder.truncated
    assert len(decoder.body) <= max(RATIO_FREE, decoder.wire * MAX_RATIO) <= LIMIT


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "raw deflate", ""])
@pytest.mark.parametrize("step", [1, 777, 1 << 20])
def test_an_honest_body_is_decoded_whole(encoding: str, step: int) -> None:
    body = os.urandom(3000) + b"words and words " * 500
    raw = zlib.compressobj(wbits=-15)
    data = {
        "gzip": gzip.compress(body[:100]) + gzip.compress(body[100:]),  # two members
        "br": brotli.compress(body),
        "deflate": zlib.compress(body),
        "raw deflate": raw.compress(body) + raw.flush(),
        "": body,
    }[encoding]
    decoder = decode(encoding.removeprefix("raw "), data, step)
    assert bytes(decoder.body) == body
    assert not decoder.truncated


def test_plain_bytes_announced_as_gzip_are_taken_as_they_are() -> None:
    assert bytes(decode("gzip", b"<p>plain").body) == b"<p>plain"


def test_a_body_of_exactly_the_limit_is_whole_and_one_more_byte_is_not() -> None:
    body = os.urandom(5000)
    assert not decode("", body, limit=5000).truncated
    longer = decode("", body + b"x", limit=5000)
    assert longer.truncated
    assert bytes(longer.body) == body


def test_a_broken_stream_is_an_error() -> None:
    with pytest.raises(ValueError, match="gzip body cannot be decoded"):
        decode("gzip", b"\x1f\x8b\x08\x00" + b"\xff" * 100)
    with pytest.raises(ValueError, match="br body cannot be decoded"):
        decode("br", b"\xff" * 100)


@pytest.mark.parametrize(
    ("head", "header", "kind"),
    [
        (b"  <!DOCTYPE html><html>", "application/octet-stream", "text/html"),
        (b"<html>", "", "text/html"),
        (b"%PDF-1.7", "text/html", "application/pdf"),
        (b"\x89PNG\r\n\x1a\n", "text/html; charset=utf-8", "image/png"),
        (b"\x00\x01\x02", "text/html", "application/octet-stream"),
        (b"just words", "", "text/plain"),
        (b"just words", "text/html; charset=utf-8", "text/html"),
        (b"<html>", "text/plain", "text/plain"),
        (b"{}", "application/json", "application/json"),
        (b"\xff\xfe<\x00h\x00", "text/html", "text/html"),
        (b'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml">', "text/xml", "application/xhtml+xml"),
        (b'<?xml version="1.0"?><rss>', "text/xml", "text/xml"),
    ],
)
def test_the_type_is_told_by_the_first_bytes(head: bytes, header: str, kind: str) -> None:
    assert sniff(head, header) == kind
