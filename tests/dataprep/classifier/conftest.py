"""Real documents of two kinds, and one trained model that several tests look at."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from dataprep.classifier.settings import Input, TrainSettings
from dataprep.classifier.train import train

# few documents need many rounds
SETTINGS = TrainSettings(epoch=40, held_out=0.3, first_characters=3000, word_ngrams=1)


def write_jsonl(path: Path, texts: list[str]) -> Path:
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    return path


def encyclopedia(shared_data: Path, documents: int) -> list[str]:
    with gzip.open(shared_data / "prose" / "wikipedia-en-markdown.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line)["text"] for line, _ in zip(lines, range(documents), strict=False)]


@pytest.fixture(scope="session")
def good(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Input:
    path = tmp_path_factory.mktemp("good") / "encyclopedia.jsonl"
    return Input(path=str(write_jsonl(path, encyclopedia(shared_data, 200))))


@pytest.fixture(scope="session")
def web(shared_data: Path) -> list[Input]:
    quality = shared_data / "quality"
    return [
        Input(path=str(quality / "c*.jsonl.gz")),
        Input(path=str(quality / "redpajama-cc-2023-06-refined.jsonl.gz")),
    ]


@pytest.fixture(scope="session")
def trained(good: Input, web: list[Input], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A model's directory and what its training returned. Read only."""
    out = tmp_path_factory.mktemp("trained") / "model"
    return out, train([good], web, str(out), SETTINGS)
