"""Cached machine code is never older than what it was compiled from."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import dataprep

PROGRAM = "from dataprep.probe.caller import call; print(call())"
CALLEE = "from dataprep.compiled import njit\n@njit(cache=True)\ndef answer():\n    return {}\n"
CALLER = (
    "from dataprep.compiled import njit\nfrom dataprep.probe.callee import answer\n"
    "@njit(cache=True)\ndef call():\n    return answer()\n"
)


def test_a_kernel_is_compiled_anew_when_one_that_it_calls_from_another_file_has_changed(tmp_path: Path) -> None:
    package = tmp_path / "dataprep"
    (package / "probe").mkdir(parents=True)
    for name in ("__init__.py", "compiled.py"):
        shutil.copy(Path(dataprep.__file__).parent / name, package / name)
    (package / "probe" / "__init__.py").touch()
    (package / "probe" / "caller.py").write_text(CALLER)
    results = []
    for value in (1, 1, 2):
        (package / "probe" / "callee.py").write_text(CALLEE.format(value))
        run = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        results.append(run.stdout.strip())
    assert results == ["1", "1", "2"]
    cached = list((package / "probe" / "__pycache__").glob("*/caller.call*.nbi"))
    assert len(cached) == 1 or os.environ.get("NUMBA_CACHE_DIR")  # what is out of date is deleted


def test_every_kernel_module_compiles_by_it() -> None:
    root = Path(dataprep.__file__).parent
    direct = [
        str(path.relative_to(root))
        for path in root.rglob("*.py")
        if path.name != "compiled.py" and "from numba import njit" in path.read_text("utf-8")
    ]
    assert direct == []
