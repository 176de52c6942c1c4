"""Words in class names are found as a plain search finds them."""

import re

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dataprep.html.dom.automaton import BOUNDARY, CATEGORIES, CATEGORY, ITEM, ROLE, build, class_words, entries, match

SYMBOLS = {letter: code for code, letter in enumerate("abc")}


@given(
    st.lists(st.text("abc", min_size=1, max_size=4), min_size=1, max_size=12, unique=True),
    st.text("abc", max_size=40),
)
@settings(max_examples=300)
def test_an_automaton_finds_exactly_the_words_that_are_there(words, text):
    step, found = build([(tuple(SYMBOLS[c] for c in word), 1 << place) for place, word in enumerate(words)], 3)
    state = mask = 0
    for letter in text:
        state = step[state, SYMBOLS[letter]]
        mask |= int(found[state])
    assert mask == sum(1 << place for place, word in enumerate(words) if word in text)


def categories(value, kind=BOUNDARY):
    step, found, symbols, _ = class_words()
    b = np.frombuffer(value.encode(), np.uint8)
    return int(match(step, found, symbols, b, 0, len(b), kind))


def spelled(text):
    """As the automaton reads it: no case, one digit, one letter beyond ASCII for each byte, one boundary."""
    signs = ((b"0" if c.isdigit() else c.encode()) if c.isascii() and c.isalnum() else c.encode() for c in text.lower())
    return "".join("é" if byte >= 128 else chr(byte) if chr(byte).isalnum() else "|" for byte in b"".join(signs))


def plain_search(value, kind):
    """The categories of all entries of the word list that are in the value."""
    words = re.sub(r"\|+", "|", spelled(re.sub("(?<=[a-z])(?=[A-Z])", "|", value)))
    text = {BOUNDARY: "|", ROLE: "R", ITEM: "I"}[kind] + words.removeprefix("|") + "|"
    mask = 0
    for category, listed in entries("classes", CATEGORIES).items():
        for entry in listed:
            if entry.startswith("role="):
                there = text.startswith(f"R{spelled(entry[5:])}|")
            elif entry.startswith("item="):
                there = text.startswith("I" + spelled(re.sub("(?<=[a-z])(?=[A-Z])", "|", entry[5:])) + "|")
            else:
                start, end = ("|" if entry.startswith("^") else ""), ("|" if entry.endswith("$") else "")
                there = start + spelled(entry.strip("^$")) + end in text and not entry.startswith("tag=")
            mask |= int(CATEGORY[category]) * there
    return mask


WORDS = sorted({word for listed in entries("classes", CATEGORIES).values() for word in listed if "=" not in word})
PARTS = st.one_of(
    st.sampled_from([word.strip("^$") for word in WORDS]),
    st.sampled_from(["-", "_", " ", "Nav", "x", "7", "é", "A", "post"]),
)


@given(st.lists(PARTS, max_size=6).map("".join))
@settings(max_examples=300)
def test_categories_of_a_class_are_those_of_a_plain_search_of_the_word_list(value):
    assert categories(value) == plain_search(value, BOUNDARY)


def test_every_entry_is_found_alone():
    for category, listed in entries("classes", CATEGORIES).items():
        for entry in listed:
            if "=" not in entry:
                assert categories(entry.strip("^$")) & int(CATEGORY[category]), entry


def test_words_are_divided_at_capitals_and_signs():
    nav = int(CATEGORY["nav"])
    assert categories("mainNavbar") & nav
    assert categories("NAVBAR") & nav
    assert categories("x navbar-top") & nav
    assert not categories("") & nav


def test_a_role_or_an_itemprop_is_the_first_word_of_the_value():
    assert categories("navigation", ROLE) & int(CATEGORY["nav"])
    assert categories("complementary", ROLE) & int(CATEGORY["side"])
    assert not categories("complementarys", ROLE) & int(CATEGORY["side"])
    assert categories("text", ITEM) & int(CATEGORY["body"])
    assert not categories("text", ROLE) & int(CATEGORY["body"])


@given(st.lists(PARTS, max_size=4).map("".join), st.sampled_from([ROLE, ITEM]))
@settings(max_examples=200)
def test_categories_of_a_role_are_those_of_a_plain_search_of_the_word_list(value, kind):
    assert categories(value, kind) == plain_search(value, kind)
