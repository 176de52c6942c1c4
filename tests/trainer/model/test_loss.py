"""The chunked loss against PyTorch's on all logits."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from trainer.model import loss
from trainer.model.loss import cross_entropy_sum


def plain(x: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(F.linear(x, weight), targets, reduction="sum")


def inputs(positions: int, width: int, vocabulary: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(positions, width, generator=generator).requires_grad_()
    weight = torch.randn(vocabulary, width, generator=generator).requires_grad_()
    targets = torch.randint(0, vocabulary, (positions,), generator=generator)
    return x, weight, targets.masked_fill(torch.rand(positions, generator=generator) < 0.2, loss.IGNORE)


@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 30), st.integers(1, 400), st.integers(0, 99))
def test_loss_and_gradients_are_those_of_the_plain_loss_however_it_is_cut(
    positions: int, width: int, vocabulary: int, chunk: int, seed: int
) -> None:
    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loss, "CHUNK_LOGITS_CPU", chunk)
        for function in (plain, cross_entropy_sum):
            x, weight, targets = inputs(positions, width, vocabulary, seed)
            total = function(x, weight, targets)
            (total / 7).backward()
            assert x.grad is not None
            assert weight.grad is not None
            found.append((total.detach(), x.grad, weight.grad))
    for expected, got in zip(*found, strict=True):
        assert torch.allclose(got, expected, rtol=1e-5, atol=1e-5)


def test_a_target_thought_impossible_has_a_finite_loss() -> None:
    x, weight = torch.tensor([[1.0]]), torch.tensor([[0.0], [200.0]])
    assert cross_entropy_sum(x, weight, torch.tensor([0])).item() == pytest.approx(200.0)


def test_logits_are_never_all_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loss, "CHUNK_LOGITS_CPU", 8 * 30)
    seen = []
    monkeypatch.setattr(loss, "logits_loss", lambda logits, targets: seen.append(len(logits)) or whole(logits, targets))
    x, weight, targets = inputs(37, 4, 30, 1)
    cross_entropy_sum(x, weight, targets).backward()
    assert seen == [8, 8, 8, 8, 5]


whole = loss.logits_loss


def test_in_bfloat16_the_sum_over_chunks_keeps_float32() -> None:
    x, weight, targets = inputs(512, 16, 64, 2)
    with torch.autocast("cpu", torch.bfloat16):
        total = cross_entropy_sum(x, weight, targets)
    total.backward()
    assert total.dtype == torch.float32
    assert weight.grad is not None
    assert weight.grad.dtype == torch.float32
    exact = plain(x.detach().double(), weight.detach().double(), targets)
    assert total.item() == pytest.approx(exact.item(), rel=0.02)


def test_without_gradients_none_are_made() -> None:
    x, weight, targets = inputs(5, 3, 4, 3)
    with torch.no_grad():
        assert not cross_entropy_sum(x, weight, targets).requires_grad
    uniform = cross_entropy_sum(torch.zeros(2, 3), weight.detach(), torch.tensor([1, loss.IGNORE]))
    assert uniform.item() == pytest.approx(math.log(4))
