"""The training run: prepare it once, then step, evaluate and save until it is done or told to stop.

Decisions:
- The loss of a step is the sum over its targets divided by how many there are, over all passes and ranks: the same
  number however the step was cut up.
- Everything a step needs follows from its number (``data``, ``schedule``) or from the checkpoint; so a run that was
  killed and started again prints the losses it would have printed.
- SIGTERM and SIGINT are noticed after the update in progress, on all ranks at the same step: save, leave.

A run directory holds ``run.json`` (what the run is), ``metrics.jsonl``, ``tensorboard/``, ``checkpoints/``,
``tokenizer.json`` (a copy, so that the directory can be moved) and at the end ``sample.txt``.
"""

import math
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from dataprep.shards import Manifest
from trainer import record, sample
from trainer.checkpoint import Saver, clear_leftovers, load_checkpoint
from trainer.config import TrainConfig
from trainer.data import Batch, TrainingOrder, Windows
from trainer.evaluate import Loss, evaluate, validation_windows
from trainer.files import replace_file
from trainer.float8 import use_float8
from trainer.metrics import Metrics, read_metrics
from trainer.mixture import check_epochs, table
from trainer.model import Decoder
from trainer.optim import build_optimizer, gradient_norm, update
from trainer.parallel import Ranks
from trainer.prefetch import Prefetch
from trainer.reading import Reading
from trainer.schedule import learning_rate
from trainer.stream import TokenStream
from trainer.trained import CHECKPOINTS, load_tokenizer, load_trained

PROGRESS_SECONDS = 5.0
OF_SOURCE = "tokens."  # begins the metrics that count a source's targets


@dataclass
class Run:
    """A run ready to take step ``step``; ``validation`` is None when the shards have no such split."""

    config: TrainConfig
    folder: Path
    manifest: Manifest
    ranks: Ranks
    model: Decoder
    optimizer: torch.optim.Optimizer
    order: TrainingOrder
    validation: Windows | None
    step: int
    say: Callable[[str], None]


def prepare(
    shards: str, folder: Path, config: TrainConfig, tokenizer: str | None, ranks: Ranks, say: Callable[[str], None]
) -> Run:
    """Open shards, build the model, find out where an earlier start of this run stopped.

    Raises ``ValueError`` or ``OSError`` for what a person has to put right, naming it.
    """
    manifest = Manifest.load(shards)
    if tokenizer is not None:
        manifest.check_tokenizer(tokenizer)
    embedding_rows = record.embedding_rows(manifest.vocabulary_size)
    reading = Reading(manifest, config.read, config.seed, folder, ranks.rank)
    order = training_order(reading.stream("train", embedding_rows), config)
    plan = order.mixture.plan(config.steps)
    check_epochs(plan, config.data.max_epochs)
    validation = validation_windows(reading.stream("validation", embedding_rows), config)
    earlier = record.read(folder)
    checkpoint = load_checkpoint(folder / CHECKPOINTS, say, ranks)
    step = checkpoint.step if checkpoint is not None else 0
    if earlier is not None:
        record.check_same_run(folder, earlier, config, manifest, ranks.rounding(), step, say)
    torch.manual_seed(config.seed)
    model = Decoder(config.model, embedding_rows)
    model.initialise(config.seed)
    speed_up(model, config, ranks.device)
    ranks.place(model)
    optimizer = build_optimizer(model, config.optimizer, ranks.device)
    if checkpoint is not None:
        checkpoint.restore(model, optimizer)
    if ranks.main:
        parameters = model.parameter_count()
        record.write(folder, config, manifest, tokenizer, parameters, embedding_rows, ranks.rounding(), plan)
        if (folder / CHECKPOINTS).exists():
            clear_leftovers(folder / CHECKPOINTS)
    run = Run(
        config, folder, manifest, ranks, model, optimizer, order, validation if validation.count else None, step, say
    )
    _introduce(run, earlier is not None)
    return run


def speed_up(model: Decoder, config: TrainConfig, device: torch.device) -> None:
    """What changes how a model computes and not what it is: float8, recomputation, compilation block by block.

    Blocks are alike, so that one compilation serves all, and parameters keep their names. Before any parallel wrapping.
    """
    model.recompute = config.recompute == "blocks"
    if config.precision == "float8":
        use_float8(model, device)
    if config.compile is True or (config.compile == "auto" and device.type == "cuda"):
        for block in model.blocks:
            block.compile()


def training_order(stream: TokenStream, config: TrainConfig) -> TrainingOrder:
    """What a run of this configuration reads. Raises ``ValueError`` naming what does not fit the shards."""
    windows = Windows(
        stream,
        config.model.context,
        packing=config.data.packing,
        mask_documents=config.data.mask_documents,
    )
    phases = [(phase.from_step, phase.weights) for phase in config.data.mixture]
    return TrainingOrder(windows, config.seed, config.windows_per_step, phases)


def train(run: Run) -> bool:
    """Take the steps that are left. True when the run is finished, False when a signal stopped it (after saving)."""
    if run.step >= run.config.steps:
        run.say(f"this run is finished: all {run.config.steps} steps are done (more with --steps)")
        _conclude(run)
        return True
    config, ranks = run.config, run.ranks
    # a run that begins anew is evaluated anew
    metrics = Metrics(run.folder, run.step or -1) if ranks.main else None
    parallel_model = ranks.wrap(run.model)
    if run.step == 0:
        _evaluate(run, metrics)
    progress = _Progress(run)
    saved = run.step
    read = config.read
    make = partial(step_batches, run.order, windows_per_pass=config.windows_per_pass, ranks=ranks)
    with (
        _stop_signals() as stop_asked,
        Saver(run.folder / CHECKPOINTS, config.keep_checkpoints, config.keep_every, ranks) as saver,
        Prefetch(make, run.step, config.steps, read.threads, read.ahead) as steps,
    ):
        stop = False
        while run.step < config.steps and not stop:
            began = time.perf_counter()
            batches, targets = next(steps)
            tokens = sum(targets.values())
            # a packed window may be all padding, and in the smallest runs a step is one window
            loss = accumulate(parallel_model, batches, max(tokens, 1), ranks)
            norm = gradient_norm(run.model)
            broken, stop = _agree(ranks, loss, norm, bool(stop_asked))
            rate = learning_rate(run.step, config.steps, config.optimizer.learning_rate, config.schedule)
            if broken:
                run.say(f"step {run.step + 1}: the gradient is not finite; the update is passed over")
            else:
                update(run.model, run.optimizer, rate, norm, config.optimizer.clip)
            values = {"loss": loss.item(), "gradient_norm": norm.item(), "learning_rate": rate, "skipped": broken}
            seconds = time.perf_counter() - began
            run.step += 1
            if metrics:
                values |= {"tokens": tokens, "tokens_per_second": tokens / seconds}
                metrics.write(run.step, values | {OF_SOURCE + name: number for name, number in targets.items()})
            progress.step(tokens, values["loss"], rate)
            if run.step % config.evaluate_every == 0 or run.step == config.steps:
                _evaluate(run, metrics)
            if run.step % config.checkpoint_every == 0 or run.step == config.steps or stop:
                _save(run, metrics, saver)
                saved = run.step
    if metrics:
        metrics.close()
    if run.step < config.steps:
        run.say(f"stopped at step {saved} of {config.steps}, saved; the same command continues")
        return False
    progress.finished()
    _conclude(run)
    return True


def step_batches(
    order: TrainingOrder, step: int, windows_per_pass: int, ranks: Ranks
) -> tuple[list[Batch], dict[str, int]]:
    """This rank's share of a step, cut into passes, in memory its device can fetch from; and the targets of all ranks,
    by source.
    """
    windows = order.step(step)
    share = order.share(windows, ranks.data_rank, ranks.data_size)
    batches = [order.windows.batch(share[at : at + windows_per_pass]) for at in range(0, len(share), windows_per_pass)]
    if ranks.device.type == "cuda":
        batches = [batch.pinned() for batch in batches]
    return batches, order.windows.targets(windows)


def accumulate(model: nn.Module, batches: list[Batch], targets: int, ranks: Ranks) -> Tensor:
    """Leave the gradient of a step's mean loss in the parameters; returns the loss, in nats, of all ranks.

    ``targets`` counts those of the whole step before any are skipped for damage: the others weigh what they always do.
    """
    model.zero_grad(set_to_none=True)
    total = torch.zeros((), device=ranks.device)
    for number, batch in enumerate(batches, 1):
        # DDP's gradients travel once a step; ranks' gradients are averaged, hence the factor
        last = number == len(batches)
        alone = model.no_sync() if isinstance(model, DistributedDataParallel) and not last else nullcontext()
        with alone:
            with ranks.autocast():
                loss = model(*batch.to(ranks.device))
            (loss * (ranks.data_size / targets)).backward()
        total += loss.detach() / targets
    return ranks.sum(total)


def _agree(ranks: Ranks, loss: Tensor, norm: Tensor, stop: bool) -> tuple[bool, bool]:
    """(not finite, stop) on any rank: one answer for all, taken before the update."""
    broken = not (math.isfinite(loss.item()) and math.isfinite(norm.item()))
    flags = ranks.max(torch.tensor([int(broken), int(stop)], device=ranks.device)).tolist()
    return bool(flags[0]), bool(flags[1])


@contextmanager
def _stop_signals() -> Iterator[list[int]]:
    """Signals received while the block runs; a second Ctrl-C interrupts at once."""
    received: list[int] = []

    def remember(number: int, _frame: Any) -> None:
        received.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = {number: signal.signal(number, remember) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _save(run: Run, metrics: Metrics | None, saver: Saver) -> None:
    if metrics:
        metrics.sync()
    state = {"manifest": run.manifest.hash, "tokens": run.step * run.config.tokens_per_step}
    saver.save(run.step, run.model, run.optimizer, state)


def _evaluate(run: Run, metrics: Metrics | None) -> None:
    if run.validation is None:
        return
    config = run.config
    losses = evaluate(run.model, run.validation, config.evaluate_tokens, config.windows_per_pass, run.ranks)
    if metrics:
        metrics.write(run.step, losses.metrics())
    run.say(f"step {run.step:>6}  validation {_words(losses.total)}")


def _words(loss: Loss) -> str:
    return f"{loss.nats:.3f} nats/token, {loss.bits_per_byte:.3f} bits/byte"


class _Progress:
    """A plain line every few seconds: right on a terminal, in a file and in CI."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.began = self.last = time.perf_counter()
        self.first_step = run.step
        self.tokens = self.tokens_at_last = 0

    def step(self, tokens: int, loss: float, rate: float) -> None:
        self.tokens += tokens
        now = time.perf_counter()
        if now - self.last < PROGRESS_SECONDS and self.run.step != self.first_step + 1:
            return
        done, steps = self.run.step, self.run.config.steps
        speed = (self.tokens - self.tokens_at_last) / (now - self.last)
        left = (steps - done) * (now - self.began) / (done - self.first_step)
        self.run.say(
            f"step {done:>6} of {steps}  loss {loss:.3f}  rate {rate:.1e}  {speed:,.0f} tokens/s  {_clock(left)} left"
        )
        self.last, self.tokens_at_last = now, self.tokens

    def finished(self) -> None:
        wall = time.perf_counter() - self.began
        self.run.say(
            f"finished: {self.run.config.steps} steps; this start took {_clock(wall)} for "
            f"{self.tokens:,} tokens, {self.tokens / wall:,.0f} a second"
        )


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}" if minutes >= 60 else f"{minutes}:{rest:02}"


def _introduce(run: Run, known: bool) -> None:
    train_tokens = run.order.windows.stream.tokens
    validation = f"{run.validation.stream.tokens:,} for validation" if run.validation else "none for validation"
    run.say(f"shards     {run.manifest.path}: {train_tokens:,} tokens to train on, {validation}")
    for line in table(run.order.mixture.plan(run.config.steps)):
        run.say(f"plan       {line}")
    run.say(f"windows    {run.order.windows.describe()}")
    precision = "float32" if run.ranks.autocast_dtype is None else "bfloat16"
    ranks = f", {run.ranks.world_size} ranks" if run.ranks.world_size > 1 else ""
    run.say(f"model      {run.model.parameter_count():,} parameters, {precision} on {run.ranks.device.type}{ranks}")
    if run.step:
        run.say(f"resuming   {run.folder} after step {run.step} of {run.config.steps}")
    elif known:
        run.say(f"starting   {run.folder} again: it was stopped before its first checkpoint")


def _conclude(run: Run) -> None:
    """First and last validation loss, what was read of what was planned, a sample, where everything is."""
    if not run.ranks.main:
        return
    rows = read_metrics(run.folder)
    losses = [row for row in rows if "validation_loss" in row]
    for name, row in zip(("before", "after"), (losses[0], losses[-1]), strict=True) if losses else ():
        loss = Loss(row["validation_loss"], row["validation_bits_per_byte"])
        run.say(f"validation {name:<6} {_words(loss)} (step {row['step']})")
    achieved = Counter[str]()
    for row in rows:
        achieved.update({name.removeprefix(OF_SOURCE): n for name, n in row.items() if name.startswith(OF_SOURCE)})
    record.write_achieved(run.folder, achieved)
    for line in table(run.order.mixture.plan(run.step), achieved):
        run.say(f"read       {line}")
    if (run.folder / record.TOKENIZER).exists():
        tokenizer, manifest = load_tokenizer(run.folder), run.manifest
        # in shards, the other ranks are not asked for theirs
        model = load_trained(run.folder).model if run.ranks.mesh else run.model
        (text,) = sample.generate(model, tokenizer, [""], manifest.vocabulary_size, manifest.eos_id, sample.Sampling())
        replace_file(run.folder / "sample.txt", f"{text}\n".encode())
        run.say("sample     " + " ".join(text.split()))
    run.say(f"metrics    {run.folder / 'metrics.jsonl'}, and tensorboard --logdir {run.folder / 'tensorboard'}")
    run.say(f'weights    {run.folder / CHECKPOINTS}; more text: trainer sample {run.folder} --prompt "…"')
