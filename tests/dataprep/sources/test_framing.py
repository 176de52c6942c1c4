"""WARC framing: every whole record is read, every damaged stretch is reported, reading goes on."""

import csv
import gzip
import hashlib
import tarfile
import zlib
from collections import defaultdict
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from isal import isal_zlib

from dataprep.sources.framing import Damage, Record, read_records
from dataprep.sources.http import HttpError, parse_response
from tests.dataprep.sources.warcs import member, page, record

LIMIT = 64 << 20


def read(path):
    found = list(read_records(str(path), LIMIT))
    return [r for r in found if isinstance(r, Record)], [r for r in found if isinstance(r, Damage)]


def write(tmp_path, data, name="a.warc.gz"):
    path = tmp_path / name
    path.write_bytes(data)
    return path


def urls(records):
    return [r.headers["warc-target-uri"] for r in records]


def payload(item):
    if item.headers["warc-type"] in ("response", "revisit") and item.block[:5] == b"HTTP/":
        return parse_response(item.block).payload(LIMIT)
    return item.block


def test_records_agree_with_warcio_on_every_file_it_reads(shared_data):
    wanted = defaultdict(list)
    with gzip.open(shared_data / "warc" / "records-warcio.tsv.gz", "rt") as rows:
        for row in csv.DictReader(rows, delimiter="\t"):
            wanted[row["file"]].append(row)
    compared = 0
    for name, rows in wanted.items():
        # an ARC file is no WARC; in the clipped one the only record is cut off, which warcio does not notice
        if name.endswith(".arc.gz") or "clipped" in name:
            continue
        records, damage = read(shared_data / "warc" / "files" / name)
        assert damage == [], name
        rows = [row for row in rows if not row["rec_type"].startswith("!")]  # there warcio gave up, we read on
        assert len(records) >= len(rows), name
        for item, row in zip(records, rows, strict=False):
            assert item.headers["warc-type"] == row["rec_type"], (name, row["n"])
            assert item.headers.get("warc-target-uri", "").strip("<>") == row["target_uri"].strip("<>")
            if row["rec_type"] != "request":
                data = payload(item)
                assert len(data) == int(row["decoded_payload_bytes"]), (name, row["n"])
                assert hashlib.sha1(data).hexdigest() == row["decoded_payload_sha1"], (name, row["n"])
            compared += 1
    assert compared > 1700


def test_a_cut_off_real_archive_ends_in_quarantine(shared_data):
    records, damage = read(shared_data / "warc" / "files" / "chatnoir-eu__chatnoir-resiliparse__clipped.warc.gz")
    assert records == []
    assert [d.reason for d in damage] == ["truncated_archive"]


def test_lz4_and_gzip_of_one_capture_hold_the_same_records(shared_data):
    folder = shared_data / "warc" / "files"
    gz, _ = read(folder / "chatnoir-eu__chatnoir-resiliparse__warcfile.warc.gz")
    lz4, damage = read(folder / "chatnoir-eu__chatnoir-resiliparse__warcfile.warc.lz4")
    assert [(r.headers, r.block) for r in gz] == [(r.headers, r.block) for r in lz4]
    assert damage == []
    assert len({r.offset for r in lz4}) == len(lz4)


@pytest.mark.parametrize("name", ["warcio-test-data", "jhove-jwat-valid-invalid", "iipc-revisit-dedup"])
def test_no_broken_file_of_the_suites_stops_the_reader_or_vanishes(shared_data, tmp_path, name):
    with tarfile.open(shared_data / "warc" / "suites" / f"{name}.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    files = [p for p in sorted(tmp_path.rglob("*")) if p.is_file() and p.stat().st_size > 2]
    assert files
    for path in files:
        records, damage = read(path)
        assert records or damage, path.name
        for item in records:
            if item.headers.get("warc-type") == "response":
                with suppress(HttpError):  # anything else would be a bug
                    payload(item)
        if path.parent.name == "valid":
            assert damage == [], path.name
        if "headerversion" in path.name or path.suffix == ".arc":
            assert records == [], path.name


def test_each_record_of_a_whole_file_gzip_has_its_own_locator(tmp_path):
    raw = b"".join(record(body=page(i), url=f"http://x/{i}") for i in range(5))
    records, damage = read(write(tmp_path, member(raw)))
    assert urls(records) == [f"http://x/{i}" for i in range(5)]
    assert damage == []
    for item in records:
        inner = int(item.offset.removeprefix("0+")) if "+" in item.offset else 0
        assert raw.startswith(b"WARC/1.0", inner)


def test_locators_are_the_offsets_of_the_members(tmp_path):
    data = [member(record(body=page(i), url=f"http://x/{i}")) for i in range(5)]
    path = write(tmp_path, b"".join(data))
    records, _ = read(path)
    for item, one in zip(records, data, strict=True):
        assert path.read_bytes().startswith(one, int(item.offset))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda m: m[:60], "damaged_archive"),  # cut short
        (lambda m: m[:80] + b"\xff" * 8 + m[88:], "damaged_archive"),  # overwritten
        (lambda m: m[:-8] + b"\0" * 8, "damaged_archive"),  # wrong checksum
        (lambda m: b"rubbish between members", "damaged_archive"),
        (lambda m: member(b"no record at all"), "bad_record"),
        (lambda m: member(record(body=b"abc", length=5000)), "truncated_record"),
        (lambda m: member(record(body=b"x" * 4000, length=10)), "bad_record"),
        (lambda m: member(record(body=b"abc", length="many")), "bad_record"),
        (lambda m: member(b"WARC/1.0\r\nWARC-Type: response\r\nContent-Len"), "bad_record"),
    ],
)
def test_after_a_damaged_member_reading_goes_on_at_the_next(tmp_path, damage, reason):
    members = [member(record(body=page(i), url=f"http://x/{i}")) for i in range(4)]
    members[1] = damage(members[1])
    records, found = read(write(tmp_path, b"".join(members)))
    assert urls(records) == ["http://x/0", "http://x/2", "http://x/3"]
    assert [d.reason for d in found] == [reason]
    assert found[0].offset == str(len(members[0]))


@pytest.mark.parametrize("compress", [member, bytes], ids=["gzip", "plain"])
def test_inside_a_section_reading_goes_on_at_the_next_record(tmp_path, compress):
    raw = [record(body=page(i), url=f"http://x/{i}") for i in range(5)]
    raw[1] = raw[1][:-60]  # its length now reaches into the next record
    raw[3] = b"rubbish\r\nmore rubbish\r\n"
    records, found = read(write(tmp_path, compress(b"".join(raw)), "a.warc"))
    assert urls(records) == ["http://x/0", "http://x/2", "http://x/4"]
    assert [(d.reason, d.url) for d in found] == [("bad_record", "http://x/1"), ("bad_record", None)]


def test_half_a_record_at_the_end_is_reported(tmp_path):
    raw = record(body=page(0)) + record(body=page(1), url="http://x/1")[:-200]
    records, found = read(write(tmp_path, raw, "a.warc"))
    assert len(records) == 1
    assert [(d.reason, d.url) for d in found] == [("truncated_record", "http://x/1")]


def test_headers_with_bare_line_feeds_are_read(tmp_path):
    raw = b"".join(record(body=page(i), eol=b"\n") for i in range(3))
    records, found = read(write(tmp_path, raw, "a.warc"))
    assert (len(records), found) == (3, [])


def test_an_empty_file_is_reported_and_zero_padding_is_not(tmp_path):
    assert [d.reason for d in read(write(tmp_path, b""))[1]] == ["empty_file"]
    records, found = read(write(tmp_path, member(record(body=page(0))) + bytes(5000)))
    assert (len(records), found) == (1, [])


def test_a_record_above_the_limit_is_passed_over_without_losing_the_next(tmp_path):
    path = write(tmp_path, b"".join(member(record(body=b"x" * n)) for n in (10, 5_000_000, 10)))
    found = list(read_records(str(path), 100_000))
    assert [r.block is None for r in found] == [False, True, False]


@settings(max_examples=60)
@given(st.data())
def test_one_damaged_byte_costs_one_record(tmp_path_factory, data):
    members = [member(record(body=page(i), url=f"http://x/{i}")) for i in range(6)]
    whole = bytearray(b"".join(members))
    position = data.draw(st.integers(0, len(whole) - 1))
    whole[position] ^= data.draw(st.integers(1, 255))
    path = tmp_path_factory.mktemp("flip") / "a.warc.gz"
    path.write_bytes(whole)
    records, found = read(path)
    expected = {f"http://x/{i}" for i in range(6)}
    # a changed time stamp or name in a gzip header is no damage
    assert len(expected - set(urls(records))) <= 1
    assert len(records) + len(found) >= 6
    assert set(urls(records)) <= expected
    for item in records:
        assert parse_response(item.block).body == page(int(item.headers["warc-target-uri"][-1]))


def inflated(module, data, piece, limit):
    """What a member decompresses to, read in pieces, and what is left of ``data``; None for damage or a cut."""
    inflate = module.decompressobj(31)
    found, at, waiting = [], 0, b""
    try:
        while not inflate.eof:
            waiting, at = (waiting, at) if waiting else (data[at : at + piece], at + piece)
            found.append(inflate.decompress(waiting, limit))
            if not waiting and not found[-1] and not inflate.eof:
                return None
            waiting = inflate.unconsumed_tail
    except module.error:
        return None
    return b"".join(found), inflate.unused_data + data[at:]


@settings(max_examples=200)
@given(st.data())
def test_isal_takes_and_refuses_what_zlib_does(data):
    one = member(data.draw(st.sampled_from([page(1), b"", bytes(3000), bytes(range(256)) * 40])))
    broken = bytearray(one + b"what follows it")
    position = data.draw(st.integers(0, len(broken) - 1))
    if position != 3:  # the flags, of which zlib refuses the reserved ones
        broken[position] ^= data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del broken[data.draw(st.integers(0, len(one))) :]
    piece, limit = data.draw(st.integers(1, 5000)), data.draw(st.integers(1, 5000))
    assert inflated(isal_zlib, bytes(broken), piece, limit) == inflated(zlib, bytes(broken), piece, limit)


def test_a_gzip_member_larger_than_every_buffer_is_read(tmp_path):
    body = bytes(range(256)) * 20_000
    records, found = read(write(tmp_path, member(record(body=body)) + member(record(body=page(1)))))
    assert (len(records), found) == (2, [])
    assert zlib.crc32(parse_response(records[0].block).body) == zlib.crc32(body)
