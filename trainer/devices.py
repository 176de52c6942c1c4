"""What a token costs to train on, and what a device could do at best: model FLOPs utilisation compares the two. And how
much memory was taken.

Decisions:
- A device is known by the whole name that the driver gives it. A part of a name is a guess: an "H100 PCIe" is three
  quarters of an H100, an L40 is more than an L4, and a seventh of a GPU has its name, too. What is not in the table
  has no peak, and its utilisation is null.
- Peaks are dense bfloat16 with float32 sums; makers print twice that, for matrices half of zeros. A run in float8 is
  measured by the same peak, so that its utilisation says how much faster it is.
"""

import resource
import sys

import torch

from trainer.config import ModelConfig

H100_SXM = 989.4e12
A100 = 312e12

PEAK_FLOPS: dict[str, float] = {
    # NVIDIA H100 data sheet (2023): 1,979, 1,513 and 1,671 with sparsity
    "NVIDIA H100 80GB HBM3": H100_SXM,
    "NVIDIA H100 PCIe": 756e12,
    "NVIDIA H100 NVL": 835e12,
    # NVIDIA H200 data sheet (2024): 1,979 and 1,671 with sparsity
    "NVIDIA H200": H100_SXM,
    "NVIDIA H200 NVL": 835e12,
    # NVIDIA GH200 data sheet (2023): 1,979 with sparsity
    "NVIDIA GH200 480GB": H100_SXM,
    # NVIDIA HGX B200 data sheet (2025): 36,000 for eight with sparsity
    "NVIDIA B200": 2_250e12,
    # NVIDIA A100 data sheet (2021)
    "NVIDIA A100-SXM4-40GB": A100,
    "NVIDIA A100-SXM4-80GB": A100,
    "NVIDIA A100-PCIE-40GB": A100,
    "NVIDIA A100 80GB PCIe": A100,
    # NVIDIA A10, A30 and A40 data sheets (2021)
    "NVIDIA A10": 125e12,
    "NVIDIA A30": 165e12,
    "NVIDIA A40": 149.7e12,
    # NVIDIA L4, L40 and L40S data sheets (2023): 242, 362 and 733 with sparsity
    "NVIDIA L4": 121e12,
    "NVIDIA L40": 181e12,
    "NVIDIA L40S": 362e12,
    # NVIDIA GA102, Ada and RTX Blackwell whitepapers, appendices A
    "NVIDIA GeForce RTX 3090": 71e12,
    "NVIDIA GeForce RTX 4090": 165.2e12,
    "NVIDIA GeForce RTX 5090": 209.5e12,
}


def peak_flops(device_name: str) -> float | None:
    """Floating-point operations a second of a device, by ``torch.cuda.get_device_name``; None for an unknown one."""
    return PEAK_FLOPS.get(device_name)


def flops_per_token(config: ModelConfig, vocabulary: int) -> int:
    """6N + 12 · L · H · E · T (Chowdhery et al. 2022, PaLM, appendix B).

    N counts the matrices that each token is multiplied with: those of the blocks and the head, not the look-up of
    embeddings, not the norms' gains. Two operations a parameter forwards, four backwards. Attention multiplies with all
    T keys and values of a window, though a causal mask leaves half of them: the convention, which figures of others
    follow. Work done again for ``recompute`` does not count.
    """
    heads = config.head_width * (2 * config.heads + 2 * config.kv_heads)
    block = config.width * (heads + 3 * config.feed_forward)
    attention = config.layers * config.heads * config.head_width * config.context
    return 6 * (config.layers * block + vocabulary * config.width) + 12 * attention


def peak_memory(device: torch.device) -> int:
    """Bytes: the most that tensors took on a GPU at any time of this process; on a CPU, all of the process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
