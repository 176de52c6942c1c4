"""Which items of evaluation sets a run's documents hold, from the columns ``decontamination.*`` of its clean stage.

Decisions:
- No text is read, and only the rows with hits become Python objects.
- How many items a set has stands in the stage's manifest, since the columns only know the items that were found.
- Kept and removed are the clean stage's: what deduplication removes later is still kept here.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow.compute as pc

from dataprep import storage
from dataprep.report.layout import MANIFEST, parts, row_groups, stages

STEP = "decontamination"
HITS = f"{STEP}.hits"
COLUMNS = ["id", "url", "locator", HITS]


@dataclass
class FoundItem:
    """One item: how many documents hold some of it, and the one that holds most (a kept one, or the smallest id)."""

    number: int
    documents: dict[str, int] = field(default_factory=lambda: {"kept": 0, "removed": 0})
    covered: float = 0.0  # the largest share of its runs in one document, rounded down to hundredths
    best: tuple[float, int, bytes] = (0.0, 0, b"")
    place: str = ""  # of that document: its URL, or its locator

    def add(self, kind: str, share: float, identifier: bytes, place: str) -> None:
        self.documents[kind] += 1
        rank = (-share, kind != "kept", identifier)
        if not self.place or rank < self.best:
            self.best, self.covered, self.place = rank, share, place

    @property
    def document(self) -> str:
        return self.best[2].hex()


@dataclass(frozen=True)
class FoundSet:
    """One evaluation set: its items, how many could be looked for, and those found, by number."""

    name: str
    items: int
    sought: int
    files: Sequence[dict[str, Any]]  # path, items, hash
    found: Sequence[FoundItem]
    documents: dict[str, int]  # kept, removed: those that hold some of an item

    def at_least(self, share: float) -> int:
        """Items of which one document holds this share."""
        return sum(item.covered >= share for item in self.found)

    def worst(self, limit: int) -> list[FoundItem]:
        """Those of which a document holds most, then those in most documents."""
        order = sorted(self.found, key=lambda item: (-item.covered, -sum(item.documents.values()), item.number))
        return order[:limit]

    def source(self, item: FoundItem) -> tuple[str, int]:
        """The file and the row, from 0, that an item comes from."""
        row = item.number
        for file in self.files:
            if row < file["items"]:
                return file["path"], row
            row -= file["items"]
        raise ValueError(f"{self.name} has no item {item.number}; the clean stage's manifest and its parts disagree")


def find_contamination(out: str) -> list[FoundSet]:
    """Every evaluation set of a run, by name. Raises ``ValueError`` where the clean stage did not look for any."""
    known = _evaluations(out)
    items: dict[str, dict[int, FoundItem]] = {name: {} for name in known}
    documents = {name: {"kept": 0, "removed": 0} for name in known}
    for kind in ("kept", "removed"):
        for part in parts(out, "clean", kind):
            for _, rows in row_groups(part.path, COLUMNS):
                for row in rows.filter(pc.is_valid(rows[HITS])).to_pylist():
                    hits = _parsed(row[HITS])
                    for name, number, share in hits:
                        item = items[name].setdefault(number, FoundItem(number))
                        item.add(kind, share, row["id"], row["url"] or row["locator"])
                    for name in {name for name, _, _ in hits}:
                        documents[name][kind] += 1
    return [
        FoundSet(
            name,
            known[name]["items"],
            known[name]["sought"],
            known[name]["files"],
            [found for _, found in sorted(items[name].items())],
            documents[name],
        )
        for name in sorted(known)
    ]


def write_items(path: str, sets: Iterable[FoundSet]) -> int:
    """Every item found, one JSON object a line, by set and number; how many."""
    lines = []
    for one in sets:
        for item in one.found:
            file, row = one.source(item)
            value = {
                "set": one.name,
                "item": item.number,
                "file": file,
                "row": row,
                "covered": item.covered,
                "documents_kept": item.documents["kept"],
                "documents_removed": item.documents["removed"],
                "document": item.document,
                "place": item.place,
            }
            lines.append(json.dumps(value, ensure_ascii=False) + "\n")
    storage.write_bytes(path, "".join(lines).encode())
    return len(lines)


def _parsed(hits: str) -> list[tuple[str, int, float]]:
    """``set:number=share set:number=share …``"""
    found = []
    for hit in hits.split(" "):
        label, _, share = hit.partition("=")
        name, _, number = label.partition(":")
        found.append((name, int(number), float(share)))
    return found


def _evaluations(out: str) -> dict[str, Any]:
    """What the clean stage's manifest says about each evaluation set."""
    path = storage.join(out, "clean", MANIFEST)
    if "clean" not in stages(out) or not storage.exists(path):
        raise ValueError(
            f"{out}: the clean stage of this run is not finished, so nothing is known of contamination yet"
        )
    for step in storage.read_json(path)["settings"]["steps"]:
        if STEP in step["step"]:
            return step["evaluations"]
    raise ValueError(f"{out}: its recipe has no step {STEP!r} in clean, so no evaluation set was looked for")
