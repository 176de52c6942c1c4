"""The decoder against plain statements of its parts."""

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from tests.trainer.conftest import tiny_config
from trainer.config import ModelConfig, parse_config
from trainer.model.attention import attend, block_mask, boolean_mask
from trainer.model.decoder import Decoder, RMSNorm, rotary_tables, rotate
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
        ("gpt2", 50_304, 123.6),
        ("large", 32_768, 320),
        ("1b", 128_256, 1_236),
        ("3b", 128_256, 3_213),
        ("8b", 128_256, 8_030),
    ],
)
def test_presets_have_the_sizes_they_say(preset: str, vocabulary: int, millions: float) -> None:
    with torch.device("meta"):
        model = Decoder(parse_config(PRESETS[preset]).model, vocabulary)
    assert model.parameter_count() / 1e6 == pytest.approx(millions, rel=0.03)


def test_queries_and_keys_are_normalised_by_choice_and_then_their_size_does_not_matter() -> None:
    plain, normed = model_of(), model_of("model.qk_norm=true")
    assert normed.parameter_count() - plain.parameter_count() == 2 * 2 * 4
    for model, same in ((plain, False), (normed, True)):
        before = model(ids())
        with torch.no_grad():
            for name in ("q_proj", "k_proj"):
                model.blocks[0].get_parameter(f"attention.{name}.weight").mul_(30)
        assert torch.allclose(model(ids()), before, atol=1e-3) is same


@pytest.mark.parametrize("heads", [(4, 4), (4, 2), (4, 1)])
def test_flex_attention_and_the_boolean_mask_give_the_same(heads: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(1)
    q, k, v = (torch.randn(2, n, 150, 16, generator=generator) for n in (heads[0], heads[1], heads[1]))
    starts = torch.zeros(2, 150, dtype=torch.bool)
    starts[0, [0, 7, 8, 140]] = starts[1, [0, 128]] = True
    documents = starts.cumsum(-1)
    expected = attend(q, k, v, boolean_mask(documents))
    assert torch.allclose(attend(q, k, v, block_mask(documents)), expected, atol=1e-5)
    assert not torch.allclose(attend(q, k, v, None), expected, atol=1e-2)


@pytest.mark.parametrize("apart", [False, True])
def test_recomputed_blocks_have_the_same_loss_and_gradient_to_the_bit(apart: bool) -> None:
    positions = torch.cat([torch.arange(10), torch.arange(6)]).repeat(2, 1) if apart else None
    gradients = []
    for recompute in (False, True):
        model = model_of()
        model.recompute = recompute
        loss = model(ids(), ids().roll(1), positions)
        loss.backward()
        gradients.append([loss.detach(), *(p.grad for p in model.parameters())])
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


def test_recomputation_keeps_less_for_the_backward_pass() -> None:
    kept = []
    for recompute in (False, True):
        model = model_of("model.layers=6")
        model.recompute = recompute
        sizes: list[int] = []

        def pack(x: Tensor, sizes: list[int] = sizes) -> Tensor:
            sizes.append(x.numel())
            return x

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
            model(ids(), ids())
        kept.append(sum(sizes))
    assert kept[1] < kept[0] / 3
