"""``trainer trace``: the documents that a step of a run saw, from the run directory and its shards alone.

A step stands for itself: which windows it saw is computed, so any step can be asked for, also one that is still to
come.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from dataprep.shards import Manifest
from trainer.config import TrainConfig, parse_config
from trainer.data.batches import TrainingOrder
from trainer.data.stream import TokenStream
from trainer.feed import step_batches, training_order
from trainer.model.decoder import Decoder
from trainer.parallel import ALONE
from trainer.saved import record
from trainer.saved.checkpoint import load_checkpoint, restore_model
from trainer.saved.trained import CHECKPOINTS, warn
from trainer.watch import trace
from trainer.watch.ledger import Ledger
from trainer.watch.memorisation import Canaries

TEXT_TOKENS = 32
"""So much of each document is shown."""


def documents_of_step(folder: Path, step: int, top: int, with_loss: bool) -> Iterator[str]:
    """Lines for a person: what was decided about update ``step`` (from 1), and ``top`` documents of the batch it saw.

    ``with_loss``: by what they cost the newest checkpoint from before the step, those that added most first. Raises
    ``ValueError`` naming what is missing.
    """
    value = record.of_a_run(folder)
    config, manifest = parse_config(value["config"]), Manifest.load(value["shards"])
    if manifest.hash != value["manifest"]:
        raise ValueError(f"{manifest.path}: not the shards of this run, which were {value['manifest']}")
    if not 1 <= step <= config.steps:
        raise ValueError(f"--step {step}: allowed is 1 to {config.steps}")
    order = training_order(TokenStream(manifest, "train", value["embedding_rows"]), config)
    ledger = Ledger(folder)
    for decision in ledger.decisions:
        if decision.step == step:
            names = [row["document"] for row in decision.documents if row["document"]]
            found = trace.origins(manifest.path, names)
            yield f"step {step} saw batch {decision.batch} and stood out ({decision.kind}): {decision.action}"
            for row in decision.documents[:top]:
                yield f"  {trace.in_words(row, found.get(row['document']))}"
    batch = ledger.batch(step - 1)
    canaries = Canaries.of_run(config, manifest)
    losses, at = None, ""
    if with_loss:
        losses, before = _losses(folder, config, value, order, batch, step, canaries)
        at = f", as the model of step {before} finds them"
    pieces = trace.pieces(order, batch, losses)
    documents = len({(piece.shard, piece.row) for piece in pieces})
    yield f"step {step} sees batch {batch}: {config.windows_per_step} windows, {documents} documents{at}"
    if planted := canaries.planted(batch):
        yield f"  the beginning of window {planted[1]} is canary {planted[0]}"
    found = trace.origins(manifest.path, [piece.document for piece in pieces[:top] if piece.document])
    tokenizer = folder / record.TOKENIZER
    decoder = Tokenizer.from_file(str(tokenizer)) if tokenizer.exists() else None
    for piece in pieces[:top]:
        yield f"  {trace.in_words(piece, found.get(piece.document or ''))}"
        if decoder is not None:
            tokens = manifest.open(_shard(order, piece.shard)).document(piece.row)[piece.start : piece.stop]
            yield "    " + " ".join(decoder.decode(tokens[:TEXT_TOKENS].tolist()).split())


def _shard(order: TrainingOrder, path: str) -> Any:
    return next(info for info in order.windows.stream.shards if info.path == path)


def _losses(
    folder: Path,
    config: TrainConfig,
    value: dict[str, Any],
    order: TrainingOrder,
    batch: int,
    step: int,
    canaries: Canaries,
) -> tuple[NDArray[np.float32], int]:
    """(losses of the batch's tokens, updates of the checkpoint that was used)."""
    checkpoint = load_checkpoint(folder / CHECKPOINTS, warn, at_most=step - 1)
    if checkpoint is None:
        raise ValueError(f"{folder}: no checkpoint from before step {step} is kept, so its losses cannot be had again")
    model = Decoder(config.model, value["embedding_rows"])
    restore_model(model, checkpoint.model)
    batches, _ = step_batches(order, batch, config.windows_per_pass, ALONE, canaries)
    losses = trace.token_losses(model, batches, config.windows_per_step, ALONE)
    canaries.hide(losses, batch)
    return losses, checkpoint.step
