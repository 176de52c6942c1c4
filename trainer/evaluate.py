"""Validation loss: nats per token, and bits per byte, which does not depend on the tokenizer."""

import math
from dataclasses import dataclass

import torch
from torch import nn

from trainer.data import Windows, evaluation_windows
from trainer.parallel import Ranks


@dataclass(frozen=True)
class Loss:
    """``nats``: mean cross-entropy of a token. ``bits_per_byte``: the same as bits a UTF-8 byte of text costs."""

    nats: float
    bits_per_byte: float


def evaluate(model: nn.Module, windows: Windows, tokens: int, windows_per_pass: int, ranks: Ranks) -> Loss:
    """The loss on a fixed sample of about ``tokens`` validation tokens; every rank computes a part and returns the
    whole.

    Tokens are turned into bytes by the whole split's ratio, in which each document's closing EOS is a token of no
    bytes: what it costs to say where a document ends is part of the price.
    """
    sample = evaluation_windows(windows, tokens)
    total = torch.zeros(1, dtype=torch.float64, device=ranks.device)
    mine = sample[ranks.data_rank :: ranks.data_size]
    with torch.no_grad(), ranks.autocast():
        # as many passes on every rank, for in each all give their shards of the weights
        for start in range(0, -(-len(sample) // ranks.data_size), windows_per_pass):
            part = mine[start : start + windows_per_pass]
            batch = windows.batch(part if len(part) else sample[:1])
            loss = model(*batch.to(ranks.device)).double()
            total += loss if len(part) else 0
    nats = ranks.sum(total).item() / sum(windows.targets(sample).values())
    return Loss(nats, nats / math.log(2) * windows.stream.tokens / windows.stream.bytes)
