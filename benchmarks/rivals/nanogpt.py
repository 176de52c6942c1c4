"""nanoGPT's model and loop, written anew from its published design, to be measured beside ours.

GPT-2 without biases: learned positions, LayerNorm before each block, one matrix for queries, keys and values, GELU, the
head tied to the embedding; attention by scaled_dot_product_attention, PyTorch's cross-entropy on all logits, fused
AdamW, gradients clipped at 1. Batches are random crops of one file of ids.

    python benchmarks/rivals/nanogpt.py SETTINGS.json

prints what it measured as JSON; ``benchmarks/training.py`` writes the settings.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Block(nn.Module):
    def __init__(self, width: int, heads: int, inner: int) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention = nn.LayerNorm(width, bias=False)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.before_inner = nn.LayerNorm(width, bias=False)
        self.up = nn.Linear(width, inner, bias=False)
        self.down = nn.Linear(inner, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        rows, positions, width = x.shape
        parts = self.qkv(self.before_attention(x)).split(width, 2)
        q, k, v = (part.view(rows, positions, self.heads, -1).transpose(1, 2) for part in parts)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(rows, positions, width)
        x = x + self.out(y)
        return x + self.down(F.gelu(self.up(self.before_inner(x))))


class GPT(nn.Module):
    def __init__(self, vocabulary: int, context: int, layers: int, width: int, heads: int, inner: int) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.places = nn.Embedding(context, width)
        self.blocks = nn.ModuleList(Block(width, heads, inner) for _ in range(layers))
        self.norm = nn.LayerNorm(width, bias=False)
        self.head = nn.Linear(width, vocabulary, bias=False)
        for parameter in self.parameters():
            if parameter.ndim == 2:
                nn.init.normal_(parameter, std=0.02)
        self.tokens.weight = self.head.weight

    def forward(self, ids: Tensor, targets: Tensor) -> Tensor:
        x = self.tokens(ids) + self.places(torch.arange(ids.shape[1], device=ids.device))
        for block in self.blocks:
            x = block(x)
        return F.cross_entropy(self.head(self.norm(x)).flatten(0, 1), targets.flatten(), ignore_index=-1)


def adamw(model: nn.Module, rate: float) -> torch.optim.AdamW:
    groups = [
        {"params": [p for p in model.parameters() if p.ndim >= 2], "weight_decay": 0.1},
        {"params": [p for p in model.parameters() if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, rate, (0.9, 0.95), fused=True)


def main() -> None:
    settings = json.loads(Path(sys.argv[1]).read_text())
    torch.set_num_threads(settings["threads"])
    torch.manual_seed(1)
    context, rows = settings["context"], settings["rows"]
    shape = {name: settings[name] for name in ("vocabulary", "context", "layers", "width", "heads", "inner")}
    model, ids = GPT(**shape), np.memmap(settings["ids"], np.uint16, "r")
    optimizer = adamw(model, settings["rate"])

    def batch() -> tuple[Tensor, Tensor]:
        starts = torch.randint(len(ids) - context, (rows,)).tolist()
        x = torch.stack([torch.from_numpy(ids[at : at + context].astype(np.int64)) for at in starts])
        y = torch.stack([torch.from_numpy(ids[at + 1 : at + 1 + context].astype(np.int64)) for at in starts])
        return x, y

    loss = torch.zeros(())
    for step in range(settings["warm"] + settings["steps"]):
        if step == settings["warm"]:
            wall, cpu = time.perf_counter(), time.process_time()
        loss = model(*batch())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        loss.item()
    used = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "loss": loss.item()}
    print(json.dumps(used | {"parameters": sum(p.numel() for p in model.parameters())}))


if __name__ == "__main__":
    main()
