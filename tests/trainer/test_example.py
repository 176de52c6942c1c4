"""The example for training loops that are not ours runs as it stands in docs/loading.md."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from dataprep.shards import Manifest
from tests.trainer.conftest import Documents, shard
from trainer.config import load_config, parse_config

PAGE = Path(__file__).parents[2] / "docs" / "loading.md"


def block(language: str) -> str:
    (code,) = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return code


def test_a_plain_pytorch_loop_learns_from_shards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Documents that count upwards: what follows is certain but for the first token."""
    generator = np.random.default_rng(0)
    documents: Documents = [
        np.arange(start, start + length) % 40 + 1
        for start, length in zip(generator.integers(0, 40, 400), generator.integers(5, 90, 400), strict=True)
    ]
    folder = tmp_path / "OUT" / "shards"
    Manifest.build(str(folder), [shard(folder, "a", "train", 0, documents, 41)]).save()
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(block("python"), str(PAGE), "exec"), names)
    assert names["losses"][-1] < 0.5 * names["losses"][0]
    assert "→" in capsys.readouterr().out


def test_the_mixture_on_the_page_is_a_valid_configuration() -> None:
    data = yaml.safe_load(block("yaml"))["data"]
    config = parse_config(load_config().model_dump() | {"data": data})
    assert [phase.from_step for phase in config.data.mixture] == [0, 9000]
