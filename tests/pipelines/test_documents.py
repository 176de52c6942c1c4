"""The documents stage: every file that readers understand goes through, and every record is accounted for."""

import gzip
import json
import os
import shutil
import tarfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from dataprep import storage
from dataprep.document import EXTRACTED, document_id
from dataprep.html.extraction import REMOVED
from dataprep.recipe import parse_recipe
from pipelines.documents import DocumentsStage
from pipelines.job import Job
from pipelines.run import Driver, StageError
from tests.dataprep.sources.warcs import member, page, record


def run(out, *sources, runner=None, **fields):
    """Run the stage alone and return its manifest."""
    value = {"name": "test", "sources": list(sources), **fields}
    os.makedirs(out, exist_ok=True)
    driver = Driver(Job(recipe=value, out=str(out), until="documents", workers=0, logs=str(out)), runner)
    driver.emit = lambda *_, **__: None
    return driver.run_stage(DocumentsStage(parse_recipe(value), str(out)))


def files(name, *paths, **options):
    return {"name": name, "files": {"paths": [str(path) for path in paths], **options}}


def table(out, verdict):
    parts = storage.list_files(storage.join(str(out), "documents", verdict), ".parquet")
    return pa.concat_tables([pq.read_table(part.path) for part in parts]).to_pylist() if parts else []


def accounted(out, manifest):
    """Counts add up, and what is counted is what is written."""
    counts = manifest["counts"]
    kept, removed, quarantined = (table(out, verdict) for verdict in ("kept", "removed", "quarantine"))
    assert counts["documents_in"] == len(kept) + len(removed) + len(quarantined)
    assert counts["kept"] == len(kept)
    assert counts["characters_kept"] == sum(len(row["text"]) for row in kept)
    assert sum(documents for documents, _ in counts["removed"].values()) == len(removed)
    assert sum(counts["quarantined"].values()) == len(quarantined)
    assert all(row["error"].strip() and len(row["error"].splitlines()) == 1 for row in quarantined)
    assert {row["text"] for row in removed} <= {""}
    assert {row["rejected_by"] for row in removed} == set(counts["removed"])
    ids = [row["id"] for row in kept + removed]
    assert len(set(ids)) == len(ids)
    assert all(row["id"] == document_id(row["source"], row["locator"]) for row in kept)
    assert all(row["text"].strip() and "\0" not in row["text"] for row in kept)
    return kept, removed, quarantined


def data(out):
    folder = storage.join(str(out), "documents")
    found = storage.list_files(folder, ".parquet", recursive=True)
    return {os.path.relpath(f.path, folder): storage.read_bytes(f.path) for f in found}


def test_every_file_of_the_shared_data_goes_through_and_counts_add_up(shared_data, tmp_path):
    suites = tmp_path / "suites"
    for archive in sorted((shared_data / "warc" / "suites").glob("*.tar.xz")):
        with tarfile.open(archive) as opened:
            opened.extractall(suites / archive.name.partition(".")[0], filter="data")
    books = tmp_path / "books"
    for name in ("novels-de", "novels-en", "aozora-shiftjis", "gitenberg"):
        with tarfile.open(shared_data / "books" / f"{name}.tar.xz") as opened:
            opened.extractall(books / name, filter="data")
    manifest = run(
        tmp_path / "out",
        files("web", shared_data / "warc" / "files"),
        files("suites", suites, suites / "*" / "*.arc*", suites / "*" / "*.bad", format="warc"),
        files("prose", shared_data / "prose"),
        files("quality", *(shared_data / "quality").glob("*.jsonl.gz")),
        files("near", *(shared_data / "near-duplicates").glob("*/*.jsonl.gz")),
        files("chat", shared_data / "chat" / "hh_rlhf_harmless_test.jsonl.gz", text_column="chosen"),
        files("trees", shared_data / "chat" / "oasst_en_trees.jsonl.gz", text_column="prompt"),
        files("tasks", shared_data / "chat" / "self_instruct_seed_tasks.jsonl", text_column="instruction"),
        files("code", shared_data / "decontamination" / "HumanEval.jsonl.gz", text_column="prompt"),
        files("math", shared_data / "decontamination" / "gsm8k_test.jsonl.gz", text_column="question"),
        files("books", shared_data / "books" / "plain", books),
    )
    kept, removed, quarantined = accounted(tmp_path / "out", manifest)
    by_source = {name: [row for row in kept if row["source"] == name] for name in manifest["extra"]["ignored_files"]}
    assert len(by_source["prose"]) == 3001  # SOURCE.md is a document too
    assert len(by_source["web"]) > 250
    counts = {name: len(by_source[name]) for name in ("quality", "near", "chat", "trees", "tasks", "code", "math")}
    assert counts == {
        "quality": 162,
        "near": 425 + 1108 + 1000,
        "chat": 1147,
        "trees": 0,  # a tree is no string
        "tasks": 175,
        "code": 164,
        "math": 1319,
    }
    assert sum(row["source"] == "trees" and row["reason"] == "bad_row" for row in quarantined) == 49
    assert sum("novels-en/" in row["locator"] for row in by_source["books"]) == 6
    assert any("坊っちゃん" in row["text"] or "である" in row["text"] for row in by_source["books"])
    assert any(row["metadata"] and dict(row["metadata"])["charset"] == "cp932" for row in by_source["books"])
    broken = {row["locator"].partition("#")[0].rpartition("/")[2] for row in quarantined if row["source"] == "suites"}
    for name in ("invalid-warcheaderversion-10.warc", "invalid-empty.warc", "example-trunc.warc", "bad.arc"):
        assert name in broken
    assert not {name for name in broken if name.startswith("valid-")}
    assert {row["rejected_by"] for row in removed} == {"http_status", "not_text", "empty_text"}
    assert manifest["extra"]["ignored_files"]["web"] == 4


@pytest.fixture
def corpus(tmp_path):
    folder = tmp_path / "corpus"
    folder.mkdir()
    hostile = b"<html><body>" + b"<div>" * 50_000 + b"deep"
    large = b"<html><body>" + b"<p>large page</p>" * 20_000
    records = [
        record(body=page(0), url="http://x/0"),
        record(body=hostile, url="http://x/deep"),
        record(body=large, url="http://x/large"),
        record(status="404 Not Found", body=page(1), url="http://x/1"),
        record(body=b"abc", length=999, url="http://x/broken"),
        record(body=page(2), url="http://x/2"),
    ]
    (folder / "a.warc.gz").write_bytes(b"".join(map(member, records)))
    (folder / "b.jsonl").write_text("".join(json.dumps({"text": f"line {i}"}) + "\n" for i in range(50)) + "{oops\n")
    pq.write_table(pa.table({"text": ["row one", "row two", " "]}), folder / "c.parquet")
    (folder / "d.md").write_bytes("# Käse\n".encode("cp1252"))
    (folder / "e.txt").write_bytes(b"")
    return folder


LIMITS = {"extract": {"page_bytes": 300_000, "page_tags": 20_000}}
CONTACT = {"contact_url": "https://example.org/bot", "contact_mail": "bot@example.org"}


def test_hostile_broken_and_empty_input_is_quarantined_and_the_rest_is_kept(tmp_path, corpus):
    manifest = run(tmp_path / "out", files("all", corpus), **LIMITS)
    kept, removed, quarantined = accounted(tmp_path / "out", manifest)
    assert {(row["url"] or row["locator"], row["reason"]) for row in quarantined} == {
        ("http://x/deep", "too_many_tags"),
        ("http://x/large", "too_large"),
        ("http://x/broken", "truncated_record"),
        (quarantined[-2]["locator"], "bad_json"),
        ("e.txt", "empty_file"),
    }
    assert [(row["url"] or row["locator"], row["rejected_by"]) for row in removed] == [
        ("http://x/1", "http_status"),
        ("c.parquet#2", "empty_text"),
    ]
    assert [row["url"] for row in kept if row["url"]] == ["http://x/0", "http://x/2"]
    assert {"# Käse\n", "row one", "line 49"} <= {row["text"] for row in kept}
    for verdict in ("kept", "removed"):
        part = pq.read_table(tmp_path / "out" / "documents" / verdict / "part-00000.parquet")
        assert part.schema.equals(EXTRACTED if verdict == "kept" else REMOVED)


def test_pages_of_a_hundred_megabytes_are_quarantined_and_the_next_page_is_kept(tmp_path):
    huge = b"<p>page " * 13_000_000
    packed = gzip.compress(huge, 1)
    records = [
        record(body=huge, url="http://x/huge"),
        record(body=packed, fields={"Content-Encoding": "gzip"}, url="http://x/packed"),
        record(body=page(1), url="http://x/1"),
    ]
    (tmp_path / "a.warc.gz").write_bytes(b"".join(gzip.compress(r, 1) for r in records))
    manifest = run(tmp_path / "out", files("web", tmp_path / "a.warc.gz"))
    kept, _, quarantined = accounted(tmp_path / "out", manifest)
    assert [(row["url"], row["reason"]) for row in quarantined] == [
        ("http://x/huge", "too_large"),
        ("http://x/packed", "too_large"),
    ]
    assert [row["url"] for row in kept] == ["http://x/1"]


def test_a_split_that_runs_twice_and_a_second_run_write_the_same_bytes(tmp_path, corpus):
    run(tmp_path / "one", files("all", corpus), **LIMITS)
    run(tmp_path / "two", files("all", corpus), runner=FnApiRunner(bundle_repeat=2), **LIMITS)
    assert data(tmp_path / "one") == data(tmp_path / "two")


def test_ids_do_not_depend_on_where_the_corpus_lies_or_what_lies_beside_it(tmp_path, corpus):
    shutil.copytree(corpus, tmp_path / "elsewhere" / "moved")
    (tmp_path / "elsewhere" / "moved" / "0-first.txt").write_text("another document")
    run(tmp_path / "one", files("all", corpus), **LIMITS)
    run(tmp_path / "two", files("all", tmp_path / "elsewhere" / "moved"), **LIMITS)
    one, two = ({row["id"]: row["text"] for row in table(tmp_path / name, "kept")} for name in ("one", "two"))
    assert one.items() <= two.items()
    assert len(two) == len(one) + 1


def test_a_missing_path_is_one_line_that_names_it(tmp_path):
    with pytest.raises(ValueError, match=r"^sources\.books\.files\.paths: '.*/nowhere' does not exist") as error:
        run(tmp_path / "out", files("books", tmp_path / "nowhere"))
    assert "\n" not in str(error.value)


def test_a_crawls_pages_are_read_and_its_proofs_are_not(tmp_path):
    out = tmp_path / "out"
    for place, number in (("fetch", 1), ("fetch", 2), ("robots", 3), ("nonok", 4)):
        folder = out / "crawl" / "web" / "round=0000" / place / f"shard={number:03d}"
        folder.mkdir(parents=True)
        (folder / "seg-000.warc.gz").write_bytes(member(record(body=page(number), url=f"http://x/{number}")))
        (folder / "seg-000.log").write_bytes(b"{}\n")
    (out / "crawl" / "web" / "other.warc.gz").write_bytes(gzip.compress(b"not a segment"))
    manifest = run(out, {"name": "web", "crawl": {"seeds": ["http://x.example/"], **CONTACT}})
    kept, _, quarantined = accounted(out, manifest)
    assert [row["url"] for row in kept] == ["http://x/1", "http://x/2"]
    assert kept[0]["locator"] == "round=0000/fetch/shard=001/seg-000.warc.gz#0"
    assert quarantined == []


def test_an_empty_crawl_is_a_clear_message(tmp_path):
    with pytest.raises(StageError, match="no documents are left of 0"):
        run(tmp_path / "out", {"name": "web", "crawl": {"seeds": ["http://x.example/"], **CONTACT}})
