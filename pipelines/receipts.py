"""Receipts: what one split did, written last, so that a receipt exists exactly when all files of its split are whole.

They are what makes a run resumable (a split with a receipt is not run again), what progress is read from, and what the
stage's manifest adds up. They live in ``<stage>/_receipts/<phase>/<split>.json``.
"""

import json
import os
import resource
import time
from contextlib import suppress
from typing import Any

import psutil

from dataprep import storage
from dataprep.parts import QUARANTINE_SCHEMA, PartWriter, Quarantined, quarantine_batch
from dataprep.tally import Tally
from pipelines.batches import Split

PULSE_SECONDS = 1.0


class Receipt:
    """Filled by a task while it runs; ``extra`` takes small JSON values, numbers of which the stage adds up."""

    def __init__(self, directory: str, phase: str, index: int, size: int, given: str = "") -> None:
        self.directory = directory
        self.phase = phase
        self.index = index
        self.size = size
        self.given = given  # hash of what the split was told to do: another plan's receipt does not stand for it
        self.tally = Tally()
        self.extra: dict[str, Any] = {}
        self._quarantined: list[Quarantined] = []
        self._started = self._pulsed = time.monotonic()
        self._cpu = _cpu_seconds()

    @property
    def name(self) -> str:
        return f"{self.index:05d}"

    @property
    def path(self) -> str:
        return receipt_path(self.directory, self.phase, self.index)

    def quarantine(self, row: Quarantined, documents: int = 1) -> None:
        """Record one record that could not be processed; ``documents=0`` when it was never counted as a document."""
        self._quarantined.append(row)
        if documents:
            self.tally.quarantine(row.reason, documents)

    def pulse(self, documents: int | None = None, kept: int | None = None) -> None:
        """Tell a watching terminal how far this split is; at most once a second, and only on a local disk."""
        now = time.monotonic()
        if now - self._pulsed < PULSE_SECONDS or not storage.is_local(self.directory):
            return
        self._pulsed = now
        live = _live_path(self.directory, self.phase, self.index)
        os.makedirs(os.path.dirname(live), exist_ok=True)
        counts = {
            "documents": self.tally.documents_in if documents is None else documents,
            "kept": self.tally.kept if kept is None else kept,
        }
        with open(live, "w", encoding="utf-8") as handle:
            json.dump(counts, handle)

    def commit(self, work: Any, partitions: list[int] | None = None) -> dict[str, Any]:
        """Write the quarantine rows, then the receipt. ``work`` is handed to the next phase as its split's work.

        ``partitions`` are those that a mapper wrote files for; None says that it wrote none, and so that this receipt
        cannot stand for its rows.
        """
        self.tally.check(f"{self.directory} {self.phase} {self.name}")
        quarantine = storage.join(self.directory, "quarantine", f"{self.phase}-{self.name}.parquet")
        if self._quarantined:
            with PartWriter(quarantine, QUARANTINE_SCHEMA) as part:
                part.write(quarantine_batch(self._quarantined))
        else:
            storage.remove_file(quarantine)  # of a try that was killed before its receipt
        value = {
            "index": self.index,
            "size": self.size,
            "work": work,
            "given": self.given,
            "partitions": partitions,
            "tally": self.tally.to_json(),
            "extra": self.extra,
            "quarantine_rows": len(self._quarantined),
            "seconds": round(time.monotonic() - self._started, 3),
            "cpu_seconds": round(_cpu_seconds() - self._cpu, 3),
            "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        }
        storage.write_json(self.path, value)
        live = _live_path(self.directory, self.phase, self.index)
        if storage.is_local(live) and os.path.exists(live):
            os.unlink(live)
        return value


def _cpu_seconds() -> float:
    """Of this process and of the children it has now or had: extraction and cleaning work in one."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    times = [time.process_time(), ended.ru_utime, ended.ru_stime]
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            spent = child.cpu_times()
            times.append(spent.user + spent.system)
    return sum(times)


def _live_path(directory: str, phase: str, index: int) -> str:
    return storage.join(storage.local_path(directory), "_live", phase, f"{index:05d}.json")


def receipt_path(directory: str, phase: str, index: int) -> str:
    return storage.join(directory, "_receipts", phase, f"{index:05d}.json")


def read_receipt(directory: str, phase: str, index: int, given: str = "") -> dict[str, Any] | None:
    """The receipt of a split that was told the same, or None."""
    try:
        value = storage.read_json(receipt_path(directory, phase, index))
    except FileNotFoundError:
        return None
    return value if value["given"] == given else None


def read_receipts(directory: str, phase: str) -> list[dict[str, Any]]:
    """All receipts of a phase, by split index."""
    files = storage.list_files(storage.join(directory, "_receipts", phase), ".json")
    return sorted((storage.read_json(file.path) for file in files), key=lambda value: value["index"])


def next_split(value: dict[str, Any]) -> Split:
    """The split that a finished split or partition hands to the phase after it."""
    return Split.of(value["index"], value["size"], value["work"])
