"""Character references stand for what Python's ``html.unescape`` says they do."""

from html import unescape
from html.entities import html5

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataprep.html.dom.entities import NOTHING, refer

PIECES = st.one_of(
    st.sampled_from(
        ["&", "&#", "&#x", "&#X", ";", "#", "x", "=", "&amp", "&notit;", "&notin;", "&NotEqualTilde;", "\0"]
    ),
    st.sampled_from(sorted(html5)).map(lambda name: "&" + name),
    st.sampled_from(sorted(html5)).map(lambda name: "&" + name[:-1]),
    st.integers(0, 0x120000).map(lambda code: f"&#{code}"),
    st.integers(0, 0x120000).map(lambda code: f"&#x{code:x};"),
    st.text(max_size=4),
)


def unescaped(text, attribute=False):
    b = np.frombuffer(text.encode(), np.uint8)
    found = bytearray()
    i = 0
    while i < len(b):
        if b[i] == 38:
            i, *codes = refer(b, i, len(b), attribute)
            found += "".join(chr(code) for code in codes if code != NOTHING).encode()
        else:
            found.append(b[i])
            i += 1
    return found.decode()


@given(st.lists(PIECES, max_size=8).map("".join))
def test_any_text_is_unescaped_as_python_does(text):
    assert unescaped(text) == unescape(text)


def test_every_name_and_every_small_number():
    for name in html5:
        for after in ("", ";", "a", "1", "="):
            assert unescaped(f"&{name}{after}") == unescape(f"&{name}{after}")
    text = " ".join(
        f"&#{code} &#x{code:X};" for code in [*range(0x300), *range(0xD700, 0xE100), *range(0xFD00, 0x10100)]
    )
    assert unescaped(text) == unescape(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("?a=1&copy=2", "?a=1&copy=2"),
        ("?a=1&copy;=2", "?a=1©=2"),
        ("&copycat", "&copycat"),
        ("&copy", "©"),
        ("&copy.", "©."),
        ("&amp;copy=", "&copy="),
        ("&#65=", "A="),
    ],
)
def test_an_old_name_in_an_attribute_needs_its_semicolon_before_more_of_a_query(text, expected):
    assert unescaped(text, attribute=True) == expected


def test_a_number_of_a_million_digits_is_no_character():
    assert unescaped("&#" + "9" * 1_000_000 + ";") == "\ufffd"
    assert unescaped("&" * 100_000) == "&" * 100_000
