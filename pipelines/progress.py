"""What the user sees while a job runs: a live display on a terminal, plain lines elsewhere.

Everything shown is read from receipts and from the live counters of splits at work, so it is the same on every runner;
the child process only says which stage and phase has begun.
"""

import os
import time
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from dataprep import storage

PLAIN_SECONDS = 10.0  # between two plain lines of the same phase


@dataclass
class Phase:
    """One Beam pipeline of a stage as the display follows it. Receipt files are read once each."""

    stage: str
    name: str
    directory: str
    splits: int
    bytes: int
    started: float = field(default_factory=time.monotonic)
    seen: set[str] = field(default_factory=set)
    bytes_done: int = 0
    documents: int = 0
    kept: int = 0

    def poll(self) -> None:
        folder = storage.join(self.directory, "_receipts", self.name)
        for file in storage.list_files(folder, ".json"):
            if file.path in self.seen:
                continue
            receipt = storage.read_json(file.path)
            self.seen.add(file.path)
            self.bytes_done += receipt["size"]
            self.documents += receipt["tally"]["documents_in"]
            self.kept += receipt["tally"]["kept"]

    def live(self) -> tuple[int, int]:
        """Documents in and kept of the splits that are at work now."""
        documents = kept = 0
        for file in storage.list_files(storage.join(self.directory, "_live", self.name), ".json"):
            try:
                value = storage.read_json(file.path)
            except (FileNotFoundError, ValueError):  # being rewritten, or just finished
                continue
            documents += value["documents"]
            kept += value["kept"]
        return documents, kept

    def counts(self) -> str:
        documents, kept = self.live()
        documents, kept = documents + self.documents, kept + self.kept
        seconds = max(time.monotonic() - self.started, 1e-3)
        parts = [f"{len(self.seen)}/{self.splits} splits"]
        if self.bytes:
            parts.append(f"{_size(self.bytes_done)} of {_size(self.bytes)}")
        if documents:
            parts.append(f"{documents:,} in, {kept:,} kept, {documents / seconds:,.0f}/s")
        return ", ".join(parts)

    def fraction(self) -> float:
        return self.bytes_done / self.bytes if self.bytes else len(self.seen) / max(self.splits, 1)


class Display:
    """Follows one job. ``event`` takes the child's events, ``tick`` is called about twice a second."""

    def __init__(self, console: Console, out: str) -> None:
        self.console = console
        self.out = out
        self.phase: Phase | None = None
        self.task: TaskID | None = None
        self.stage_started = time.monotonic()
        self.last_plain = 0.0
        self.skipped: list[str] = []
        self.ran: list[str] = []
        self.error: str | None = None
        self.bar = Progress(
            TextColumn("  [bold]{task.description}"),
            BarColumn(24),
            TextColumn("{task.fields[counts]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )

    def __enter__(self) -> "Display":
        if self.console.is_terminal:
            self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._close_phase()
        if self.console.is_terminal:
            self.bar.stop()

    def event(self, value: dict[str, Any]) -> None:
        kind, stage = value["event"], value.get("stage", "")
        if kind == "skip":
            self.skipped.append(stage)
            self._say(f"[dim]{stage:10} up to date[/dim]")
        elif kind == "resume":
            self._say(f"{stage:10} continues where it was interrupted")
        elif kind == "stale":
            self._say(f"{stage:10} made anew: what it depends on has changed")
        elif kind == "start":
            self.stage_started = time.monotonic()
            self._say(f"[bold]{stage:10}[/bold] {value['title']}")
        elif kind == "phase":
            self._open_phase(value)
        elif kind == "done":
            self.ran.append(stage)
            self._close_phase()
            self._close_stage(stage)
        elif kind == "error":
            self.error = value["message"]

    def tick(self) -> None:
        if self.phase is None:
            return
        self.phase.poll()
        if self.task is not None:
            self.bar.update(self.task, completed=self.phase.fraction(), counts=self.phase.counts())
        elif time.monotonic() - self.last_plain > PLAIN_SECONDS:
            self.last_plain = time.monotonic()
            self._say(f"{'':10} {self.phase.name}: {self.phase.counts()}")

    def _open_phase(self, value: dict[str, Any]) -> None:
        self._close_phase()
        directory = os.path.join(self.out, value["stage"])
        self.phase = Phase(value["stage"], value["phase"], directory, value["splits"], value["bytes"])
        self.last_plain = time.monotonic()
        if self.console.is_terminal:
            self.task = self.bar.add_task(value["phase"], total=1.0, counts="")

    def _close_phase(self) -> None:
        if self.task is not None:
            self.bar.remove_task(self.task)
        self.phase = self.task = None

    def _close_stage(self, stage: str) -> None:
        manifest = storage.read_json(storage.join(self.out, stage, "_stage.json"))
        counts, seconds = manifest["counts"], time.monotonic() - self.stage_started
        text = f"{'':10} "
        if counts["documents_in"]:
            removed = sum(n for n, _ in counts["removed"].values())
            quarantined = sum(counts["quarantined"].values())
            text += f"{counts['documents_in']:,} in: {counts['kept']:,} kept, {removed:,} removed"
            text += f", {quarantined:,} quarantined; " if quarantined else "; "
        self._say(text + f"{seconds:.1f} s")
        for note in manifest["extra"].get("notes", ()):
            self._say(f"{'':10} note: {escape(note)}")

    def _say(self, text: str) -> None:
        self.console.print(text, highlight=False, soft_wrap=True)


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
