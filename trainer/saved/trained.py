"""A run opened to be used: the weights of a checkpoint, the record of what they are, the tokenizer."""

import sys
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from trainer.config import ParallelConfig, TrainConfig, parse_config
from trainer.model.decoder import Decoder
from trainer.saved import record
from trainer.saved.checkpoint import load_checkpoint, restore_model

CHECKPOINTS = "checkpoints"


@dataclass(frozen=True)
class Trained:
    """``vocabulary`` is the largest id plus one, as the shards' manifest has it; the model may have more rows.

    ``model`` is on the CPU. ``config`` is the run's but for device and layout: another machine may use it.
    """

    folder: Path
    config: TrainConfig
    shards: str
    manifest_hash: str
    vocabulary: int
    eos_id: int
    step: int
    model: Decoder


def warn(line: str) -> None:
    """What is said of a damaged checkpoint stays out of the output, which others may read."""
    print(f"trainer: {line}", file=sys.stderr)


def load_trained(folder: Path, step: int | None = None) -> Trained:
    """The last whole checkpoint of a run, or that of ``step``. Raises ``ValueError`` when there is none."""
    value = record.of_a_run(folder)
    checkpoint = load_checkpoint(folder / CHECKPOINTS, warn, step=step)
    if checkpoint is None:
        raise ValueError(f"{folder}: no checkpoint yet")
    config = parse_config(value["config"]).model_copy(update={"device": "auto", "parallel": ParallelConfig()})
    model = Decoder(config.model, value["embedding_rows"])
    restore_model(model, checkpoint.model)
    return Trained(
        folder,
        config,
        value["shards"],
        value["manifest"],
        value["vocabulary_size"],
        value["eos_id"],
        checkpoint.step,
        model,
    )


def load_tokenizer(folder: Path) -> Tokenizer:
    """The run's own copy. Raises ``ValueError`` when it was trained without."""
    path = folder / record.TOKENIZER
    if not path.exists():
        raise ValueError(f"{folder}: the run was trained without --tokenizer, so its ids have no text")
    return Tokenizer.from_file(str(path))
