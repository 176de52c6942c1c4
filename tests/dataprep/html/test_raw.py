"""Where text, comments and scripts end is where a real parser ends them."""

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dataprep.html.dom.raw import closed_by, find
from tests.dataprep.html.reference import lexbor_pieces, own_pieces, words


@given(st.text("ab<", max_size=150), st.integers(0, 160))
@settings(max_examples=200)
def test_a_byte_is_found_where_python_finds_it(text, start):
    b = np.frombuffer(text.encode(), np.uint8)
    expected = text.find("<", start)
    assert find(b, start, 60) == (expected if expected >= 0 else max(start, len(b)))


@given(st.text("]>a", max_size=60))
@settings(max_examples=200)
def test_a_section_is_closed_where_python_finds_its_end(text):
    b = np.frombuffer(text.encode(), np.uint8)
    expected = text.find("]]>")
    assert closed_by(b, 0, 93) == (expected + 2 if expected >= 0 else len(b))


def the_same_words(page):
    ours = [word for word, _ in words(own_pieces(page))]
    assert ours == [word for word, _ in words(lexbor_pieces(page))]


SCRIPT = [
    "<!--",
    "-->",
    "--",
    "<script",
    "</script",
    "<SCRIPT ",
    "</scrip",
    ">",
    " ",
    "x",
    "-",
    "<",
    "/",
    "!",
    "</script>",
]


@given(st.lists(st.sampled_from(SCRIPT), max_size=20).map("".join))
@example("<!--<script></script>x</script>y")
@example("<!--><script></script>y")
@example("<!-- --><!--<script>--></script>z")
@settings(max_examples=500)
def test_scripts_end_where_a_real_parser_ends_them(content):
    the_same_words(f"<p>one<script>{content}</script>two<b>three</b>")


@given(
    st.lists(st.sampled_from(["<!--", "-->", "--!>", "--", "-", ">", "!", "<!", "x ", "<b>"]), max_size=12).map("".join)
)
@settings(max_examples=500)
def test_comments_end_where_a_real_parser_ends_them(content):
    the_same_words(f"<p>one<!--{content}--><!-->two<b>three</b>")


@given(
    st.lists(st.sampled_from(["</title", "</titl", "</TITLE>", "</", ">", " ", "x", "<b>", "&lt;"]), max_size=12).map(
        "".join
    )
)
@settings(max_examples=200)
def test_titles_end_where_a_real_parser_ends_them(content):
    the_same_words(f"<title>{content}</title><p>one")
