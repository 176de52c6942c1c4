"""What is missing from a page's text and what is surplus in it, as runs of words to search for in the page."""

import re
from collections import Counter
from collections.abc import Iterator

from benchmarks.extraction.metrics import NGRAM, Segments, Shingle, Truth, shingles

LONGEST = 200  # characters shown of a line
MOST = 25  # lines shown of what is missing, and of what is surplus
_TOKEN = re.compile(r"\w+")


def runs(text: str, other: str) -> Iterator[str]:
    """The parts of ``text`` whose tokens are in no 4-gram that ``other`` has too, each as it stands, line by line.

    A 4-gram that ``other`` holds twice is matched twice, as the metric counts it.
    """
    tokens = list(_TOKEN.finditer(text))
    left: Counter[Shingle] = shingles(other)
    matched = [False] * len(tokens)
    for i in range(max(1, len(tokens) - NGRAM + 1)):
        shingle = tuple(token[0] for token in tokens[i : i + NGRAM])
        if left[shingle] > 0:
            left[shingle] -= 1
            matched[i : i + NGRAM] = [True] * len(shingle)
    start = None
    for i, same in enumerate([*matched, True]):
        if start is None and not same:
            start = i
        elif start is not None and same:
            # up to the next word that matches, so that closing punctuation shows
            end = tokens[i].start() if i < len(tokens) else len(text)
            yield from filter(None, map(str.strip, text[tokens[start].start() : end].split("\n")))
            start = None


def differences(truth: Truth, text: str, others: dict[str, str]) -> Iterator[str]:
    """Lines for a person: ``-`` is missing, ``+`` is surplus; a cut line says how long it is."""
    if isinstance(truth, Segments):
        for segment in truth.required:
            if segment not in text:
                have = [name for name, other in others.items() if segment in other]
                yield f"  - {_cut(segment)}    [{'in ' + ', '.join(have) if have else 'no engine has it'}]"
        for segment in truth.forbidden:
            if segment in text:
                have = [name for name, other in others.items() if segment in other]
                where = next((line for line in text.split("\n") if segment in line), segment)
                yield f"  + {_cut(segment)}    [{'also in ' + ', '.join(have) if have else 'only ours'}]"
                if where.strip() != segment.strip():
                    yield f"      in the line: {_cut(where)}"
        return
    for sign, one, two in (("-", truth, text), ("+", text, truth)):
        lines = list(runs(one, two))
        yield from (f"  {sign} {_cut(line)}" for line in lines[:MOST])
        if len(lines) > MOST:
            yield f"  {sign} … {len(lines) - MOST} more, {sum(map(len, lines[MOST:])):,} characters"


def _cut(line: str) -> str:
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}… ({len(line):,} characters)"
