"""AdamW and Muon, clipping, state by name."""

from copy import deepcopy

import pytest
import torch

from tests.trainer.conftest import tiny_config
from trainer.model.decoder import Decoder
from trainer.optim import build_optimizer, gradient_norm, optimizer_tensors, restore_optimizer, update

CPU = torch.device("cpu")


KINDS = pytest.mark.parametrize("kind", ["adamw", "muon"])


def stepped(steps: int = 2, kind: str = "adamw") -> tuple[Decoder, torch.optim.Optimizer]:
    config = tiny_config(f"optimizer.kind={kind}")
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


@KINDS
def test_weight_decay_pulls_on_matrices_only(kind: str) -> None:
    model, optimizer = stepped(0, kind)
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


@KINDS
def test_state_restored_by_name_continues_bit_for_bit(kind: str) -> None:
    model, optimizer = stepped(2, kind)
    other, fresh = stepped(0, kind)
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


def test_state_restored_from_a_state_dict_continues_bit_for_bit_with_muon() -> None:
    model, optimizer = stepped(2, "muon")
    other, fresh = stepped(0, "muon")
    other.load_state_dict(model.state_dict())
    fresh.load_state_dict(deepcopy(optimizer.state_dict()))
    for one, its in ((model, optimizer), (other, fresh)):
        backward(one, 5)
        update(one, its, 1e-2, gradient_norm(one), 1.0)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))


def test_muon_moves_the_blocks_matrices_and_adamw_the_rest() -> None:
    model, optimizer = stepped(1, "muon")
    slots: dict[str, set[str]] = {}
    for key in optimizer_tensors(model, optimizer):
        name, _, slot = key.rpartition(":")
        slots.setdefault(name, set()).add(slot)
    assert slots.keys() == dict(model.named_parameters()).keys()
    for name, parameter in model.named_parameters():
        muon = parameter.ndim == 2 and name != "embedding.weight"
        assert slots[name] == ({"momentum_buffer"} if muon else {"step", "exp_avg", "exp_avg_sq"})


def test_muons_update_is_momentum_made_orthogonal_with_the_size_of_adamws() -> None:
    """The published algorithm in plain steps, in float64 (Jordan et al. 2024; Liu et al. 2025, equation 4)."""
    model, optimizer = stepped(0, "muon")
    weight = model.blocks[0].get_parameter("feed_forward.up_proj.weight")  # 24 × 16
    backward(model, 1)
    assert weight.grad is not None
    before, gradient = weight.detach().double(), weight.grad.double()
    update(model, optimizer, 1e-2, gradient_norm(model), 1e9)
    momentum = (1 - 0.95) * gradient
    x = (0.05 * gradient + 0.95 * momentum).T
    x = x / x.norm()
    for _ in range(5):
        square = x @ x.T
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    expected = before * (1 - 1e-2 * 0.1) - 1e-2 * 0.2 * 24**0.5 * x.T
    assert torch.allclose(weight.double(), expected, atol=6e-4)  # Newton–Schulz in bfloat16
    assert torch.linalg.svdvals(x).min() > 0.3
    assert torch.linalg.svdvals(x).max() < 1.3
