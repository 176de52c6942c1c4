"""Validation loss of each source and of all: nats per token, and bits per byte, which does not depend on the tokenizer.

Decisions:
- Bits per byte of a source = nats per token / ln 2 × its tokens / its UTF-8 bytes, both of the whole split, from the
  manifest. Windows cut documents, so a sample of tokens has no bytes of its own; the ratio of the split stands in. When
  the sample is the split, nothing is estimated.
- A document's closing EOS is a token of no bytes: what it costs to say where a document ends is part of the price.
- The loss of all weighs each source's by its tokens in the split, however many of them were read.
- Every rank makes the same number of passes, so that a model whose weights lie on several devices can gather them.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from dataprep.shards import Manifest
from trainer.choices import Accuracy, Question, accuracy
from trainer.config import TrainConfig
from trainer.data import IGNORE, Windows, evaluation_windows
from trainer.files import replace_file
from trainer.parallel import Ranks
from trainer.reading import Reading
from trainer.stream import TokenStream
from trainer.trained import Trained, load_tokenizer


@dataclass(frozen=True)
class Loss:
    """``nats``: mean cross-entropy of a token. ``bits_per_byte``: the same as bits a UTF-8 byte of text costs."""

    nats: float
    bits_per_byte: float


@dataclass(frozen=True)
class Losses:
    """``total`` is of the split, ``sources`` by name."""

    total: Loss
    sources: dict[str, Loss]

    def metrics(self) -> dict[str, float]:
        """The figures as a line of ``metrics.jsonl`` holds them."""
        values = {"validation_loss": self.total.nats, "validation_bits_per_byte": self.total.bits_per_byte}
        for name, loss in self.sources.items():
            values[f"validation_loss.{name}"] = loss.nats
            values[f"validation_bits_per_byte.{name}"] = loss.bits_per_byte
        return values


def evaluate(model: nn.Module, windows: Windows, tokens: int, windows_per_pass: int, ranks: Ranks) -> Losses:
    """The losses on a fixed sample of about ``tokens`` validation tokens; every rank computes a part and returns the
    whole.

    Tokens skipped for damage are left out; a source of which none is left has the loss NaN.
    """
    samples = evaluation_windows(windows, tokens)
    means = mean_losses(model, windows, list(samples.values()), windows_per_pass, ranks)
    stream = windows.stream
    totals = [stream.manifest.totals[name, stream.split] for name in samples]
    sources = {
        name: _loss(mean, total.tokens, total.bytes) for name, mean, total in zip(samples, means, totals, strict=True)
    }
    mean = sum(mean * total.tokens for mean, total in zip(means, totals, strict=True)) / stream.tokens
    return Losses(_loss(mean, stream.tokens, stream.bytes), sources)


def mean_losses(
    model: nn.Module, windows: Windows, samples: Sequence[NDArray[np.int64]], windows_per_pass: int, ranks: Ranks
) -> list[float]:
    """Nats a token over each sample of windows, NaN where no target is left; every rank computes a part and returns
    the whole.
    """
    sums = torch.zeros(len(samples), 2, dtype=torch.float64, device=ranks.device)  # nats, targets
    with torch.no_grad(), ranks.autocast():
        for number, sample in enumerate(samples):
            mine = sample[ranks.data_rank :: ranks.data_size]
            # as many passes on every rank, for in each all give their shards of the weights
            for start in range(0, -(-len(sample) // ranks.data_size), windows_per_pass):
                part = mine[start : start + windows_per_pass]
                batch = windows.batch(part if len(part) else sample[:1])
                nats = model(*batch.to(ranks.device)).double()
                if len(part):
                    sums[number, 0] += nats
                    sums[number, 1] += (batch.targets_bt != IGNORE).sum()
    return [nats / targets if targets else math.nan for nats, targets in ranks.sum(sums).tolist()]


def _loss(nats: float, tokens: int, size: int) -> Loss:
    return Loss(nats, nats / math.log(2) * tokens / size if size else math.nan)


def validation_windows(stream: TokenStream, config: TrainConfig) -> Windows:
    """The validation split, cut as the run cuts what it trains on."""
    data = config.data
    return Windows(stream, config.model.context, packing=data.packing, mask_documents=data.mask_documents)


@dataclass(frozen=True)
class Evaluation:
    """What is known of a checkpoint; ``losses`` is None when no validation was asked for, ``choices`` is by file."""

    step: int
    losses: Losses | None
    choices: dict[str, Accuracy]

    def to_json(self) -> dict[str, Any]:
        """Losses are named as in ``metrics.jsonl``; what is not finite is null."""
        named = self.losses.metrics() if self.losses else {}
        return {
            "step": self.step,
            "validation": {name: value if math.isfinite(value) else None for name, value in named.items()},
            "choices": {name: asdict(one) for name, one in self.choices.items()},
        }

    def table(self) -> list[str]:
        """The same as lines of aligned columns."""
        lines = []
        if self.losses:
            lines.append(f"{'validation':<24}{'nats/token':>12}{'bits/byte':>12}")
            for name, loss in (("all", self.losses.total), *self.losses.sources.items()):
                lines.append(f"  {name:<22}{loss.nats:>12.4f}{loss.bits_per_byte:>12.4f}")
        if self.choices:
            lines.append(f"{'choices':<24}{'questions':>12}{'acc':>18}{'acc_norm':>18}")
            for name, one in self.choices.items():
                cells = (
                    f"{value:.4f}" + ("" if error is None else f" ± {error:.4f}")
                    for value, error in ((one.acc, one.acc_stderr), (one.acc_norm, one.acc_norm_stderr))
                )
                lines.append(f"  {name:<22}{one.questions:>12,}" + "".join(f"{cell:>18}" for cell in cells))
        return lines


def evaluate_run(trained: Trained, tokens: int, tasks: Mapping[str, Sequence[Question]], ranks: Ranks) -> Evaluation:
    """Validation on about ``tokens`` tokens, none for 0, and files of questions; also written to the run's
    ``evaluation-STEP.json``.

    Raises ``ValueError`` when the shards are not the run's or have no validation split.
    """
    model, config = trained.model.to(ranks.device), trained.config
    losses = None
    if tokens:
        manifest = Manifest.load(trained.shards)
        if manifest.hash != trained.manifest_hash:
            raise ValueError(f"{trained.shards}: is {manifest.hash}, the run was on {trained.manifest_hash}")
        reading = Reading(manifest, config.read, config.seed, trained.folder, ranks.rank)
        windows = validation_windows(reading.stream("validation", model.embedding.num_embeddings), config)
        if not windows.count:
            raise ValueError(f"{trained.shards}: no tokens in the split 'validation'; allowed is --tokens 0")
        losses = evaluate(model, windows, tokens, config.windows_per_pass, ranks)
    choices = {}
    if tasks:
        tokenizer = load_tokenizer(trained.folder)
        choices = {name: accuracy(model, tokenizer, one, trained.eos_id, ranks) for name, one in tasks.items()}
    evaluation = Evaluation(trained.step, losses, choices)
    if ranks.main:
        content = json.dumps(evaluation.to_json(), indent=2) + "\n"
        replace_file(trained.folder / f"evaluation-{trained.step:08d}.json", content.encode())
    return evaluation
