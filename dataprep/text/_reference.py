"""The definitions of this package in plain Python, one document at a time: what the kernels must equal on any text."""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

from dataprep.text.classes import NO_SPACE_SCRIPTS, ZERO_WIDTH_SPACE


def _letter(char: str) -> str:
    """One letter a class of character, so that the definition of a word is a regular expression over them."""
    category = unicodedata.category(char)
    code = ord(char)
    if char.isspace():
        return "S"
    if category[0] == "M":
        return "M"
    if category == "Nd":
        return "D"
    if category[0] == "L" or category[0] == "N" or category == "Pc":
        single = category != "Pc" and any(first <= code <= last for first, last in NO_SPACE_SCRIPTS)
        return "C" if single else "W"
    if category == "Cf" and code != ZERO_WIDTH_SPACE:
        return "F"
    if char in "'’":
        return "A"
    return "P" if char in ".," else "O"


_WORD = re.compile(r"C[MF]*|[WDM](?:[WDMF]|A(?=[WDM])|(?<=D)P(?=D))*|[FOAP][FOAPM]*")


def words(text: str) -> list[str]:
    """The words of ``text``; see `words` for the definition in words."""
    letters = "".join(map(_letter, text))
    return [text[match.start() : match.end()] for match in _WORD.finditer(letters)]


def in_denominator(text: str) -> list[bool]:
    """For each of ``words(text)``: whether it counts as a word where something is measured per word."""
    letters = f"S{''.join(map(_letter, text))}S"
    return [
        has_content(text[match.start() - 1 : match.end() - 1])
        or (letters[match.start() - 1] == "S" and letters[match.end()] == "S")
        for match in _WORD.finditer(letters)
    ]


def has_alpha(word: str) -> bool:
    return any(char.isalpha() for char in word)


def has_content(word: str) -> bool:
    return any(unicodedata.category(char)[0] in "LN" for char in word)


def python_lines(text: str) -> list[str]:
    return text.splitlines()


def newline_lines(text: str) -> list[str]:
    return text.split("\n")


def newline_run_lines(text: str) -> list[str]:
    return re.split("\n+", text)


def paragraphs(text: str) -> list[str]:
    return re.split("\n{2,}", text.strip())


def duplicates(pieces: Sequence[str]) -> tuple[int, int]:
    """How many pieces equal an earlier one, and their code points."""
    seen: set[str] = set()
    count = chars = 0
    for piece in pieces:
        if piece in seen:
            count += 1
            chars += len(piece)
        seen.add(piece)
    return count, chars


def top_ngram(words: Sequence[str], n: int) -> int:
    """Code points of the most frequent n-gram, joined by spaces, times its count; the first seen among equals."""
    if len(words) < n:
        return 0
    counts = Counter(" ".join(words[i : i + n]) for i in range(len(words) - n + 1))
    ngram, count = counts.most_common(1)[0]
    return len(ngram) * count


def repeated_ngrams(words: Sequence[str], n: int) -> int:
    """Code points in n-grams seen before, scanning from the left and jumping behind each one found."""
    seen: set[str] = set()
    chars = i = 0
    while i <= len(words) - n:
        ngram = "".join(words[i : i + n])
        if ngram in seen:
            chars += len(ngram)
            i += n
        else:
            seen.add(ngram)
            i += 1
    return chars
