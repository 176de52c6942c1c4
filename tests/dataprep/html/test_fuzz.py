"""A short run of the fuzzer; the long one is by hand, see `fuzz`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.dataprep.html import fuzz

PAGES = 4000


@pytest.mark.timeout(900)  # all kernels are compiled once more, the first time
def test_mutated_pages_keep_every_promise_under_bounds_checks(pytestconfig):
    # numba's disk cache does not tell kernels with bounds checks from those without
    kernels = pytestconfig.cache.mkdir("checked-kernels")
    run = subprocess.run(
        [sys.executable, "-m", "tests.dataprep.html.fuzz", "--pages", str(PAGES), "--seed", "0"],
        cwd=Path(__file__).parents[3],
        # what is freed is overwritten, so that using it shows
        env={**os.environ, "NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(kernels), "MALLOC_PERTURB_": "165"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert f"{PAGES} mutated pages" in run.stdout


def test_a_failing_page_is_made_smaller(monkeypatch):
    def fails_on_a_button(page):
        if b"<button" in page:
            raise AssertionError("a button")

    monkeypatch.setattr(fuzz, "run", fails_on_a_button)
    assert fuzz.smallest(b"<div><p>some text</p><button>here</button></div>" * 3) == b"<button"
