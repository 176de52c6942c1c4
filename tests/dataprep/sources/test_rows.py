"""JSON Lines, Parquet and whole files: every row once, every damage named, wherever the file is cut."""

import gzip
import itertools
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from dataprep.parts import Quarantined
from dataprep.sources.items import Page, Text
from dataprep.sources.listing import list_inputs
from dataprep.sources.reading import read_pieces
from dataprep.sources.settings import FilesSettings
from dataprep.sources.splitting import Piece, plan


def read(path, **options):
    fields = FilesSettings(paths=(str(path),), **options)
    return [item for group in plan(list_inputs(fields)[0]) for item in read_pieces(group, "s", fields)]


def lines(rows):
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


ROWS = [{"text": f"text {i}", "id": i, "url": f"http://x/{i}", "date": "2024-05-01T00:00:00Z"} for i in range(20)]
TEXTS = [row["text"] for row in ROWS]


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst"])
def test_json_lines_are_read_whatever_their_compression(tmp_path, name):
    pack = {".gz": gzip.compress, "zst": zstandard.compress}.get(name[-3:], bytes)
    (tmp_path / name).write_bytes(pack(lines(ROWS)))
    items = read(tmp_path / name)
    assert [item.text for item in items] == TEXTS
    assert (items[3].url, items[3].metadata, items[3].date.year) == ("http://x/3", {"id": "3"}, 2024)
    raw = lines(ROWS)
    assert all(raw[int(item.locator.partition("#")[2]) :].startswith(b'{"text"') for item in items)


@settings(max_examples=80)
@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), max_size=12),
    st.lists(st.integers(0, 600), max_size=6),
    st.booleans(),
)
def test_byte_ranges_yield_each_line_once(tmp_path_factory, texts, cuts, final_newline):
    path = tmp_path_factory.mktemp("ranges") / "a.jsonl"
    data = b"".join(json.dumps({"text": t}, ensure_ascii=False).encode() + b"\n" for t in texts)
    data = data if final_newline else data[:-1]
    path.write_bytes(data)
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [Piece("a.jsonl", str(path), "jsonl", 1, a, b) for a, b in itertools.pairwise(edges)]
    items = list(read_pieces(pieces, "s", FilesSettings(paths=("x",))))
    assert [item.text for item in items] == [t.replace("\0", "") for t in texts]
    whole = list(read_pieces([Piece("a.jsonl", str(path), "jsonl", 1)], "s", FilesSettings(paths=("x",))))
    assert [item.locator for item in items] == [item.locator for item in whole]


def test_a_big_file_is_cut_and_still_read_once(tmp_path):
    path = tmp_path / "a.jsonl"
    with path.open("wb") as handle:
        for i in range(6000):
            handle.write(json.dumps({"text": f"{i} " + "x" * (i % 1500)}).encode() + b"\n")
    groups = plan(list_inputs(FilesSettings(paths=(str(path),)))[0])
    assert len(groups) > 1
    assert [int(item.text.split()[0]) for item in read(path)] == list(range(6000))


def test_bad_lines_are_quarantined_and_the_next_are_read(tmp_path):
    path = tmp_path / "a.jsonl"
    bad = [
        b"{broken",
        b"[1, 2]",
        b'{"no": "text"}',
        b'{"text": null}',
        b'{"text": 5}',
        b"[" * 100_000,
        b'{"text": "' + b"y" * 3000 + b'"}',
    ]
    path.write_bytes(b"\n".join([*bad, b"", b'{"text": "good"}']))
    items = read(path, document_bytes=120_000)
    assert [item.reason for item in items[:6]] == ["bad_json", "bad_json", "bad_row", "bad_row", "bad_row", "bad_json"]
    assert "the column 'text' is missing" in items[2].error
    assert items[-1].text == "good"
    items = read(path, document_bytes=1000)
    assert [item.reason for item in items[5:7]] == ["too_large", "too_large"]
    assert items[-1].text == "good"


@pytest.mark.parametrize(("rows", "shown"), [(1, 1), (999, 999), (5000, 1000)])
@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_a_file_whose_rows_never_have_the_text_column_is_an_error_that_shows_what_they_have(
    tmp_path, name, rows, shown
):
    data = b"{broken\n" + lines({"title": "t", "body": "x" * 900} for _ in range(rows))
    (tmp_path / name).write_bytes(gzip.compress(data, 1) if name.endswith("gz") else data)
    with pytest.raises(ValueError, match="text_column") as error:
        read(tmp_path / name)
    assert str(error.value) == (
        f"sources.s.files.text_column: 'text' is in none of the first {shown} rows of {tmp_path / name}; "
        "they have title, body"
    )


@pytest.mark.parametrize("present", [0, 999])
def test_rows_without_text_are_quarantined_where_any_of_the_first_thousand_has_it(tmp_path, present):
    rows = [{"title": "t" * 900} for _ in range(6000)]
    rows[present] = {"text": "here"}
    (tmp_path / "a.jsonl").write_bytes(lines(rows))
    assert len(plan(list_inputs(FilesSettings(paths=(str(tmp_path),)))[0])) > 1
    items = read(tmp_path / "a.jsonl")
    assert [index for index, item in enumerate(items) if isinstance(item, Text)] == [present]
    assert {item.reason for item in items if isinstance(item, Quarantined)} == {"bad_row"}


def test_invalid_utf8_surrogates_and_nul_never_get_through(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "caf\xe9 \\ud800 \\u0000 \\ud83d\\ude00"}\n')
    (item,) = read(path)
    assert item.text == "caf\ufffd \ufffd  \U0001f600"
    assert item.metadata == {"charset": "utf-8", "charset_replaced": "1"}


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl.zst"])
def test_a_cut_off_file_yields_what_it_has_and_a_quarantine_row(tmp_path, name):
    data = lines({"text": f"{i} " + "x" * 1000} for i in range(3000))
    packed = gzip.compress(data) if name.endswith("gz") else zstandard.compress(data, 1)
    (tmp_path / name).write_bytes(packed[: len(packed) * 2 // 3])
    *items, last = read(tmp_path / name)
    assert all(isinstance(item, Text) for item in items)
    assert isinstance(last, Quarantined)
    assert last.reason == "truncated_archive"


@pytest.mark.parametrize("name", ["a.jsonl", "a.txt", "a.parquet", "a.warc.gz", "a.jsonl.gz", "a.html"])
def test_an_empty_file_is_a_quarantine_row(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    (row,) = read(tmp_path / name)
    assert (row.reason, row.source) == ("empty_file", "s")


def table(rows):
    return pa.Table.from_pylist(rows)


def test_parquet_rows_are_read_by_row_group(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(table(ROWS), path, row_group_size=7)
    whole = read(path)
    assert [item.text for item in whole] == TEXTS
    fields = FilesSettings(paths=(str(path),))
    pieces = [Piece("a.parquet", str(path), "parquet", 1, a, b) for a, b in ((0, 1), (1, 3))]
    assert list(read_pieces(pieces, "s", fields)) == whole
    assert whole[8].locator == "a.parquet#8"


def test_other_columns_can_be_named(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"content": ["one", None], "link": ["http://x", None], "when": [1_700_000_000, 0]}), path)
    one, two = read(path, text_column="content", url_column="link", date_column="when")
    assert (one.text, one.url, one.date.year) == ("one", "http://x", 2023)
    assert two.reason == "bad_row"


@pytest.mark.parametrize(
    ("kind", "value", "year"),
    [
        (pa.timestamp("ns"), 1_700_000_000_123_456_789, 2023),
        (pa.timestamp("ns", "Asia/Tokyo"), 1_700_000_000_123_456_789, 2023),
        (pa.timestamp("us", "No/Where"), 1_700_000_000_123_456, 2023),
        (pa.timestamp("ms"), 1_700_000_000_123, 2023),
        (pa.date32(), 19_675, 2023),
        (pa.timestamp("us"), 2**62, None),
        (pa.duration("ns"), 7, None),
        (pa.time64("ns"), 7, None),
    ],
)
def test_no_kind_of_date_column_stops_the_reader(tmp_path, kind, value, year):
    path = tmp_path / "a.parquet"
    dates = pa.array([value, None], pa.int32() if kind == pa.date32() else pa.int64()).cast(kind)
    pq.write_table(pa.table({"text": ["one", "two"], "date": dates, "id": dates}), path)
    one, two = read(path)
    assert (one.date and one.date.year, two.date) == (year, None)
    assert one.metadata == {}


def test_invalid_utf8_in_parquet_is_replaced(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": pa.array([b"caf\xe9", None], pa.binary()).cast(pa.string(), safe=False)}), path)
    one, two = read(path)
    assert one.text == "caf\ufffd"
    assert two.reason == "bad_row"


def test_a_damaged_row_group_is_one_quarantine_row_and_the_next_group_is_read(tmp_path):
    path = tmp_path / "a.parquet"
    texts = [f"{i} " + "x" * 50 for i in range(9000)]
    pq.write_table(pa.table({"text": texts}), path, row_group_size=3000, use_dictionary=False, compression="zstd")
    group = pq.ParquetFile(path).metadata.row_group(1).column(0)
    data = bytearray(path.read_bytes())
    middle = group.data_page_offset + group.total_compressed_size // 2
    data[middle : middle + 64] = bytes(64)
    path.write_bytes(data)
    items = read(path)
    (damage,) = (item for item in items if isinstance(item, Quarantined))
    read_texts = [item.text for item in items if isinstance(item, Text)]
    assert damage.reason == "damaged_archive"
    first = int(damage.locator.partition("#")[2])
    assert 3000 <= first < 6000
    assert f"row group 1, its last {6000 - first} rows: " in damage.error
    assert read_texts == texts[:first] + texts[6000:]


@pytest.mark.parametrize("field", ["text_column", "url_column"])
def test_a_column_that_is_not_there_is_an_error_that_names_it(tmp_path, field):
    path = tmp_path / "a.parquet"
    pq.write_table(table(ROWS), path)
    with pytest.raises(
        ValueError, match=rf"sources\.s\.files\.{field}: .*a\.parquet has no column 'nope'; it has text, id, url, date"
    ):
        read(path, **{field: "nope"})
    with pytest.raises(
        ValueError, match=r"sources\.s\.files\.text_column: 'id' of .* is int64, expected a string column"
    ):
        read(path, text_column="id")


def test_a_damaged_parquet_file_is_a_quarantine_row(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(table(ROWS), path)
    path.write_bytes(path.read_bytes()[:-30])
    (row,) = read(path)
    assert row.reason == "damaged_archive"


def test_whole_files_are_documents(tmp_path):
    (tmp_path / "a.md").write_bytes(b"# Title\n\ntext")
    (tmp_path / "b.html").write_bytes(b"<p>page")
    (tmp_path / "c.txt.gz").write_bytes(gzip.compress(b"packed"))
    (tmp_path / "d.txt.gz").write_bytes(gzip.compress(b"packed" * 100)[:-10])
    (tmp_path / "e.txt").write_bytes(b"x" * 1001)
    items = read(tmp_path, document_bytes=1000)
    assert [(i.locator, i.media, i.payload) for i in items if isinstance(i, Page)] == [
        ("a.md", "text", b"# Title\n\ntext"),
        ("b.html", "html", b"<p>page"),
        ("c.txt.gz", "text", b"packed"),
    ]
    assert [(i.locator, i.reason) for i in items[3:]] == [("d.txt.gz", "truncated_archive"), ("e.txt", "too_large")]
