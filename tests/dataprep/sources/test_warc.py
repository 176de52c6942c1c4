"""WARC records become items: what is a document, what is removed and why."""

import gzip

import pytest

from dataprep.parts import Quarantined
from dataprep.sources.items import Page, Removed
from dataprep.sources.splitting import Piece
from dataprep.sources.warc import read_warc
from tests.dataprep.sources.warcs import member, page, record

PDF = {"fields": {"Content-Type": "text/html"}, "body": b"%PDF-1.4 ..."}


def items(tmp_path, *records, limit=1 << 20):
    path = tmp_path / "a.warc.gz"
    path.write_bytes(b"".join(member(r) for r in records))
    return list(read_warc(Piece("sub/a.warc.gz", str(path), "warc", 1), "web", limit))


def test_a_page_knows_where_it_comes_from(tmp_path):
    (item,) = items(tmp_path, record(body=page(1), url="http://x/1"))
    assert isinstance(item, Page)
    assert (item.payload, item.media, item.charset, item.url) == (page(1), "html", "utf-8", "http://x/1")
    assert (item.locator, item.date.isoformat()) == ("sub/a.warc.gz#0", "2024-05-01T12:34:56")
    assert item.metadata == {"content_type": "text/html", "http_status": "200"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"status": "404 Not Found", "body": b"<p>gone"}, "http_status"),
        ({"status": "301 Moved"}, "http_status"),
        ({"fields": {"Content-Type": "image/png"}, "body": b"\x89PNG"}, "not_text"),
        ({"fields": {"Content-Type": "text/css"}, "body": b"a {}"}, "not_text"),
        (PDF, "not_text"),
        ({"http": False, "content_type": "text/dns", "body": b"20240501 example.org. IN A"}, "not_text"),
    ],
)
def test_what_is_no_document_is_removed_with_its_reason(tmp_path, given, expected):
    (item,) = items(tmp_path, record(**given))
    assert isinstance(item, Removed)
    assert item.reason == expected


@pytest.mark.parametrize(
    ("kind", "given", "media"),
    [
        ("response", {"fields": {"Content-Type": "application/xhtml+xml"}}, "html"),
        ("response", {"fields": {"Content-Type": "text/plain"}}, "text"),
        ("response", {"fields": {"Content-Type": ""}, "body": b"  <!DOCTYPE html><p>x"}, "html"),
        ("response", {"fields": {"Content-Type": "application/octet-stream"}, "body": b"<html>"}, "html"),
        ("resource", {"content_type": "text/html"}, "html"),
        ("conversion", {"content_type": "text/plain"}, "text"),
    ],
)
def test_html_and_plain_text_are_pages(tmp_path, kind, given, media):
    (item,) = items(tmp_path, record(kind, **{"body": b"<html>words", **given}))
    assert isinstance(item, Page)
    assert item.media == media


def test_only_candidates_are_counted(tmp_path):
    kinds = ("warcinfo", "request", "metadata", "revisit", "continuation")
    assert items(tmp_path, *(record(kind, body=b"x") for kind in kinds), record(body=page(1)))[1:] == []


def test_damage_and_undecodable_payloads_are_quarantine_rows(tmp_path):
    bad = record(body=gzip.compress(page(1))[:-20], fields={"Content-Encoding": "gzip"}, url="http://x/bad")
    broken = record(body=b"abc", length=5000)
    large = record(body=b"x" * 200_000)
    found = items(tmp_path, bad, broken, record(body=page(2)), large, limit=100_000)
    assert [type(item) for item in found] == [Quarantined, Quarantined, Page, Quarantined]
    rows = [item for item in found if isinstance(item, Quarantined)]
    assert [row.reason for row in rows] == ["bad_encoding", "truncated_record", "too_large"]
    assert (rows[0].source, rows[0].url, rows[0].locator) == ("web", "http://x/bad", "sub/a.warc.gz#0")


def test_a_file_without_records_is_a_quarantine_row(tmp_path):
    path = tmp_path / "a.warc"
    path.write_bytes(b"\r\n\r\n")
    (row,) = read_warc(Piece("a.warc", str(path), "warc", 4), "web", 1000)
    assert (row.reason, row.locator) == ("empty_file", "a.warc#0")
