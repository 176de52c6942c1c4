"""What the tokenizer stage found out about its tokenizer: loaded from ``tokenizer/report.json``, and as markup."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dataprep import storage
from dataprep.report.markup import Child, Html, details, section, table, tag
from dataprep.report.wording import clip, count, share, short

FILE = ("tokenizer", "report.json")
GROUPS_SHOWN = 40
CHARACTERS = 60


@dataclass(frozen=True)
class GroupFigures:
    """``name``: source and language, or what the last line sums up."""

    name: tuple[str, str]
    bytes: int
    tokens: int

    @property
    def bytes_per_token(self) -> float:
        return self.bytes / max(self.tokens, 1)


@dataclass(frozen=True)
class VocabularyFigures:
    """``unused`` and ``longest``: id, text, bytes, count of some tokens."""

    groups: tuple[GroupFigures, ...]
    total: GroupFigures
    facts: tuple[tuple[str, str], ...]
    unused: tuple[tuple[int, str, int, int], ...]
    longest: tuple[tuple[int, str, int, int], ...]


def load_vocabulary(out: str) -> VocabularyFigures | None:
    """None where the run's tokenizer stage has written none."""
    path = storage.join(out, *FILE)
    if not storage.exists(path):
        return None
    value = storage.read_json(path)
    every = sorted(
        (GroupFigures((one["source"], one["language"]), one["bytes"], one["tokens"]) for one in value["groups"]),
        key=lambda group: (-group.bytes, group.name),
    )
    shown, rest = every[:GROUPS_SHOWN], every[GROUPS_SHOWN:]
    if rest:
        shown.append(_sum(f"{len(rest)} more", rest))
    controls = sorted(value["control_tokens"].items(), key=lambda item: item[1])
    return VocabularyFigures(
        groups=tuple(shown),
        total=_sum("all", every),
        facts=(
            ("tokens for text", count(value["tokens"])),
            ("not in the sample", f"{count(value['unused'])} ({share(value['unused'], value['tokens'])})"),
            ("control tokens", ", ".join(f"{text} {number}" for text, number in controls)),
        ),
        unused=_tokens(value["unused_first"]),
        longest=_tokens(value["longest"]),
    )


def _sum(name: str, groups: Sequence[GroupFigures]) -> GroupFigures:
    return GroupFigures((name, ""), sum(one.bytes for one in groups), sum(one.tokens for one in groups))


def _tokens(values: Sequence[Mapping[str, Any]]) -> tuple[tuple[int, str, int, int], ...]:
    # between quotes, so that spaces show
    return tuple((one["id"], repr(one["text"]), one["bytes"], one["count"]) for one in values)


def vocabulary(figures: VocabularyFigures | None) -> Html:
    """The report's chapter; nothing without figures."""
    if figures is None:
        return Html("")
    rows: list[list[Child]] = [
        [*one.name, short(one.bytes), short(one.tokens), f"{one.bytes_per_token:.2f}"]
        for one in (*figures.groups, figures.total)
    ]
    columns = ("source", "language", "bytes", "tokens", "bytes/token")
    return section(
        "Tokenizer",
        table(columns, rows, range(2, len(columns))),
        table(("", ""), [list(fact) for fact in figures.facts]),
        *(
            details(title, table(("token", "id", "bytes", "times"), _rows(tokens), (1, 2, 3)))
            for title, tokens in (
                ("The longest tokens", figures.longest),
                ("The first tokens that are not in the sample", figures.unused),
            )
            if tokens
        ),
        note="Measured on the sample that it was trained on, or would have been. Few bytes a token: a language or a "
        "source that the vocabulary does not serve well.",
    )


def _rows(tokens: Sequence[tuple[int, str, int, int]]) -> list[list[Child]]:
    return [
        [tag("span", clip(text, CHARACTERS), class_="mono"), *map(count, numbers)]
        for text, numbers in ((text, (number, size, times)) for number, text, size, times in tokens)
    ]
