"""The kernels as plain Python: no negative places, and work that grows with the page, not faster."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.dataprep.html.interpreted import HOSTILE


@pytest.fixture(scope="module")
def lines():
    """Lines run for each hostile page at one size and at twice that size."""
    run = subprocess.run(
        [sys.executable, "-m", "tests.dataprep.html.interpreted"],
        cwd=Path(__file__).parents[3],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.mark.parametrize("name", HOSTILE)
def test_twice_the_hostile_page_is_about_twice_the_work(lines, name):
    small, large = lines[name]
    assert large <= 2.2 * small
