"""What a run would need before it is started: parameters, floating-point operations, memory, time, money.

Decisions:
- Parameters are counted on the model itself, built without memory.
- Memory a device is arithmetic for AdamW in mixed precision (Rajbhandari et al. 2020, section 3.1, with our float32
  gradients): a parameter has 4 bytes of weight, 4 of gradient, 8 of moments, and 2 of a bfloat16 copy.
- Activations are counted as Korthikanti et al. 2022 (section 4.1) do, for this model: a token keeps in a layer
  8 · D + b · (2 · D + 2 · H · E + 2 · K · E + 4 · F) bytes. The residual stream in float32 at both norms; in b bytes (2
  in bfloat16, 4 in float32) the two normed inputs, queries, what attention gives, keys, values, and four times the
  feed-forward width: gate, silu(gate), up and their product. No scores: attention does not store them. It is what
  compiled code keeps, before what an allocator wastes; uncompiled, up to half as much again.
- Time is operations ÷ (what the devices can do × the share of it that is stated). Nobody's guess stands in for either.

Shape suffixes as in ``model``.
"""

from collections import Counter
from dataclasses import dataclass

import torch

from trainer.config import ModelConfig, TrainConfig
from trainer.devices import flops_per_token, peak_flops
from trainer.model import Decoder

PARTS = {"embedding": "embedding", "attention": "attention", "feed_forward": "feed-forward", "head": "head"}
CHUNK_LOGITS = 2**27
"""Logits are computed so many at a time."""
NODE = 8
"""Devices that share a fast network: tensor parallelism does not leave them."""


@dataclass(frozen=True)
class Memory:
    """Bytes on one device. ``gathered``: copies of weights in the precision of computing, or of blocks in use."""

    weights: float
    gradients: float
    optimizer: float
    gathered: float
    activations: float
    logits: float

    @property
    def total(self) -> float:
        return sum(vars(self).values())


def parameters_by_part(config: ModelConfig, vocabulary: int) -> dict[str, int]:
    """Parameters of the embedding, attention, feed-forward, norms and (when it is not the embedding) the head."""
    with torch.device("meta"):
        model = Decoder(config, vocabulary)
    parts = Counter[str]()
    for name, parameter in model.named_parameters():
        owner = next((part for part in name.split(".") if part in PARTS), "") if parameter.ndim > 1 else ""
        parts[PARTS.get(owner, "norms")] += parameter.numel()
    return dict(parts)


def memory(config: TrainConfig, vocabulary: int, bfloat16: bool, shards: int = 1, tensor: int = 1) -> Memory:
    """Of one of ``shards`` (FSDP2) × ``tensor`` (tensor parallel) devices; any number may repeat them."""
    model = config.model
    parts = parameters_by_part(model, vocabulary)
    count, block = sum(parts.values()), (parts["attention"] + parts["feed-forward"]) / model.layers
    width = 2 if bfloat16 else 4
    whole = max(block, parts["embedding"]) / tensor
    # sharded: the weights of the part in use and of the next, and the gradients of one before they are scattered
    gathered = (2 * width + 4) * whole if shards > 1 else (2 * count / tensor if bfloat16 else 0)
    tokens = min(config.windows_per_pass, config.windows_per_step) * model.context
    share = count / shards / tensor
    return Memory(
        4 * share,
        4 * share,
        8 * share,
        gathered,
        tokens * model.layers * activation_bytes(model, width, tensor),
        min(tokens * vocabulary, CHUNK_LOGITS) * (8 + width),  # as computed, and in float32 they and their gradient
    )


def activation_bytes(config: ModelConfig, width: int, tensor: int = 1) -> float:
    """What a token keeps in a layer for the backward pass; tensor parallelism divides what lies inside the projections
    (Korthikanti et al. 2022, section 4.2.1).
    """
    inside = 2 * (config.heads + config.kv_heads) * config.head_width + 4 * config.feed_forward
    return (8 + 2 * width) * config.width + width * inside / tensor


def needs(config: TrainConfig, vocabulary: int, devices: int, bfloat16: bool) -> list[str]:
    """Parameters, operations and memory as lines."""
    parts = parameters_by_part(config.model, vocabulary)
    per_token = flops_per_token(config.model, vocabulary)
    named = ", ".join(f"{count:,} {name}" for name, count in parts.items())
    lines = [
        f"parameters  {sum(parts.values()):,}: {named}",
        f"operations  {per_token:.4g} a token, {per_token * _tokens(config):.4g} in all ({_tokens(config):,} tokens)",
    ]
    tensor = max(size for size in range(1, min(devices, NODE) + 1) if not devices % size | config.model.kv_heads % size)
    layouts = {"one device, or DDP": memory(config, vocabulary, bfloat16)}
    if devices > 1:
        layouts[f"FSDP2 over {devices}"] = memory(config, vocabulary, bfloat16, devices)
    if tensor > 1:
        name = f"tensor parallel {tensor}" + (f" × FSDP2 {devices // tensor}" if devices > tensor else "")
        layouts[name] = memory(config, vocabulary, bfloat16, devices // tensor, tensor)
    heading = (*Memory.__annotations__, "total")
    lines.append("memory, GB a device".ljust(34) + "".join(name.rjust(12) for name in heading))
    for name, one in layouts.items():
        cells = (*vars(one).values(), one.total)
        lines.append(f"  {name}".ljust(34) + "".join(f"{cell / 1e9:.2f}".rjust(12) for cell in cells))
    return lines


def time_and_cost(
    config: TrainConfig, vocabulary: int, devices: int, device: str, mfu: float, price: float | None
) -> list[str]:
    """Time and cost of the run's steps on ``devices`` of a device. Raises ``ValueError`` for one that is not known."""
    peak = peak_flops(device)
    if peak is None:
        raise ValueError(f"--device is {device!r}: its peak is not known; allowed are those in trainer/devices.py")
    speed = peak * mfu * devices
    operations = flops_per_token(config.model, vocabulary) * _tokens(config)
    hours = operations / speed / 3600
    lines = [
        f"time        {hours:,.2f} h on {devices} × {device} at {peak / 1e12:,.0f} TFLOP/s and MFU {mfu:g}: "
        f"{_tokens(config) / hours / 3600:,.0f} tokens/s"
    ]
    if price is not None:
        lines.append(f"cost        {hours * devices * price:,.2f} at {price:g} an hour and device")
    return lines


def _tokens(config: TrainConfig) -> int:
    return config.steps * config.windows_per_step * config.model.context
