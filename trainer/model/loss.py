"""Cross-entropy of a linear head, in chunks of positions, so that logits never fill memory.

Decisions:
- The gradient of a chunk's logits is taken while they are there, in the forward pass, and only what it leaves behind is
  kept: a gradient for each input and one for the head. A chunk's logits are so computed once, not once more for the
  backward pass. Liger (Hsu et al. 2024, arXiv 2410.10989, §3.2) does the same.
- It is a sum over targets, so its gradient is the same wherever the rows were cut, and the caller's factor
  (1 / targets) comes in the backward pass.
- Sums over chunks are kept in float32, whatever the matrices are multiplied in.

Shape suffixes: N positions of a chunk, D width, V vocabulary.
"""

from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

CHUNK_LOGITS = 2**27
"""So many logits at a time on a GPU: 512 MiB in float32, 2,668 positions at 50,304 ids; enough to keep it busy."""

CHUNK_LOGITS_CPU = 2**22
"""16 MiB. On one core head and loss of 2,048 positions of width 128 take 110 ms for any size up to 2²² with 4,096 ids,
160 with PyTorch's cross-entropy on all logits; with 50,304 ids 3,170 ms for 2¹⁹, 1,230 for 2²², 1,850 for PyTorch's."""

IGNORE = -100
"""Targets of this value count for nothing."""


def cross_entropy_sum(x_nd: Tensor, weight_vd: Tensor, targets_n: Tensor) -> Tensor:
    """Σ over targets of -log softmax(x · weightᵀ)[target], in nats, a float32 scalar.

    ``x_nd`` [N, D], ``weight_vd`` [V, D], ``targets_n`` int64 [N]. Matrices are multiplied in autocast's type, if it is
    on.
    """
    wanted = torch.is_grad_enabled() and (x_nd.requires_grad or weight_vd.requires_grad)
    return _Chunked.apply(x_nd, weight_vd, targets_n, wanted)  # type: ignore[no-untyped-call]


def logits_loss(logits_nv: Tensor, targets_n: Tensor) -> tuple[Tensor, Tensor]:
    """(the sum of their cross-entropy, its gradient by the logits), both float32.

    The likeliest id's probability is at least 1 / V, so its logarithm is safe where the target's would be -inf.
    """
    logits_nv = logits_nv.float()
    valid_n1 = (targets_n != IGNORE).unsqueeze(1)
    at_n1 = targets_n.clamp(min=0).unsqueeze(1)
    gradient_nv = torch.softmax(logits_nv, 1)
    log_z_n1 = logits_nv.amax(1, keepdim=True) - gradient_nv.amax(1, keepdim=True).log()
    loss = ((log_z_n1 - logits_nv.gather(1, at_n1)) * valid_n1).sum()
    return loss, gradient_nv.mul_(valid_n1).scatter_add_(1, at_n1, -valid_n1.float())


@cache
def _fused() -> Any:
    """On a GPU its passes over the logits become two."""
    return torch.compile(logits_loss, dynamic=True)


class _Chunked(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_nd: Tensor, weight_vd: Tensor, targets_n: Tensor, gradient: bool) -> Tensor:
        device = x_nd.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else weight_vd.dtype
        x_nd, weight_cast_vd = x_nd.to(dtype), weight_vd.to(dtype)
        of_logits = _fused() if device == "cuda" else logits_loss
        size = max(1, (CHUNK_LOGITS if device == "cuda" else CHUNK_LOGITS_CPU) // len(weight_vd))
        loss = torch.zeros((), device=x_nd.device)
        gradient_x_nd = torch.empty_like(x_nd) if gradient else None
        gradient_weight_vd = torch.zeros_like(weight_vd, dtype=torch.float32) if gradient else None
        with torch.autocast(device, enabled=False):
            for start in range(0, len(x_nd), size):
                part_nd = x_nd[start : start + size]
                part_loss, gradient_nv = of_logits(F.linear(part_nd, weight_cast_vd), targets_n[start : start + size])
                loss += part_loss
                if gradient_x_nd is not None and gradient_weight_vd is not None:
                    gradient_nv = gradient_nv.to(dtype)
                    torch.mm(gradient_nv, weight_cast_vd, out=gradient_x_nd[start : start + size])
                    _add_product(gradient_weight_vd, gradient_nv.t(), part_nd)
        ctx.save_for_backward(gradient_x_nd, gradient_weight_vd)
        return loss

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, Tensor, None, None]:
        gradient_x_nd, gradient_weight_vd = ctx.saved_tensors
        return gradient_x_nd * upstream, gradient_weight_vd * upstream, None, None


def _add_product(total: Tensor, a: Tensor, b: Tensor) -> None:
    if a.dtype == total.dtype:
        total.addmm_(a, b)
    else:
        total += a @ b
