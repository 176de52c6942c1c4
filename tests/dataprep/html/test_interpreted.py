"""The kernels as plain Python: no negative places, and work that grows with the page, not faster."""

import json
import os
import subprocess
import sys
from pathlib import Path


def test_twice_the_hostile_page_is_about_twice_the_work_and_no_place_is_negative():
    run = subprocess.run(
        [sys.executable, "-m", "tests.dataprep.html.interpreted"],
        cwd=Path(__file__).parents[3],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    lines = json.loads(run.stdout)
    assert len(lines) > 90
    assert {page: counts for page, counts in lines.items() if counts[1] > 2.2 * counts[0]} == {}
