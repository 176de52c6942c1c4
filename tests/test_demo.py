"""`make demo` in small: the whole chain on real pages, then a few steps of training."""

import json
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.skipif(not (ROOT / ".venv").is_dir(), reason="the demo reads what `make` installed in .venv")
def test_the_demo_goes_from_a_website_to_a_trained_model(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "pipelines.demo", "--out", str(tmp_path), "--port", str(port), "--steps", "20"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=280, cwd=ROOT)
    assert result.returncode == 0, result.stdout + result.stderr
    counts = {
        stage: json.loads((tmp_path / stage / "_stage.json").read_text())["counts"]
        for stage in ("crawl", "documents", "clean", "unique", "shards")
    }
    assert counts["crawl"]["kept"] > 300
    assert len(counts["clean"]["removed"]) > 5  # an instructive funnel: many reasons, each with documents
    assert set(counts["unique"]["removed"]) == {"exact_duplicate", "near_duplicate"}
    assert counts["shards"]["kept"] > 200
    before, after = (
        float(re.search(rf"validation {word} +([0-9.]+) nats", result.stdout)[1]) for word in ("before", "after")
    )
    assert after < before - 0.5
    assert "sample" in result.stdout
    assert (tmp_path / "report.html").stat().st_size > 50_000
    assert result.stderr == ""
