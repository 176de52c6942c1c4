"""Listing and splitting: a function of the data, missing input is an error, nothing is cut where it cannot be."""

import itertools
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataprep.sources.listing import InputFile, format_of, list_inputs
from dataprep.sources.settings import FilesSettings
from dataprep.sources.splitting import SMALLEST_BYTES, plan


def write(folder, *names, size=10):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)


def names(settings):
    return [(file.name, file.format) for file in list_inputs(settings)[0]]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a/b.example.org.WARC.GZ", "warc"),
        ("x.warc.wet.gz", "wet"),
        ("x.wet", "wet"),
        ("x.warc.lz4", "warc"),
        ("x.jsonl.zst", "jsonl"),
        ("x.ndjson", "jsonl"),
        ("x.parquet", "parquet"),
        ("README.md", "text"),
        ("index.html.gz", "text"),
        ("x.warc.wat.gz", None),
        ("x.arc.gz", None),
        ("x.json", None),
        ("LICENSE", None),
    ],
)
def test_formats_go_by_the_longest_known_suffix(name, expected):
    assert format_of(name) == expected


def test_a_folder_is_read_recursively_and_ignores_what_it_does_not_know(tmp_path):
    write(tmp_path, "b/two.txt", "one.jsonl", "picture.png", "b/.hidden.md")
    files, ignored = list_inputs(FilesSettings(paths=(str(tmp_path),)))
    assert [(f.name, f.format) for f in files] == [
        ("b/.hidden.md", "text"),
        ("b/two.txt", "text"),
        ("one.jsonl", "jsonl"),
    ]
    assert ignored == ["picture.png"]


def test_a_fixed_format_takes_every_named_file_but_not_every_file_of_a_folder(tmp_path):
    write(tmp_path, "a/METADATA", "a/NOTES.json", "a/x.png", "a/y.txt")
    named = FilesSettings(paths=(str(tmp_path / "a" / "NOTES.json"), str(tmp_path / "*" / "META*")), format="text")
    assert names(named) == [("a/METADATA", "text"), ("a/NOTES.json", "text")]
    assert names(FilesSettings(paths=(str(tmp_path),), format="text")) == [("a/METADATA", "text"), ("a/y.txt", "text")]


def test_a_glob_may_match_folders(tmp_path):
    write(tmp_path, "p.dist-info/licenses/LICENSE", "q.dist-info/licenses/sub/COPYING", "q.dist-info/RECORD")
    found = names(FilesSettings(paths=(str(tmp_path / "*.dist-info" / "licenses"),), format="text"))
    assert [name for name, _ in found] == ["p.dist-info/licenses/LICENSE", "q.dist-info/licenses/sub/COPYING"]


def test_two_files_of_one_name_keep_different_names(tmp_path):
    write(tmp_path, "a/x.txt", "b/x.txt")
    settings = FilesSettings(paths=(str(tmp_path / "b" / "x.txt"), str(tmp_path / "a" / "x.txt")))
    assert names(settings) == [("a/x.txt", "text"), ("b/x.txt", "text")]


def test_a_file_matched_twice_is_read_once(tmp_path):
    write(tmp_path, "a/x.txt")
    assert names(FilesSettings(paths=(str(tmp_path), str(tmp_path / "a"), str(tmp_path / "**" / "*.txt")))) == [
        ("a/x.txt", "text")
    ]


@pytest.mark.parametrize("missing", ["nowhere", "nowhere/*.txt", "empty"])
def test_a_missing_path_is_an_error_that_names_field_and_path(tmp_path, missing):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"sources\.books\.files\.paths: .*") as error:
        list_inputs(FilesSettings(paths=(str(tmp_path / missing),)), "sources.books.files.paths")
    assert str(tmp_path / missing) in str(error.value)


def test_a_named_file_of_unknown_extension_is_an_error(tmp_path):
    write(tmp_path, "x.xyz")
    with pytest.raises(ValueError, match=r"paths: .*x\.xyz.* set format to warc, wet, jsonl, parquet or text"):
        list_inputs(FilesSettings(paths=(str(tmp_path / "x.xyz"),)))


def test_the_plan_does_not_depend_on_listing_order():
    rng = random.Random(1)
    files = [InputFile(f"{i:04d}.warc.gz", f"/x/{i:04d}", rng.randrange(1, 5 << 20), "v", "warc") for i in range(200)]
    expected = plan(files)
    for seed in range(5):
        shuffled = files.copy()
        random.Random(seed).shuffle(shuffled)
        assert plan(shuffled) == expected
    assert [piece.name for group in expected for piece in group] == [file.name for file in sorted(files)]
    assert max(sum(p.size for p in group) for group in expected) <= 64 << 20


def test_small_files_share_a_split():
    files = [InputFile(f"{i:03d}.txt", f"/x/{i}", 1000, "v", "text") for i in range(500)]
    assert len(plan(files)) == 1
    assert plan([]) == []


def test_byte_ranges_cover_a_big_file_and_compressed_files_stay_whole():
    size = 10 * SMALLEST_BYTES + 7
    (pieces,) = zip(*plan([InputFile("a.jsonl", "/a.jsonl", size, "v", "jsonl")]), strict=True)
    assert next((p.start, p.end) for p in pieces)[0] == 0
    assert all(one.end == two.start for one, two in itertools.pairwise(pieces))
    assert pieces[-1].end == size
    assert len(plan([InputFile("a.jsonl.gz", "/a.jsonl.gz", size, "v", "jsonl")])) == 1


def test_parquet_is_cut_between_row_groups(tmp_path):
    path = tmp_path / "a.parquet"
    texts = [f"{i} " + "".join(random.Random(i).choices("abcdefghij", k=500)) for i in range(16_000)]
    pq.write_table(pa.table({"text": texts}), path, row_group_size=1000, compression="none")
    groups = plan(list_inputs(FilesSettings(paths=(str(path),)))[0])
    edges = [(p.start, p.end) for group in groups for p in group]
    assert len(groups) > 2
    assert edges[0][0] == 0
    assert edges[-1][1] == 16
    assert all(one[1] == two[0] for one, two in itertools.pairwise(edges))
