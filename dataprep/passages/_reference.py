"""The same in plain Python: what the kernels must equal."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from dataprep.passages.settings import PassageSettings

Key = tuple[str, ...]  # the kind, then the words


class Edit(NamedTuple):
    start: int
    end: int
    reason: str
    occurrences: int
    kept_in: bytes | None


class Piece(NamedTuple):
    """A unit, or several stretches in a row that are first in the same document."""

    reason: str
    key: Key
    first: tuple[bytes, int] | None
    place: tuple[int, int] | None  # of a line or paragraph


def words(text: str) -> list[tuple[int, int, str]]:
    """Start, end and lower case of every word."""
    fold = {"ς": "σ"}
    return [
        (m.start(), m.end(), "".join(fold.get(c, c.lower()[0]) for c in m.group())) for m in re.finditer(r"\w+", text)
    ]


def lines(text: str) -> Iterator[tuple[int, int]]:
    """Where the text of every line begins and ends; (0, 0) for one of white space alone."""
    for m in re.finditer(r"[^\n]+|(?<=\n)(?=\n)", text):
        line = m.group()
        start = m.start() + len(line) - len(line.lstrip())
        yield (start, start + len(line.strip())) if line.strip() else (0, 0)


def paragraphs(text: str) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    goes_on = False
    for start, end in lines(text):
        if start == end:
            goes_on = False
        elif goes_on:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
            goes_on = True
    return found


def units(text: str, settings: PassageSettings) -> Iterator[tuple[str, Key, int, tuple[int, int] | None]]:
    """Reason, key, number of the first word, and place, of all that may be repeated."""
    found = words(text)
    for reason, limit, places in (
        ("repeated_paragraph", settings.paragraphs, paragraphs(text)),
        ("repeated_line", settings.lines, [line for line in lines(text) if line[0] < line[1]]),
    ):
        for start, end in places if limit is not None else []:
            inside = [(i, word) for i, word in enumerate(found) if start <= word[0] < end]
            if sum(word[1] - word[0] for _, word in inside) >= settings.characters:
                yield reason, (reason, *(word[2] for _, word in inside)), inside[0][0], (start, end)
    n = settings.substring_tokens
    for i in range(len(found) - n + 1 if n else 0):
        yield "repeated_passage", ("repeated_passage", *(word[2] for word in found[i : i + (n or 0)])), i, None


def edits(corpus: Mapping[bytes, str], settings: PassageSettings) -> dict[bytes, list[Edit]]:
    """What goes from every document, given the texts by document id."""
    places: dict[Key, list[tuple[bytes, int]]] = defaultdict(list)
    for key in sorted(corpus):
        for _, unit, place, _ in units(corpus[key], settings):
            places[unit].append((key, place))
    limits = {"repeated_paragraph": settings.paragraphs, "repeated_line": settings.lines, "repeated_passage": 1}
    goes = {unit: min(at) for unit, at in places.items() if len(at) > (limits[unit[0]] or 0)}
    found = {}
    for key, text in corpus.items():
        spans = _spans(text, _owners(key, text, goes, settings))
        found[key] = [
            Edit(start, end, piece.reason, len(places[piece.key]), piece.first and piece.first[0])
            for start, end, piece in spans
        ]
    return found


def without(text: str, gone: list[Edit]) -> str:
    for edit in reversed(gone):
        text = text[: edit.start] + text[edit.end :]
    return text


def _owners(
    key: bytes, text: str, goes: Mapping[Key, tuple[bytes, int]], settings: PassageSettings
) -> list[Piece | None]:
    """The piece that each word goes with."""
    found = words(text)
    owners: list[Piece | None] = [None] * len(found)
    n = settings.substring_tokens or 0
    covered = 0
    last: Piece | None = None
    every = list(units(text, settings))
    for _, unit, place, _ in (one for one in every if one[0] == "repeated_passage"):
        if unit not in goes or goes[unit] == (key, place):
            continue
        first = goes[unit]
        start = max(place, covered, first[1] + n if first[0] == key else 0)
        if start < place + n:
            same = last is not None and last.first is not None and last.first[0] == first[0]
            if not (same and start == covered):
                last = Piece("repeated_passage", unit, first, None)
            covered = place + n
            owners[start:covered] = [last] * (covered - start)
    for reason in ("repeated_line", "repeated_paragraph"):
        for _, unit, place, span in (one for one in every if one[0] == reason):
            if unit in goes and span and (settings.keep == "none" or goes[unit] != (key, place)):
                piece = Piece(reason, unit, goes[unit] if settings.keep == "first" else None, span)
                for i, word in enumerate(found):
                    if span[0] <= word[0] < span[1]:
                        owners[i] = piece
    return owners


def _spans(text: str, owners: list[Piece | None]) -> list[tuple[int, int, Piece]]:
    """The spans that go: groups of consecutive words, with the marks and the white space that go with each group."""
    found = words(text)
    spans: list[tuple[int, int, Piece]] = []
    i = 0
    while i < len(found):
        group: list[tuple[int, int, Piece]] = []
        while i < len(found) and (piece := owners[i]) is not None:
            start = i
            while i < len(found) and owners[i] is piece:
                i += 1
            group.append((*(piece.place or (found[start][0], found[i - 1][1])), piece))
        if not group:
            i += 1
            continue
        begin, end = _with_spaces(text, *_with_marks(text, group[0][0], group[-1][1]))
        bounds = [begin, *(start for start, _, _ in group[1:]), end]
        spans += [(bounds[k], bounds[k + 1], piece) for k, (_, _, piece) in enumerate(group)]
    return spans


def _with_marks(text: str, start: int, end: int) -> tuple[int, int]:
    before = re.search(r"\S*$", text[:start])
    after = re.match(r"\S*", text[end:])
    assert before
    assert after
    left = before.group() if not re.search(r"\w", before.group()) else ""
    right = after.group() if not re.search(r"\w", after.group()) else ""
    return start - len(left), end + len(right)


def _with_spaces(text: str, start: int, end: int) -> tuple[int, int]:
    left = text[:start][len(text[:start].rstrip()) :]
    right = text[end:][: len(text[end:]) - len(text[end:].lstrip())]
    if end + len(right) == len(text):
        return start - len(left), len(text)
    to_newline = right.rindex("\n") + 1 if "\n" in right else len(right)
    if start == len(left):
        return 0, end + to_newline
    if right.count("\n") > left.count("\n"):
        return start - len(left), end
    if "\n" in right:
        return start - (len(left) - left.rindex("\n") - 1), end + to_newline
    return start, end + len(right)
