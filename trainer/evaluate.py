"""Validation loss of each source and of all: nats per token, and bits per byte, which does not depend on the tokenizer.

Decisions:
- Bits per byte of a source = nats per token / ln 2 × its tokens / its UTF-8 bytes, both of the whole split, from the
  manifest. Windows cut documents, so a sample of tokens has no bytes of its own; the ratio of the split stands in. When
  the sample is the split, nothing is estimated.
- A document's closing EOS is a token of no bytes: what it costs to say where a document ends is part of the price.
- The loss of all weighs each source's by its tokens in the split, however many of them were read.
- Every rank makes the same number of passes, so that a model whose weights lie on several devices can gather them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from trainer.data.batches import IGNORE, Windows, evaluation_windows
from trainer.parallel import Ranks


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
