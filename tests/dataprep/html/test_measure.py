"""What a text amounts to, against a plain reading of it."""

import html
import re

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dataprep.html.dom.measure import COUNTED, byte_kinds, ends_sentence, measure

PIECES = st.lists(
    st.one_of(
        st.sampled_from(
            ["word", " ", "\n\t ", "\xa0", "&nbsp;", "&#160;", "&amp;", "&", "&lt", ".", "!?", "漢字", "한글"]
        ),
        st.sampled_from(["。", "、", "！", "：", "カナ", "é", "Ω", "😀", "…", "«", "&thetasym;", "\x0b", "¡"]),
        st.characters(blacklist_categories=["Cs"], blacklist_characters="\0\u0085\u2028"),
    ),
    max_size=30,
).map("".join)


def plainly(text, spaced):
    text = re.sub("&nbsp;|&#160;", "\xa0", text)
    text = re.sub("&[a-zA-Z0-9#]{1,11};", "e", text)
    seen = sum(2 if 0x3000 <= ord(c) <= 0xDFFF else 1 for c in re.sub("[ \t\n\f\r\xa0]", "", text))
    gaps = len(re.findall("[ \t\n\f\r\xa0]+", text))
    if spaced and re.match("[ \t\n\f\r\xa0]", text):
        gaps -= 1
    marks = len(re.findall("[.,;:!?、。！，．：；？]", text))
    return seen, gaps, marks


@given(PIECES, st.sampled_from([0, 1, COUNTED]))
@example("", 0)
@example(" ", 1)
@example("a &nbsp; b", 0)
@settings(max_examples=500)
def test_characters_white_space_and_marks_are_those_a_reader_counts(text, spaced):
    b = np.frombuffer(text.encode(), np.uint8)
    seen, gaps, marks, after = measure(b, 0, len(b), byte_kinds(), spaced)
    assert (seen, gaps, marks) == plainly(text, spaced)
    blank = re.search("[ \t\n\f\r\xa0]$", html.unescape(text))
    assert (after > 0) == (bool(blank) if text else spaced > 0)


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        *(("It ends.", True), ("Does it?", True), ("It does!", True), ("As follows:", True), ("He said “yes.”", True)),
        *(("(It ends.) ", True), ("« Oui. »", True), ("and so on…", True), ("終わり。」", True), ("本当？", True)),
        *(("समाप्त।", True), ("ختم۔", True), ("هل؟", True), ("It goes on", False), ("a “quote”", False), ("", False)),
        *((".", True), (" ", False), ("." + " " * 30, False), ("é", False), ("。", True), ("A, b,", False)),
    ],
)
def test_a_text_ends_a_sentence(text, ends):
    b = np.frombuffer(text.encode(), np.uint8)
    assert ends_sentence(b, 0, len(b)) == ends
