"""The attributes of a start tag are those a real parser finds, in order."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from dataprep.html.dom.attributes import hides, is_tex, next_attribute, skip_attributes
from dataprep.html.dom.tags import name_hash

SOUP = st.lists(
    st.sampled_from(
        ["a", "B", "class", "id", "-", " ", "\n", "\f", "=", '"', "'", "/", "x y", "é", "漢", "&", "<", ":"]
    ),
    max_size=20,
).map("".join)


def array(text):
    return np.frombuffer(text.encode(), np.uint8)


def found(inside):
    """(hash of the name, value) of each attribute, and where the tag ends."""
    b = array(inside)
    i, attributes = 0, []
    while True:
        i, hashed, start, end = next_attribute(b, i)
        if not hashed:
            return attributes, i
        attributes.append((int(hashed), bytes(b[start:end]).decode()))


def lower(name):
    return "".join(c.lower() if c.isascii() else c for c in name)


@given(SOUP)
@example("a=1 a=2 b")
@example("=a =b= c==d")
@example("a = 'x>y' b=\"\" c=x/y/")
@settings(max_examples=500)
def test_attributes_are_those_of_a_real_parser(soup):
    page = f"<p {soup}>text</p>"
    theirs = LexborHTMLParser(page).css_first("p")
    text = f"{soup}>text</p>"
    attributes, end = found(text)
    if theirs is None:  # the page ended inside the tag
        assert end == len(text.encode())
        return
    first = {}
    for hashed, value in attributes:
        first.setdefault(hashed, value)
    expected = {name_hash(lower(name)): value or "" for name, value in theirs.attributes.items()}
    assert list(first) == list(expected)
    for hashed, value in first.items():
        if "&" not in value:  # references are decoded later
            assert value.replace("\f", "\n") == expected[hashed].replace("\f", "\n")
    assert skip_attributes(array(text), 0) == end + 1


@pytest.mark.parametrize(
    ("style", "hidden"),
    [
        ("display:none", True),
        ("color: red; DISPLAY :\n None !important", True),
        ("visibility:hidden", True),
        ("display:block; visibility: hidden", True),
        ("display: non", False),
        ("display:", False),
        ("displaynone", False),
        ("display none", False),
        ("x-display: none", False),
        ("backface-visibility: hidden", False),
        ("displays: none", False),
        ("visibility: visible", False),
        ("d" * 50, False),
        ("", False),
    ],
)
def test_a_style_hides(style, hidden):
    assert hides(array(style), 0, len(style)) == hidden
    assert hides(array(f"{style}none"), 0, len(style)) == hidden  # nothing after the value is read


@pytest.mark.parametrize(
    ("kind", "tex"),
    [("math/tex", True), ("application/x-tex", True), ("LaTeX", True), ("text/javascript", False), ("te", False)],
)
def test_a_type_is_one_of_tex(kind, tex):
    assert is_tex(array(kind), 0, len(kind)) == tex
