"""The training run: step, evaluate and save until it is done or told to stop.

Decisions:
- The loss of a step is the sum over its targets divided by how many there are, over all passes and ranks: the same
  number however the step was cut up.
- Everything a step needs follows from its number (``data``, ``schedule``) or from the checkpoint; so a run that was
  killed and started again prints the losses it would have printed.
- SIGTERM and SIGINT are noticed after the update in progress, on all ranks at the same step: save, leave.
- What is done about a step that stands out is decided once for all ranks, between its gradient and its update.

A run directory holds ``run.json`` (what the run is), ``metrics.jsonl``, ``tensorboard/``, ``checkpoints/``,
``decisions.jsonl`` and ``origins.jsonl`` (what stood out), ``usage/`` (seconds and joules), ``tokenizer.json`` (a copy,
so that the directory can be moved) and at the end ``sample.txt``.
"""

import math
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from trainer.config import TrainConfig
from trainer.data.batches import Batch
from trainer.data.mixture import table
from trainer.data.prefetch import Prefetch
from trainer.devices import flops_per_token, peak_flops, peak_memory
from trainer.display import Progress
from trainer.evaluate import Loss, evaluate
from trainer.feed import step_batches
from trainer.files import replace_file
from trainer.optim import gradient_norm, update
from trainer.parallel import Ranks
from trainer.prepare import Run
from trainer.saved import record
from trainer.saved.checkpoint import Saver, drop_after, load_checkpoint
from trainer.saved.metrics import Metrics, read_metrics
from trainer.saved.trained import CHECKPOINTS, load_tokenizer, load_trained
from trainer.schedule import learning_rate
from trainer.use import sample
from trainer.watch.energy import in_words
from trainer.watch.ledger import Decision
from trainer.watch.watch import DivergedError

OF_SOURCE = "tokens."  # begins the metrics that count a source's targets


def train(run: Run) -> bool:
    """Take the steps that are left. True when the run is finished, False when a signal stopped it (after saving)."""
    if run.step >= run.config.steps:
        run.say(f"this run is finished: all {run.config.steps} steps are done (more with --steps)")
        _conclude(run)
        return True
    config, ranks = run.config, run.ranks
    # a run that begins anew is evaluated anew
    metrics = Metrics(run.folder, run.step or -1, config.wandb) if ranks.main else None
    parallel_model = ranks.wrap(run.model)
    with (
        _stop_signals() as stop_asked,
        Saver(run.folder / CHECKPOINTS, config.keep_checkpoints, config.keep_every, ranks) as saver,
    ):
        if run.step == 0:
            _evaluate(run, metrics)
            if config.watch.spike == "rollback":
                _save(run, metrics, saver)
        live, mfu = run.show is not None, mfu_of_a_token(config, run.model.embedding.num_embeddings, ranks)
        progress = Progress(run.show or run.say, config.steps, live, mfu)
        stop = False
        while run.step < config.steps and not stop:
            stop, back = _advance(run, parallel_model, metrics, saver, progress, mfu, stop_asked)
            if back is not None:
                _go_back(run, back, saver)
                if metrics:
                    metrics.close()
                    metrics = Metrics(run.folder, run.step, config.wandb)
    run.watch.close(finished=run.step >= config.steps)
    if metrics:
        metrics.close()
    if run.step < config.steps:
        run.say(f"stopped at step {run.step} of {config.steps}, saved; the same command continues")
        return False
    run.say(progress.finished())
    _conclude(run)
    return True


def _advance(
    run: Run,
    model: nn.Module,
    metrics: Metrics | None,
    saver: Saver,
    progress: Progress,
    mfu: float | None,
    stop_asked: list[int],
) -> tuple[bool, Decision | None]:
    """Step until the end, a signal (True) or a decision to go back. ``model`` is the run's, wrapped for its ranks."""
    config, ranks, watch, read = run.config, run.ranks, run.watch, run.config.read

    def make(update: int) -> tuple[list[Batch], dict[str, int]]:
        return step_batches(run.order, watch.ledger.batch(update), config.windows_per_pass, ranks, watch.canaries)

    stop = False
    with Prefetch(make, run.step, config.steps, read.threads, read.ahead) as steps:
        while run.step < config.steps and not stop:
            began = time.perf_counter()
            batches, targets = next(steps)
            tokens = sum(targets.values())
            # a packed window may be all padding, and in the smallest runs a step is one window
            loss = accumulate(model, batches, max(tokens, 1), ranks)
            norm = gradient_norm(run.model)
            agreed_loss, agreed_norm, stop = _agree(ranks, loss, norm, bool(stop_asked))
            watch.meter.step(tokens)
            decision = watch.decide(run.step, agreed_loss, agreed_norm, run.model, batches, saver)
            if decision is not None and decision.action == "rollback":
                return stop, decision
            skipped = decision is not None and decision.action == "skip"
            rate = learning_rate(run.step, config.steps, config.optimizer.learning_rate, config.schedule)
            if not skipped:
                update(run.model, run.optimizer, rate, norm, config.optimizer.clip)
            values: dict[str, Any] = {
                "loss": loss.item(),
                "gradient_norm": norm.item(),
                "learning_rate": rate,
                "skipped": skipped,
            }
            seconds = time.perf_counter() - began
            if not skipped:
                watch.moved(seconds, tokens)
            run.step += 1
            if metrics:
                values |= {"tokens": tokens, "tokens_per_second": tokens / seconds}
                values |= {"mfu": None if mfu is None else mfu * tokens / seconds, "goodput": watch.goodput}
                values |= {"memory": peak_memory(ranks.device)}
                metrics.write(run.step, values | {OF_SOURCE + name: number for name, number in targets.items()})
            progress.step(run.step, tokens, values["loss"], rate)
            if run.step % config.evaluate_every == 0 or run.step == config.steps:
                _evaluate(run, metrics)
            if run.step % config.checkpoint_every == 0 or run.step == config.steps or stop:
                _save(run, metrics, saver)
    return stop, None


def mfu_of_a_token(config: TrainConfig, vocabulary: int, ranks: Ranks) -> float | None:
    """Model FLOPs utilisation of all devices at one token a second; None where their peak is not known."""
    peak = peak_flops(torch.cuda.get_device_name(ranks.device)) if ranks.device.type == "cuda" else None
    return None if peak is None else flops_per_token(config.model, vocabulary) / (peak * ranks.world_size)


def _go_back(run: Run, decision: Decision, saver: Saver) -> None:
    """To the newest checkpoint from before the batches that ``decision`` leaves out."""
    saver.wait()
    folder, redo = run.folder / CHECKPOINTS, decision.redo_from or 0
    try:
        checkpoint = load_checkpoint(folder, run.say, run.ranks, at_most=redo)
    except ValueError as error:
        raise DivergedError(str(error)) from None
    if checkpoint is None:
        raise DivergedError(f"{folder}: no checkpoint of at most {redo} steps is there, and the run has to go back")
    checkpoint.restore(run.model, run.optimizer)
    run.watch.restore(checkpoint.state["watch"])
    run.step = checkpoint.step
    run.ranks.from_main(0)  # all have read it before later ones go
    if run.ranks.main:
        drop_after(folder, redo)


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


def _agree(ranks: Ranks, loss: Tensor, norm: Tensor, stop: bool) -> tuple[float, float, bool]:
    """Loss, norm and whether to stop, the same on all ranks: a number that is not finite on one is NaN on all."""
    values = [loss.item(), norm.item()]
    finite = [math.isfinite(value) for value in values]
    flags = [*(float(not good) for good in finite), float(stop)]
    numbers = [value if good else 0.0 for value, good in zip(values, finite, strict=True)]
    shared = ranks.max(torch.tensor([*numbers, *flags], dtype=torch.float64, device=ranks.device)).tolist()
    loss_of_all, norm_of_all = (math.nan if bad else value for value, bad in zip(shared[:2], shared[2:4], strict=True))
    return loss_of_all, norm_of_all, bool(shared[4])


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
        record.add(run.folder, "usage", run.watch.used())
    state = {"manifest": run.manifest.hash, "tokens": run.step * run.config.tokens_per_step, "watch": run.watch.state()}
    saver.save(run.step, run.model, run.optimizer, state)


def _evaluate(run: Run, metrics: Metrics | None) -> None:
    config, values = run.config, dict[str, Any]()
    if run.validation is not None:
        losses = evaluate(run.model, run.validation, config.evaluate_tokens, config.windows_per_pass, run.ranks)
        values |= losses.metrics()
        run.say(f"step {run.step:>6}  validation {_words(losses.total)}")
    values |= run.watch.evaluate(run.model, run.step)
    if metrics and values:
        metrics.write(run.step, values)


def _words(loss: Loss) -> str:
    return f"{loss.nats:.3f} nats/token, {loss.bits_per_byte:.3f} bits/byte"


def _conclude(run: Run) -> None:
    """First and last validation loss, what was read of what was planned, a sample, where everything is."""
    if not run.ranks.main:
        return
    rows = read_metrics(run.folder)
    losses = [row for row in rows if "validation_loss" in row]
    for name, row in zip(("before", "after"), (losses[0], losses[-1]), strict=True) if losses else ():
        figures = (row[f"validation_{of}"] for of in ("loss", "bits_per_byte"))
        loss = Loss(*(math.nan if figure is None else figure for figure in figures))
        run.say(f"validation {name:<6} {_words(loss)} (step {row['step']})")
    achieved = Counter[str]()
    for row in rows:
        achieved.update({name.removeprefix(OF_SOURCE): n for name, n in row.items() if name.startswith(OF_SOURCE)})
    record.add(run.folder, "achieved", dict(achieved))
    for line in table(run.order.mixture.plan(run.watch.ledger.batch(run.step)), achieved):
        run.say(f"read       {line}")
    used = run.watch.used()
    record.add(run.folder, "usage", used)
    run.say(f"used       {in_words(used)}")
    if (run.folder / record.TOKENIZER).exists():
        tokenizer, manifest = load_tokenizer(run.folder), run.manifest
        # in shards, the other ranks are not asked for theirs; in float8, keys and values are not of the weights' type
        other = run.ranks.mesh is not None or run.config.precision == "float8"
        model = load_trained(run.folder).model if other else run.model
        (text,) = sample.generate(model, tokenizer, [""], manifest.vocabulary_size, manifest.eos_id, sample.Sampling())
        replace_file(run.folder / "sample.txt", f"{text}\n".encode())
        run.say("sample     " + " ".join(text.split()))
    run.say(f"metrics    {run.folder / 'metrics.jsonl'}, and tensorboard --logdir {run.folder / 'tensorboard'}")
    run.say(f'weights    {run.folder / CHECKPOINTS}; more text: trainer sample {run.folder} --prompt "…"')
