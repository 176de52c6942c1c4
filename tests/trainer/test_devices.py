"""FLOPs by hand, and no peak for a device that is not known."""

import pytest
import torch

from trainer.config import ModelConfig, parse_config
from trainer.devices import PEAK_FLOPS, flops_per_token, peak_flops, peak_memory
from trainer.presets import PRESETS


def test_flops_of_a_token_are_those_counted_by_hand() -> None:
    config = ModelConfig(layers=2, width=8, heads=4, kv_heads=2, feed_forward=10, context=16)
    # q and o 8 × 8, k and v 8 × 4, three of 8 × 10; twice; a head of 5 × 8
    matrices = 2 * (64 + 64 + 32 + 32 + 3 * 80) + 40
    assert flops_per_token(config, 5) == 6 * matrices + 12 * 2 * 4 * 2 * 16
    assert flops_per_token(config.model_copy(update={"tied_embeddings": False}), 5) == flops_per_token(config, 5)


def test_flops_of_gpt2_are_those_of_its_published_size() -> None:
    config = parse_config(PRESETS["gpt2"]).model
    # 85M in blocks (12 · 12 · 768²) and 38.6M in the head; attention 12 · 12 · 768 · 1,024
    assert flops_per_token(config, 50_304) == 6 * (84_934_656 + 38_633_472) + 113_246_208


@pytest.mark.parametrize(
    ("name", "peak"),
    [
        ("NVIDIA H100 80GB HBM3", 989.4e12),
        ("NVIDIA H100 PCIe", 756e12),
        ("NVIDIA H200", 989.4e12),
        ("NVIDIA A100-SXM4-80GB", 312e12),
        ("NVIDIA L4", 121e12),
        ("NVIDIA L40", 181e12),
        ("NVIDIA L40S", 362e12),
    ],
)
def test_a_known_device_has_its_own_peak(name: str, peak: float) -> None:
    assert peak_flops(name) == peak


@pytest.mark.parametrize("name", ["NVIDIA H300", "H200", "NVIDIA H100 80GB HBM3 MIG 1g.10gb", "Tesla T4", "", "cpu"])
def test_an_unknown_device_has_none_and_never_that_of_another(name: str) -> None:
    assert name not in PEAK_FLOPS
    assert peak_flops(name) is None


def test_memory_is_the_most_there_was_in_bytes() -> None:
    before = peak_memory(torch.device("cpu"))
    taken = torch.ones(before // 4 + 2**24)  # float32: as much as there was, and 64 MiB
    del taken
    assert before + 2**25 < peak_memory(torch.device("cpu")) < 4 * before + 2**28
