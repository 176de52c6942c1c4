"""A stage: one link of the chain, its fingerprint, its manifest, and how it resumes.

Decisions:
- ``_stage.json`` is written by the driver after the last pipeline of the stage; a directory without it is unfinished.
- A fingerprint covers the stage's part of the recipe, the code it runs (comments and docstrings do not count), the
  libraries that shape its output, its input files, and the fingerprints of the stages before it. Equal: nothing to do.
  Different: the directory is emptied and made anew, except what is precious (fetched pages), which is never deleted
  behind the user's back.
- ``_running.json`` marks an unfinished directory with its fingerprint, so that the same command continues from the
  receipts and another recipe does not.
"""

import ast
import hashlib
import importlib.util
import json
import platform
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import apache_beam as beam

from dataprep import storage
from dataprep.storage import FileInfo
from dataprep.tally import Tally
from pipelines.batches import Split
from pipelines.receipts import read_receipts
from pipelines.shuffle import Kind, Mapper, PartitionShuffle, Reducer

if TYPE_CHECKING:
    from dataprep.recipe import Recipe

MANIFEST = "_stage.json"
RUNNING = "_running.json"
VERSIONS = ("apache-beam", "pyarrow", "numpy", "numba")
COMMON_CODE = (
    "dataprep.document",
    "dataprep.parts",
    "dataprep.storage",
    "dataprep.tally",
    "pipelines.receipts",
    "pipelines.shuffle",
)
COMMON_LIBRARIES = ("pyarrow",)  # writes the bytes

Build = Callable[[beam.PCollection], beam.PCollection]
Run = Callable[[str, Build, list[Split]], None]


class Stage(ABC):
    """One stage of a run. Subclasses say what they depend on and build the Beam graph; everything else is here."""

    name: ClassVar[str]  # the directory under OUT, and what the user sees
    title: ClassVar[str]  # a few words for the progress display
    code: ClassVar[tuple[str, ...]]  # packages or modules whose source decides the output
    libraries: ClassVar[tuple[str, ...]] = ()  # distributions whose version decides the output
    upstream: tuple[str, ...] = ()
    phases: ClassVar[tuple[str, ...]]  # receipt folders in order; the last one's tallies are the stage's
    precious: ClassVar[bool] = False
    partition_bytes: ClassVar[int] = 64 << 20  # of a shuffle's rows; sorting and joining take several times as much
    reads_kept_documents: ClassVar[bool] = True  # of the first upstream stage: its kept are this one's documents in

    def __init__(self, recipe: "Recipe", out: str, kind: Kind = "files") -> None:
        self.recipe = recipe
        self.out = out
        self.kind: Kind = kind  # how shuffles carry their rows; decides no byte of the output

    @property
    def directory(self) -> str:
        return storage.join(self.out, self.name)

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Exactly the part of the recipe that decides the output, as JSON."""

    @abstractmethod
    def plan(self) -> list[Split]:
        """The splits, from the input listing or the parts of the stages before: a function of the data only."""

    @abstractmethod
    def build(self, splits: beam.PCollection) -> beam.PCollection:
        """The Beam graph over the planned splits."""

    def needed(self) -> bool:
        """Whether the recipe has anything for this stage to do."""
        return True

    def inputs(self) -> list[FileInfo]:
        """Files from outside the run."""
        return []

    def execute(self, run: Run) -> None:
        """Run the stage's pipelines; most stages are one."""
        run(self.phases[-1], self.build, self.plan())

    def graphs(self) -> list[tuple[str, Build]]:
        """Every graph the stage runs, by the phase that takes its splits: what can be checked without data."""
        return [(self.phases[-1], self.build)]

    def partitions(self, size: int) -> int:
        """How many partitions ``size`` bytes of rows take."""
        return max(1, -(-size // self.partition_bytes))

    def shuffle(self, phase: str, mapper: Mapper, reducer: Reducer) -> beam.PTransform:
        return f"{self.name}/{phase}" >> PartitionShuffle(phase, self.directory, mapper, reducer, self.kind)

    def finish(self) -> tuple[Tally, dict[str, Any]]:
        """The stage's counts and what else its manifest says, after the last pipeline."""
        receipts = self.receipts(self.phases[-1])
        return Tally.total(Tally.from_json(r["tally"]) for r in receipts), sum_extras(r["extra"] for r in receipts)

    # below: the same for every stage

    def receipts(self, phase: str) -> list[dict[str, Any]]:
        return read_receipts(self.directory, phase)

    def kept_directory(self, name: str) -> str:
        """Where the kept parts of an earlier stage are."""
        return storage.join(self.out, name, "kept")

    def upstream_parts(self, name: str) -> list[FileInfo]:
        """The kept parts of an earlier stage, by name."""
        return storage.list_files(self.kept_directory(name), ".parquet")

    def missing_output(self, manifest: dict[str, Any]) -> str | None:
        """A file that the manifest lists and that is gone or has another size, or None; other files are not ours."""
        found = self.outputs()
        return next((name for name, size in manifest["outputs"].items() if found.get(name) != size), None)

    def manifest(self) -> dict[str, Any] | None:
        return read_manifest(self.directory)

    def fingerprint_parts(self) -> dict[str, Any]:
        """Everything the fingerprint covers, readable: two manifests can be compared to see what changed."""
        before = {}
        for name in self.upstream:
            earlier = read_manifest(storage.join(self.out, name))
            # the whole manifest, timings too: pages fetched again with the same settings are other pages
            before[name] = fingerprint(earlier) if earlier else None
        return {
            "settings": self.settings(),
            "code": code_fingerprint(*self.code, *COMMON_CODE) if self.code else None,
            "libraries": {name: version(name) for name in (*self.libraries, *COMMON_LIBRARIES)},
            "inputs": [file.to_json() for file in self.inputs()],
            "upstream": before,
        }

    def outputs(self) -> dict[str, int]:
        """Data files of the stage with their sizes, relative to its directory."""
        prefix = self.directory.rstrip("/") + "/"
        found = {}
        for file in storage.list_files(self.directory, recursive=True):
            relative = file.path.removeprefix(prefix)
            if not relative.startswith("_"):
                found[relative] = file.size
        return found

    def write_manifest(self, parts: dict[str, Any], seconds: float) -> dict[str, Any]:
        tally, extra = self.finish()
        tally.check(f"stage {self.name}")
        self._check_nothing_was_lost_between_stages(tally)
        receipts = [receipt for phase in self._receipt_folders() for receipt in self.receipts(phase)]
        value = {
            "stage": self.name,
            "recipe": self.recipe.name,
            "fingerprint": fingerprint(parts),
            **parts,
            "counts": tally.to_json(),
            "extra": extra,
            "outputs": self.outputs(),
            "splits": len(receipts),
            "timings": {
                "wall_seconds": round(seconds, 3),
                "task_seconds": round(sum(r["seconds"] for r in receipts), 3),
                "task_cpu_seconds": round(sum(r["cpu_seconds"] for r in receipts), 3),
                "peak_rss_mb": max((r["peak_rss_mb"] for r in receipts), default=0),
            },
            "versions": {"python": platform.python_version(), **{name: version(name) for name in VERSIONS}},
        }
        storage.write_json(storage.join(self.directory, MANIFEST), value)
        return value

    def _check_nothing_was_lost_between_stages(self, tally: Tally) -> None:
        if not self.reads_kept_documents:
            return
        earlier = read_manifest(storage.join(self.out, self.upstream[0]))
        if earlier and earlier["counts"]["kept"] != tally.documents_in:
            raise RuntimeError(
                f"stage {self.name}: {tally.documents_in} documents in, "
                f"but {self.upstream[0]} kept {earlier['counts']['kept']}"
            )

    def _receipt_folders(self) -> list[str]:
        root = storage.join(self.directory, "_receipts")
        return sorted({Path(file.path).parent.name for file in storage.list_files(root, ".json", recursive=True)})


def read_manifest(directory: str) -> dict[str, Any] | None:
    """The manifest of a finished stage directory, or None."""
    path = storage.join(directory, MANIFEST)
    return storage.read_json(path) if storage.exists(path) else None


def fingerprint(parts: Any) -> str:
    """A short hash of a JSON value, independent of the order of its keys."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def sum_extras(extras: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Add up receipts' extras: numbers and mappings of numbers are summed; the rest is the stage's own business."""
    total: dict[str, Any] = {}
    for extra in extras:
        for key, value in extra.items():
            if isinstance(value, bool) or not isinstance(value, int | float | dict):
                continue
            if isinstance(value, dict):
                total[key] = sum_extras([total.get(key, {}), value])
            else:
                total[key] = total.get(key, 0) + value
    return total


@cache
def code_fingerprint(*modules: str) -> str:
    """A hash of the modules' sources as the interpreter sees them: comments, layout and docstrings do not count."""
    digest = hashlib.sha256()
    for name in sorted(set(modules)):
        for path in _sources(name):
            digest.update(f"{name}/{path.name}\n".encode())
            if path.suffix == ".py":
                digest.update(_code_only(path.read_text(encoding="utf-8")).encode())
            else:
                digest.update(path.read_bytes())
    return digest.hexdigest()[:32]


def _sources(module: str) -> list[Path]:
    spec = importlib.util.find_spec(module)
    if spec is None:
        raise ModuleNotFoundError(f"no module {module!r} to fingerprint")
    if not spec.submodule_search_locations:
        assert spec.origin
        return [Path(spec.origin)]
    folder = Path(next(iter(spec.submodule_search_locations)))
    return sorted(p for p in folder.rglob("*") if p.suffix in {".py", ".yaml"} and "__pycache__" not in p.parts)


def _code_only(source: str) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body
            if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
                node.body = body[1:] or [ast.Pass()]
    return ast.dump(tree)
