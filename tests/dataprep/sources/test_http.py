"""Payloads: encodings are undone, lies are tolerated, damage and bombs are named."""

import gzip
import zlib

import brotli
import pytest
import zstandard

from dataprep.sources.http import HttpError, media_type, parse_response

BODY = b"<html><body>" + b"hello world " * 50 + b"</body></html>"


def response(body, **fields):
    head = "HTTP/1.1 200 OK\r\n" + "".join(f"{k.replace('_', '-')}: {v}\r\n" for k, v in fields.items())
    return parse_response(head.encode() + b"\r\n" + body)


def chunked(body, size=100):
    parts = [body[i : i + size] for i in range(0, len(body), size)]
    return b"".join(b"%x;ext=1\r\n%s\r\n" % (len(p), p) for p in parts) + b"0\r\n\r\n"


RAW = zlib.compressobj(wbits=-15)
ENCODED = {
    "gzip": gzip.compress(BODY),
    "x-gzip": gzip.compress(BODY[:50]) + gzip.compress(BODY[50:]),
    "deflate": zlib.compress(BODY),
    "Deflate": RAW.compress(BODY) + RAW.flush(),
    "br": brotli.compress(BODY),
    "zstd": zstandard.compress(BODY),
    "identity": BODY,
    "gzip, br": brotli.compress(gzip.compress(BODY)),
}


@pytest.mark.parametrize("name", ENCODED)
def test_every_content_encoding_is_undone_also_inside_chunks(name):
    assert response(ENCODED[name], Content_Encoding=name).payload(1 << 20) == BODY
    both = response(chunked(ENCODED[name]), Content_Encoding=name, Transfer_Encoding="chunked")
    assert both.payload(1 << 20) == BODY


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd", "aws-chunked"])
def test_a_body_that_was_stored_decoded_is_taken_as_it_is(name):
    assert response(BODY, Content_Encoding=name, Transfer_Encoding="chunked").payload(1 << 20) == BODY


@pytest.mark.parametrize("name", ["gzip", "br", "deflate", "zstd"])
def test_cut_off_encodings_are_named(name):
    with pytest.raises(HttpError, match=f"Content-Encoding {name}") as error:
        response(ENCODED[name][:-20], Content_Encoding=name).payload(1 << 20)
    assert error.value.reason == "bad_encoding"


@pytest.mark.parametrize("name", ["gzip", "br", "deflate", "zstd"])
def test_a_bomb_is_stopped_at_the_limit(name):
    bomb = bytes(200 << 20) if name != "br" else bytes(20 << 20)
    packed = {"gzip": gzip.compress, "br": brotli.compress, "deflate": zlib.compress, "zstd": zstandard.compress}[name]
    with pytest.raises(HttpError) as error:
        response(packed(bomb), Content_Encoding=name).payload(1 << 20)
    assert error.value.reason == "too_large"


def test_broken_chunks_are_named():
    for body in (chunked(BODY)[:-300], b"5\r\nhello\r\nworld", b"ff\r\nshort"):
        with pytest.raises(HttpError) as error:
            response(body, Transfer_Encoding="chunked").payload(1 << 20)
        assert error.value.reason == "bad_chunking"


def test_what_is_no_http_is_named():
    with pytest.raises(HttpError, match="no HTTP status line") as error:
        parse_response(b"hello")
    assert error.value.reason == "bad_http"
    assert parse_response(b"HTTP/2 200\r\nA: b\r\n\r\nx").headers == {"a": "b"}
    assert parse_response(b"HTTP/1.1 0 No Content\r\n").status == 0


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text/html", ("text/html", None)),
        ('Text/HTML; Charset="UTF-8"', ("text/html", "UTF-8")),
        ("text/html;charset=iso-8859-1;x=y", ("text/html", "iso-8859-1")),
        ("text/html; charset='utf-8'", ("text/html", "utf-8")),
        ("text/html;", ("text/html", None)),
        ("", ("", None)),
    ],
)
def test_content_types_are_taken_apart(value, expected):
    assert media_type(value) == expected
