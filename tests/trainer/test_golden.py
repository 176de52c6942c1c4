"""Twenty steps whose losses are known.

PyTorch 2.13, its and its libraries' kernels for the oldest x86 processors, and one thread give exactly these floats,
whatever newer instructions the processor has. Faster kernels add in another order: their losses differ by 1e-7 with
AdamW and by 2e-5 with Muon, which works in bfloat16. That one machine gives the same bits each time is promised in
``test_loop.py``.
"""

import json
import os
import platform
import subprocess
import sys
from functools import partialmethod
from pathlib import Path

import pytest
from torch import nn

from tests.trainer.conftest import train_here
from trainer.saved.metrics import read_metrics

STEPS = ("steps=20", "evaluate_every=20", "checkpoint_every=20")
GOLDEN = {
    "adamw": [
        12.241334915161133, 11.281564712524414, 11.042407035827637, 10.947609901428223, 11.110706329345703,
        11.121986389160156, 10.924134254455566, 9.673019409179688, 10.434141159057617, 9.509904861450195,
        9.307615280151367, 9.48057746887207, 8.89045524597168, 9.400936126708984, 8.351702690124512,
        9.0009765625, 8.649911880493164, 8.35293960571289, 8.938935279846191, 8.87731647491455,
    ],
    "muon": [
        12.241334915161133, 11.329702377319336, 11.176286697387695, 11.120981216430664, 11.386785507202148,
        11.500556945800781, 11.429581642150879, 10.383302688598633, 11.182902336120605, 10.622653007507324,
        10.508824348449707, 10.629398345947266, 9.935193061828613, 10.64592170715332, 9.626070022583008,
        10.559982299804688, 10.232833862304688, 9.726327896118164, 10.317934036254883, 10.653902053833008,
    ],
}  # fmt: skip


def losses(folder: Path) -> list[float]:
    return [row["loss"] for row in read_metrics(folder) if "loss" in row]


ANY_X86 = {
    "ATEN_CPU_CAPABILITY": "default",
    "MKL_CBWR": "COMPATIBLE",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "OMP_NUM_THREADS": "1",
}
CHILD = """
import json, sys
from pathlib import Path
from tests.trainer.conftest import train_here
from tests.trainer.test_golden import losses
shards, folder, *assignments = sys.argv[1:]
train_here(Path(shards), Path(folder), *assignments)
print(json.dumps(losses(Path(folder))))
"""


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="the recorded floats are those of x86")
@pytest.mark.parametrize("kind", GOLDEN)
def test_every_x86_processor_gives_exactly_the_recorded_losses(shards: Path, tmp_path: Path, kind: str) -> None:
    run = [str(shards), str(tmp_path / "run"), *STEPS, f"optimizer.kind={kind}"]
    child = subprocess.run(
        [sys.executable, "-c", CHILD, *run], env=os.environ | ANY_X86, capture_output=True, text=True, check=True
    )
    assert json.loads(child.stdout) == GOLDEN[kind]


@pytest.mark.parametrize("kind", GOLDEN)
def test_faster_kernels_have_the_recorded_losses_but_for_rounding(shards: Path, tmp_path: Path, kind: str) -> None:
    train_here(shards, tmp_path / "run", *STEPS, f"optimizer.kind={kind}")
    assert losses(tmp_path / "run") == pytest.approx(GOLDEN[kind], rel=1e-4)


def test_compiled_blocks_have_the_recorded_losses_too(
    shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Traced as for a GPU; generating code would take most of a minute."""
    monkeypatch.setattr(nn.Module, "compile", partialmethod(nn.Module.compile, backend="aot_eager"))
    train_here(shards, tmp_path / "run", *STEPS, "compile=true")
    assert losses(tmp_path / "run") == pytest.approx(GOLDEN["adamw"], rel=1e-4)
