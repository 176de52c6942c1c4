"""AdamW on named parameters, and one guarded update.

Decisions:
- Weight decay pulls on matrices only; norms' gains have no reason to be zero.
- A gradient that is not finite never reaches the optimizer: multiplying the update by zero would still put NaN into
  Adam's moments. The step is passed over, parameters and moments keep their bits.
- State is kept by parameter *name*, so that a checkpoint does not depend on the order in which modules are made.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from trainer.config import OptimizerConfig


def build_optimizer(model: nn.Module, config: OptimizerConfig, device: torch.device) -> torch.optim.AdamW:
    """Fused AdamW where torch has a kernel for the device."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    groups = [{**group, "params": part} for group in groups for part in by_mesh(group["params"])]
    return torch.optim.AdamW(
        groups,
        lr=config.learning_rate,
        betas=(config.beta1, config.beta2),
        eps=config.epsilon,
        fused=device.type in ("cuda", "cpu"),
    )


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
    for key, value in tensors.items():
        name, _, slot = key.rpartition(":")
        if name not in parameters:
            raise ValueError(f"optimizer state for {name!r}: the model has no such parameter")
        # a clone: loaded tensors may be views of one read-only buffer, and the optimizer writes in place
        optimizer.state[parameters[name]][slot] = value.to(parameters[name].device, copy=True)
