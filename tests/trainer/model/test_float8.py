"""Float8 layers against the ordinary ones, with PyTorch's emulated kernel; on a GPU that can, the kernel itself."""

import pytest
import torch
from torch import nn

from tests.trainer.conftest import tiny_config
from trainer.model.decoder import Decoder
from trainer.model.float8 import CAPABILITY, Float8Linear, convert, use_float8

CUDA = torch.device("cuda")
ABLE = torch.cuda.is_available() and torch.cuda.get_device_capability() >= CAPABILITY
DEVICES = pytest.mark.parametrize(
    "device",
    [
        torch.device("cpu"),
        pytest.param(CUDA, marks=pytest.mark.skipif(not ABLE, reason="needs a GPU that multiplies in 8 bits")),
    ],
)


@DEVICES
@pytest.mark.parametrize("rows", [(3, 16), (5, 7)])
def test_output_and_gradients_are_within_the_rounding_of_eight_bits(
    device: torch.device, rows: tuple[int, ...]
) -> None:
    generator = torch.Generator().manual_seed(1)
    x, upstream = torch.randn(*rows, 64, generator=generator), torch.randn(*rows, 32, generator=generator) * 1e-4
    weight = torch.randn(32, 64, generator=generator) * 30
    found = []
    for kind in (nn.Linear, Float8Linear):
        layer = kind(64, 32, bias=False, device=device)
        layer.weight.data.copy_(weight)
        given = x.clone().to(device).requires_grad_()
        out = layer(given)
        out.backward(upstream.to(device, out.dtype))
        assert given.grad is not None
        assert layer.weight.grad is not None
        assert layer.weight.grad.dtype == torch.float32
        found.append((out, given.grad, layer.weight.grad))
    # a factor's error is at most 2⁻⁴ (e4m3) or 2⁻³ (e5m2) of it, and sums of many are better than that
    for exact, got, bound in zip(*found, (0.05, 0.1, 0.1), strict=True):
        assert got.shape == exact.shape
        assert 0 < (got.float() - exact).norm() / exact.norm() < bound


def test_only_the_blocks_matrices_change_and_parameters_keep_their_names() -> None:
    # feed-forward 24 is no multiple of 16, keys and values are 8 wide
    model = Decoder(tiny_config().model, 64)
    names = [name for name, _ in model.named_parameters()]
    convert(model)
    changed = [name for name, layer in model.named_modules() if isinstance(layer, Float8Linear)]
    assert changed == [f"blocks.{layer}.attention.{name}_proj" for layer in (0, 1) for name in "qo"]
    assert [name for name, _ in model.named_parameters()] == names


def test_a_model_in_float8_learns_what_it_learns_in_float32() -> None:
    ids = torch.randint(0, 64, (4, 16), generator=torch.Generator().manual_seed(1))
    losses = []
    for eight in (False, True):
        model = Decoder(tiny_config("model.width=64", "model.feed_forward=64").model, 64)
        model.initialise(1)
        if eight:
            convert(model)
        optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
        for _ in range(20):
            optimizer.zero_grad()
            loss = model(ids, ids.roll(1)) / ids.numel()
            loss.backward()
            optimizer.step()
        losses.append(loss.item())
    assert losses[1] == pytest.approx(losses[0], rel=0.05)
    assert losses[0] < 2


@pytest.mark.skipif(ABLE, reason="this GPU multiplies in 8 bits")
def test_a_device_that_cannot_is_refused_in_one_line() -> None:
    device = CUDA if torch.cuda.is_available() else torch.device("cpu")
    with pytest.raises(ValueError, match=r"^precision is 'float8': this is .*allowed are GPUs"):
        use_float8(Decoder(tiny_config().model, 64), device)
