"""What a run would need before it is started: parameters, floating-point operations, memory, time, money.

Decisions:
- Parameters are counted on the model itself, built without memory.
- Memory is arithmetic (Rajbhandari et al. 2020, section 3.1, but with float32 gradients): a parameter has 4 bytes of
  weight, 4 of gradient and 8 of AdamW's moments; Muon has one of 4 for the matrices of blocks. DDP sends gradients from
  buckets of the same size. With bfloat16 each matrix has a copy of 2 bytes that is kept for the backward pass; where
  blocks are recomputed, that of one block.
- FSDP2 holds, besides its shard, the weights and gradients of what lies outside the blocks and of a block, in the types
  they are gathered and computed in, the weights of the next block, and a block's gradients in float32 to be summed.
- Activations are counted as Korthikanti et al. 2022 (section 4.1) do, for this model. For the backward pass a token
  keeps in a layer 8 · D + b · (2 · D + 2 · H · E + 2 · K · E + 4 · F) bytes: the residual stream in float32 at both
  norms, and in b bytes (2 in bfloat16, 4 in float32) the two normed inputs, queries, keys, values, what attention
  gives, and of the feed-forward width gate, silu(gate), up and their product. No scores: attention does not store them.
  It is what compiled code keeps, before what an allocator wastes; code that is not compiled keeps up to half as much
  again. With recomputation it is the stream's 4 · D, and one layer in full.
- Time is operations ÷ (what the devices can do × the share of it that is stated).

Shape suffixes as in ``model``.
"""

from collections import Counter
from dataclasses import dataclass

import torch

from trainer.config import ModelConfig, TrainConfig
from trainer.devices import flops_per_token, peak_flops
from trainer.model.decoder import Decoder
from trainer.model.loss import CHUNK_LOGITS

PARTS = {"embedding": "embedding", "attention": "attention", "feed_forward": "feed-forward", "head": "head"}
NODE = 8
"""Devices that share a fast network: tensor parallelism does not leave them."""
SHORT = {
    "a100": "NVIDIA A100-SXM4-80GB",
    "h100": "NVIDIA H100 80GB HBM3",
    "h200": "NVIDIA H200",
    "b200": "NVIDIA B200",
    "l40s": "NVIDIA L40S",
    "4090": "NVIDIA GeForce RTX 4090",
}
"""What people call the devices of ``trainer/devices.py``."""


@dataclass(frozen=True)
class Memory:
    """Bytes on one device. ``copies``: bfloat16 ones, and what FSDP2 has gathered."""

    weights: float
    gradients: float
    optimizer: float
    copies: float
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


def memory(
    config: TrainConfig, vocabulary: int, bfloat16: bool, replicas: int = 1, shards: int = 1, tensor: int = 1
) -> Memory:
    """Of one of ``replicas`` (DDP, or HSDP) × ``shards`` (FSDP2) × ``tensor`` (tensor parallel) devices."""
    model, width = config.model, 2 if bfloat16 else 4
    parts = parameters_by_part(model, vocabulary)
    blocks = (parts["attention"] + parts["feed-forward"]) / tensor
    outside = parts["embedding"] + parts.get("head", 0)
    share = (blocks + outside + parts["norms"]) / shards
    recompute, muon = config.recompute == "blocks", config.optimizer.kind == "muon"
    kept_blocks = blocks / model.layers if recompute else blocks
    copies = 2.0 * vocabulary * model.width if bfloat16 else 0.0
    if shards > 1:
        copies += 8 * outside + (3 * width + 4 if bfloat16 else 12) * blocks / model.layers
    elif bfloat16:
        copies += 2 * kept_blocks
    layer = activation_bytes(model, width, tensor)
    layers = 4 * model.width * model.layers + layer if recompute else model.layers * layer
    tokens = min(config.windows_per_pass, -(-config.windows_per_step // (replicas * shards))) * model.context
    return Memory(
        weights=4 * share,
        gradients=(8 if replicas > 1 and shards == 1 else 4) * share,
        optimizer=8 * share - (4 * blocks / shards if muon else 0),
        copies=copies,
        activations=tokens * layers,
        logits=min(tokens * vocabulary, CHUNK_LOGITS) * (8 + width),  # as computed, in float32, and their gradient
    )


def activation_bytes(config: ModelConfig, width: int, tensor: int = 1) -> float:
    """What a token keeps in a layer; tensor parallelism divides what lies between the projections (Korthikanti et al.
    2022, section 4.2.1). ``width``: bytes of a number.
    """
    between = 2 * (config.heads + config.kv_heads) * config.head_width + 4 * config.feed_forward
    return (8 + 2 * width) * config.width + width * between / tensor


def needs(config: TrainConfig, vocabulary: int, devices: int, bfloat16: bool) -> list[str]:
    """Parameters, operations and memory as lines."""
    parts = parameters_by_part(config.model, vocabulary)
    per_token, tokens = flops_per_token(config.model, vocabulary), _tokens(config)
    named = ", ".join(f"{count:,} {name}" for name, count in parts.items())
    layouts = {"one device": memory(config, vocabulary, bfloat16)}
    if devices > 1:
        layouts[f"DDP over {devices}"] = memory(config, vocabulary, bfloat16, replicas=devices)
        layouts[f"FSDP2 over {devices}"] = memory(config, vocabulary, bfloat16, shards=devices)
    tensor = max(size for size in range(1, NODE + 1) if devices % size == 0 == config.model.kv_heads % size)
    if 1 < tensor < devices:
        name = f"FSDP2 over {devices // tensor} × tensor {tensor}"
        layouts[name] = memory(config, vocabulary, bfloat16, shards=devices // tensor, tensor=tensor)
    heading = (*Memory.__annotations__, "total")
    return [
        f"parameters  {sum(parts.values()):,}: {named}",
        f"operations  {per_token:.4g} a token, {per_token * tokens:.4g} in all for {tokens:,} tokens",
        "GB a device".ljust(26) + "".join(name.rjust(12) for name in heading),
        *(
            f"  {name}".ljust(26) + "".join(f"{cell / 1e9:.2f}".rjust(12) for cell in (*vars(one).values(), one.total))
            for name, one in layouts.items()
        ),
    ]


def time_and_cost(
    config: TrainConfig, vocabulary: int, devices: int, device: str, mfu: float, price: float | None
) -> list[str]:
    """How long the run's steps take on ``devices`` of a device, and what that costs at ``price`` an hour for each.

    Raises ``ValueError`` for a device whose peak is not known.
    """
    peak = peak_flops(SHORT.get(device.lower(), device))
    if peak is None:
        raise ValueError(
            f"--device is {device!r}, whose peak is not known: allowed are {', '.join(SHORT)}, "
            f"or the full name of a device in trainer/devices.py"
        )
    speed = peak * mfu * devices / flops_per_token(config.model, vocabulary)
    hours = _tokens(config) / speed / 3600
    lines = [
        f"time        {hours:,.2f} h on {devices} × {device} ({peak / 1e12:,.0f} TFLOP/s, MFU {mfu:g}): "
        f"{speed:,.0f} tokens/s"
    ]
    if price is not None:
        lines.append(f"cost        {hours * devices * price:,.2f} at {price:g} an hour for each")
    return lines


def _tokens(config: TrainConfig) -> int:
    return config.steps * config.windows_per_step * config.model.context
