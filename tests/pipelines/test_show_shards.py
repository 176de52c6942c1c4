"""What the command line says about shards beyond their figures: exports, and whether they are whole."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from dataprep.shards import Manifest
from pipelines import show_shards
from tests.dataprep.report.conftest import MadeRun, make_run
from tests.pipelines.chain import one_line


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> MadeRun:
    """A whole run; tests do not change it."""
    return make_run(tmp_path_factory.mktemp("run"), count=60)


def screen() -> Console:
    return Console(file=io.StringIO(), width=200)


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("form", ["megatron", "nanogpt", "llmc"])
def test_an_export_lists_its_files(run: MadeRun, tmp_path: Path, form: str) -> None:
    console = screen()
    show_shards.export(console, run.out, form, str(tmp_path / "out"))
    shown = [line.split()[-1] for line in printed(console).splitlines()]
    assert shown == sorted(str(path) for path in (tmp_path / "out").iterdir())
    manifest = Manifest.load(f"{run.out}/shards")
    tokens = np.concatenate([manifest.open(info).tokens for info in manifest.select("train")])
    data = (tmp_path / "out" / ("train_000000.bin" if form == "llmc" else "train.bin")).read_bytes()
    assert data.endswith(tokens.tobytes())


def test_a_format_that_is_not_known_is_said_in_one_line(run: MadeRun, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pipelines.cli", "export", run.out, "--format", "tar", "--out", f"{tmp_path}/out"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    one_line(result, "--format tar: allowed are megatron, nanogpt, llmc")


def test_whole_shards_are_said_to_be_whole_with_how_much_was_read(run: MadeRun) -> None:
    console = screen()
    assert show_shards.verify(console, run.out)
    files = len(Manifest.load(f"{run.out}/shards").shards) + 1
    assert printed(console).startswith(f"{files} files are whole: ")
    assert "damaged" not in printed(console)


def test_many_shards_are_not_all_listed(run: MadeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(show_shards, "LISTED", 1)
    console = screen()
    show_shards.statistics(console, run.out)
    assert "books/train-00000.arrow" in printed(console)
    assert "web/train-00000.arrow" not in printed(console)
    assert "… and 1 more in manifest.json" in printed(console)
