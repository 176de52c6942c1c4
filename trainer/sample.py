"""Text from a trained model, one token after the other.

The whole window is computed anew for each token: short and right, and fast enough to look at a model.
"""

from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor

from trainer import record
from trainer.checkpoint import load_checkpoint, restore_model
from trainer.config import parse_config
from trainer.model import Decoder


@torch.no_grad()
def continue_ids(
    model: Decoder,
    ids: list[int],
    tokens: int,
    *,
    vocabulary: int,
    eos_id: int,
    temperature: float,
    top_k: int,
    generator: torch.Generator,
) -> list[int]:
    """Up to ``tokens`` ids after ``ids``, ending before EOS. Ids from ``vocabulary`` on are padding and never drawn.

    It is the largest id plus one, as the shards' manifest has it: a tokenizer with gaps has fewer tokens than that.

    ``temperature`` 0 takes the likeliest; ``top_k`` 0 allows all (Fan et al. 2018).
    """
    device = next(model.parameters()).device
    out = list(ids)
    for _ in range(tokens):
        window = torch.tensor([out[-model.config.context :]], device=device)
        following = _draw(model(window)[0, -1, :vocabulary].float().cpu(), temperature, top_k, generator)
        if following == eos_id:
            break
        out.append(following)
    return out[len(ids) :]


def _draw(logits_v: Tensor, temperature: float, top_k: int, generator: torch.Generator) -> int:
    if temperature == 0:
        return int(logits_v.argmax())
    if 0 < top_k < len(logits_v):
        logits_v = logits_v.masked_fill(logits_v < logits_v.topk(top_k).values[-1], -torch.inf)
    return int(torch.multinomial(torch.softmax(logits_v / temperature, -1), 1, generator=generator))


def generate(
    model: Decoder,
    folder: Path,
    prompt: str,
    *,
    vocabulary: int,
    eos_id: int,
    tokens: int = 100,
    temperature: float = 0.8,
    top_k: int = 50,
    seed: int = 0,
) -> str:
    """``prompt`` and its continuation as the start of a document. The same arguments give the same text."""
    tokenizer = Tokenizer.from_file(str(folder / record.TOKENIZER))
    ids = [eos_id, *tokenizer.encode(prompt, add_special_tokens=False).ids]
    following = continue_ids(
        model,
        ids,
        tokens,
        vocabulary=vocabulary,
        eos_id=eos_id,
        temperature=temperature,
        top_k=top_k,
        generator=torch.Generator().manual_seed(seed),
    )
    return prompt + tokenizer.decode(following)


def load_run(folder: Path) -> tuple[Decoder, int, int]:
    """(model, vocabulary size, EOS id) of a run's last whole checkpoint, on the CPU.

    Raises ``ValueError`` when there is none.
    """
    value = record.read(folder)
    if value is None:
        raise ValueError(f"{folder}: no {record.NAME}, not a run directory of trainer train")
    if not (folder / record.TOKENIZER).exists():
        raise ValueError(f"{folder}: the run was trained without --tokenizer, so its ids have no text")
    checkpoint = load_checkpoint(folder / "checkpoints", print)
    if checkpoint is None:
        raise ValueError(f"{folder}: no checkpoint yet")
    model = Decoder(parse_config(value["config"]).model, value["embedding_rows"])
    restore_model(model, checkpoint.model)
    return model, value["vocabulary_size"], value["eos_id"]
