"""A Llama-style decoder.

Decisions:
- RMSNorm before every block (Zhang & Sennrich 2019), rotary positions (Su et al. 2021), SwiGLU (Shazeer 2020),
  grouped-query attention (Ainslie et al. 2023), no biases: the layout of Llama 2 and 3, so that weights can be exported
  under its names.
- Rotary pairs are (i, i + E/2), the "half" layout of Hugging Face checkpoints, not the paper's interleaved one.
- Weights start from a normal of deviation sqrt(2 / (5 · width)) (Nguyen & Salazar 2019), which is GPT-2's 0.02 at its
  widths and more for narrow models. The two projections that write into the residual stream start 1 / sqrt(2 · layers)
  smaller, so that its variance does not grow with depth (Radford et al. 2019).
- Tied embeddings start at 12 / width. A token's logit for its own repetition is then about 12 at any width (GPT-2's
  0.02 gives 15 at 768): much less and a narrow model sits on the plateau of single-token frequencies, much more and it
  has to unlearn repeating. Measured on `tiny` after 512,000 tokens: 0.02 → 6.41 nats, 0.056 → 5.82, 0.1 → 5.56, 0.2 →
  5.97. Untied ones have no such conflict and start at 1 (5.49).
- QK-norm (Henry et al. 2020) by choice: queries and keys of each head are normalised before they are turned, as in
  Qwen3, whose names and place it has.
- Documents in one row are kept apart by a block-diagonal mask on causal attention and positions that start again
  (``trainer/model/attention.py``).
- Logits are made for those who ask for them; the loss goes without (``trainer/model/loss.py``).
- Parallelism, precision and compilation are the caller's: this file knows none of them.

Shape suffixes: B rows, T positions, D width, H query heads, K key/value heads, E head width, F feed-forward width, V
vocabulary.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from trainer.config import ModelConfig
from trainer.model.attention import Mask, attend, document_mask
from trainer.model.loss import cross_entropy_sum


class RMSNorm(nn.Module):
    """x / rms(x) · weight over the last axis, the mean square taken in float32."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x.float(), self.weight.shape, self.weight.float(), self.eps).to(x.dtype)


def rotary_tables(positions: int, head_width: int, theta: float) -> tuple[Tensor, Tensor]:
    """Cosines and sines, each float32 [T, E]: position t turns pair i by t · theta^(-2i/E).

    A pair's first sine is negative, as a rotation has it.
    """
    frequencies_e = theta ** (-torch.arange(0, head_width, 2, dtype=torch.float64) / head_width)
    angles_te = torch.outer(torch.arange(positions, dtype=torch.float64), frequencies_e)
    cos_te, sin_te = angles_te.cos().float(), angles_te.sin().float()
    return torch.cat([cos_te, cos_te], dim=-1), torch.cat([-sin_te, sin_te], dim=-1)


def rotate(x_bhte: Tensor, cos_te: Tensor, sin_te: Tensor) -> Tensor:
    """The tables may also be [B, 1, T, E], where rows have positions of their own."""
    x32_bhte = x_bhte.float()
    other_bhte = x32_bhte.roll(x_bhte.shape[-1] // 2, dims=-1)
    return torch.addcmul(x32_bhte * cos_te, other_bhte, sin_te).to(x_bhte.dtype)


class Attention(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.heads, self.kv_heads, self.head_width = config.heads, config.kv_heads, config.head_width
        self.q_proj = nn.Linear(config.width, self.heads * self.head_width, bias=False)
        self.k_proj = nn.Linear(config.width, self.kv_heads * self.head_width, bias=False)
        self.v_proj = nn.Linear(config.width, self.kv_heads * self.head_width, bias=False)
        self.o_proj = nn.Linear(self.heads * self.head_width, config.width, bias=False)
        self.q_norm = RMSNorm(self.head_width, config.norm_eps) if config.qk_norm else nn.Identity()
        self.k_norm = RMSNorm(self.head_width, config.norm_eps) if config.qk_norm else nn.Identity()

    def project(self, x_btd: Tensor, cos_te: Tensor, sin_te: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries [B, H, T, E], keys and values [B, K, T, E], turned to their positions."""
        rows, positions, _ = x_btd.shape
        q_bhte = self.q_proj(x_btd).view(rows, positions, self.heads, self.head_width).transpose(1, 2)
        k_bkte = self.k_proj(x_btd).view(rows, positions, self.kv_heads, self.head_width).transpose(1, 2)
        v_bkte = self.v_proj(x_btd).view(rows, positions, self.kv_heads, self.head_width).transpose(1, 2)
        return rotate(self.q_norm(q_bhte), cos_te, sin_te), rotate(self.k_norm(k_bkte), cos_te, sin_te), v_bkte

    def forward(self, x_btd: Tensor, cos_te: Tensor, sin_te: Tensor, mask: Mask) -> Tensor:
        q_bhte, k_bkte, v_bkte = self.project(x_btd, cos_te, sin_te)
        y_bhte = attend(q_bhte, k_bkte, v_bkte, mask)
        return self.o_proj(y_bhte.transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    """SwiGLU: down(silu(gate(x)) · up(x))."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(config.width, config.feed_forward, bias=False)
        self.up_proj = nn.Linear(config.width, config.feed_forward, bias=False)
        self.down_proj = nn.Linear(config.feed_forward, config.width, bias=False)

    def forward(self, x_btd: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.gate_proj(x_btd)) * self.up_proj(x_btd))


class Block(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(config.width, config.norm_eps)
        self.attention = Attention(config)
        self.feed_forward_norm = RMSNorm(config.width, config.norm_eps)
        self.feed_forward = FeedForward(config)

    def forward(self, x_btd: Tensor, cos_te: Tensor, sin_te: Tensor, mask: Mask) -> Tensor:
        x_btd = x_btd + self.attention(self.attention_norm(x_btd), cos_te, sin_te, mask)
        return x_btd + self.feed_forward(self.feed_forward_norm(x_btd))


class Decoder(nn.Module):
    """Token ids to logits. ``vocabulary`` is V: the rows of the embedding, which may exceed the tokenizer's ids.

    ``recompute``: in training keep only what goes into each block, and compute the rest again for the backward pass
    (Chen et al. 2016): a third more work for memory that grows with depth by one activation a block.
    """

    recompute = False
    cos_te: Tensor
    sin_te: Tensor

    def __init__(self, config: ModelConfig, vocabulary: int) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(vocabulary, config.width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = RMSNorm(config.width, config.norm_eps)
        self.head = nn.Linear(config.width, vocabulary, bias=False)
        if config.tied_embeddings:
            self.head.weight = self.embedding.weight
        cos_te, sin_te = rotary_tables(config.context, config.head_width, config.rope_theta)
        self.register_buffer("cos_te", cos_te, persistent=False)
        self.register_buffer("sin_te", sin_te, persistent=False)

    def initialise(self, seed: int) -> None:
        """Draw all weights on the CPU from their own generator, so that a seed means the same model on any device."""
        generator = torch.Generator().manual_seed(seed)
        usual = math.sqrt(2 / (5 * self.config.width))
        into_residual = usual / math.sqrt(2 * self.config.layers)
        embedding = 12 / self.config.width if self.config.tied_embeddings else 1.0
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                if parameter.ndim < 2:
                    parameter.fill_(1.0)
                    continue
                deviation = usual
                if name == "embedding.weight":
                    deviation = embedding
                elif name.endswith(("o_proj.weight", "down_proj.weight")):
                    deviation = into_residual
                parameter.copy_(torch.empty(parameter.shape).normal_(0.0, deviation, generator=generator))

    def forward(self, ids_bt: Tensor, targets_bt: Tensor | None = None, positions_bt: Tensor | None = None) -> Tensor:
        """Logits [B, T, V]; with targets, the *sum* of the cross-entropy in nats over targets that are not -100.

        ``positions_bt``: each token's place in its document; a document begins wherever it is 0. None: each row is one.
        A sum, not a mean: the caller divides by the valid tokens of the whole step, which may span micro-batches and
        ranks.
        """
        if positions_bt is None:
            cos_te, sin_te, mask = self.cos_te[: ids_bt.shape[1]], self.sin_te[: ids_bt.shape[1]], None
        else:
            cos_te, sin_te = self.cos_te[positions_bt].unsqueeze(1), self.sin_te[positions_bt].unsqueeze(1)
            mask = document_mask(positions_bt, self.config.head_width)
        x_btd = self.embedding(ids_bt)
        for block in self.blocks:
            if self.recompute and torch.is_grad_enabled():
                x_btd = checkpoint(block, x_btd, cos_te, sin_te, mask, use_reentrant=False)
            else:
                x_btd = block(x_btd, cos_te, sin_te, mask)
        x_btd = self.norm(x_btd)
        if targets_bt is None:
            return self.head(x_btd)
        return cross_entropy_sum(x_btd.flatten(0, 1), self.head.weight, targets_bt.flatten())

    def parameter_count(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters())
