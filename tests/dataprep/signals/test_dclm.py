"""The measurements of DCLM-Baseline: their definition in plain Python, and documents where readings differ."""

from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataprep.signals.dclm import REPEATED, SYMBOLS, TOP, Dclm
from dataprep.signals.gopher import STOP_WORDS
from dataprep.text import _reference as reference
from dataprep.text.classes import ALPHA, DIGIT, MARK, SINGLE, classes

PIECES = [
    "the",
    "THE",
    "of",
    "x",
    "e.g",
    "a:b",
    "5;6",
    "1.5",
    "é",
    "漢字",
    "ไทย",
    "l’a",
    "a\u0301.b",
    "* ",
    "● ",
    "#",
    "x. . .",
]
SPACES = [" ", " ", " ", "\n", "\n", "\n\n", "\n\n\n", "\t", "\r", "\x85", "\xa0", "...", "…", ".", ":", ";", "\x00"]
documents = st.one_of(st.lists(st.sampled_from(PIECES + SPACES * 2), max_size=80).map("".join), st.text())


def share(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator else 0.0


def boundary_words(text: str) -> list[str]:
    """Our words, joined where UAX #29 has no boundary, those that begin with a letter or number."""
    table = classes()
    found: list[str] = []
    pieces: list[str] = []
    place = 0
    for word in reference.words(text):
        at = text.index(word, place)
        if at > place:
            pieces.append(" ")
        pieces.append(word)
        place = at + len(word)
    i = 0
    while i < len(pieces):
        word = pieces[i]
        i += 1
        if not word[0].isalnum():
            continue
        while i + 1 < len(pieces) and len(pieces[i]) == 1:
            left = next((c for c in reversed(pieces[i - 1]) if not table[ord(c)] & MARK), pieces[i - 1][0])
            both = table[ord(left)] & table[ord(pieces[i + 1][0])]
            single = (table[ord(left)] | table[ord(pieces[i + 1][0])]) & SINGLE
            digits = both & DIGIT and pieces[i] in ";\u2018\u2019\u2024"
            letters = both & ALPHA and not single and not both & DIGIT and pieces[i] in ".:·\u2018\u2019\u2024\u2027"
            if not digits and not letters:
                break
            word += pieces[i] + pieces[i + 1]
            i += 2
        found.append(word)
    return found


def dclm(text: str) -> dict[str, float]:
    split = text.split()
    tokens = "".join(" " if c in "\t\n\x0b\x0c\r\x00" else c for c in text).split(" ")
    lines = [line for line in map(str.strip, text.split("\n")) if line]
    values: dict[str, float] = {
        "dclm.words": sum(token[0].isalnum() for token in tokens if token),
        "dclm.mean_word_length": share(sum(map(len, split)), len(split)),
        "dclm.symbol_ratio": share(sum(map(text.count, SYMBOLS)), len(split)),
        "dclm.bullet_lines": share(sum(line.startswith(tuple("●•*-")) for line in lines), len(lines)),
        "dclm.ellipsis_lines": share(sum(line.endswith(("...", ". . .", "…")) for line in lines), len(lines)),
        "dclm.non_alpha_words": share(sum(not any(map(str.isalpha, word)) for word in split), len(split)),
        "dclm.stop_words": sum(word.lower() in STOP_WORDS for word in split),
    }
    paragraphs = [piece for piece in map(str.strip, text.split("\n\n")) if piece]
    for name, pieces in (("line", lines), ("para", paragraphs)):
        again = {piece: count for piece, count in Counter(pieces).items() if count > 1}
        size = sum(len(piece) * count for piece, count in again.items())
        values[f"dclm.dup_{name}_frac"] = share(sum(again.values()), len(pieces))
        values[f"dclm.dup_{name}_char_frac"] = share(size, sum(map(len, pieces)))
    words = boundary_words(text)
    chars = sum(map(len, words))
    for n in (*TOP, *REPEATED):
        ngrams = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
        counts = Counter(ngrams)
        most = max(counts.values(), default=0)
        if n in TOP:
            longest = max((sum(map(len, ngram)) for ngram, count in counts.items() if count == most > 1), default=0)
            values[f"dclm.top_{n}_gram"] = share(longest * most, chars)
        else:
            covered = {i + k for i, ngram in enumerate(ngrams) if counts[ngram] > 1 for k in range(n)}
            values[f"dclm.dup_{n}_gram"] = share(sum(len(words[i]) for i in covered), chars)
    return {name: values[name] for name in Dclm().columns.names}


def measured(*texts: str) -> list[dict[str, float]]:
    batch = Dclm()(pa.record_batch({"text": pa.array(texts, pa.large_string())}))
    return batch.select(Dclm().columns.names).to_pylist()


@given(texts=st.lists(documents, max_size=5))
@settings(max_examples=200)
def test_values_equal_their_definition_on_any_text(texts: list[str]) -> None:
    assert measured(*texts) == [dclm(text) for text in texts]


@pytest.mark.parametrize(
    ("text", "signal", "value"),
    [
        ("", "dup_line_frac", 0.0),
        ("one (two) -three 4\xa0five", "words", 2),
        ("The THE the. to", "stop_words", 3),
        ("# ... . . . … a", "symbol_ratio", 4 / 7),
        (" ● a\n• b\n*c\n-\n1. d\n\n", "bullet_lines", 4 / 5),
        ("a...\nb. . .\nc…\nd..\n", "ellipsis_lines", 3 / 4),
        ("a\n a \n\nb", "dup_line_frac", 2 / 3),
        ("a\n\n\n a\n\nb", "dup_para_frac", 2 / 3),
        ("two words", "top_2_gram", 0.0),
        ("a bb a bb ccc dddd ccc dddd", "top_2_gram", 14 / 20),
        ("a b c d e, a b c d e. f", "dup_5_gram", 10 / 11),
        ("a b c d e a b c d e a b c d e", "dup_10_gram", 1.0),
    ],
)
def test_documents_on_which_readings_of_gopher_differ(text: str, signal: str, value: float) -> None:
    assert measured(text)[0][f"dclm.{signal}"] == value
