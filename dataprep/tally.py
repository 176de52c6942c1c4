"""Counting documents so that nothing is lost silently: in = kept + removed + quarantined."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Tally:
    """What a split or a stage did. ``removed``: reason → [documents, characters]; ``quarantined``: reason → records.

    Characters are Unicode code points of the text; records that never became text count 0 characters.
    ``characters_in`` is 0 where a stage's input is not text yet.
    """

    documents_in: int = 0
    characters_in: int = 0
    kept: int = 0
    characters_kept: int = 0
    removed: dict[str, list[int]] = field(default_factory=dict)
    quarantined: dict[str, int] = field(default_factory=dict)

    def take(self, documents: int, characters: int = 0) -> None:
        self.documents_in += documents
        self.characters_in += characters

    def keep(self, documents: int, characters: int = 0) -> None:
        self.kept += documents
        self.characters_kept += characters

    def remove(self, reason: str, documents: int = 1, characters: int = 0) -> None:
        entry = self.removed.setdefault(reason, [0, 0])
        entry[0] += documents
        entry[1] += characters

    def quarantine(self, reason: str, documents: int = 1) -> None:
        self.quarantined[reason] = self.quarantined.get(reason, 0) + documents

    def check(self, where: str) -> None:
        """Raise ``RuntimeError`` if the counts do not add up: a bug, never a property of the input."""
        out = self.kept + sum(n for n, _ in self.removed.values()) + sum(self.quarantined.values())
        if out != self.documents_in:
            raise RuntimeError(
                f"{where}: {self.documents_in} documents in, {out} out "
                f"({self.kept} kept, {self.removed} removed, {self.quarantined} quarantined)"
            )

    def to_json(self) -> dict[str, Any]:
        return {
            "documents_in": self.documents_in,
            "characters_in": self.characters_in,
            "kept": self.kept,
            "characters_kept": self.characters_kept,
            "removed": {reason: self.removed[reason] for reason in sorted(self.removed)},
            "quarantined": {reason: self.quarantined[reason] for reason in sorted(self.quarantined)},
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Tally":
        return cls(
            documents_in=value["documents_in"],
            characters_in=value["characters_in"],
            kept=value["kept"],
            characters_kept=value["characters_kept"],
            removed={reason: list(counts) for reason, counts in value["removed"].items()},
            quarantined=dict(value["quarantined"]),
        )

    @classmethod
    def total(cls, tallies: Iterable["Tally"]) -> "Tally":
        result = cls()
        for tally in tallies:
            result.take(tally.documents_in, tally.characters_in)
            result.keep(tally.kept, tally.characters_kept)
            for reason, (documents, characters) in tally.removed.items():
                result.remove(reason, documents, characters)
            for reason, documents in tally.quarantined.items():
                result.quarantine(reason, documents)
        return result
