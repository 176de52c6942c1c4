"""All that looks on while a run trains, and what is done about a step that stands out.

Decisions:
- An update is made, skipped or taken back before the optimizer sees its gradient: a moment that was fed an infinity
  once stays infinite. A gradient that is not finite is always skipped; it has moved nothing that could be gone back
  from.
- Going back needs a checkpoint from before the batches that are left out. Where none is kept, the step is skipped.
- An alarm names documents at once; their URLs are looked for in a thread, one alarm after the other, for a corpus may
  be large, and follow in ``origins.jsonl``.
"""

import json
import math
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pyarrow as pa
from torch import nn

from trainer.config import TrainConfig
from trainer.data.batches import Batch, TrainingOrder
from trainer.files import append_lines
from trainer.parallel import Ranks
from trainer.saved.checkpoint import Saver, checkpoints, step_of
from trainer.watch import trace
from trainer.watch.energy import Meter, summary
from trainer.watch.ledger import PATIENCE, Decision, Ledger
from trainer.watch.memorisation import DETECTED, Canaries, extractable, repetition, samples
from trainer.watch.monitor import Monitor, Spike

ORIGINS = "origins.jsonl"
NAMED = 10
"""Documents an alarm names."""


class DivergedError(RuntimeError):
    """The run cannot go on: its steps stand out and nothing that may be done about it helps."""


class Watch:
    """Of the run in ``folder``; ``saved``: what ``state`` gave a checkpoint, nothing for a run's beginning."""

    def __init__(
        self,
        config: TrainConfig,
        folder: Path,
        order: TrainingOrder,
        ranks: Ranks,
        saved: dict[str, Any],
        say: Callable[[str], None],
    ) -> None:
        self.config, self.folder, self.order, self.ranks, self.say = config, folder, order, ranks, say
        self.ledger = Ledger(folder, saved.get("decisions", ()))
        self.canaries = Canaries.of_run(config, order.windows.stream.manifest)
        self.meter = Meter(folder, ranks, config.cost.watts_per_core)
        self._lookups, self._leaving = ThreadPoolExecutor(1, "origins"), Event()
        self.restore(saved)

    def restore(self, saved: dict[str, Any]) -> None:
        """Where a checkpoint with this ``state`` was; the decisions of later steps stay."""
        self.monitor = Monitor(self.config.watch)
        if "monitor" in saved:
            self.monitor.restore(saved["monitor"])
        self.useful_seconds: float = saved.get("useful_seconds", 0.0)
        self.useful_tokens: int = saved.get("useful_tokens", 0)
        self._in_a_row: int = saved.get("skipped_in_a_row", 0)
        self._detected = set(saved.get("canaries_detected", ()))

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps, as JSON."""
        return {
            "monitor": self.monitor.state(),
            "decisions": self.ledger.state(),
            "useful_seconds": self.useful_seconds,
            "useful_tokens": self.useful_tokens,
            "skipped_in_a_row": self._in_a_row,
            "canaries_detected": sorted(self._detected),
        }

    def decide(
        self, update: int, loss: float, norm: float, model: nn.Module, batches: Sequence[Batch], saver: Saver
    ) -> Decision | None:
        """What is to be done about update ``update`` (from 0), whose gradient is there; None: make it. The same on all
        ranks, which all call it with the same numbers and their own ``batches``. ``saver``: of the checkpoints it may
        go back to.

        Raises ``DivergedError`` when a whole window of updates was skipped: nothing is being learnt any more.
        """
        batch = self.ledger.batch(update)
        spike = self.monitor.judge(loss, norm)
        decision = self.ledger.recorded(batch)
        if spike is not None and spike.kind == "not finite" and decision is not None and decision.action != "skip":
            decision = None  # no record lets an infinity through
        if decision is not None:
            self.say(f"step {update + 1}: {decision.action}, as decided before ({decision.kind})")
        elif spike is not None:
            decision = self._new(update, batch, loss, norm, spike, saver)
            losses = trace.token_losses(model, batches, self.config.windows_per_step, self.ranks)
            self.canaries.hide(losses, batch)
            self._alarm(decision, trace.pieces(self.order, batch, losses)[:NAMED])
        skipped = decision is not None and decision.action == "skip"
        self._in_a_row = self._in_a_row + 1 if skipped else 0
        if self._in_a_row >= self.config.watch.window:
            raise DivergedError(
                f"{self.folder}: the last {self._in_a_row} steps were all skipped; decisions.jsonl says why, and a run "
                f"with a lower optimizer.learning_rate may fare better"
            )
        return decision

    def moved(self, seconds: float, tokens: int) -> None:
        """An update was made; it took so long."""
        self.useful_seconds += seconds
        self.useful_tokens += tokens

    @property
    def goodput(self) -> float:
        """The share of the time used so far that moved the model that there is now."""
        return self.useful_seconds / self.meter.seconds

    def evaluate(self, model: nn.Module, update: int) -> dict[str, Any]:
        """What the model remembers, for ``metrics.jsonl``; called by all ranks."""
        config, batch = self.config, self.ledger.batch(update)
        watch, values = config.watch, dict[str, Any]()
        if watch.sample_tokens:
            values |= repetition(model, self.order, batch, watch.sample_tokens, config.windows_per_pass, self.ranks)
            if update == config.steps:
                values |= self._extractable(model, batch)
        if config.canaries.count:
            times = self.canaries.repetitions(batch)
            for number, bits in enumerate(self.canaries.exposures(model, self.ranks)):
                values |= {f"canary_exposure.{number}": bits, f"canary_repetitions.{number}": times[number]}
                if bits >= DETECTED and times[number] and number not in self._detected:
                    self._detected.add(number)
                    after = f"after {times[number]} repetitions ({bits:.1f} bits of exposure)"
                    self.say(f"step {update}: canary {number} is remembered {after}")
        self.meter.write()
        return values

    def used(self) -> dict[str, Any]:
        """See ``energy.summary``."""
        self.meter.write()
        return summary(self.folder, self.useful_seconds, self.useful_tokens, self.config.cost)

    def close(self, finished: bool) -> None:
        """Write down what was used. A ``finished`` run waits for what is still to be looked up; one that was told to
        stop leaves that to ``trainer trace``.
        """
        self.meter.write()
        if not finished:
            self._leaving.set()
        self._lookups.shutdown(cancel_futures=not finished)

    def _new(self, update: int, batch: int, loss: float, norm: float, spike: Spike, saver: Saver) -> Decision:
        watch = self.config.watch
        decision = Decision(
            step=update + 1,
            batch=batch,
            kind=spike.kind,
            action="skip" if spike.kind == "not finite" else watch.spike,
            loss=loss if math.isfinite(loss) else None,
            gradient_norm=norm if math.isfinite(norm) else None,
            median=spike.median,
            deviations=spike.deviations,
        )
        if decision.action == "rollback":
            if self.ledger.rollbacks(update, watch.window) >= PATIENCE:
                return replace(decision, action="ignore")
            redo, passed = self.ledger.passing_over(update, watch.pass_over)
            saver.wait()  # what is there must not depend on how fast the disk is
            kept = [step_of(path) for path in checkpoints(saver.folder)]
            if not self.ranks.from_main(int(any(step <= redo for step in kept))):
                return replace(decision, action="skip")
            return replace(decision, redo_from=redo, passed_from=passed)
        return decision

    def _alarm(self, decision: Decision, found: list[trace.Piece]) -> None:
        decision = replace(decision, documents=[vars(piece) for piece in found])
        self.ledger.add(decision, write=self.ranks.main)
        away = ""
        if decision.deviations is not None:
            away = f", {decision.deviations:.1f} deviations above {decision.median:.3f}"
        then = {
            "ignore": "the run goes on",
            "skip": "the update is passed over",
            "rollback": f"back to before step {(decision.redo_from or 0) + 1}, batches {decision.passed_from} to "
            f"{decision.batch} are left out",
        }
        self.say(
            f"step {decision.step}: {decision.kind} stands out{away}: loss {_number(decision.loss)}, "
            f"gradient norm {_number(decision.gradient_norm)}; {then[decision.action]}"
        )
        if planted := self.canaries.planted(decision.batch):
            self.say(f"           the beginning of window {planted[1]} is canary {planted[0]}")
        for piece in found[:3]:
            self.say(f"           {trace.in_words(piece, None)}")
        if self.ranks.main:
            self._lookups.submit(self._look_up, found)

    def _look_up(self, found: list[trace.Piece]) -> None:
        names = [piece.document for piece in found if piece.document is not None]
        try:
            origins = trace.origins(self.order.windows.stream.manifest.path, names, self._leaving.is_set)
        except (OSError, pa.ArrowException) as error:
            self.say(f"           the documents' URLs were not found: {error}")
            return
        rows = (json.dumps({"document": name, **one}) + "\n" for name, one in origins.items())
        append_lines(self.folder / ORIGINS, "".join(rows))
        for name in names[:3]:
            if name in origins:
                self.say(f"           {name} is {origins[name]['url'] or 'without URL'}, {origins[name]['locator']}")

    def _extractable(self, model: nn.Module, batch: int) -> dict[str, float]:
        """``extractable.seen.50``: the share of texts that come out after 50 tokens, over all sources that have
        some.
        """
        counts = Counter[str]()
        for sample in samples(self.order, batch, self.config.watch.sample_tokens):
            for kind, chosen in (("seen", sample.seen), ("coming", sample.coming)):
                found = extractable(model, self.order.windows, chosen, self.config.watch, self.ranks)
                for prompt, (came_out, asked) in found.items():
                    counts.update({f"{kind}.{prompt}": came_out, f"asked.{kind}.{prompt}": asked})
        return {
            f"extractable.{name}": counts[name] / counts[f"asked.{name}"]
            for name in counts
            if not name.startswith("asked") and counts[f"asked.{name}"]
        }


def _number(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.4g}"


def read_origins(folder: Path) -> dict[str, dict[str, str | None]]:
    """What alarms found, by document; a line cut off by a kill is left out."""
    path, found = folder / ORIGINS, {}
    for line in path.read_text().splitlines() if path.exists() else ():
        with suppress(json.JSONDecodeError):
            row = json.loads(line)
            found[row["document"]] = row
    return found
