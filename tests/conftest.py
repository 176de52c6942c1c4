"""Fixtures every test may use."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# the first example of a kernel compiles it; and no test is about time
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

DATA_VARIABLE = "CORPUSMILL_TEST_DATA"


def find_shared_data() -> Path | None:
    """The folder of real test data: $CORPUSMILL_TEST_DATA, or ``shared/data`` beside the checkout."""
    candidate = Path(os.environ.get(DATA_VARIABLE) or Path(__file__).parents[2] / "shared" / "data")
    return candidate if candidate.is_dir() else None


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real pages, archives, dumps and books; the tests that need them are skipped, by name, where they are absent."""
    folder = find_shared_data()
    if folder is None:
        pytest.skip(f"real test data not found: set {DATA_VARIABLE} to its folder")
    return folder
