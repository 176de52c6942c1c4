"""Text from a trained model.

Decisions:
- A text is a function of (model, prompt, settings, seed): its random numbers are keyed by the seed and the prompt's
  ids, so neither its place in a batch nor its neighbours matter. Up to rounding, that is: a batch of another size may
  add floats in another order, which a draw notices when it falls within a millionth of the border of two tokens.
- Texts begin like documents, after EOS, and end before the next EOS or where the model's context is full.
- An id without a token, from ``vocabulary`` on (the largest id plus one, as the shards' manifest has it), is padding of
  the embedding and never drawn.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from trainer.model.decode import KeyValues
from trainer.model.decoder import Decoder

BATCH = 32
"""Texts at a time, for the memory of their keys and values."""


@dataclass(frozen=True)
class Sampling:
    """``temperature`` 0 takes the likeliest token. ``top_p``: draw from the fewest tokens that together have this
    probability (Holtzman et al. 2020); 1 from all.
    """

    tokens: int = 100
    temperature: float = 0.8
    top_p: float = 0.95
    seed: int = 0


def generate(
    model: Decoder,
    tokenizer: Tokenizer,
    prompts: Sequence[str],
    vocabulary: int,
    eos_id: int,
    sampling: Sampling,
) -> list[str]:
    """Each prompt with its continuation."""
    texts = []
    for begin in range(0, len(prompts), BATCH):
        some = prompts[begin : begin + BATCH]
        rows: list[list[int]] = [[] for _ in some]
        ids = [_encode(tokenizer, prompt, eos_id) for prompt in some]
        for following in continue_ids(model, ids, vocabulary, eos_id, sampling):
            for row, one in zip(rows, following, strict=True):
                if one is not None:
                    row.append(one)
        texts += [prompt + tokenizer.decode(row) for prompt, row in zip(some, rows, strict=True)]
    return texts


def stream(
    model: Decoder, tokenizer: Tokenizer, prompt: str, vocabulary: int, eos_id: int, sampling: Sampling
) -> Iterator[str]:
    """The text ``generate`` would return, piece by piece; a character whose bytes are not all there yet waits."""
    ids: list[int] = []
    shown = ""
    yield prompt
    for (following,) in continue_ids(model, [_encode(tokenizer, prompt, eos_id)], vocabulary, eos_id, sampling):
        if following is not None:
            ids.append(following)
            text = tokenizer.decode(ids)
            if not text.endswith("\N{REPLACEMENT CHARACTER}"):
                yield text[len(shown) :]
                shown = text
    yield tokenizer.decode(ids)[len(shown) :]


def _encode(tokenizer: Tokenizer, prompt: str, eos_id: int) -> list[int]:
    return [eos_id, *tokenizer.encode(prompt, add_special_tokens=False).ids]


def continue_ids(
    model: Decoder, prompts: Sequence[list[int]], vocabulary: int, eos_id: int, sampling: Sampling
) -> Iterator[list[int | None]]:
    """The next id of each prompt, up to ``sampling.tokens`` times; None from where its text has ended.

    Raises ``ValueError`` for a prompt that is longer than the model's context.
    """
    context, device = model.config.context, model.embedding.weight.device
    lengths = np.array([len(ids) for ids in prompts])
    if lengths.max() > context:
        raise ValueError(f"a prompt has {lengths.max()} tokens: allowed are at most {context}, the model's context")
    uniform_bt = np.stack([np.random.default_rng([sampling.seed, *ids]).random(sampling.tokens) for ids in prompts])
    cache = KeyValues(model, len(prompts), min(context, int(lengths.max()) + sampling.tokens))
    ids_bt = torch.full((len(prompts), int(lengths.max())), eos_id)
    for row, ids in enumerate(prompts):
        ids_bt[row, : len(ids)] = torch.tensor(ids)
    starts, last = np.zeros_like(lengths), lengths - 1
    ended = np.zeros(len(prompts), bool)
    for uniform_b in uniform_bt.T:
        starts_b, last_b = (torch.from_numpy(numbers).to(device) for numbers in (starts, last))
        logits_bv = cache.append(ids_bt.to(device), starts_b, last_b)[:, :vocabulary].cpu()
        ids_b = _draw(logits_bv, sampling, torch.from_numpy(uniform_b))
        ended |= ids_b.numpy() == eos_id
        yield [None if over else one for over, one in zip(ended.tolist(), ids_b.tolist(), strict=True)]
        ended |= lengths == context
        if ended.all():
            return
        starts, last = np.minimum(lengths, context - 1), np.zeros_like(lengths)
        ids_bt, lengths = ids_b[:, None], lengths + 1


def _draw(logits_bv: Tensor, sampling: Sampling, uniform_b: Tensor) -> Tensor:
    """One id a row, int64 [B]: where ``uniform_b`` falls among the probabilities laid end to end, largest first."""
    if sampling.temperature == 0:
        return logits_bv.argmax(-1)
    chances_bv = torch.softmax(logits_bv.double() / sampling.temperature, -1)
    chances_bv, ids_bv = chances_bv.sort(dim=-1, descending=True, stable=True)
    kept_bv = chances_bv.cumsum(-1) - chances_bv < sampling.top_p
    ends_bv = (chances_bv * kept_bv).cumsum(-1)
    place_b1 = torch.searchsorted(ends_bv, uniform_b[:, None] * ends_bv[:, -1:], right=True)
    return ids_bv.gather(1, place_b1.minimum(kept_bv.sum(-1, keepdim=True) - 1)).squeeze(1)
