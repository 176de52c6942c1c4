"""Multiple choice against the plain statement of how a choice is scored."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers

from tests.trainer.conftest import EOS, byte_tokenizer, tiny_config
from trainer import parallel
from trainer.model.decoder import Decoder
from trainer.use.choices import Question, accuracy, encode_pair, log_likelihoods, read_questions

LINES: list[dict[str, Any]] = [
    {"context": "Two and two", "choices": ["is 4", "is five", "are"], "answer": 0},
    {"question": "2 + 2", "choices": ["4", "22"], "answer": 1},
    {"context": "Roof shingle removal: A man is sitting on a roof. He ", "choices": ["é", "sits a while"], "answer": 1},
    {"context": "", "choices": ["a", "b", "c", "d"], "answer": 2},
    {"context": "x", "choices": ["a choice that is longer than the context", "short"], "answer": 0},
]


def write(path: Path, lines: list[dict[str, Any]]) -> Path:
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines) + "\n")
    return path


def model_of() -> Decoder:
    model = Decoder(tiny_config().model, 320)
    model.initialise(3)
    return model


def plain_score(model: Decoder, before: list[int], after: list[int]) -> float:
    """One token at a time, each from at most the 16 tokens before it that the whole row would show."""
    row = (before + after)[-17:]
    score = 0.0
    for place in range(max(1, len(row) - len(after)), len(row)):
        logits = model(torch.tensor([row[:place]]))[0, -1].double().tolist()
        score += logits[row[place]] - math.log(sum(map(math.exp, logits)))
    return score


def test_scores_are_those_of_computing_every_choice_alone_token_by_token(tmp_path: Path) -> None:
    model, tokenizer = model_of(), byte_tokenizer()
    questions = read_questions(write(tmp_path / "q.jsonl", LINES))
    assert [one.context for one in questions[:2]] == ["Two and two", "Question: 2 + 2\nAnswer:"]
    assert [list(one.choices) for one in questions] == [line["choices"] for line in LINES]
    right = right_by_length = 0
    pairs, expected = [], []
    for one in questions:
        scores = []
        for choice in one.choices:
            before, after = encode_pair(tokenizer, one.context, f" {choice}")
            pairs.append(([EOS, *before], after))
            scores.append(plain_score(model, *pairs[-1]))
        expected += scores
        right += scores.index(max(scores)) == one.answer
        normed = [score / len(choice) for score, choice in zip(scores, one.choices, strict=True)]
        right_by_length += normed.index(max(normed)) == one.answer
    with parallel.start(tiny_config()) as ranks:
        assert log_likelihoods(model, pairs, ranks).tolist() == pytest.approx(expected, abs=1e-4)
        found = accuracy(model, tokenizer, questions, EOS, ranks)
    assert (found.questions, found.acc, found.acc_norm) == (5, right / 5, right_by_length / 5)
    assert found.acc_stderr == pytest.approx(math.sqrt(found.acc * (1 - found.acc) / 4))


def test_a_model_that_knows_the_answers_has_them_all_right_and_another_key_all_wrong() -> None:
    model, tokenizer = model_of(), byte_tokenizer()
    known = [Question(f"{n}", ("left", "right", "neither"), n % 3) for n in range(9)]
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(80):
        loss = torch.zeros(())
        for one in known:
            before, after = encode_pair(tokenizer, one.context, f" {one.choices[one.answer]}")
            row = torch.tensor([[EOS, *before, *after]])
            loss = loss + model(row[:, :-1], row[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    wrong = [Question(one.context, one.choices, (one.answer + 1) % 3) for one in known]
    with parallel.start(tiny_config()) as ranks:
        good, bad = (accuracy(model, tokenizer, questions, EOS, ranks) for questions in (known, wrong))
    assert (good.acc, good.acc_norm, good.acc_stderr) == (1, 1, 0)
    assert (bad.acc, bad.acc_norm) == (0, 0)


def test_a_choice_gets_the_tokens_after_those_of_the_context_alone_and_always_one() -> None:
    vocabulary = {"<eos>": 0, "a": 1, "Ġ": 2, "b": 3, "Ġb": 4, "ab": 5}
    tokenizer = Tokenizer(models.BPE(vocabulary, [("Ġ", "b"), ("a", "b")]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    assert encode_pair(tokenizer, "a", " b") == ([1], [4])
    assert encode_pair(tokenizer, "a ", "b") == ([1], [4])  # the space is the choice's
    assert encode_pair(tokenizer, "a", "b") == ([], [5])  # they became one token
    assert encode_pair(tokenizer, "", " b") == ([], [4])


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("{", "line 2"),
        ("[]", "object"),
        ({"choices": ["a", "b"], "answer": 0}, "context"),
        ({"context": "a", "question": "b", "choices": ["a", "b"], "answer": 0}, "context"),
        ({"context": 3, "choices": ["a", "b"], "answer": 0}, "is 3: allowed is a string"),
        ({"context": "a", "choices": ["a"], "answer": 0}, "choices is ['a']: allowed are two or more"),
        ({"context": "a", "choices": ["a", ""], "answer": 0}, "choices"),
        (
            {"context": "a", "choices": ["a", "b"], "answer": 2},
            "answer is 2: allowed is the number of a choice",
        ),
        ({"context": "a", "choices": ["a", "b"], "answer": "A"}, "answer is 'A'"),
        ({"context": "a", "choices": ["a", "b"], "answer": True}, "answer is True"),
    ],
)
def test_a_line_that_is_no_question_is_named(tmp_path: Path, line: object, named: str) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text(f"{json.dumps(LINES[0])}\n{line if isinstance(line, str) else json.dumps(line)}\n")
    with pytest.raises(ValueError, match="line 2") as raised:
        read_questions(path)
    assert named in str(raised.value)


def test_a_file_without_questions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no questions"):
        read_questions(write(tmp_path / "q.jsonl", []))
