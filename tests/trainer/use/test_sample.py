"""Text, its cache of keys and values, and its draws, against plain statements of them."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.trainer.conftest import EOS, byte_tokenizer, tiny_config
from trainer.model.decode import KeyValues
from trainer.model.decoder import Decoder
from trainer.use.sample import Sampling, _draw, continue_ids, generate, stream

ROWS = 320
VOCABULARY = 257
PROMPTS = ["", "Once ", "é", "a b c d e", "Once upon a"]


def model_of(*assignments: str) -> Decoder:
    model = Decoder(tiny_config(*assignments).model, ROWS)
    model.initialise(3)
    return model


def texts_of(model: Decoder, prompts: list[str], sampling: Sampling) -> list[str]:
    return generate(model, byte_tokenizer(), prompts, VOCABULARY, EOS, sampling)


@pytest.mark.parametrize("kind", ["model.kv_heads=1", "model.kv_heads=4", "model.qk_norm=true"])
@pytest.mark.parametrize("cuts", [(0, 3, 4, 5, 11, 16), (0, 16), tuple(range(17))])
def test_the_cache_gives_the_logits_of_the_whole_window_at_every_position(kind: str, cuts: tuple[int, ...]) -> None:
    model = model_of(kind)
    ids = torch.randint(0, ROWS, (3, 16), generator=torch.Generator().manual_seed(1))
    whole = model(ids)
    cache = KeyValues(model, 3, 16)
    for begin, end in pairwise(cuts):
        last = torch.full((3,), end - begin - 1)
        got = cache.append(ids[:, begin:end], torch.full((3,), begin), last)
        assert torch.allclose(got, whole[:, end - 1], atol=2e-5)


def test_rows_of_different_lengths_share_a_cache_and_padding_moves_none_of_them() -> None:
    model = model_of()
    ids = torch.randint(0, ROWS, (3, 16), generator=torch.Generator().manual_seed(1))
    lengths = torch.tensor([2, 9, 5])
    cache = KeyValues(model, 3, 16)
    got = cache.append(ids[:, :9], torch.zeros(3, dtype=torch.int64), lengths - 1)
    for _ in range(4):
        for row, length in enumerate(lengths.tolist()):
            assert torch.allclose(got[row], model(ids[row : row + 1, :length])[0, -1], atol=2e-5)
        got = cache.append(ids.gather(1, lengths[:, None]), lengths, torch.zeros(3, dtype=torch.int64))
        lengths += 1


def test_the_likeliest_tokens_are_those_of_computing_the_whole_window_anew() -> None:
    model = model_of()
    prompts = [[EOS], [EOS, 5, 6, 7], [EOS, *range(30, 41)]]
    found: list[list[int]] = [[] for _ in prompts]
    for ids in continue_ids(model, prompts, VOCABULARY, EOS, Sampling(tokens=12, temperature=0)):
        for row, one in zip(found, ids, strict=True):
            row += [] if one is None else [one]
    for prompt, row in zip(prompts, found, strict=True):
        expected = list(prompt)
        while len(expected) <= 16 and len(expected) < len(prompt) + 12:
            following = int(model(torch.tensor([expected]))[0, -1, :VOCABULARY].argmax())
            if following == EOS:
                break
            expected.append(following)
        assert row == expected[len(prompt) :]
    assert any(found)


def test_a_seed_and_a_prompt_have_one_text_whatever_else_is_in_the_batch() -> None:
    model, sampling = model_of(), Sampling(tokens=12, temperature=1.5, top_p=1, seed=4)
    alone = {prompt: texts_of(model, [prompt], sampling)[0] for prompt in PROMPTS}
    for batch in (PROMPTS, PROMPTS[::-1], PROMPTS[1:3], [*PROMPTS[:2], *PROMPTS] * 8):
        assert texts_of(model, batch, sampling) == [alone[prompt] for prompt in batch]
    other = Sampling(tokens=12, temperature=1.5, top_p=1, seed=5)
    assert all(texts_of(model, [prompt], other)[0] != text for prompt, text in alone.items())


def test_streamed_pieces_are_the_text_and_whole_characters() -> None:
    model = model_of()
    for seed in range(20):
        sampling = Sampling(tokens=15, temperature=3, top_p=1, seed=seed)
        pieces = list(stream(model, byte_tokenizer(), "é", VOCABULARY, EOS, sampling))
        assert "".join(pieces) == texts_of(model, ["é"], sampling)[0]
        assert not any(piece.endswith("\N{REPLACEMENT CHARACTER}") for piece in pieces[:-1])


def test_a_text_ends_before_eos_and_the_others_go_on() -> None:
    model = model_of("model.tied_embeddings=false")
    with torch.no_grad():
        model.head.weight[EOS] = 4 * model.head.weight[9]  # EOS follows wherever 9 would be likely
    prompts = [[EOS, n] for n in range(1, 40)]
    ends = list(zip(*continue_ids(model, prompts, 60, EOS, Sampling(14)), strict=True))
    lengths = {column.index(None) if None in column else len(column) for column in ends}
    assert len(lengths) > 3
    for column in ends:
        first = column.index(None) if None in column else len(column)
        assert all(one is None for one in column[first:])
        assert EOS not in column


def test_a_text_ends_where_the_context_is_full_and_a_longer_prompt_is_refused() -> None:
    model, sampling = model_of(), Sampling(tokens=50, temperature=0)
    longest, shorter = continue_of(model, [[EOS, *range(1, 16)], [EOS, *range(1, 14)]], sampling)
    assert len(longest) == 1
    assert len(shorter) == 3
    with pytest.raises(ValueError, match="a prompt has 17 tokens: allowed are at most 16"):
        continue_of(model, [[EOS], [EOS, *range(1, 17)]], sampling)


def continue_of(model: Decoder, prompts: list[list[int]], sampling: Sampling) -> list[list[int]]:
    steps = list(continue_ids(model, prompts, VOCABULARY, ROWS - 1, sampling))  # an EOS that is never drawn
    return [[one for one in column if one is not None] for column in zip(*steps, strict=True)]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is not slow input
@given(
    st.lists(st.floats(-8, 8), min_size=1, max_size=12),
    st.floats(0, 1, exclude_max=True),
    st.floats(0.01, 1),
    st.floats(0.1, 5),
)
def test_a_draw_is_the_plain_statement_of_top_p(
    logits: list[float], uniform: float, top_p: float, temperature: float
) -> None:
    weights = [math.exp(logit / temperature) for logit in np.float32(logits).tolist()]
    order = sorted(range(len(weights)), key=lambda i: -weights[i])
    chances = [weights[i] / sum(weights) for i in order]
    kept = 1
    while kept < len(chances) and sum(chances[:kept]) < top_p:
        kept += 1
    target, place = uniform * sum(chances[:kept]), 0
    while place + 1 < kept and sum(chances[: place + 1]) <= target:
        place += 1
    borders = [sum(chances[:n]) for n in range(1, kept)]
    if any(abs(target - border) < 1e-9 for border in borders) or any(
        abs(sum(chances[:n]) - top_p) < 1e-9 for n in range(1, len(chances))
    ):
        return  # on a border, rounding decides
    sampling = Sampling(temperature=temperature, top_p=top_p)
    drawn = _draw(torch.tensor([logits]), sampling, torch.tensor([uniform], dtype=torch.float64))
    assert drawn.tolist() == [order[place]]


def test_the_last_representable_number_below_one_draws_a_token_of_the_nucleus() -> None:
    almost = torch.tensor([math.nextafter(1, 0)], dtype=torch.float64)
    for size in range(1, 60):
        logits = torch.linspace(0, 1, size)[None]
        assert _draw(logits, Sampling(temperature=1, top_p=0.5), almost).item() >= size // 2 - 1
