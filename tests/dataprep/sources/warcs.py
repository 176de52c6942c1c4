"""Small WARC records, byte by byte, so that a test can break them where it wants."""

import gzip


def record(kind="response", body=b"", url="http://example.org/", length=None, http=True, eol=b"\r\n", **headers):
    block = body
    content_type = "text/plain"
    if kind == "response" and http:
        status = headers.pop("status", "200 OK")
        fields = {"Content-Type": "text/html; charset=utf-8", **headers.pop("fields", {})}
        head = f"HTTP/1.1 {status}\r\n" + "".join(f"{k}: {v}\r\n" for k, v in fields.items())
        block = head.encode() + b"\r\n" + body
        content_type = "application/http; msgtype=response"
    lines = [
        b"WARC/1.0",
        b"WARC-Type: " + kind.encode(),
        b"WARC-Target-URI: " + url.encode(),
        b"WARC-Date: 2024-05-01T12:34:56.789Z",
        b"Content-Type: " + headers.pop("content_type", content_type).encode(),
        b"Content-Length: " + str(len(block) if length is None else length).encode(),
    ]
    return eol.join(lines) + 2 * eol + block + 2 * eol


def member(data):
    return gzip.compress(data, mtime=0)


def page(number, words=60):
    text = " ".join(f"word{number}x{i}" for i in range(words))
    return f"<html><head><title>Page {number}</title></head><body><p>{text}</p></body></html>".encode()
