"""Multiple choice: the answer whose text the model finds likeliest.

Decisions:
- As in lm-evaluation-harness (Gao et al. 2024): a choice is scored by the log-likelihood of " " + choice after the
  context. ``acc`` takes the highest, ``acc_norm`` the highest per character of the choice, so that long ones stand a
  chance; the first of equal ones. Context and choice are tokenized together and cut where the context alone ends, and
  spaces that end the context count as the choice's.
- A file is JSONL, one question a line: {"context": …, "choices": […], "answer": index}, the context as it is to be read
  (HellaSwag). With "question" in its place it reads "Question: …\\nAnswer:", the harness's form of ARC.
- A context begins like a document, after EOS. What is longer than the model's context loses its beginning.
- Rows are padded at the right, where no token looks; rows of like length go together.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch.nn.functional import log_softmax

from trainer.model.decoder import Decoder
from trainer.parallel import Ranks

PASS_TOKENS = 4_096
"""At most so many tokens a pass, unless one row has more: it bounds the logits."""


@dataclass(frozen=True)
class Question:
    context: str
    choices: tuple[str, ...]
    answer: int


@dataclass(frozen=True)
class Accuracy:
    """Shares of right answers, with the standard error of each, None for a single question."""

    questions: int
    acc: float
    acc_stderr: float | None
    acc_norm: float
    acc_norm_stderr: float | None


def read_questions(path: Path) -> list[Question]:
    """Raises ``ValueError`` naming the line and what is wrong with it."""
    questions = []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        if line.strip():
            try:
                questions.append(_question(json.loads(line)))
            except ValueError as error:
                raise ValueError(f"{path}, line {number}: {error}") from None
    if not questions:
        raise ValueError(f"{path}: no questions")
    return questions


def _question(value: Any) -> Question:
    if not isinstance(value, dict) or ("context" in value) == ("question" in value):
        raise ValueError('allowed is an object with "context" or "question", "choices" and "answer"')
    text = value.get("context", value.get("question"))
    if not isinstance(text, str):
        raise ValueError(f"context or question is {text!r}: allowed is a string")
    choices, answer = value.get("choices"), value.get("answer")
    if not isinstance(choices, list) or len(choices) < 2 or not all(isinstance(one, str) and one for one in choices):
        raise ValueError(f"choices is {choices!r}: allowed are two or more strings that are not empty")
    if type(answer) is not int or not 0 <= answer < len(choices):
        raise ValueError(f"answer is {answer!r}: allowed is the number of a choice, 0 to {len(choices) - 1}")
    return Question(text if "context" in value else f"Question: {text}\nAnswer:", tuple(choices), answer)


def accuracy(
    model: Decoder, tokenizer: Tokenizer, questions: Sequence[Question], eos_id: int, ranks: Ranks
) -> Accuracy:
    pairs = [encode_pair(tokenizer, one.context, f" {choice}") for one in questions for choice in one.choices]
    scores = log_likelihoods(model, [([eos_id, *context], choice) for context, choice in pairs], ranks)
    right, right_by_length, at = [], [], 0
    for one in questions:
        score = scores[at : at + len(one.choices)]
        right.append(score.argmax() == one.answer)
        right_by_length.append((score / [len(choice) for choice in one.choices]).argmax() == one.answer)
        at += len(one.choices)
    return Accuracy(len(questions), *_mean(right), *_mean(right_by_length))


def _mean(right: Sequence[Any]) -> tuple[float, float | None]:
    """(mean, its standard error): the sample's deviation over the root of its size, as in the harness."""
    values = np.array(right, float)
    error = float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else None
    return float(values.mean()), error


def encode_pair(tokenizer: Tokenizer, context: str, choice: str) -> tuple[list[int], list[int]]:
    """The ids of both, tokenized as one text; the last is always the choice's."""
    whole = tokenizer.encode(context + choice, add_special_tokens=False).ids
    before = min(len(tokenizer.encode(context.rstrip(), add_special_tokens=False).ids), len(whole) - 1)
    return whole[:before], whole[before:]


def log_likelihoods(model: Decoder, pairs: Sequence[tuple[list[int], list[int]]], ranks: Ranks) -> NDArray[np.float64]:
    """The log-likelihood in nats of each second part after its first, float64 [pairs].

    Each needs a first part. No more than the last ``context`` + 1 tokens of a pair are seen.
    """
    rows = [(before + after)[-model.config.context - 1 :] for before, after in pairs]
    scores = np.zeros(len(pairs))
    order = sorted(range(len(rows)), key=lambda number: -len(rows[number]))
    at = 0
    while at < len(order):
        longest = len(rows[order[at]]) - 1
        now = order[at : at + max(1, PASS_TOKENS // longest)]
        at += len(now)
        ids_bt = torch.zeros(len(now), longest, dtype=torch.int64)
        targets_bt = torch.full_like(ids_bt, -1)
        for row, number in enumerate(now):
            tokens = torch.tensor(rows[number])
            scored = min(len(pairs[number][1]), len(tokens) - 1)
            ids_bt[row, : len(tokens) - 1] = tokens[:-1]
            targets_bt[row, len(tokens) - 1 - scored : len(tokens) - 1] = tokens[-scored:]
        ids_bt, targets_bt = ids_bt.to(ranks.device), targets_bt.to(ranks.device)
        wanted_bt = targets_bt >= 0
        with torch.no_grad(), ranks.autocast():
            logits_nv = model(ids_bt)[wanted_bt]
        chances_n = log_softmax(logits_nv.float(), -1).gather(1, targets_bt[wanted_bt].unsqueeze(1)).squeeze(1)
        sums_b = torch.zeros(len(now), dtype=torch.float64, device=ranks.device)
        scores[now] = sums_b.index_add(0, wanted_bt.nonzero()[:, 0], chances_n.double()).cpu()
    return scores
