"""docs/shard-format.md says enough: a reader made from it alone reads what is written; its test vectors are right."""

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import duckdb
import numpy as np
import polars
import pyarrow as pa
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from dataprep.document import document_id
from dataprep.shards import Manifest, fingerprint, open_shard, shard_name, write_shard
from dataprep.shards.checksums import CHUNK_BYTES, chunk_checksums
from dataprep.shards.histogram import bucket_bounds
from dataprep.shards.layout import root_checksum
from dataprep.shards.manifest import FILE_NAME
from dataprep.tokens.assign import ShardPlan
from tests.dataprep.shards import foreign_reader
from tests.dataprep.shards.corpus import corpus

DOCS = Path(__file__).parents[3] / "docs"
SIDES = {
    "language.label": st.none() | st.text(max_size=6),
    "language.score": st.none() | st.floats(allow_nan=False),
    "quality.score": st.none() | st.floats(width=32, allow_nan=False),
    "gopher.words": st.none() | st.integers(-(2**31), 2**31 - 1),
    "html.characters": st.none() | st.integers(-(2**63), 2**63 - 1),
}
TYPES = (pa.string(), pa.float64(), pa.float32(), pa.int32(), pa.int64())


def write_example(folder):
    """The shard in docs/shard-example.arrow."""
    texts = [[72, 105, 0], [299, 1, 2, 3, 0], [0]]
    return write_shard(
        str(folder),
        "web/train-00000.arrow",
        np.concatenate(texts).astype(np.uint16),
        np.array([0, 3, 8, 9], np.int64),
        np.frombuffer(b"".join(document_id("web", f"a.jsonl#{i}") for i in range(3)), np.uint8).reshape(3, 16),
        source="web",
        split="train",
        tokenizer_fingerprint=fingerprint(b"{}"),
        vocabulary_size=300,
        eos_id=0,
        text_bytes=11,
        columns={"language.label": pa.array(["en", "zh", None]), "language.score": pa.array([0.5, 0.25, None])},
        loss_mask=np.array([1, 1, 0, 1, 1, 1, 1, 0, 0], bool),
    )


@pytest.fixture(scope="module")
def vectors():
    page = (DOCS / "shard-format.md").read_text(encoding="utf-8")
    return json.loads(page.partition("## Test vectors")[2].partition("```json\n")[2].partition("```")[0])


@settings(max_examples=40)
@given(data=st.data(), vocabulary=st.sampled_from([300, 70_000]), bos=st.sampled_from([None, 1]))
def test_a_reader_made_from_the_page_alone_reads_what_was_written(tmp_path_factory, data, vocabulary, bos):
    ids = st.integers(2, vocabulary - 1)
    begin = [] if bos is None else [bos]
    documents = data.draw(
        st.lists(st.lists(ids, max_size=20).map(lambda ids: [*begin, *ids, 0]), min_size=1, max_size=12)
    )
    names = data.draw(st.lists(st.sampled_from(list(SIDES)), unique=True))
    columns = {
        name: pa.array([data.draw(SIDES[name]) for _ in documents], kind)
        for name, kind in zip(SIDES, TYPES, strict=True)
        if name in names
    }
    offsets = np.cumsum([0, *map(len, documents)], dtype=np.int64)
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=int(offsets[-1]), max_size=int(offsets[-1]))))
    masked = data.draw(st.booleans())
    doc_ids = np.random.default_rng(len(documents)).integers(0, 256, (len(documents), 16)).astype(np.uint8)
    folder = tmp_path_factory.mktemp("shard")
    written = write_shard(
        str(folder),
        shard_name("a b", "train", 3),
        np.concatenate(documents).astype(np.uint16 if vocabulary == 300 else np.uint32),
        offsets,
        doc_ids,
        source="a b",
        split="train",
        tokenizer_fingerprint="0" * 32,
        vocabulary_size=vocabulary,
        eos_id=0,
        bos_id=bos,
        text_bytes=7,
        columns=columns,
        loss_mask=mask if masked else None,
    )
    metadata, tokens, found_ids, sides = foreign_reader.read(folder / written.info.path)
    assert tokens == documents
    assert found_ids == [row.tobytes().hex() for row in doc_ids]
    expected = {name: values.to_pylist() for name, values in columns.items()}
    if masked:
        expected["loss_mask"] = [mask[a:b].tolist() for a, b in pairwise(offsets)]
    assert sides == expected
    assert metadata.get("bos_id") == (None if bos is None else str(bos))
    assert (metadata["source"], metadata["split"], metadata["bytes"]) == ("a b", "train", "7")


def test_that_reader_needs_no_arrow_library():
    code = "import sys; from tests.dataprep.shards import foreign_reader; print('pyarrow' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=DOCS.parent)
    assert result.stdout.strip() == "False"


def test_the_example_file_is_what_the_page_says_and_what_is_written_today(tmp_path, vectors):
    metadata, tokens, ids, sides = foreign_reader.read(DOCS / "shard-example.arrow")
    assert {"tokens": tokens, "doc_id": ids, "columns": sides} == vectors["example"]["content"]
    assert metadata["xxh3.tokens.values"] == vectors["example"]["xxh3.tokens.values"]
    assert open_shard(str(DOCS / "shard-example.arrow")).metadata.root == vectors["example"]["root"]
    written = write_example(tmp_path)
    assert (tmp_path / written.info.path).read_bytes() == (DOCS / "shard-example.arrow").read_bytes()
    assert written.info.file_checksum == vectors["example"]["file_checksum"]


def test_the_vectors_of_the_page_are_right(vectors):
    assert fingerprint(vectors["fingerprint"]["bytes"].encode()) == vectors["fingerprint"]["value"]
    data = np.arange(CHUNK_BYTES + 1).astype(np.uint8)
    assert chunk_checksums(data) == vectors["checksums"]["value"]
    assert root_checksum(vectors["root"]["entries"]) == vectors["root"]["value"]
    lengths = np.array(vectors["buckets"]["lengths"])
    assert bucket_bounds(lengths).tolist() == vectors["buckets"]["bounds"]
    content = json.dumps(vectors["manifest"]["content"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert content == vectors["manifest"]["canonical"]
    assert xxhash.xxh3_128_hexdigest(content.encode()) == vectors["manifest"]["hash"]


def test_the_vectors_of_the_order_are_right_by_the_page_and_by_the_pipeline(vectors):
    given = vectors["order"]
    plan = ShardPlan(given["seed"], given["validation_below"], (("web", given["train"], given["validation"]),))
    for case in given["documents"]:
        doc_id = document_id("web", case["locator"])
        assert doc_id.hex() == case["doc_id"]
        arguments = (given["seed"], given["validation_below"], given["train"], given["validation"])
        split, shard, order = foreign_reader.place(doc_id, *arguments)
        assert (split, shard, f"{order:016x}") == (case["split"], case["shard"], case["order"])
        partitions, hashes = plan.assign("web", pa.array([doc_id], pa.binary(16)))
        assert plan.place(int(partitions[0])) == ("web", split, shard)
        assert int(hashes[0]) == order


def test_the_manifest_is_proven_as_the_page_says(tmp_path):
    manifest = corpus(tmp_path)
    manifest.save()
    recorded, computed = foreign_reader.manifest_hash((tmp_path / FILE_NAME).read_text(encoding="utf-8"))
    assert recorded == computed == Manifest.load(str(tmp_path)).hash


def test_polars_and_duckdb_read_a_shard_as_the_table_it_is(tmp_path):
    path = str(tmp_path / write_example(tmp_path).info.path)
    expected = foreign_reader.read(Path(path))
    frame = polars.read_ipc(path)
    assert frame["tokens"].to_list() == expected[1]
    assert [value.hex() for value in frame["doc_id"]] == expected[2]
    assert {name: frame[name].to_list() for name in expected[3]} == expected[3]
    table = pa.ipc.open_file(pa.memory_map(path)).read_all()
    rows = duckdb.from_arrow(table).query("shard", 'select tokens, doc_id, "language.label", loss_mask from shard')
    found = rows.fetchall()
    assert [row[0] for row in found] == expected[1]
    assert [row[1].hex() for row in found] == expected[2]
    assert [row[2] for row in found] == expected[3]["language.label"]
    assert [row[3] for row in found] == expected[3]["loss_mask"]
