"""AdamW, or Muon with AdamW, on named parameters, and one guarded update.

Decisions:
- Weight decay pulls on matrices only; norms' gains have no reason to be zero.
- Muon (Jordan et al. 2024) moves a matrix by its momentum made orthogonal, with five Newton–Schulz steps in bfloat16.
  It is PyTorch's, for the matrices of the blocks; embeddings, head and gains are AdamW's, as its authors advise. Its
  update is scaled by 0.2 · sqrt(larger side), which gives it the root mean square of AdamW's, so that one rate, one
  decay and one schedule serve both (Liu et al. 2025, "Muon is scalable for LLM training", §2.2).
- A gradient that is not finite never reaches the optimizer: multiplying the update by zero would still put NaN into
  the moments. The step is passed over, parameters and moments keep their bits.
- State is kept by parameter *name*, so that a checkpoint does not depend on the order in which modules are made.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from trainer.config import OptimizerConfig

Parameters = list[nn.Parameter]


def build_optimizer(model: nn.Module, config: OptimizerConfig, device: torch.device) -> torch.optim.Optimizer:
    """AdamW is the fused one where torch has a kernel for the device."""
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    muon = [p for name, p in named if config.kind == "muon" and p.ndim == 2 and name.startswith("blocks.")]
    taken = {id(p) for p in muon}
    rest = [p for _, p in named if id(p) not in taken]
    decayed = ([p for p in rest if p.ndim >= 2], config.weight_decay)
    others = ([p for p in rest if p.ndim < 2], 0.0)
    adamw = torch.optim.AdamW(
        [{"params": part, "weight_decay": decay} for group, decay in (decayed, others) for part in by_mesh(group)],
        lr=config.learning_rate,
        betas=(config.beta1, config.beta2),
        eps=config.epsilon,
        fused=device.type in ("cuda", "cpu"),
    )
    return _MuonAndAdamW(muon, adamw, config) if muon else adamw


class _MuonAndAdamW(torch.optim.Optimizer):
    """Two optimizers that are one to whoever saves, loads and sets rates: their groups and their state together."""

    def __init__(self, matrices: Parameters, adamw: torch.optim.AdamW, config: OptimizerConfig) -> None:
        muon = torch.optim.Muon(
            matrices,
            lr=config.learning_rate,
            weight_decay=config.weight_decay,
            momentum=config.momentum,
            adjust_lr_fn="match_rms_adamw",
        )
        self.muon, self.adamw = muon, adamw
        super().__init__([*muon.param_groups, *adamw.param_groups], {})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        # given anew each time: loading a state dict replaces both
        for part, groups in ((self.muon, self.param_groups[:1]), (self.adamw, self.param_groups[1:])):
            part.state, part.param_groups = self.state, groups
            part.step(closure)  # type: ignore[no-untyped-call]


def by_mesh(tensors: Iterable[Tensor]) -> list[list[Tensor]]:
    """Tensors that one operation may take together: those cut over the same ranks, or not at all."""
    groups: dict[Any, list[Tensor]] = {}
    for tensor in tensors:
        groups.setdefault(getattr(tensor, "device_mesh", None), []).append(tensor)
    return list(groups.values())


def gradient_norm(model: nn.Module) -> Tensor:
    """The 2-norm over all gradients of all ranks' shards, a scalar on their device."""
    groups = by_mesh(p.grad for p in model.parameters() if p.grad is not None)
    norms = [torch.nn.utils.get_total_norm(gradients) for gradients in groups]
    norms = [norm.full_tensor() if isinstance(norm, DTensor) else norm for norm in norms]
    return norms[0] if len(norms) == 1 else torch.linalg.vector_norm(torch.stack(norms))


def update(model: nn.Module, optimizer: torch.optim.Optimizer, rate: float, norm: Tensor, clip: float) -> None:
    """One update at this rate, gradients scaled to at most ``clip``. The caller has seen that ``norm`` is finite."""
    for parameters in by_mesh(model.parameters()):
        torch.nn.utils.clip_grads_with_norm_(parameters, clip, norm)
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()


def optimizer_tensors(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimizer's state as ``{parameter name}:{slot}`` → tensor; empty before the first update."""
    return {
        f"{name}:{slot}": value
        for name, parameter in model.named_parameters()
        for slot, value in optimizer.state.get(parameter, {}).items()
    }


def restore_optimizer(model: nn.Module, optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """The inverse of ``optimizer_tensors``. Raises ``ValueError`` for a parameter the model does not have."""
    parameters = dict(model.named_parameters())
    optimizer.state.clear()  # before its first update there was none
    for key, value in tensors.items():
        name, _, slot = key.rpartition(":")
        if name not in parameters:
            raise ValueError(f"optimizer state for {name!r}: the model has no such parameter")
        # a clone: loaded tensors may be views of one read-only buffer, and the optimizer writes in place
        optimizer.state[parameters[name]][slot] = value.to(parameters[name].device, copy=True)
