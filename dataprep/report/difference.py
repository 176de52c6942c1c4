"""What editing made of a text, as a few lines for a person's eyes.

Decisions:
- Lines are compared after what both texts begin and end with is set aside, and at most ``LINES_COMPARED`` of the rest.
- Of a changed line that is long, the part around its first change is shown.
"""

import difflib
from bisect import bisect_left
from collections.abc import Iterator

LINES_COMPARED = 2000  # comparing is quadratic in them
CONTEXT_LINES = 1
LINE_CHARACTERS = 120
CONTEXT_CHARACTERS = 30

Lines = list[tuple[str, str]]  # sign (" ", "-", "+", "@" for a place) and text


def difference(before: str, after: str, limit: int) -> Lines:
    """At most ``limit`` lines; none when the texts are equal."""
    if before == after:
        return []
    old, new = before.split("\n"), after.split("\n")
    start = _common(old, new)
    end = _common(old[start:][::-1], new[start:][::-1])
    # the context of the first and the last change is taken back in
    first, rest = max(0, start - CONTEXT_LINES), max(0, end - CONTEXT_LINES)
    old, new = (lines[first : len(lines) - rest][:LINES_COMPARED] for lines in (old, new))
    shown: Lines = []
    for group in difflib.SequenceMatcher(None, old, new).get_grouped_opcodes(CONTEXT_LINES):
        shown.append(("@", f"line {first + group[0][1] + 1}"))
        for kind, low, high, new_low, new_high in group:
            if kind == "equal":
                shown += [(" ", _beginning(line)) for line in old[low:high]]
            elif high - low == new_high - new_low:
                for pair in zip(old[low:high], new[new_low:new_high], strict=True):
                    shown += zip("-+", _around_the_change(*pair), strict=True)
            else:
                shown += [("-", _beginning(line)) for line in old[low:high]]
                shown += [("+", _beginning(line)) for line in new[new_low:new_high]]
        if len(shown) > limit:
            return [*shown[:limit], ("@", "…")]
    return shown


def _common(one: list[str] | str, other: list[str] | str) -> int:
    """How many items both begin with."""
    size = min(len(one), len(other))
    return bisect_left(range(size), True, key=lambda end: one[: end + 1] != other[: end + 1])


def _beginning(line: str) -> str:
    return line if len(line) <= LINE_CHARACTERS else line[:LINE_CHARACTERS] + "…"


def _around_the_change(before: str, after: str) -> Iterator[str]:
    start = max(0, _common(before, after) - CONTEXT_CHARACTERS)
    if max(len(before), len(after)) <= LINE_CHARACTERS:
        start = 0
    for line in (before, after):
        yield ("…" if start else "") + _beginning(line[start:])
