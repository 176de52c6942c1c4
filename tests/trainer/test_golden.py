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
from trainer.metrics import read_metrics

STEPS = ("steps=20", "evaluate_every=20", "checkpoint_every=20")
GOLDEN = {
    "adamw": [
        11.85057, 11.74172, 11.53711, 10.90408, 10.98209, 10.39417, 10.56131, 10.02754, 9.63498, 9.67974,
        9.64245, 9.22586, 8.87643, 9.45172, 8.68092, 9.10888, 8.87991, 8.70005, 8.17857, 8.75430,
    ],
    "muon": [
        11.85057, 11.81310, 11.68663, 11.14994, 11.26757, 10.77631, 11.14614, 10.76740, 10.47767, 10.62408,
        10.79059, 10.42204, 10.26418, 10.66213, 10.32122, 10.76610, 10.32248, 10.40253, 9.70386, 10.25790,
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
