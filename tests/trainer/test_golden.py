"""Twenty steps whose losses are known.

The values are those of PyTorch 2.13 and one thread of a CPU with AVX-512. The last bits depend on the processor:
kernels for AVX2 and for none differ by 1e-7 of the loss with AdamW and by 2e-5 with Muon, which works in bfloat16. So
the tolerance is 1e-4; that one machine gives the same bits each time is promised in ``test_loop.py``.
"""

from functools import partialmethod
from pathlib import Path

import pytest
from torch import nn

from tests.trainer.conftest import train_here
from trainer.saved.metrics import read_metrics

STEPS = ("steps=20", "evaluate_every=20", "checkpoint_every=20")
GOLDEN = {
    "adamw": [
        12.24134, 11.28156, 11.04241, 10.94761, 11.11070, 11.12199, 10.92414, 9.67302, 10.43414, 9.50991,
        9.30762, 9.48058, 8.89046, 9.40094, 8.35170, 9.00098, 8.64991, 8.35294, 8.93894, 8.87732,
    ],
    "muon": [
        12.24134, 11.32970, 11.17628, 11.12097, 11.38682, 11.50061, 11.42963, 10.38330, 11.18292, 10.62276,
        10.50889, 10.62946, 9.93524, 10.64597, 9.62607, 10.55998, 10.23277, 9.72634, 10.31798, 10.65395,
    ],
}  # fmt: skip


def losses(folder: Path) -> list[float]:
    return [row["loss"] for row in read_metrics(folder) if "loss" in row]


@pytest.mark.parametrize("kind", GOLDEN)
def test_losses_of_twenty_steps_are_the_recorded_ones(shards: Path, tmp_path: Path, kind: str) -> None:
    train_here(shards, tmp_path / "run", *STEPS, f"optimizer.kind={kind}")
    assert losses(tmp_path / "run") == pytest.approx(GOLDEN[kind], rel=1e-4)


def test_compiled_blocks_have_the_recorded_losses_too(
    shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Traced as for a GPU; generating code would take most of a minute."""
    monkeypatch.setattr(nn.Module, "compile", partialmethod(nn.Module.compile, backend="aot_eager"))
    train_here(shards, tmp_path / "run", *STEPS, "compile=true")
    assert losses(tmp_path / "run") == pytest.approx(GOLDEN["adamw"], rel=1e-4)
