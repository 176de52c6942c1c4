"""Many words at once: an Aho-Corasick automaton (Aho and Corasick 1975) as a dense table, one load a symbol.

`class_words` reads class, id, role and itemprop values; its words are in ``words/classes.yaml``. A symbol is a letter
without case, a digit, anything beyond ASCII, a boundary, or which attribute the value is of.
"""

from collections import deque
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

import numpy as np
import yaml
from numpy.typing import NDArray

from dataprep.compiled import njit
from dataprep.html.dom.tags import TAG, TAGS
from dataprep.text.utf8 import Bytes, Hashes

BOUNDARY, DIGIT, BEYOND, ROLE, ITEM = 0, 27, 28, 29, 30
SYMBOLS = 32


def build(words: Iterable[tuple[tuple[int, ...], int]], symbols: int) -> tuple[NDArray[np.uint16], Hashes]:
    """The tables for (symbols of a word, its mask)."""
    children: list[dict[int, int]] = [{}]
    found = [0]
    for word, mask in words:
        state = 0
        for symbol in word:
            following = children[state].setdefault(symbol, len(children))
            if following == len(children):
                children.append({})
                found.append(0)
            state = following
        found[state] |= mask
    step = np.zeros((len(children), symbols), np.uint16)
    back = [0] * len(children)  # the state of the longest ending that begins another word
    waiting = deque([0])
    while waiting:
        state = waiting.popleft()
        found[state] |= found[back[state]]
        step[state] = step[back[state]]
        for symbol, following in children[state].items():
            back[following] = int(step[state, symbol])
            step[state, symbol] = following
            waiting.append(following)
    return step, np.array(found, np.uint64)


@njit(nogil=True, cache=True)
def match(
    step: NDArray[np.uint16], found_at: Hashes, symbols: Bytes, b: Bytes, start: int, end: int, kind: int
) -> np.uint64:
    """The mask of all words in ``b[start:end]``, a value of the attribute ``kind`` (BOUNDARY for class and id).

    ``step[state, symbol]`` is the next state, ``found_at[state]`` the mask of all words that end there. Boundaries in
    a row are one, so that ``article__body`` is ``article-body``.
    """
    state = step[0, kind]
    found = found_at[state]
    small = False
    symbol = np.uint8(BOUNDARY)
    for i in range(start, end):
        byte = b[i]
        capital = np.uint8(65) <= byte <= np.uint8(90)
        if capital and small:
            state = step[state, BOUNDARY]
            found |= found_at[state]
        small = np.uint8(97) <= byte <= np.uint8(122)
        before, symbol = symbol, symbols[byte]
        if symbol != BOUNDARY or before != BOUNDARY:
            state = step[state, symbol]
            found |= found_at[state]
    state = step[state, BOUNDARY]
    return found | found_at[state]


def _symbol_table() -> Bytes:
    table = np.zeros(256, np.uint8)
    for letter in range(26):
        table[65 + letter] = table[97 + letter] = letter + 1
    table[48:58] = DIGIT
    table[128:] = BEYOND
    return table


CATEGORIES: tuple[str, ...] = (
    "comment", "footer", "nav", "side", "share", "tools", "related", "news", "cookie", "meta", "author", "hidden",
    "login", "media", "tags", "promo", "form", "figure", "figcaption", "body", "main", "entry", "math", "false_friend",
)  # fmt: skip
CATEGORY = {name: np.uint64(1 << bit) for bit, name in enumerate(CATEGORIES)}


def entries(name: str, groups: Iterable[str]) -> dict[str, list[str]]:
    """Group → its entries in all languages, of the list ``words/NAME.yaml``, which may have these groups."""
    text = files("dataprep.html").joinpath("words", f"{name}.yaml").read_text("utf-8")
    return parse_entries(f"words/{name}.yaml", text, groups)


def parse_entries(name: str, text: str, groups: Iterable[str]) -> dict[str, list[str]]:
    lists: dict[str, dict[str, list[str]]] = yaml.safe_load(text)
    for group in lists:
        if group not in groups:
            raise ValueError(f"{name}: there is no {group!r}, only {', '.join(groups)}")
    return {group: [entry for language in lists[group].values() for entry in language] for group in lists}


@cache
def class_words() -> tuple[NDArray[np.uint16], Hashes, Bytes, Hashes]:
    """For `match`: steps, masks and the symbol of each byte; and the categories of each tag (see ``tags.TAGS``)."""
    tags = np.zeros(len(TAGS), np.uint64)
    words: list[tuple[tuple[int, ...], int]] = []
    table = _symbol_table()
    for category, listed in entries("classes", CATEGORIES).items():
        mask = CATEGORY[category]
        for entry in listed:
            if entry.startswith("tag="):
                if entry[4:] not in TAG:
                    raise ValueError(f"words/classes.yaml: {entry!r} of {category!r}: no such element in tags.py")
                tags[TAG[entry[4:]]] |= mask
            else:
                words.append((symbols_of(entry), int(mask)))
    step, found = build(words, SYMBOLS)
    return step, found, table, tags


def symbols_of(entry: str) -> tuple[int, ...]:
    """What `match` must meet to find an entry of ``words/classes.yaml`` that is no tag."""
    table = _symbol_table()
    prefix: list[int] = []
    suffix: list[int] = []
    for name, kind in (("role=", ROLE), ("item=", ITEM)):
        if entry.startswith(name):
            prefix, suffix = [kind], [BOUNDARY]
            # a value in camelCase is divided like any other
            entry = "".join(f"-{c}" if c.isupper() and i else c for i, c in enumerate(entry[len(name) :]))
    if entry.startswith("^"):
        prefix, entry = [BOUNDARY], entry[1:]
    if entry.endswith("$"):
        suffix, entry = [BOUNDARY], entry[:-1]
    return (*prefix, *(int(table[byte]) for byte in entry.lower().encode()), *suffix)
