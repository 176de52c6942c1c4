"""The chain of stages and the process that drives it.

Decisions:
- The command line supervises a child process (`python -m pipelines.run JOB`), because the only sure way out of a runner
  whose worker was killed is to end its process. The child says what it does in JSON lines on its standard output;
  its standard error and its workers' go to ``OUT/_logs/``.
- Stages run one after the other; one whose manifest matches is skipped, one that was interrupted continues from its
  receipts, one whose fingerprint changed starts anew.
"""

import fcntl
import json
import logging
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import xxhash

logging.basicConfig(level=logging.ERROR)  # before Beam is imported, or its loggers print

import apache_beam as beam  # noqa: E402
from apache_beam.options.pipeline_options import PipelineOptions  # noqa: E402
from apache_beam.runners.runner import PipelineRunner  # noqa: E402

from dataprep import storage  # noqa: E402
from dataprep.recipe import Recipe, RecipeError, parse_recipe  # noqa: E402
from pipelines.batches import Split  # noqa: E402
from pipelines.clean import CleanStage  # noqa: E402
from pipelines.crawl import CrawlStage  # noqa: E402
from pipelines.documents import DocumentsStage  # noqa: E402
from pipelines.job import Job  # noqa: E402
from pipelines.local import default_workers, in_process_runner, last_line, worker_runner  # noqa: E402
from pipelines.passages import PassagesStage  # noqa: E402
from pipelines.stage import RUNNING, Build, Stage, fingerprint  # noqa: E402
from pipelines.tokens import ShardsStage, TokenizerStage  # noqa: E402
from pipelines.unique import UniqueStage  # noqa: E402

SMALL_BYTES = 16 << 20  # below this, starting worker processes takes longer than the work

LOCK_SECONDS = 5.0
STDIN = 0
INSPECTED = ("documents", "clean", "unique", "passages")

CHAIN: tuple[type[Stage], ...] = (
    CrawlStage,
    DocumentsStage,
    CleanStage,
    UniqueStage,
    PassagesStage,
    TokenizerStage,
    ShardsStage,
)


class StageError(RuntimeError):
    """A stage that cannot go on for a reason the user can mend; the message says which."""


class Driver:
    """Runs stages of one job; ``emit`` receives what happens as JSON-able dicts."""

    def __init__(self, job: Job, runner: PipelineRunner | None = None) -> None:
        self.job = job
        self.runner = runner  # tests hand one in
        self.recipe: Recipe = parse_recipe(job.recipe)

    def emit(self, event: str, **values: Any) -> None:
        print(json.dumps({"event": event, **values}), flush=True)

    def run(self) -> None:
        storage.sweep(self.job.out, recursive=False)
        for kind in CHAIN:
            # on a cluster the engine's own shuffle is the better carrier; here files keep memory flat
            stage = kind(self.recipe, self.job.out, "beam" if self.job.names_runner() else "files")
            if stage.needed():
                self.run_stage(stage)
            elif not stage.precious and storage.list_files(stage.directory, recursive=True):
                storage.remove_tree(stage.directory)  # of an earlier recipe: it must not be taken for this one's
                self.emit("stale", stage=stage.name)
            if kind.name == self.job.until:
                break

    def run_stage(self, stage: Stage) -> dict[str, Any]:
        """Bring one stage up to date and return its manifest."""
        started = time.monotonic()
        parts = stage.fingerprint_parts()
        wanted = fingerprint(parts)
        manifest = stage.manifest()
        damaged = stage.missing_output(manifest) if manifest else None
        if manifest and manifest["fingerprint"] == wanted and not damaged:
            self._clear_working_files(stage)
            self.emit("skip", stage=stage.name)
            return self._not_empty(stage, manifest)
        self._prepare(stage, wanted, manifest, damaged)
        self.emit("start", stage=stage.name, title=stage.title)
        stage.execute(lambda phase, build, splits: self.pipeline(stage, phase, build, splits))
        manifest = stage.write_manifest(parts, time.monotonic() - started)
        self._clear_working_files(stage)
        self.emit("done", stage=stage.name)
        return self._not_empty(stage, manifest)

    def _not_empty(self, stage: Stage, manifest: dict[str, Any]) -> dict[str, Any]:
        counts = manifest["counts"]
        if counts["kept"] or (stage.name == "crawl" and any(source.files for source in self.recipe.sources)):
            return manifest
        went = {reason: documents for reason, (documents, _) in counts["removed"].items()} | counts["quarantined"]
        why = ", ".join(f"{reason} {n}" for reason, n in sorted(went.items(), key=lambda item: -item[1])[:5])
        hint = f"; see them with: dataprep inspect {self.job.out} --stage {stage.name}"
        raise StageError(
            f"{stage.name}: no documents are left of {counts['documents_in']} ({why or 'the input is empty'})"
            + (hint if stage.name in INSPECTED and counts["documents_in"] else "")
        )

    def pipeline(self, stage: Stage, phase: str, build: Build, splits: list[Split]) -> None:
        """Run one Beam pipeline of a stage over ``splits`` and wait for it."""
        if not splits:
            return
        self.emit("phase", stage=stage.name, phase=phase, splits=len(splits), bytes=sum(s.size for s in splits))
        options = PipelineOptions(self.job.beam_args)
        # dealt out round-robin beforehand, so neighbours of like cost must not all land on one worker
        dealt = sorted(splits, key=lambda split: xxhash.xxh3_64_intdigest(split.name.encode()))
        pipeline = beam.Pipeline(runner=self._runner(options, splits), options=options)
        build(pipeline | f"{stage.name}: splits" >> beam.Create(dealt).with_output_types(Split))
        pipeline.run().wait_until_finish()
        done = {receipt["index"] for receipt in stage.receipts(phase)}
        lost = sorted({split.index for split in splits} - done)
        if lost:
            raise StageError(f"{stage.name}/{phase}: splits {lost[:5]} left no receipt; run the same command again")

    def _runner(self, options: PipelineOptions, splits: list[Split]) -> PipelineRunner | None:
        if self.runner is not None:
            return self.runner
        if self.job.names_runner():
            return None  # Beam makes the runner that the options name
        workers = self.job.workers
        if workers is None:
            # a crawl's splits have no size: what they cost is waiting, which workers do side by side
            small = 0 < sum(split.size for split in splits) < SMALL_BYTES
            workers = 0 if small or len(splits) == 1 else default_workers()
        if workers == 0:
            return in_process_runner()
        return worker_runner(workers, options, os.path.join(self.job.logs, "workers.log"))

    def _prepare(self, stage: Stage, wanted: str, manifest: dict[str, Any] | None, damaged: str | None) -> None:
        running = storage.join(stage.directory, RUNNING)
        interrupted = storage.exists(running) and storage.read_json(running)["fingerprint"] == wanted
        if interrupted and not manifest:
            self.emit("resume", stage=stage.name)
            return
        if storage.list_files(stage.directory, recursive=True):
            if stage.precious:
                why = (
                    f"{damaged} is missing or was changed since"
                    if manifest and manifest["fingerprint"] == wanted
                    else f"it was made with other settings than this recipe's {stage.name} part"
                )
                raise StageError(
                    f"{stage.directory}: {why}; what it holds is not deleted by itself: "
                    "move or remove it, or choose another --out"
                )
            storage.remove_tree(stage.directory)
            self.emit("stale", stage=stage.name)
        storage.write_json(running, {"fingerprint": wanted})

    def _clear_working_files(self, stage: Stage) -> None:
        working = storage.join(stage.directory, RUNNING)
        if storage.exists(working):
            for folder in ("_work", "_live"):
                storage.remove_tree(storage.join(stage.directory, folder))
            storage.sweep(stage.directory)
            storage.remove_file(working)


@contextmanager
def locked(out: str) -> Iterator[None]:
    """Hold a local run directory for this process; object stores have nothing to hold."""
    if not storage.is_local(out):
        yield
        return
    os.makedirs(out, exist_ok=True)
    with open(os.path.join(out, "_lock"), "wb") as handle:
        end = time.monotonic() + LOCK_SECONDS  # the driver of a command that was just killed is on its way out
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise StageError(f"another run is at work in {out}; wait for it, or choose another --out") from None
                time.sleep(0.1)
        yield


def _leave_with_parent() -> None:
    """The command line holds the other end of standard input: when it is gone, however it went, so is this process."""

    def watch() -> None:
        # the bare descriptor: a thread inside sys.stdin's lock would abort the interpreter's end
        while os.read(STDIN, 4096):
            pass
        os._exit(143)

    threading.Thread(target=watch, daemon=True).start()


def main() -> int:
    """The child process: run the job that standard input's first line describes; exit 0, or 1 after an ``error``."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    job = Job(**json.loads(sys.stdin.buffer.readline()))
    _leave_with_parent()
    try:
        with locked(job.out):
            Driver(job).run()
    except Exception as error:
        traceback.print_exc()
        expected = isinstance(error, StageError | RecipeError | ValueError | OSError)
        message = str(error) if expected else last_line(error)
        print(json.dumps({"event": "error", "message": message}), flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
