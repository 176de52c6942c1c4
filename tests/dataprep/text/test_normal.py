"""What is taken for normalised is."""

import unicodedata

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dataprep.text.normal import is_nfc, normalisation

COMPOSING = st.sampled_from("aeo\u0301\u0323\u0307\u1100\u1161\u11a8\uac00가각é\u0958\u093c\u0928\u212b\U0001d15e")


def surely_nfc(text):
    b = np.frombuffer(text.encode(), np.uint8)
    return is_nfc(b, 0, len(b), *normalisation("NFC"))


@given(st.one_of(st.text(), st.text(COMPOSING, max_size=6)))
def test_a_text_said_to_be_in_form_c_is(text):
    if surely_nfc(text):
        assert unicodedata.is_normalized("NFC", text)


def test_most_text_is_said_to_be():
    for text in (
        "",
        "plain",
        "Füße, être, şöyle",
        "Привет",
        "日本語、한국어",
        "हिन्दी में",
        "नमस्ते",
        "السَّلام",
        "a" + "\u0323\u0302",
    ):
        assert surely_nfc(text) or not unicodedata.is_normalized("NFC", text) or any(map(unicodedata.combining, text))
    assert surely_nfc("Füße, être, şöyle Привет 日本語、한국어")
    assert not surely_nfc("e\u0301")
    assert not surely_nfc("x\u0302\u0323")
