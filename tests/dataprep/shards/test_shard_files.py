"""One shard: what is written is what is read, damage is found and named."""

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataprep.shards import LengthHistogram, WrittenShard, open_shard, verify_shard, write_shard
from dataprep.shards.checksums import CHUNK_BYTES
from dataprep.shards.histogram import bucket_bounds

EOS = 0


def documents(lengths, vocabulary_size=4096, seed=0):
    """Tokens, offsets and ids of documents with these lengths in tokens, the EOS included."""
    rng = np.random.default_rng(seed)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    dtype = np.uint16 if vocabulary_size <= 65536 else np.uint32
    tokens = rng.integers(1, vocabulary_size, offsets[-1]).astype(dtype)
    tokens[offsets[1:] - 1] = EOS
    return tokens, offsets, rng.integers(0, 256, (len(lengths), 16)).astype(np.uint8)


def write(directory, arrays, name="web/train-00000.arrow", **changes):
    fields = {
        "source": "web",
        "split": "train",
        "tokenizer_fingerprint": "f" * 32,
        "vocabulary_size": 4096,
        "eos_id": EOS,
        "text_bytes": 1234,
    }
    return write_shard(str(directory), name, *arrays, **(fields | changes))


@pytest.fixture
def shard(tmp_path):
    """A shard of 3 MiB of tokens in 3,000 documents."""
    arrays = documents(np.random.default_rng(1).integers(1, 1000, 3000))
    write(tmp_path, arrays)
    return tmp_path / "web" / "train-00000.arrow", arrays


def test_reading_gives_what_was_written_without_copying(shard):
    path, (tokens, offsets, ids) = shard
    read = open_shard(str(path))
    assert np.array_equal(read.tokens, tokens)
    assert np.array_equal(read.offsets, offsets)
    assert read.tokens.dtype == np.uint16
    assert not read.tokens.flags.owndata
    assert not read.tokens.flags.writeable
    assert read.doc_id(7) == ids[7].tobytes()
    assert np.array_equal(read.document(7), tokens[offsets[7] : offsets[8]])


def test_a_shard_is_an_ordinary_arrow_file(shard):
    path, (tokens, offsets, ids) = shard
    with pa.ipc.open_file(str(path)) as reader:
        assert reader.num_record_batches == 1
        batch = reader.get_batch(0)
    batch.validate(full=True)
    assert batch.schema.field("tokens").type == pa.large_list(pa.field("item", pa.uint16(), nullable=False))
    assert batch["tokens"][3].as_py() == tokens[offsets[3] : offsets[4]].tolist()
    assert batch["doc_id"][3].as_py() == ids[3].tobytes()


def test_large_vocabularies_use_four_bytes(tmp_path):
    write(tmp_path, documents([3, 4], 70_000), vocabulary_size=70_000)
    assert open_shard(str(tmp_path / "web/train-00000.arrow")).tokens.dtype == np.uint32


def test_equal_arrays_give_equal_bytes(tmp_path):
    arrays = documents([5, 1, 9])
    first, second = write(tmp_path / "a", arrays), write(tmp_path / "b", arrays)
    assert first == second
    assert (tmp_path / "a" / first.info.path).read_bytes() == (tmp_path / "b" / second.info.path).read_bytes()
    assert WrittenShard.from_json(first.to_json()) == first


def test_a_flipped_byte_in_any_buffer_is_found_and_its_document_named(shard):
    path, (_, offsets, ids) = shard
    whole = path.read_bytes()
    places = {name: whole.index(view.tobytes()[:4096]) for name, view in open_shard(str(path)).buffers().items()}
    sizes = {name: view.nbytes for name, view in open_shard(str(path)).buffers().items()}
    rng = np.random.default_rng(2)
    for name, start in places.items():
        for position in [0, sizes[name] - 1, *rng.integers(0, sizes[name], 4).tolist()]:
            damaged = bytearray(whole)
            damaged[start + position] ^= 0x10
            path.write_bytes(damaged)
            problems = verify_shard(str(path))
            assert [(p.buffer, p.chunk) for p in problems] == [(name, position // CHUNK_BYTES)], position
            document = {
                "tokens.values": int(np.searchsorted(offsets, position // 2, side="right")) - 1,
                "tokens.offsets": min(position // 8, len(ids) - 1),
                "doc_id.values": position // 16,
            }[name]
            assert document in problems[0].documents
            if name != "doc_id.values":
                assert ids[document].tobytes().hex() in problems[0].doc_ids
            assert str(path) in str(problems[0])
    path.write_bytes(whole)
    assert verify_shard(str(path)) == []


def test_a_flipped_byte_in_the_metadata_is_found(shard):
    path, _ = shard
    whole = path.read_bytes()
    place = whole.rindex(b"corpusmill.tokens") + 40  # the copy in the footer is the one readers use
    for position in range(place, place + 400, 37):
        damaged = bytearray(whole)
        damaged[position] ^= 0x01
        path.write_bytes(damaged)
        assert len(verify_shard(str(path))) == 1, position


@pytest.mark.parametrize("keep", [0, 4, 100, 5000, -1, -8, -4000])
def test_a_truncated_shard_is_an_error_that_names_the_file(shard, keep):
    path, _ = shard
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"train-00000\.arrow: truncated or damaged"):
        open_shard(str(path))
    assert str(path) in str(verify_shard(str(path))[0])


def test_another_arrow_file_is_not_taken_for_a_shard(tmp_path):
    table = pa.table({"tokens": [[1, 2]]})
    with pa.ipc.new_file(str(tmp_path / "x.arrow"), table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(ValueError, match=r"x\.arrow: not a token shard"):
        open_shard(str(tmp_path / "x.arrow"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t, o, i: (t.astype(np.uint32), o, i), "expected flat uint16"),
        (lambda t, o, i: (t, o[:-1], i[:-1]), "offsets must rise"),
        (lambda t, o, i: (t, o, i[:-1]), "expected offsets"),
        (lambda t, o, i: (t + np.uint16(1), o, i), "does not end with the EOS id 0"),
        (lambda t, o, i: (np.where(t == 0, t, np.uint16(5000)), o, i), "token id 5000 is not below"),
        (lambda t, o, i: (t[:0], np.zeros(1, np.int64), i[:0]), "offsets must rise"),
    ],
)
def test_arrays_that_are_no_documents_are_refused_and_leave_no_file(tmp_path, change, message):
    arrays = change(*documents([4, 3, 5], 4000))
    with pytest.raises(ValueError, match=message):
        write(tmp_path, arrays, vocabulary_size=4096)
    assert list(tmp_path.rglob("*")) == []


COLUMNS = {
    "language.label": pa.array(["en", None, "zh"]),
    "html.profile": pa.array(["", "ü", "x" * 300], pa.large_string()),
    "language.score": pa.array([0.1, None, 0.3]),
    "quality.score": pa.array([0.5, -1.0, np.inf], pa.float32()),
    "gopher.words": pa.array([1, 2, -3], pa.int32()),
    "html.characters": pa.array([None, None, 1 << 40], pa.int64()),
}


def test_side_columns_are_read_as_they_were_written(tmp_path):
    written = write(tmp_path, documents([4, 3, 5]), columns=COLUMNS)
    path = tmp_path / written.info.path
    read = open_shard(str(path))
    assert list(read.columns) == list(COLUMNS)
    for name, values in COLUMNS.items():
        assert read.columns[name].to_pylist() == values.to_pylist()
    assert read.metadata.columns["html.profile"] == "string"
    assert verify_shard(str(path)) == []
    with pa.ipc.open_file(str(path)) as reader:
        reader.get_batch(0).validate(full=True)


def test_the_same_values_are_the_same_bytes_however_they_lie_in_memory(tmp_path):
    arrays = documents([4, 3, 5])
    write(tmp_path / "a", arrays, columns=COLUMNS)
    other = {name: pa.concat_arrays([values, values]).slice(3) for name, values in COLUMNS.items()}
    dirty = pa.py_buffer(np.array([0.1, 77.0, 0.3]))
    other["language.score"] = pa.Array.from_buffers(pa.float64(), 3, [pa.py_buffer(b"\xfd"), dirty])
    written = write(tmp_path / "b", arrays, columns=other)
    assert (tmp_path / "a" / written.info.path).read_bytes() == (tmp_path / "b" / written.info.path).read_bytes()


def test_a_loss_mask_is_a_bit_a_token(tmp_path):
    tokens, offsets, ids = documents([4, 3, 5, 9])
    mask = np.random.default_rng(3).random(len(tokens)) < 0.5
    written = write(tmp_path, (tokens, offsets, ids), loss_mask=mask)
    read = open_shard(str(tmp_path / written.info.path))
    lists = read.columns["loss_mask"]
    assert [value for row in lists.to_pylist() for value in row] == mask.tolist()
    assert lists.offsets.to_numpy().tolist() == offsets.tolist()
    assert read.buffers()["loss_mask.values"].nbytes == -(-len(tokens) // 8)


def test_damage_in_a_side_column_names_its_documents(tmp_path):
    arrays = documents(np.full(5, 4000))
    mask = np.ones(20_000, bool)
    written = write(
        tmp_path, arrays, columns={"language.label": pa.array(["aa", None, "cc", "dd", "ee"])}, loss_mask=mask
    )
    path = tmp_path / written.info.path
    whole = path.read_bytes()
    places = [
        (whole.index(b"aaccddee") + 2, "language.label.values"),
        (whole.index(b"\xff" * 500) + 499, "loss_mask.values"),
    ]
    for place, buffer in places:
        path.write_bytes(whole[:place] + b"\x7e" + whole[place + 1 :])
        (problem,) = verify_shard(str(path))
        assert (problem.buffer, problem.chunk) == (buffer, 0)
        assert problem.doc_ids == tuple(doc.tobytes().hex() for doc in arrays[2])


def test_a_bos_that_is_promised_is_checked_and_remembered(tmp_path):
    tokens, offsets, ids = documents([4, 3])
    with pytest.raises(ValueError, match="a document does not begin with the BOS id 7"):
        write(tmp_path, (tokens, offsets, ids), bos_id=7)
    tokens[offsets[:-1]] = 7
    written = write(tmp_path, (tokens, offsets, ids), bos_id=7)
    assert written.bos_id == 7
    assert open_shard(str(tmp_path / written.info.path)).metadata.bos_id == 7
    assert WrittenShard.from_json(written.to_json()) == written


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"columns": {"tokens": pa.array([1, 2])}}, "column 'tokens' must be named as signals are"),
        ({"columns": {"a.b": pa.array([1])}}, "column 'a.b' has 1 values for 2 documents"),
        ({"columns": {"a.b": pa.array([[1], [2]])}}, "column 'a.b' is list.* allowed are int32, int64"),
        ({"loss_mask": np.ones(6, bool)}, r"loss_mask is bool\[6\], expected bool\[7\]"),
        ({"loss_mask": np.ones(7, np.uint8)}, r"loss_mask is uint8\[7\]"),
    ],
)
def test_side_columns_that_fit_no_shard_are_refused(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        write(tmp_path, documents([4, 3]), **change)
    assert list(tmp_path.rglob("*")) == []


def test_reading_shards_needs_neither_torch_nor_beam_nor_a_tokenizer():
    code = (
        "import sys, dataprep.shards; "
        "print([m for m in ('torch', 'apache_beam', 'tokenizers', 'numba', 'pydantic') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@settings(max_examples=50)
@given(st.lists(st.integers(1, 1 << 40), min_size=1, max_size=200), st.integers(0, 100))
def test_percentiles_are_within_a_sixteenth(lengths, percent):
    histogram = LengthHistogram.of(np.array(lengths, np.int64))
    exact = sorted(lengths)[max(-(-percent * len(lengths) // 100), 1) - 1]
    assert exact * 15 / 16 <= histogram.percentile(percent) <= exact
    assert histogram.percentile(100) == max(lengths)
    halves = [LengthHistogram.of(np.array(part, np.int64)) for part in (lengths[::2], lengths[1::2])]
    assert LengthHistogram.total(halves) == histogram


def test_short_lengths_have_a_bucket_each():
    lengths = np.arange(1, 32)
    assert np.array_equal(bucket_bounds(lengths), lengths)
