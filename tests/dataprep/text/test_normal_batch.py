"""Normal form C over a batch is what unicodedata makes of each text."""

import unicodedata

import pyarrow as pa
from hypothesis import example, given
from hypothesis import strategies as st

from dataprep.text.normal import composed
from dataprep.text.utf8 import Utf8, text_column

TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=5)


@given(TEXTS)
@example(["e\u0301", "x", "\u1100\u1161\u11a8", "\u09c7\u09be", "\u212b", "a\u0345\u0300", "\u0344"])
def test_texts_come_out_in_normal_form_c(texts: list[str]) -> None:
    result = composed(Utf8.of(pa.array(texts, pa.large_string())))
    expected = [unicodedata.normalize("NFC", text) for text in texts]
    assert text_column(result.values, result.offsets, pa.large_string()).to_pylist() == expected


def test_every_code_point_alone_and_after_a_letter() -> None:
    codes = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    texts = [before + chr(c) for before in ("", "a") for c in codes]
    result = composed(Utf8.of(pa.array(texts, pa.large_string())))
    column = text_column(result.values, result.offsets, pa.large_string())
    assert column.equals(pa.array([unicodedata.normalize("NFC", text) for text in texts], pa.large_string()))


def test_a_batch_that_is_in_normal_form_is_not_copied() -> None:
    text = Utf8.of(pa.array(["plain", "Größe 日本 한국"], pa.large_string()))
    assert composed(text) is text


def test_an_endless_run_of_marks_is_left_alone_instead_of_being_sorted() -> None:
    text = "a" + "\u0315\u0300" * 500_000
    assert composed(Utf8.of(pa.array([text], pa.large_string()))).values.tobytes() == text.encode()
