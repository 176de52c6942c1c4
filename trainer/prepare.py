"""A run made ready: shards opened, the model built and placed, an earlier start of the run found and taken up.

Decisions:
- Weights are drawn, or loaded, before anything wraps or cuts the model: a run starts the same however it is laid out.
- What a run is stands in ``run.json`` (``record``); starting it again means the same run or is refused.
- A run that was killed while it went back may have left checkpoints that it had given up. The last of its own is
  taken, one whose decisions are the run's (``ledger``), and the others go, or the run could go back to them later.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from dataprep.shards import Manifest
from trainer.config import TrainConfig
from trainer.data.batches import TrainingOrder, Windows
from trainer.data.mixture import check_epochs, table
from trainer.data.reading import Reading
from trainer.feed import training_order, windows_of
from trainer.model.decoder import Decoder
from trainer.model.float8 import use_float8
from trainer.optim import build_optimizer
from trainer.parallel import Ranks
from trainer.saved import record
from trainer.saved.checkpoint import Checkpoint, clear_leftovers, drop_after, load_checkpoint
from trainer.saved.metrics import check_wandb
from trainer.saved.trained import CHECKPOINTS
from trainer.watch.ledger import Ledger
from trainer.watch.watch import Watch


@dataclass
class Run:
    """A run ready to take step ``step``; ``validation`` is None when the shards have no such split.

    ``say`` takes lines that stay, ``show`` those that the next one may be written over, where there is a terminal.
    """

    config: TrainConfig
    folder: Path
    manifest: Manifest
    ranks: Ranks
    model: Decoder
    optimizer: torch.optim.Optimizer
    order: TrainingOrder
    validation: Windows | None
    watch: Watch
    step: int
    say: Callable[[str], None]
    show: Callable[[str], None] | None


def prepare(
    shards: str,
    folder: Path,
    config: TrainConfig,
    tokenizer: str | None,
    ranks: Ranks,
    say: Callable[[str], None],
    show: Callable[[str], None] | None = None,
) -> Run:
    """Open shards, build the model, find out where an earlier start of this run stopped.

    Raises ``ValueError`` or ``OSError`` for what a person has to put right, naming it.
    """
    check_wandb(config.wandb)
    manifest = Manifest.load(shards)
    if tokenizer is not None:
        manifest.check_tokenizer(tokenizer)
    embedding_rows = record.embedding_rows(manifest.vocabulary_size)
    reading = Reading(manifest, config.read, config.seed, folder, ranks.rank)
    order = training_order(reading.stream("train", embedding_rows), config)
    plan = order.mixture.plan(config.steps)
    check_epochs(plan, config.data.max_epochs)
    validation = windows_of(reading.stream("validation", embedding_rows), config)
    earlier = record.read(folder)
    checkpoint = _last_checkpoint(folder, ranks, say)
    step = checkpoint.step if checkpoint is not None else 0
    watch = Watch(config, folder, order, ranks, checkpoint.state["watch"] if checkpoint is not None else {}, say)
    if earlier is not None:
        taken = watch.ledger.batch(step)
        record.check_same_run(folder, earlier, config, manifest, ranks.rounding(), taken, say)
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
        record.write(folder, config, manifest, tokenizer, parameters, embedding_rows, ranks, plan)
        if (folder / CHECKPOINTS).exists():
            clear_leftovers(folder / CHECKPOINTS)
    run = Run(
        config,
        folder,
        manifest,
        ranks,
        model,
        optimizer,
        order,
        validation if validation.count else None,
        watch,
        step,
        say,
        show,
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


def _last_checkpoint(folder: Path, ranks: Ranks, say: Callable[[str], None]) -> Checkpoint | None:
    checkpoint, given_up_after = load_checkpoint(folder / CHECKPOINTS, say, ranks), None
    while checkpoint is not None:
        saved = checkpoint.state["watch"]["decisions"]
        common = Ledger(folder, saved).in_common(saved, checkpoint.step)
        if common == checkpoint.step:
            break
        checkpoint = load_checkpoint(folder / CHECKPOINTS, say, ranks, at_most=common)
        given_up_after = common
    if given_up_after is not None:
        ranks.from_main(0)  # all have read before any go
        if ranks.main:
            drop_after(folder / CHECKPOINTS, given_up_after)
    return checkpoint


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
