"""WARC files as other tools read them."""

import io
from pathlib import Path

import fastwarc.warc
import warcio.archiveiterator

from dataprep.crawl.warc import Exchange, WarcFile

HEADERS = (
    (b"Content-Type", b"text/html"),
    (b"Content-Encoding", b"br"),
    (b"Transfer-Encoding", b"chunked"),
    (b"Set-Cookie", b"a=1"),
    (b"Set-Cookie", b"b=2"),
    (b"X-Odd", b"caf\xe9"),
)


def exchange(number: int, **values: object) -> Exchange:
    fields = {
        "url": f"http://a.example/{number}",
        "time": 1_800_000_000.123456 + number,
        "request": b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
        "status": 200,
        "reason": "OK",
        "headers": HEADERS,
        "body": b"<p>page %d</p>" % number,
        "address": "192.0.2.1",
        **values,
    }
    return Exchange(**fields)  # type: ignore[arg-type]


def write(exchanges: list[Exchange]) -> tuple[bytes, list[tuple[int, int, str]]]:
    handle = io.BytesIO()
    warc = WarcFile(handle, "seg-000.warc.gz", {"software": "corpusmill", "format": "WARC File Format 1.1"}, 0.0)
    places = [warc.exchange(e) for e in exchanges]
    warc.close()
    return handle.getvalue(), places


def test_two_readers_agree_with_us_on_offsets_payloads_and_digests() -> None:
    data, places = write([exchange(i) for i in range(20)])
    reader = warcio.archiveiterator.ArchiveIterator(io.BytesIO(data), check_digests="raise")
    seen = []
    for record in reader:
        body = record.content_stream().read()
        if record.rec_type == "response":
            seen.append((reader.get_record_offset(), record.rec_headers.get_header("WARC-Payload-Digest"), body))
    assert [(offset, digest) for offset, digest, _ in seen] == [(offset, digest) for offset, _, digest in places]
    assert [body for _, _, body in seen] == [exchange(i).body for i in range(20)]
    again = [r for r in fastwarc.warc.ArchiveIterator(io.BytesIO(data)) if r.headers["WARC-Type"] == "response"]
    assert [r.stream_pos for r in again] == [offset for offset, _, _ in places]
    for record in fastwarc.warc.ArchiveIterator(io.BytesIO(data), parse_http=False):
        assert record.verify_block_digest()
    for record in fastwarc.warc.ArchiveIterator(io.BytesIO(data), record_types=fastwarc.warc.response):
        assert record.verify_payload_digest()


def test_a_record_can_be_read_alone_from_its_offset_and_length() -> None:
    data, places = write([exchange(i) for i in range(3)])
    offset, length, _ = places[1]
    (record,) = fastwarc.warc.ArchiveIterator(io.BytesIO(data[offset : offset + length]))
    assert record.headers["WARC-Target-URI"] == "http://a.example/1"


def test_stored_headers_are_true_for_the_stored_payload_and_the_originals_are_kept() -> None:
    data, _ = write([exchange(0)])
    (record,) = fastwarc.warc.ArchiveIterator(io.BytesIO(data), record_types=fastwarc.warc.response, parse_http=True)
    headers = record.http_headers.items()
    assert ("X-Crawl-Content-Encoding", "br") in headers
    assert ("X-Crawl-Transfer-Encoding", "chunked") in headers
    assert ("Content-Length", str(len(exchange(0).body))) in headers
    assert [value for name, value in headers if name == "Set-Cookie"] == ["a=1", "b=2"]
    assert b"caf\xe9" in record.http_headers.get_bytes(b"X-Odd")


def test_records_say_what_the_standard_asks_for() -> None:
    data, _ = write([exchange(0, truncated="length", identified="text/html", cipher="TLS_AES_128_GCM_SHA256")])
    records = [(r, r.reader.read()) for r in fastwarc.warc.ArchiveIterator(io.BytesIO(data), parse_http=False)]
    info, response, request = (record for record, _ in records)
    assert info.headers["WARC-Type"] == "warcinfo"
    assert b"software: corpusmill\r\n" in records[0][1]
    assert response.headers["WARC-Warcinfo-ID"] == info.headers["WARC-Record-ID"]
    assert response.headers["WARC-Date"] == request.headers["WARC-Date"] == "2027-01-15T08:00:00.123456Z"
    assert request.headers["WARC-Concurrent-To"] == response.headers["WARC-Record-ID"]
    assert response.headers["WARC-Truncated"] == "length"
    assert response.headers["WARC-Identified-Payload-Type"] == "text/html"
    assert response.headers["WARC-IP-Address"] == "192.0.2.1"
    assert response.headers["WARC-Protocol"] == "http/1.1"


def test_the_same_fetches_give_the_same_bytes(tmp_path: Path) -> None:
    assert write([exchange(1), exchange(2)])[0] == write([exchange(1), exchange(2)])[0]
