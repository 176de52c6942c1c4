"""Signatures are datasketch's, bit for bit, and their files work with datasketch."""

import gzip
import json

import numpy as np
import pyarrow as pa
import pytest
from datasketch import MinHash, MinHashLSH
from hypothesis import given, settings
from hypothesis import strategies as st

from dataprep.dedup import _reference
from dataprep.dedup.minhash import permutations, signatures
from dataprep.dedup.settings import DedupSettings
from dataprep.dedup.sidecar import Signatures, halves, joined
from dataprep.document import BatchBuilder

WORDS = st.sampled_from(["a", "The", "café", "мир", "漢字かな交じり文", "x" * 70, "Straße", "naïve", "1984", "_id"])
TEXTS = st.one_of(st.lists(WORDS, max_size=60).map(" ".join), st.text())


@given(
    st.lists(TEXTS, max_size=4), st.integers(1, 7), st.sampled_from([8, 100, 112, 128, 131]), st.integers(0, 2**32 - 1)
)
@settings(max_examples=60)
def test_signatures_equal_datasketch(texts, shingle, count, seed):
    chosen = DedupSettings(shingle=shingle, permutations=count, seed=seed)
    values, shingles = signatures(pa.array(texts, pa.large_string()), chosen)
    assert values.tolist() == [_reference.signature(text, shingle, count, seed) for text in texts]
    assert shingles.tolist() == [len(_reference.shingles(text, shingle)) for text in texts]


def test_signatures_of_real_text_equal_datasketch(shared_data):
    with gzip.open(shared_data / "prose" / "peps-rst.jsonl.gz", "rt", encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line, _ in zip(lines, range(8), strict=False)]
    values, _ = signatures(pa.array(texts, pa.large_string()), DedupSettings())
    assert values.tolist() == [_reference.signature(text, 5, 128, 1) for text in texts]


def test_permutations_are_those_datasketch_draws():
    sketch = MinHash(200, 7, scheme="affine32")
    a, b = permutations(200, 7)
    assert np.array_equal(sketch.permutations, [a, b])


def test_a_text_shorter_than_a_shingle_has_the_empty_signature():
    values, shingles = signatures(pa.array(["", "one two three four"], pa.large_string()), DedupSettings())
    assert values.tolist() == [MinHash(128, 1, scheme="affine32").hashvalues.tolist()] * 2
    assert shingles.tolist() == [0, 0]


def test_a_slice_of_a_batch_has_the_signatures_of_its_own_rows():
    texts = pa.array([f"this is text number {i} of a few of them" for i in range(9)], pa.large_string())
    values, _ = signatures(texts, DedupSettings())
    part, _ = signatures(texts.slice(3, 4), DedupSettings())
    assert np.array_equal(part, values[3:7])


@pytest.fixture
def rows():
    builder = BatchBuilder("test")
    for i in range(20):
        builder.add(" ".join(f"word{j}" for j in range(i // 2, 60)) + " tail" * (i % 2), f"file:{i}")
    return builder.finish()


def test_a_signature_file_gives_back_what_was_written(tmp_path, rows):
    chosen = DedupSettings()
    made = Signatures.of([rows.slice(0, 7), rows.slice(7)], chosen)
    made.save(str(tmp_path / "s.arrow"), chosen)
    read = Signatures.load(str(tmp_path / "s.arrow"))
    for name in ("ids", "exact", "shingles", "preference", "values"):
        assert np.array_equal(getattr(read, name), getattr(made, name))
    assert joined(read.ids).to_pylist() == rows.column("id").to_pylist()


def test_a_part_without_documents_has_a_signature_file(tmp_path):
    Signatures.of([], DedupSettings()).save(str(tmp_path / "s.arrow"), DedupSettings())
    assert Signatures.load(str(tmp_path / "s.arrow")).values.shape == (0, 128)


def test_signature_files_feed_datasketch_indexes(tmp_path, rows):
    chosen = DedupSettings()
    Signatures.of([rows], chosen).save(str(tmp_path / "s.arrow"), chosen)
    table = pa.ipc.open_file(str(tmp_path / "s.arrow")).read_all()
    seed = int(table.schema.metadata[b"corpusmill.seed"])
    scheme = table.schema.metadata[b"corpusmill.scheme"].decode()
    index = MinHashLSH(threshold=0.8, num_perm=128)
    sketches = [MinHash(hashvalues=v, seed=seed, scheme=scheme) for v in table["signature"].to_pylist()]
    for name, sketch in zip(table["id"].to_pylist(), sketches, strict=True):
        index.insert(name, sketch)
    text = rows.column("text")[4].as_py()
    query = MinHash(128, seed, hashfunc=_reference.shingle_hash, scheme=scheme)
    query.update_batch(_reference.shingles(text, 5))
    assert query.jaccard(sketches[4]) == 1
    assert table["id"][4].as_py() in index.query(query)


@given(st.lists(st.binary(min_size=16, max_size=16)))
def test_ids_as_numbers_stand_in_the_order_of_their_bytes(ids):
    pairs = halves(pa.array(ids, pa.binary(16)))
    assert joined(pairs).to_pylist() == ids
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    assert [ids[i] for i in order] == sorted(ids)
