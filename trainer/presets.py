"""Sizes that are known to go together, and one number that sets them all.

``PRESETS`` by name; parameters are counted with the vocabulary named. Steps of the larger ones are 20 tokens a
parameter (Hoffmann et al. 2022).

``depth`` sets the rest of a model and how it is trained, so that one number is turned and nothing else:

- width 64 · depth and heads 64 wide, each with keys and values of its own: nanochat's aspect ratio and GPT-2's heads,
  and GPT-2's smallest is depth 12; feed-forward 8/3 of the width, up to a multiple of 64 (Touvron et al. 2023).
- learning rate 6e-4 · sqrt(768 / width): GPT-3's rate at GPT-2's width (Brown et al. 2020, table 2.1), and nanochat's
  scaling from there. Under μP the rate of hidden matrices goes with 1 / width and that of embeddings stays (Yang et al.
  2022); a single rate for both lies between.
- 20 tokens for each parameter of the blocks; the vocabulary is the shards'.
- tokens a step 2¹⁹ · (tokens / tokens of depth 12)^0.383, to the nearest power of two (Bergsma et al. 2025, "Power
  lines").
- checkpoints and evaluations a hundred times in the run, or every hundred steps.
"""

import math
from typing import Any

DEEPEST = 128
HEAD_WIDTH = 64
TOKENS_PER_PARAMETER = 20
REFERENCE_DEPTH, REFERENCE_RATE, REFERENCE_STEP = 12, 6e-4, 2**19
STEP_GROWS = 0.383


def _preset(
    layers: int, width: int, heads: int, kv_heads: int, feed_forward: int, context: int, rate: float, **rest: Any
) -> dict[str, Any]:
    model = {
        "layers": layers,
        "width": width,
        "heads": heads,
        "kv_heads": kv_heads,
        "feed_forward": feed_forward,
        "context": context,
    }
    return {**rest, "model": model | rest.get("model", {}), "optimizer": {"learning_rate": rate}}


PRESETS: dict[str, dict[str, Any]] = {
    # 1.3M at 4k: learns visibly in a minute or so on two CPU cores (measured in docs/training.md)
    "tiny": _preset(4, 128, 4, 2, 352, 256, 5e-3, steps=350, tokens_per_step=2_048, evaluate_tokens=32_768),
    # 6.5M at 8k: a few hours on a laptop
    "mini": _preset(6, 256, 4, 2, 704, 512, 2e-3, steps=8_000, tokens_per_step=16_384),
    # 38M at 16k
    "small": _preset(10, 512, 8, 4, 1_408, 1_024, 1e-3, steps=5_800, tokens_per_step=131_072),
    # 100M at 32k
    "medium": _preset(12, 768, 12, 4, 2_048, 1_024, 6e-4, steps=3_800, tokens_per_step=524_288, checkpoint_every=250),
    # 124M at 50,304: GPT-2's shape (Radford et al. 2019) and GPT-3's rate and step (Brown et al. 2020)
    "gpt2": _preset(12, 768, 12, 12, 2_048, 1_024, 6e-4, steps=4_700, tokens_per_step=524_288, checkpoint_every=250),
    # 320M at 32k
    "large": _preset(24, 1_024, 16, 8, 2_816, 2_048, 4e-4, steps=12_200, tokens_per_step=524_288, checkpoint_every=500),
    # 1.24B, 3.2B and 8.0B at 128,256: shapes of Llama 3.2 1B and 3B and Llama 3 8B, the latter's rate (Grattafiori et
    # al. 2024, table 3)
    "1b": _preset(
        16, 2_048, 32, 8, 8_192, 2_048, 3e-4,
        steps=23_600, tokens_per_step=1_048_576, windows_per_pass=8, checkpoint_every=500, model={"rope_theta": 5e5},
    ),
    "3b": _preset(
        28, 3_072, 24, 8, 8_192, 4_096, 3e-4,
        steps=30_600, tokens_per_step=2_097_152, windows_per_pass=2, checkpoint_every=500, model={"rope_theta": 5e5},
        recompute="blocks",
    ),
    "8b": _preset(
        32, 4_096, 32, 8, 14_336, 8_192, 3e-4,
        steps=38_300, tokens_per_step=4_194_304, windows_per_pass=1, checkpoint_every=500,
        model={"rope_theta": 5e5, "tied_embeddings": False}, recompute="blocks",
    ),
}  # fmt: skip
DEFAULT_PRESET = "tiny"


def of_depth(depth: Any) -> dict[str, Any]:
    """As a preset. Raises ``ValueError`` for what is no depth."""
    if type(depth) is not int or not 1 <= depth <= DEEPEST:
        raise ValueError(f"depth is {depth!r}: allowed are whole numbers from 1 to {DEEPEST}")
    width, feed_forward, parameters = _shape(depth)
    tokens = TOKENS_PER_PARAMETER * parameters
    grown = (parameters / _shape(REFERENCE_DEPTH)[2]) ** STEP_GROWS
    tokens_per_step = 2 ** round(math.log2(REFERENCE_STEP * grown))
    steps = max(1, round(tokens / tokens_per_step))
    rate = REFERENCE_RATE * math.sqrt(REFERENCE_DEPTH / depth)
    every = max(100, steps // 100)
    return _preset(
        depth, width, depth, depth, feed_forward, 2_048, rate,
        steps=steps, tokens_per_step=tokens_per_step, checkpoint_every=every, evaluate_every=every,
    )  # fmt: skip


def _shape(depth: int) -> tuple[int, int, int]:
    """(width, feed-forward width, parameters of the blocks' matrices)."""
    width = HEAD_WIDTH * depth
    feed_forward = -(-8 * width // (3 * 64)) * 64
    return width, feed_forward, depth * (4 * width * width + 3 * width * feed_forward)
