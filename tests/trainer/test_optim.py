"""AdamW, clipping, state by name."""

import pytest
import torch

from tests.trainer.conftest import tiny_config
from trainer.model import Decoder
from trainer.optim import build_optimizer, gradient_norm, optimizer_tensors, restore_optimizer, update

CPU = torch.device("cpu")


def stepped(steps: int = 2) -> tuple[Decoder, torch.optim.AdamW]:
    config = tiny_config()
    model = Decoder(config.model, 64)
    model.initialise(1)
    optimizer = build_optimizer(model, config.optimizer, CPU)
    for step in range(steps):
        backward(model, step)
        update(model, optimizer, 1e-2, gradient_norm(model), 1.0)
    return model, optimizer


def backward(model: Decoder, seed: int) -> None:
    model.zero_grad()
    ids = torch.randint(0, 64, (2, 9), generator=torch.Generator().manual_seed(seed))
    (model(ids[:, :-1], ids[:, 1:]) / 16).backward()


def test_weight_decay_pulls_on_matrices_only() -> None:
    model, optimizer = stepped(0)
    decay = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    assert {decay[id(p)] for p in model.parameters() if p.ndim >= 2} == {0.1}
    assert {decay[id(p)] for p in model.parameters() if p.ndim < 2} == {0.0}
    assert len(decay) == len(list(model.parameters()))


def test_clipping_bounds_the_norm_and_leaves_small_gradients_alone() -> None:
    model, optimizer = stepped(0)
    backward(model, 1)
    norm = gradient_norm(model)
    squares = sum(float((p.grad.double() ** 2).sum()) for p in model.parameters() if p.grad is not None)
    assert norm.item() == pytest.approx(squares**0.5, rel=1e-5)
    update(model, optimizer, 1e-3, norm, norm.item() * 2)
    assert gradient_norm(model).item() == pytest.approx(norm.item(), rel=1e-5)
    update(model, optimizer, 1e-3, norm, norm.item() / 2)
    assert gradient_norm(model).item() == pytest.approx(norm.item() / 2, rel=1e-3)


def test_state_restored_by_name_continues_bit_for_bit() -> None:
    model, optimizer = stepped()
    other, fresh = stepped(0)
    other.load_state_dict(model.state_dict())
    restore_optimizer(other, fresh, optimizer_tensors(model, optimizer))
    for one, its in ((model, optimizer), (other, fresh)):
        backward(one, 5)
        update(one, its, 1e-2, gradient_norm(one), 1.0)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))


def test_state_of_a_parameter_the_model_does_not_have_is_refused() -> None:
    model, optimizer = stepped(0)
    with pytest.raises(ValueError, match=r"'blocks\.9\.q'"):
        restore_optimizer(model, optimizer, {"blocks.9.q:exp_avg": torch.zeros(1)})
