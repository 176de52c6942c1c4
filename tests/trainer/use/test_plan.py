"""A plan's numbers against counting by hand, and against what a model really keeps."""

import pytest
import torch
from torch import Tensor

from tests.trainer.conftest import tiny_config
from trainer.config import ModelConfig, TrainConfig, load_config
from trainer.devices import PEAK_FLOPS, flops_per_token
from trainer.model.decoder import Decoder
from trainer.model.loss import CHUNK_LOGITS
from trainer.use.plan import SHORT, activation_bytes, memory, needs, parameters_by_part, time_and_cost

ROWS = 320


def large(*assignments: str) -> TrainConfig:
    fixed = ("model.context=2048", "windows_per_pass=4", "tokens_per_step=524288")
    return load_config("large", assignments=[*fixed, *assignments])


@pytest.mark.parametrize("tied", [True, False])
def test_parameters_are_those_of_the_model_part_by_part(tied: bool) -> None:
    config = tiny_config(f"model.tied_embeddings={str(tied).lower()}").model
    parts = parameters_by_part(config, ROWS)
    expected = {
        "embedding": 320 * 16,
        "attention": 2 * (16 * 16 + 2 * 16 * 8 + 16 * 16),
        "feed-forward": 2 * 3 * 16 * 24,
        "norms": 2 * 2 * 16 + 16,
    }
    assert parts == expected | ({} if tied else {"head": 320 * 16})
    assert sum(parts.values()) == Decoder(config, ROWS).parameter_count()


def kept_for_the_backward_pass(layers: int) -> int:
    """Bytes, each storage once, without parameters and tables."""
    config = ModelConfig(layers=layers, width=128, heads=4, kv_heads=2, feed_forward=352, context=64)
    model = Decoder(config, 64)
    model.initialise(0)
    ours = {tensor.untyped_storage().data_ptr() for tensor in (*model.parameters(), *model.buffers())}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    ids = torch.zeros(4, 64, dtype=torch.int64)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = model(ids, ids)
    assert loss.requires_grad
    return sum(one.untyped_storage().nbytes() for at, one in kept.items() if at not in ours)


def test_a_layer_keeps_the_bytes_a_token_that_the_formula_says_and_at_most_half_as_much_again() -> None:
    config = ModelConfig(layers=1, width=128, heads=4, kv_heads=2, feed_forward=352, context=64)
    measured = (kept_for_the_backward_pass(5) - kept_for_the_backward_pass(1)) / 4 / 256
    said = activation_bytes(config, 4)
    assert said == 8 * 128 + 4 * (2 * 128 + 2 * 4 * 32 + 2 * 2 * 32 + 4 * 352)
    assert said <= measured <= 1.5 * said


def test_memory_is_sixteen_bytes_a_parameter_shared_by_shards_and_what_every_layout_adds() -> None:
    config, rows = large(), 32_768
    parts = parameters_by_part(config.model, rows)
    count, outside = sum(parts.values()), parts["embedding"]
    blocks = parts["attention"] + parts["feed-forward"]
    one = memory(config, rows, bfloat16=True)
    assert (one.weights, one.gradients, one.optimizer) == (4 * count, 4 * count, 8 * count)
    assert one.copies == 2 * (blocks + outside)
    assert one.activations == 4 * 2_048 * 24 * activation_bytes(config.model, 2)
    assert one.logits == CHUNK_LOGITS * 10
    assert memory(config, rows, bfloat16=False).copies == 0
    ddp = memory(config, rows, True, replicas=8)
    assert (ddp.gradients, ddp.weights) == (8 * count, 4 * count)
    fsdp = memory(config, rows, True, shards=8)
    assert fsdp.weights + fsdp.gradients + fsdp.optimizer == 2 * count
    assert fsdp.copies == 10 * outside + 10 * blocks / 24
    both = memory(config, rows, True, shards=4, tensor=2)
    assert both.weights == 4 * (blocks / 2 + outside + parts["norms"]) / 4
    assert one.activations / 2 < both.activations < one.activations
    assert one.total == sum([one.weights, one.gradients, one.optimizer, one.copies, one.activations, one.logits])


def test_recomputation_keeps_the_stream_and_one_layer_and_muon_half_the_state_of_matrices() -> None:
    rows, usual = 32_768, memory(large(), 32_768, True)
    parts = parameters_by_part(large().model, rows)
    blocks = parts["attention"] + parts["feed-forward"]
    less = memory(large("recompute=blocks"), rows, True)
    assert less.activations == 4 * 2_048 * (24 * 4 * 1_024 + activation_bytes(large().model, 2))
    assert usual.copies - less.copies == pytest.approx(2 * blocks * 23 / 24)
    assert usual.optimizer - memory(large("optimizer.kind=muon"), rows, True).optimizer == 4 * blocks


def test_more_devices_than_windows_of_a_pass_hold_fewer_activations() -> None:
    config, rows = large(), 32_768  # 256 windows a step
    few, many = (memory(config, rows, True, shards=shards).activations for shards in (64, 128))
    assert many == few / 2


def test_time_is_operations_over_peak_times_mfu_and_cost_is_device_hours() -> None:
    config, rows = large(), 32_768
    operations = flops_per_token(config.model, rows) * config.steps * 524_288
    hours = operations / (989.4e12 * 0.5 * 8) / 3600
    time, cost = time_and_cost(config, rows, 8, "H200", 0.5, 3.5)
    assert f" {hours:,.2f} h on 8 × H200" in time
    assert f"{config.steps * 524_288 / hours / 3600:,.0f} tokens/s" in time
    assert f" {hours * 8 * 3.5:,.2f} at 3.5" in cost
    assert time_and_cost(config, rows, 8, "NVIDIA H200", 0.5, None)[0].replace("NVIDIA ", "") == time
    with pytest.raises(ValueError, match="--device is 'abacus', whose peak is not known: allowed are a100, h100"):
        time_and_cost(config, rows, 8, "abacus", 0.5, None)


def test_every_short_name_is_of_a_device_that_is_known() -> None:
    assert set(SHORT.values()) <= set(PEAK_FLOPS)


def test_layouts_that_the_devices_allow_are_listed() -> None:
    def layouts(devices: int) -> list[str]:
        return [line.strip().split("  ")[0] for line in needs(large(), 32_768, devices, True)[3:]]

    assert layouts(1) == ["one device"]
    assert layouts(8) == ["one device", "DDP over 8", "FSDP2 over 8"]
    assert layouts(16) == ["one device", "DDP over 16", "FSDP2 over 16", "FSDP2 over 2 × tensor 8"]
    assert layouts(12)[-1] == "FSDP2 over 3 × tensor 4"
