"""Lower case is Python's on any Unicode text, and a trie's three-byte look ahead never denies an entry."""

import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataprep.text.lower import lower
from dataprep.text.trie import Trie, may_begin
from dataprep.text.utf8 import Utf8

# sigmas with what is cased, ignored or neither around them, and characters whose lower case has another length
TELLING = "ΣΣΣσςAaΩ'’.:\u00ad\u0301\u200d1 \nİıKÅȺȾẞǅΐ漢🎉\x00"
texts = st.one_of(st.text(st.sampled_from(TELLING)), st.text())


def lowered(values: list[str]) -> list[str]:
    text = lower(Utf8.of(pa.array(values, pa.large_string())))
    data = text.values.tobytes()
    return [data[a:b].decode() for a, b in zip(text.offsets[:-1], text.offsets[1:], strict=True)]


@given(st.lists(texts, max_size=6))
@settings(max_examples=200)
def test_lower_case_is_pythons_on_any_text(values: list[str]) -> None:
    assert lowered(values) == [value.lower() for value in values]


def test_every_character_has_its_lower_case_alone_and_around_a_sigma() -> None:
    every = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
    for before, after in (("", ""), ("", "Σ"), ("aΣ", "a")):
        values = [f"{before}{character}{after}" for character in every]
        assert lowered(values) == [value.lower() for value in values]


def test_a_slice_is_lowered_alone() -> None:
    column = pa.array(["AΣ", "ΣA", "İ", "C"], pa.string()).slice(1, 2)
    text = lower(Utf8.of(column))
    assert text.values.tobytes().decode() == "σai̇"
    assert text.offsets.tolist() == [0, 3, 6]


def test_the_longest_growth_has_room() -> None:
    assert lowered(["ȺİȾ" * 1000, ""]) == [("ȺİȾ" * 1000).lower(), ""]


def test_many_sigmas_and_much_that_is_ignored_take_linear_time() -> None:
    text = "aΣ" + "'" * 500_000 + "Σ" + "'" * 500_000 + "Σ" * 500_000
    assert lowered([text]) == [text.lower()]


@given(st.lists(st.text(min_size=1, max_size=4), max_size=5), texts)
@settings(max_examples=200)
def test_where_an_entry_begins_the_look_ahead_says_so(entries: list[str], text: str) -> None:
    trie = Trie.of(entries)
    values = np.frombuffer(text.encode(), np.uint8)
    for i in range(len(values)):
        if any(values[i:].tobytes().startswith(entry.encode()) for entry in entries):
            assert may_begin(trie.beginnings, values, i)


def test_an_empty_entry_is_refused() -> None:
    with pytest.raises(ValueError, match="empty entry"):
        Trie.of(["a", ""])
