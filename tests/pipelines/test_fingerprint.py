"""What a stage's fingerprint covers: a change of code that decides its bytes makes the stage run again."""

from pathlib import Path

import pytest

from pipelines.run import CHAIN
from pipelines.stage import COMMON_CODE, code_fingerprint
from tests.test_architecture import ROOT, imported

# What decides no byte by itself: how work is handed out, what a recipe says (its values are in the fingerprint), what
# folders are called (a file that is not where it should be is made anew).
ELSEWHERE = {"pipelines.batches", "pipelines.stage", "dataprep.recipe", "dataprep.report.layout"}
STAGES = [stage for stage in CHAIN if stage.code]


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_every_module_that_is_named_exists(stage):
    assert len(code_fingerprint(*stage.code, *COMMON_CODE)) == 32


@pytest.mark.parametrize("module", sorted({stage.__module__ for stage in STAGES}))
def test_what_a_stages_module_imports_is_covered(module):
    covered = {name for stage in STAGES if stage.__module__ == module for name in (*stage.code, *COMMON_CODE)}
    used = set()
    for name in [module, *(name for name in covered if name.startswith("pipelines.") and name not in COMMON_CODE)]:
        path = Path(ROOT / name.replace(".", "/")).with_suffix(".py")
        used.update(_imports(path, name))
    missing = {name for name in used - ELSEWHERE if not any(f"{name}.".startswith(f"{known}.") for known in covered)}
    assert {name for name in missing if not name.endswith(".settings")} == set()


def _imports(path, name):
    return {found for found in imported(path, name, False) if found.split(".")[0] in ("dataprep", "pipelines")}
