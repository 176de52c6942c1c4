"""Which batch each update sees, and what was decided about the steps that stood out.

Decisions:
- Update u sees the u-th batch that is not passed over. So the ledger of a whole run is the data order and a few
  decisions: nothing is written at a step, and any step of the past can be asked for its documents.
- A decision names its *batch*, which keeps its number when updates are counted anew after going back. What is on record
  is followed, not found again: a replay from any checkpoint, on any machine, under another policy does the same.
- ``decisions.jsonl`` is on disk before its decision is carried out, and every checkpoint holds the decisions before it.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from trainer.files import replace_file

NAME = "decisions.jsonl"

PATIENCE = 3
"""After so many times back within a window, what stands out is a new level, and the run goes on through it."""


@dataclass(frozen=True)
class Decision:
    """``step``: the update that stood out, counted from 1 as in ``metrics.jsonl``; ``batch``: the one it saw, from 0.

    ``rollback``: batches ``passed_from`` … ``batch`` are left out, and updates from ``redo_from`` (from 0) on done
    anew. ``documents``: those that raised the loss most, as ``trace.Piece`` writes them.
    """

    step: int
    batch: int
    kind: str
    action: Literal["ignore", "skip", "rollback"]
    loss: float | None
    gradient_norm: float | None
    median: float | None = None
    deviations: float | None = None
    passed_from: int | None = None
    redo_from: int | None = None
    documents: list[dict[str, Any]] = field(default_factory=list)


class Ledger:
    """The decisions of the run in ``folder``: those in its file and those a checkpoint brought."""

    def __init__(self, folder: Path, saved: Iterable[dict[str, Any]] = ()) -> None:
        self._path = folder / NAME
        known = {decision.batch: decision for decision in (Decision(**row) for row in saved)}
        known |= {decision.batch: decision for decision in read_decisions(folder)}
        self.decisions = sorted(known.values(), key=lambda decision: decision.batch)
        self.passed = self._intervals()

    def batch(self, update: int) -> int:
        """The number of the batch that update ``update`` (from 0) sees, which is also how many came before it."""
        batch = update
        for start, stop in self.passed:
            if batch < start:
                break
            batch += stop - start
        return batch

    def recorded(self, batch: int) -> Decision | None:
        """What was decided about a batch before."""
        return next((one for one in self.decisions if one.batch == batch), None)

    def passing_over(self, update: int, batches: int) -> tuple[int, int]:
        """(first update to do anew, first batch to leave out) for the last ``batches`` updates up to ``update``."""
        first = max(0, update - batches + 1)
        return first, self.batch(first)

    def rollbacks(self, update: int, window: int) -> int:
        """How often the run went back from one of the ``window`` updates before ``update``."""
        return sum(one.action == "rollback" and update - window <= one.step - 1 <= update for one in self.decisions)

    def add(self, decision: Decision, write: bool) -> None:
        """Follow it from now on; on disk first if this rank is to ``write``."""
        others = (one for one in self.decisions if one.batch != decision.batch)
        self.decisions = sorted([*others, decision], key=lambda one: one.batch)
        self.passed = self._intervals()
        if write:
            content = "".join(json.dumps(asdict(one)) + "\n" for one in self.decisions)
            replace_file(self._path, content.encode())

    def state(self) -> list[dict[str, Any]]:
        """For a checkpoint: all decisions, without the documents they name."""
        return [asdict(replace(decision, documents=[])) for decision in self.decisions]

    def in_common(self, saved: Iterable[dict[str, Any]], step: int) -> int:
        """The last update that a checkpoint of ``step`` updates with these decisions has in common with the run: its
        own, unless the run went back to before it later.
        """
        known = {row["batch"] for row in saved}
        unknown = [one.redo_from for one in self.decisions if one.redo_from is not None and one.batch not in known]
        return min([step, *unknown])

    def _intervals(self) -> list[tuple[int, int]]:
        """What is passed over, as (first, after the last), ascending and apart."""
        merged: list[tuple[int, int]] = []
        for start, stop in sorted(
            (one.passed_from, one.batch + 1) for one in self.decisions if one.passed_from is not None
        ):
            if merged and start <= merged[-1][1]:
                start, stop = merged[-1][0], max(stop, merged.pop()[1])
            merged.append((start, stop))
        return merged


def read_decisions(folder: Path) -> list[Decision]:
    """Those on record in a run directory, by batch."""
    path = folder / NAME
    return [Decision(**json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []
