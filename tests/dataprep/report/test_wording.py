"""Numbers say neither more nor less than they know; foreign text is seen and not obeyed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataprep.report.wording import clip, one_line, seconds, share, short, size, visible


@given(st.text(st.characters(codec="utf-8")))
def test_no_control_character_survives(text: str) -> None:
    seen = visible(text)
    assert not any((ord(c) < 0x20 and c not in "\n\t") or 0x7F <= ord(c) < 0xA0 for c in seen)
    assert not set(seen) & set("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u061c")
    assert visible(seen) == seen
    assert "\n" not in one_line(text)


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (999, "999"), (999.6, "1k"), (1234, "1.23k"), (131_000, "131k"), (999_600, "1M"), (12_345_678, "12.3M")],
)
def test_short_numbers_keep_three_digits(number: float, text: str) -> None:
    assert short(number) == text


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(0, 9, "0%"), (9, 9, "100%"), (1, 10**6, "<0.1%"), (10**6 - 1, 10**6, ">99.9%"), (1, 3, "33.3%"), (1, 0, "–")],
)
def test_a_share_is_never_rounded_to_nothing_or_to_all(part: int, whole: int, text: str) -> None:
    assert share(part, whole) == text


def test_times_and_sizes_have_units() -> None:
    assert [seconds(value) for value in (0.25, 59.94, 61, 3700)] == ["0.2 s", "59.9 s", "1 min 01 s", "1 h 01 min"]
    assert [size(number) for number in (0, 999, 1000, 57_300, 3_200_000_000)] == [
        "0 B",
        "999 B",
        "1 kB",
        "57.3 kB",
        "3.2 GB",
    ]


def test_a_clipped_text_keeps_base_and_mark_together() -> None:
    assert clip("abc", 3) == "abc"
    assert clip("abcde", 3) == "abc …"
    assert clip("abe\u0301x", 3) == "ab …"
