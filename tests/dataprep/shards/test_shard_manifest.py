"""The manifest: one hash for every token, and a directory that is proven against it."""

import json

import numpy as np
import pyarrow as pa
import pytest
import xxhash
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataprep.shards import (
    Manifest,
    WrittenShard,
    fingerprint,
    open_shard,
    shard_name,
    shard_statistics,
    verify_directory,
    write_shard,
)
from dataprep.storage import content_hash

TOKENIZER = b'{"a tokenizer": 1}'


def make(directory, sources=("books", "web"), tokenizer=TOKENIZER, seed=0):
    rng = np.random.default_rng(seed)
    written = []
    for source in sources:
        for split, n in (("train", 40), ("validation", 5)):
            offsets = np.concatenate([[0], np.cumsum(rng.integers(1, 60, n))]).astype(np.int64)
            tokens = rng.integers(1, 300, offsets[-1]).astype(np.uint16)
            tokens[offsets[1:] - 1] = 0
            written.append(
                write_shard(
                    str(directory),
                    shard_name(source, split, 0),
                    tokens,
                    offsets,
                    rng.integers(0, 256, (n, 16)).astype(np.uint8),
                    source=source,
                    split=split,
                    tokenizer_fingerprint=fingerprint(tokenizer),
                    vocabulary_size=300,
                    eos_id=0,
                    text_bytes=4 * len(tokens),
                )
            )
    return written


@pytest.fixture
def manifest(tmp_path):
    result = Manifest.build(str(tmp_path), make(tmp_path))
    result.save()
    return result


def problems(directory):
    return [str(problem) for _, found in verify_directory(str(directory)) for problem in found]


def test_a_manifest_is_read_as_it_was_written(manifest, tmp_path):
    assert Manifest.load(str(tmp_path)) == manifest
    assert Manifest.load(str(tmp_path)).hash == manifest.hash
    assert problems(tmp_path) == []


def test_the_order_in_which_shards_were_written_does_not_matter(tmp_path):
    written = make(tmp_path)
    hashes = {
        Manifest.build(str(tmp_path), order).hash for order in (written, written[::-1], written[2:] + written[:2])
    }
    assert len(hashes) == 1


def test_a_manifest_can_be_rebuilt_from_the_shards(manifest, tmp_path):
    files = {info.path: str(tmp_path / info.path) for info in manifest.shards}
    written = [WrittenShard.of(name, open_shard(file).metadata, content_hash(file)) for name, file in files.items()]
    assert Manifest.build(str(tmp_path), written) == manifest


def test_the_hash_changes_when_anything_changes(manifest, tmp_path):
    content = json.loads((tmp_path / "manifest.json").read_text())

    def leaves(value, path=()):
        if isinstance(value, dict):
            for key, inner in value.items():
                yield from leaves(inner, (*path, key))
        elif isinstance(value, list):
            for index, inner in enumerate(value):
                yield from leaves(inner, (*path, index))
        else:
            yield path, value

    changed = 0
    for path, value in leaves(content):
        edited = json.loads(json.dumps(content))
        here = edited
        for key in path[:-1]:
            here = here[key]
        here[path[-1]] = value + 1 if isinstance(value, int) else value + "x"
        (tmp_path / "manifest.json").write_text(json.dumps(edited))
        with pytest.raises(ValueError, match=r"manifest\.json: damaged or edited"):
            Manifest.load(str(tmp_path))
        changed += 1
    assert changed > 50


def test_a_manifest_of_another_shape_is_refused_by_name_even_with_a_right_hash(manifest, tmp_path):
    content = json.loads((tmp_path / "manifest.json").read_text())
    content.pop("hash")
    content["totals"]["web"]["train"]["lengths"]["longest"] = "59"
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    content["hash"] = xxhash.xxh3_128_hexdigest(text.encode())
    (tmp_path / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"manifest\.json: not a manifest \(lengths: .*not .* and '59'"):
        Manifest.load(str(tmp_path))


def test_other_tokens_give_another_hash(tmp_path):
    first = Manifest.build(str(tmp_path), make(tmp_path / "a", seed=1))
    second = Manifest.build(str(tmp_path), make(tmp_path / "b", seed=2))
    assert first.hash != second.hash


def test_a_flipped_byte_anywhere_in_a_file_is_found(manifest, tmp_path):
    path = tmp_path / manifest.shards[1].path
    whole = path.read_bytes()
    for position in range(0, len(whole), 61):
        damaged = bytearray(whole)
        damaged[position] ^= 0x04
        path.write_bytes(damaged)
        found = problems(tmp_path)
        assert len(found) >= 1, position
        assert all(str(path) in line for line in found), position


def test_missing_and_unlisted_and_exchanged_shards_are_named(manifest, tmp_path):
    first, second = (tmp_path / shard.path for shard in manifest.shards[:2])
    content = first.read_bytes()
    first.unlink()
    assert problems(tmp_path) == [f"{first}: missing"]
    first.write_bytes(second.read_bytes())
    assert "not the shard in manifest.json" in problems(tmp_path)[0]
    with pytest.raises(ValueError, match=r"not the shard in manifest\.json"):
        manifest.open(manifest.shards[0])
    first.write_bytes(content)
    extra = tmp_path / "web" / "train-00009.arrow"
    extra.write_bytes(content)
    assert problems(tmp_path) == [f"{extra}: not listed in manifest.json"]


def test_a_wrong_tokenizer_is_detected(manifest, tmp_path):
    right, wrong = tmp_path / "right.json", tmp_path / "wrong.json"
    right.write_bytes(TOKENIZER)
    wrong.write_bytes(TOKENIZER + b" ")
    manifest.check_tokenizer(str(right))
    with pytest.raises(ValueError, match=r"wrong\.json: tokenizer .* is not the one the shards"):
        manifest.check_tokenizer(str(wrong))


def test_shards_of_two_tokenizers_are_not_one_corpus(tmp_path):
    written = make(tmp_path, ("books",)) + make(tmp_path, ("web",), b"another")
    with pytest.raises(ValueError, match="was written with tokenizer"):
        Manifest.build(str(tmp_path), written)


def test_no_shards_are_an_error_that_says_so(tmp_path):
    with pytest.raises(ValueError, match="no documents to tokenize"):
        Manifest.build(str(tmp_path), [])


def test_statistics_agree_with_the_tokens_and_read_only_the_manifest(manifest, tmp_path):
    shards = [open_shard(str(tmp_path / shard.path)) for shard in manifest.shards]
    lengths = np.concatenate([np.diff(shard.offsets) for shard in shards])
    largest = max(int(shard.tokens.max()) for shard in shards)
    for path in tmp_path.rglob("*.arrow"):
        path.unlink()
    figures = shard_statistics(Manifest.load(str(tmp_path)))
    assert (figures.total.documents, figures.total.tokens) == (len(lengths), lengths.sum())
    assert [(row.source, row.split, row.documents) for row in figures.rows] == [
        ("books", "train", 40),
        ("books", "validation", 5),
        ("web", "train", 40),
        ("web", "validation", 5),
    ]
    assert figures.total.lengths[100] == lengths.max()
    exact = np.percentile(lengths, 50, method="inverted_cdf")
    assert exact * 15 / 16 <= figures.total.lengths[50] <= exact
    assert figures.largest_id == largest
    assert figures.total.bytes_per_token == figures.total.bytes / (lengths.sum() - len(lengths))
    assert set(figures.checksums) == {shard.path for shard in manifest.shards}


def test_source_names_with_path_characters_stay_inside_the_directory():
    assert shard_name("a/../b", "train", 3) == "a%2F..%2Fb/train-00003.arrow"


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """A directory with every kind of column: what can be damaged at all."""
    folder = tmp_path_factory.mktemp("mixed")
    Manifest.build(str(folder), [*make(folder), write_columns(folder)]).save()
    return folder


def write_columns(folder):
    rng = np.random.default_rng(5)
    offsets = np.concatenate([[0], np.cumsum(rng.integers(2, 40, 60))]).astype(np.int64)
    tokens = rng.integers(2, 300, offsets[-1]).astype(np.uint16)
    tokens[offsets[:-1]], tokens[offsets[1:] - 1] = 1, 0
    return write_shard(
        str(folder),
        shard_name("wiki", "train", 0),
        tokens,
        offsets,
        rng.integers(0, 256, (60, 16)).astype(np.uint8),
        source="wiki",
        split="train",
        tokenizer_fingerprint=fingerprint(TOKENIZER),
        vocabulary_size=300,
        eos_id=0,
        bos_id=1,
        text_bytes=1,
        columns={
            "language.label": pa.array(["en", "de", None] * 20),
            "language.score": pa.array(rng.random(60)),
            "gopher.words": pa.array([None, *range(59)], pa.int32()),
        },
        loss_mask=rng.random(len(tokens)) < 0.5,
    )


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), bit=st.integers(0, 7))
def test_one_flipped_bit_at_any_place_of_any_file_is_found_and_the_file_named(mixed, data, bit):
    files = sorted(path for path in mixed.rglob("*") if path.is_file())
    path = data.draw(st.sampled_from(files))
    whole = path.read_bytes()
    position = data.draw(st.integers(0, len(whole) - 1))
    damaged = bytearray(whole)
    damaged[position] ^= 1 << bit
    path.write_bytes(damaged)
    try:
        found = problems(mixed)
    finally:
        path.write_bytes(whole)
    assert found
    assert all(line.startswith(f"{path}: ") for line in found)


def test_a_manifest_that_says_the_same_in_other_bytes_is_found_too(manifest, tmp_path):
    file = tmp_path / "manifest.json"
    file.write_text(file.read_text().replace("\n ", "\n\t", 1))
    assert Manifest.load(str(tmp_path)) == manifest
    assert problems(tmp_path) == [f"{file}: its content is right, but not written as it was (spaces, order)"]


def test_how_far_verifying_is_can_be_followed(manifest, tmp_path):
    seen = []
    assert all(not found for _, found in verify_directory(str(tmp_path), threads=3, seen=seen.append))
    assert sum(seen) == sum((tmp_path / info.path).stat().st_size for info in manifest.shards)
