"""What a device can do, and what a model asks of it."""

from trainer.config import ModelConfig

PEAKS = {"a100": 312e12, "h100": 989e12, "h200": 989e12}
"""Dense bfloat16 operations a second, from NVIDIA's data sheets of the A100, H100 SXM and H200 SXM."""


def peak_flops(device_name: str) -> float | None:
    """None for a device that is not known."""
    words = device_name.lower().split()
    return next((peak for name, peak in PEAKS.items() if name in words), None)


def flops_per_token(config: ModelConfig, vocabulary: int) -> int:
    """Of training, forward and backward: 6 a weight of every matrix product, and 12 · L · H · E · T for attention
    (Chowdhery et al. 2022, appendix B).
    """
    attention = 2 * config.width * (config.heads + config.kv_heads) * config.head_width
    matrices = config.layers * (attention + 3 * config.width * config.feed_forward) + vocabulary * config.width
    return 6 * matrices + 12 * config.layers * config.heads * config.head_width * config.context
