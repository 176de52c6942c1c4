"""Linear layers that multiply in 8 bits, on GPUs that can.

Decisions:
- Inputs and weights are e4m3, gradients e5m2 (Micikevicius et al. 2022), each tensor scaled so that its largest value
  is the type's largest: dynamic scaling by tensor, which has no state to save. Products come back in bfloat16.
- Parameters, their gradients, names and optimizer state are those of the ordinary layer.
- The matrices of the blocks only: embeddings, head and loss are sensitive, and nanochat and torchtitan leave them, too.
- PyTorch's kernel is called directly; torchao would be a dependency for what is three products.

PyTorch emulates the kernel on CPUs, which the tests use. On a GPU this has not been run.

Shape suffixes: N positions, I inputs, O outputs.
"""

from typing import Any

import torch
from torch import Tensor, nn

CAPABILITY = (8, 9)
"""The first NVIDIA GPUs that multiply in 8 bits are Ada's, 8.9; Hopper is 9.0."""

MULTIPLE = 16
"""The kernel takes matrices whose sides are multiples of 16."""

SMALLEST = torch.finfo(torch.float32).tiny


def use_float8(model: nn.Module, device: torch.device) -> None:
    """Have the linear layers of the blocks multiply in 8 bits.

    Raises ``ValueError`` where the device cannot.
    """
    if device.type != "cuda" or torch.cuda.get_device_capability(device) < CAPABILITY:
        has = f"a GPU of capability {torch.cuda.get_device_capability(device)}" if device.type == "cuda" else "a CPU"
        raise ValueError(f"precision is 'float8': this is {has}; allowed are GPUs of capability {CAPABILITY} or more")
    convert(model)


def convert(model: nn.Module) -> None:
    for name, layer in model.named_modules():
        fits = isinstance(layer, nn.Linear) and all(side % MULTIPLE == 0 for side in layer.weight.shape)
        if fits and name.startswith("blocks."):
            layer.__class__ = Float8Linear


class Float8Linear(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        x_ni = x.flatten(0, -2)
        short = -len(x_ni) % MULTIPLE
        padded_ni = nn.functional.pad(x_ni, (0, 0, 0, short)) if short else x_ni
        out_no: Tensor = _Multiply.apply(padded_ni, self.weight)  # type: ignore[no-untyped-call]
        return out_no[: len(x_ni)].view(*x.shape[:-1], -1)


class _Multiply(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_ni: Tensor, weight_oi: Tensor) -> Tensor:
        x, weight = _scaled(x_ni, torch.float8_e4m3fn), _scaled(weight_oi, torch.float8_e4m3fn)
        ctx.save_for_backward(*x, *weight)
        return _product(x, (weight[0].t(), weight[1]), fast=True)

    @staticmethod
    def backward(ctx: Any, gradient_no: Tensor) -> tuple[Tensor, Tensor]:
        x_ni, x_scale, weight_oi, weight_scale = ctx.saved_tensors
        gradient, scale = _scaled(gradient_no, torch.float8_e5m2)
        gradient_x = _product((gradient, scale), (_columns(weight_oi), weight_scale), fast=False)
        gradient_weight = _product((gradient.t().contiguous(), scale), (_columns(x_ni), x_scale), fast=False)
        return gradient_x, gradient_weight


def _scaled(x: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """(x / scale in 8 bits, scale)."""
    largest = torch.finfo(dtype).max
    scale = x.abs().amax().float().clamp(min=SMALLEST) / largest
    return (x.float() / scale).clamp(-largest, largest).to(dtype), scale


def _product(a: tuple[Tensor, Tensor], b: tuple[Tensor, Tensor], fast: bool) -> Tensor:
    """``a`` in rows, ``b`` in columns, as the kernel wants them. ``fast`` sums with fewer bits: forwards only."""
    (a_8, a_scale), (b_8, b_scale) = a, b
    return torch._scaled_mm(a_8, b_8, scale_a=a_scale, scale_b=b_scale, out_dtype=torch.bfloat16, use_fast_accum=fast)


def _columns(matrix: Tensor) -> Tensor:
    return matrix.t().contiguous().t()
