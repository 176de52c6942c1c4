"""The two normalisations, and the public hash, against Python and the xxhash library."""

import os
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from dataprep.dedup import _reference
from dataprep.dedup.hashing import partition_of
from dataprep.dedup.words import collapse_spaces, exact_hashes, fold_words, space_table
from dataprep.text.fold import fold_table
from dataprep.text.utf8 import Utf8
from dataprep.text.xxh3 import xxh3

# letters whose lower case is longer, shorter, several characters or depends on context; marks; spaces of every kind
HARD = "ȺȾK\u212aİıΣσςÀß\u0307\u0301_0٣Ⅷ½你好мирЖ\u200b\u00a0\u2003\u3000\x1c\x85\n\t -'’.\U00010400\U0001d7d8😀"
TEXTS = st.text(st.one_of(st.sampled_from(HARD), st.sampled_from("aB c"), st.characters(exclude_categories=["Cs"])))


def folded_words(text):
    column = Utf8.of(pa.array(["before", text, "after"], pa.large_string()).slice(1, 1))
    size = len(text.encode())
    out, starts = np.zeros(2 * size + 2, np.uint8), np.zeros(size // 2 + 2, np.int64)
    words, _ = fold_words(column.values, *column.offsets, fold_table(), out, starts)
    return [bytes(out[starts[i] : starts[i + 1] - 1]).decode() for i in range(words)]


@given(TEXTS)
def test_words_are_pythons_words_of_the_lower_cased_text(text):
    assert folded_words(text) == _reference.words(text)


def test_every_code_point_folds_as_python_says():
    text = " ".join(chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000)
    assert folded_words(text) == _reference.words(text)


@given(st.lists(TEXTS, max_size=5))
def test_collapsed_spaces_are_pythons_split_and_join(texts):
    column = Utf8.of(pa.array(texts, pa.large_string()))
    data, limits = collapse_spaces(column.values, column.offsets, space_table())
    found = [bytes(data[a:b]).decode() for a, b in pairwise(limits)]
    assert found == [_reference.spaces(text) for text in texts]


@given(st.lists(TEXTS, max_size=5))
def test_exact_hashes_are_xxh3_128_of_the_normalised_text(texts):
    found = exact_hashes(pa.array(texts, pa.large_string()))
    assert [int(a).to_bytes(8, "big") + int(b).to_bytes(8, "big") for a, b in found] == [
        _reference.exact_hash(text) for text in texts
    ]


@pytest.mark.parametrize("size", [*range(1, 300), 511, 512, 513, 1023, 1024, 1025, 1088, 2048, 2049, 5000])
def test_the_shingle_hash_is_xxh3_at_every_length(size):
    data = os.urandom(size)
    padded = np.frombuffer(b"abc" + data + b"xyz", np.uint8)
    assert int(xxh3(padded, 3, 3 + size)) == xxhash.xxh3_64_intdigest(data)


@given(st.lists(st.integers(0, 2**64 - 1)), st.integers(1, 1000))
def test_a_partition_is_a_function_of_the_key_and_the_number_of_partitions(keys, partitions):
    found = partition_of(np.array(keys, np.uint64), partitions)
    assert all(0 <= p < partitions for p in found)
    assert found.tolist() == [int(partition_of(np.array([key], np.uint64), partitions)[0]) for key in keys]


def test_partitions_are_even_for_neighbouring_keys():
    counts = np.bincount(partition_of(np.arange(100_000, dtype=np.uint64), 10), minlength=10)
    assert counts.min() > 9_000
