"""The small corpus, and one finished run over it that other ways of running are compared with."""

import shutil

import pytest

from tests.pipelines.chain import STAGES, drive
from tests.pipelines.corpus import recipe, write_corpus


@pytest.fixture(scope="session")
def library(tmp_path_factory):
    folder = tmp_path_factory.mktemp("library")
    write_corpus(folder)
    return folder


@pytest.fixture(scope="session")
def finished(library, tmp_path_factory):
    """One whole run in one process. Read only."""
    out = tmp_path_factory.mktemp("finished")
    ran, skipped = drive(recipe(library), out)
    assert (ran, skipped) == (STAGES, [])
    return out


@pytest.fixture
def copied(finished, tmp_path):
    """That run in a place of its own, to go on from."""
    return shutil.copytree(finished, tmp_path / "out")
