"""What counts as the same layout, and which text of a file in an old encoding is the right one."""

import pytest

from benchmarks.extraction import charsets, layout


def test_exact_forgives_line_ends_and_outer_empty_lines_only():
    assert layout.exact("\n\n  a \n\nb\t\n") == "  a\n\nb"
    assert layout.exact("a  b") != layout.exact("a b")


def test_lines_forgive_separators_bullets_and_padding():
    assert layout.lines("First   Second\n\n  * one") == layout.lines("First | Second\n- one") == "First Second\n* one"
    assert layout.lines("First\tSecond") == "First Second"
    assert layout.lines("one two") != layout.lines("one\ntwo")


def test_words_forgive_lines_but_no_order():
    assert layout.words("1. One,\ntwo") == layout.words("1 One two")
    assert layout.words("one two") != layout.words("two one")


def test_inscriptis_pairs_are_found(shared_data):
    pairs = layout.pairs(shared_data / "html-extraction")
    assert len(pairs) == 18
    assert pairs["br"][1] == "First line\nsecond line\n"


@pytest.mark.parametrize(
    ("encoding", "data", "texts"),
    [
        ("shift_jis", b"\x81\x60", {"\u301c", "\uff5e"}),  # wave dash: Python's and browsers'
        ("iso-8859-1", b"caf\xe9", {"caf\u00e9"}),
        ("utf-16", b"\xff\xfea\0", {"a"}),
        ("euc-kr", b"\x8c\x63", {"\ub620"}),  # a syllable only the wider one has
        ("euc-tw", b"\xa4\xa4", set()),
    ],
)
def test_right_texts_are_those_of_the_name_and_of_what_browsers_read_it_as(encoding, data, texts):
    assert charsets.truths(encoding, data) == texts


def test_every_file_but_one_has_a_right_text(shared_data):
    found = list(charsets.files(shared_data / "html-extraction"))
    assert len(found) == 211
    assert [name for name, encoding, data in found if not charsets.truths(encoding, data)] == [
        "EUC-TW/_ude_euc-tw1.txt"
    ]
    assert {"iso-8859-2", "windows-1256", "johab"} <= {encoding for _, encoding, _ in found}
