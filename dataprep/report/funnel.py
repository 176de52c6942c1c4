"""The funnel as data: what each stage took in, kept, removed and could not read, from the stages' manifests."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dataprep import storage
from dataprep.report.layout import DOCUMENT_STAGES, MANIFEST, count_rows, parts, stages
from dataprep.tally import Tally


@dataclass(frozen=True)
class Reason:
    """``characters`` is 0 for what never became text."""

    name: str
    documents: int
    characters: int = 0


@dataclass(frozen=True)
class StageCounts:
    """One stage. Unfinished: the rows it has left so far, characters unknown (0), and no timings.

    ``removed`` and ``quarantined``: most documents first, then by name. ``timings``, ``extra``, ``versions``: as in the
    manifest. ``bytes``: of all output files.
    """

    name: str
    finished: bool
    documents_in: int
    characters_in: int
    kept: int
    characters_kept: int
    removed: tuple[Reason, ...] = ()
    quarantined: tuple[Reason, ...] = ()
    recipe: str = ""
    splits: int = 0
    files: int = 0
    bytes: int = 0
    timings: Mapping[str, float] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def documents_removed(self) -> int:
        return sum(reason.documents for reason in self.removed)

    @property
    def characters_removed(self) -> int:
        return sum(reason.characters for reason in self.removed)

    @property
    def documents_quarantined(self) -> int:
        return sum(reason.documents for reason in self.quarantined)

    @property
    def adds_up(self) -> bool:
        return self.documents_in == self.kept + self.documents_removed + self.documents_quarantined


@dataclass(frozen=True)
class Funnel:
    """The stages that have left anything, in chain order."""

    out: str
    stages: tuple[StageCounts, ...]

    @property
    def recipe(self) -> str:
        """The recipe's name; empty while no stage is finished."""
        return next((stage.recipe for stage in self.stages if stage.recipe), "")

    def stage(self, name: str) -> StageCounts | None:
        return next((stage for stage in self.stages if stage.name == name), None)

    @property
    def counted(self) -> tuple[StageCounts, ...]:
        """The stages that documents pass through; a tokenizer only looks at them."""
        return tuple(stage for stage in self.stages if stage.name != "tokenizer")


def load_funnel(out: str) -> Funnel:
    """Read the manifests under ``out``. Raises ``ValueError`` when it is not a run directory."""
    return Funnel(out, tuple(_stage(out, name) for name in stages(out)))


def _stage(out: str, name: str) -> StageCounts:
    path = storage.join(out, name, MANIFEST)
    return _finished(name, storage.read_json(path)) if storage.exists(path) else _unfinished(out, name)


def _finished(name: str, manifest: Mapping[str, Any]) -> StageCounts:
    tally = Tally.from_json(manifest["counts"])
    outputs = manifest.get("outputs", {})
    return StageCounts(
        name=name,
        finished=True,
        documents_in=tally.documents_in,
        characters_in=tally.characters_in or 0,
        kept=tally.kept,
        characters_kept=tally.characters_kept,
        removed=_ordered(Reason(reason, *counts) for reason, counts in tally.removed.items()),
        quarantined=_ordered(Reason(reason, documents) for reason, documents in tally.quarantined.items()),
        recipe=manifest.get("recipe", ""),
        splits=manifest.get("splits", 0),
        files=len(outputs),
        bytes=sum(outputs.values()),
        timings=manifest.get("timings", {}),
        extra=manifest.get("extra", {}),
        versions=manifest.get("versions", {}),
    )


def _unfinished(out: str, name: str) -> StageCounts:
    kept = removed = quarantined = 0
    if name in DOCUMENT_STAGES:
        kept, removed, quarantined = (count_rows(parts(out, name, kind)) for kind in ("kept", "removed", "quarantined"))
    unknown = "(so far)"  # reasons are counted when the stage is done
    return StageCounts(
        name=name,
        finished=False,
        documents_in=kept + removed + quarantined,
        characters_in=0,
        kept=kept,
        characters_kept=0,
        removed=(Reason(unknown, removed),) if removed else (),
        quarantined=(Reason(unknown, quarantined),) if quarantined else (),
    )


def _ordered(reasons: Any) -> tuple[Reason, ...]:
    return tuple(sorted(reasons, key=lambda reason: (-reason.documents, reason.name)))
