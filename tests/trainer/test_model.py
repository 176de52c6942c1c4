"""The decoder against plain statements of its parts."""

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from tests.trainer.conftest import tiny_config
from trainer.config import ModelConfig, parse_config
from trainer.model import Decoder, RMSNorm, rotary_tables, rotate
from trainer.presets import PRESETS

VOCABULARY = 64


def model_of(*assignments: str) -> Decoder:
    model = Decoder(tiny_config(*assignments).model, VOCABULARY)
    model.initialise(3)
    return model


def ids(rows: int = 2, positions: int = 16) -> Tensor:
    return torch.randint(0, VOCABULARY, (rows, positions), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("kv_heads", [1, 2, 4])
def test_a_future_token_does_not_move_past_logits(kv_heads: int) -> None:
    model = model_of(f"model.kv_heads={kv_heads}")
    before = ids()
    for position in (1, 7, 15):
        after = before.clone()
        after[:, position] = (after[:, position] + 1) % VOCABULARY
        a, b = model(before), model(after)
        assert torch.equal(a[:, :position], b[:, :position])
        assert not torch.allclose(a[:, position:], b[:, position:])


@pytest.mark.parametrize("kv_heads", [1, 2, 4])
def test_changing_a_document_of_a_packed_row_leaves_the_logits_of_every_other_as_they_are(kv_heads: int) -> None:
    model = model_of(f"model.kv_heads={kv_heads}")
    lengths = (5, 1, 7, 3)
    positions = torch.cat([torch.arange(length) for length in lengths]).repeat(2, 1)
    before = ids()
    bounds = [0, 5, 6, 13, 16]
    for begin, end in pairwise(bounds):
        after = before.clone()
        after[:, begin:end] = (after[:, begin:end] + 1) % VOCABULARY
        a, b = model(before, positions_bt=positions), model(after, positions_bt=positions)
        inside = torch.zeros(16, dtype=torch.bool)
        inside[begin:end] = True
        assert torch.equal(a[:, ~inside], b[:, ~inside])
        assert not torch.isclose(a[:, inside], b[:, inside]).all(-1).any()


def test_a_document_has_the_logits_it_has_alone_wherever_it_stands_in_a_row() -> None:
    model = model_of()
    row = ids(1)
    positions = torch.cat([torch.arange(4), torch.arange(9), torch.arange(3)]).unsqueeze(0)
    packed = model(row, positions_bt=positions)
    for begin, end in ((0, 4), (4, 13), (13, 16)):
        assert torch.allclose(packed[:, begin:end], model(row[:, begin:end]), atol=1e-5)
    assert not torch.allclose(packed[:, 4:13], model(row)[:, 4:13], atol=1e-2)


def test_one_document_in_a_row_is_the_plain_causal_model() -> None:
    model = model_of()
    positions = torch.arange(16).repeat(2, 1)
    assert torch.allclose(model(ids(), positions_bt=positions), model(ids()), atol=1e-5)


def test_attention_scores_depend_on_distance_not_on_position() -> None:
    cos, sin = rotary_tables(64, 8, 10_000.0)
    q, k = torch.randn(2, 8, generator=torch.Generator().manual_seed(0))

    def score(query_at: int, key_at: int) -> float:
        at = [rotate(x.view(1, 1, 1, 8), cos[p : p + 1], sin[p : p + 1]) for x, p in ((q, query_at), (k, key_at))]
        return float((at[0] * at[1]).sum())

    assert score(9, 4) == pytest.approx(score(60, 55), abs=1e-5)
    assert score(9, 4) != pytest.approx(score(9, 5), abs=1e-3)


def test_rotary_turns_pair_i_by_position_times_theta_to_minus_2i_over_width() -> None:
    cos, sin = rotary_tables(5, 6, 100.0)
    x = [0.3, -1.0, 2.0, 0.7, 0.1, -0.4]
    got = rotate(torch.tensor(x).view(1, 1, 1, 6), cos[4:5], sin[4:5]).flatten().tolist()
    for i in range(3):
        angle = 4 * 100.0 ** (-2 * i / 6)
        assert got[i] == pytest.approx(x[i] * math.cos(angle) - x[i + 3] * math.sin(angle), abs=1e-6)
        assert got[i + 3] == pytest.approx(x[i + 3] * math.cos(angle) + x[i] * math.sin(angle), abs=1e-6)


def test_rms_norm_divides_by_the_root_mean_square() -> None:
    x = [3.0, -4.0, 0.5]
    root = math.sqrt(sum(v * v for v in x) / 3 + 1e-5)
    assert RMSNorm(3, 1e-5)(torch.tensor(x)).tolist() == pytest.approx([v / root for v in x], abs=1e-6)


def test_a_fresh_model_of_a_real_width_is_near_a_uniform_guess() -> None:
    model = Decoder(parse_config(PRESETS["tiny"]).model, 4_096)
    model.initialise(0)
    batch = torch.randint(0, 4_096, (4, 64), generator=torch.Generator().manual_seed(1))
    assert model(batch, batch.roll(1)).item() / batch.numel() == pytest.approx(math.log(4_096), abs=1.5)


def test_padding_adds_nothing_to_the_loss_or_the_gradient() -> None:
    model = model_of()
    batch = ids(1)
    targets = batch.roll(-1)
    short = model(batch[:, :9], targets[:, :9])
    targets[:, 9:] = -100
    assert model(batch, targets).item() == pytest.approx(short.item(), rel=1e-6)


def test_projections_into_the_residual_stream_start_smaller_with_depth() -> None:
    model = Decoder(ModelConfig(layers=8, width=64, heads=4, kv_heads=2, feed_forward=128, context=8), VOCABULARY)
    model.initialise(0)
    usual = model.blocks[0].attention.q_proj.weight.std().item()
    for name in ("attention.o_proj.weight", "feed_forward.down_proj.weight"):
        assert model.blocks[3].get_parameter(name).std().item() == pytest.approx(usual / 4, rel=0.1)


def test_a_seed_means_one_model() -> None:
    one, same, other = model_of(), model_of(), model_of()
    other.initialise(4)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters(), strict=True))
    assert not torch.equal(one.embedding.weight, other.embedding.weight)


def test_tied_embeddings_are_one_parameter_untied_are_two() -> None:
    tied, untied = model_of(), model_of("model.tied_embeddings=false")
    assert untied.parameter_count() - tied.parameter_count() == VOCABULARY * 16


@pytest.mark.parametrize(
    ("preset", "vocabulary", "millions"),
    [
        ("tiny", 4_096, 1.3),
        ("mini", 8_192, 6.5),
        ("small", 16_384, 38),
        ("medium", 32_768, 100),
        ("large", 32_768, 320),
    ],
)
def test_presets_have_the_sizes_they_say(preset: str, vocabulary: int, millions: float) -> None:
    with torch.device("meta"):
        model = Decoder(parse_config(PRESETS[preset]).model, vocabulary)
    assert model.parameter_count() / 1e6 == pytest.approx(millions, rel=0.03)
