"""Durable writing: whole, or as it was before."""

import os
from pathlib import Path

import pytest

from trainer.files import append_lines, replace_file


class Kill(BaseException):
    """Unwinds like a kill: nothing in the trainer catches it."""


def die(*_: object) -> None:
    raise Kill


@pytest.mark.parametrize("name", ["fsync", "replace"])
def test_a_killed_write_leaves_the_earlier_content_and_the_next_one_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = tmp_path / "run.json"
    replace_file(path, b"before")
    with monkeypatch.context() as patch:
        patch.setattr(os, name, die)
        with pytest.raises(Kill):
            replace_file(path, b"after")
    assert path.read_bytes() == b"before"
    replace_file(path, b"after")
    assert [file.name for file in tmp_path.iterdir()] == ["run.json"]
    assert path.read_bytes() == b"after"


def test_a_line_that_a_kill_cut_off_does_not_swallow_the_next(tmp_path: Path) -> None:
    path = tmp_path / "origins.jsonl"
    append_lines(path, "one\n")
    with open(path, "a") as file:
        file.write("tw")
    append_lines(path, "three\nfour\n")
    assert path.read_text() == "one\ntw\nthree\nfour\n"
