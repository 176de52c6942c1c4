"""What a run records of itself: ``metrics.jsonl``, one object a line, and the same figures for TensorBoard.

A figure that is not finite is null. A run that continues from step n first drops the lines after n: those steps are
done again, and every step stands once. Weights & Biases gets the same figures where the run says so; it is imported for
nothing else.
"""

import json
import math
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter

from trainer.files import replace_file

NAME = "metrics.jsonl"


class Metrics:
    """Open for the updates after ``step``."""

    def __init__(self, run: Path, step: int, project: str | None = None) -> None:
        path = run / NAME
        kept = [row for row in read_metrics(run) if row["step"] <= step]
        replace_file(path, "".join(map(_line, kept)).encode())
        self._file = open(path, "a", buffering=1)  # noqa: SIM115 — closed by close()
        self._board = SummaryWriter(str(run / "tensorboard"), purge_step=step + 1)
        self._wandb = None if project is None else _wandb(run, project)

    def write(self, step: int, values: dict[str, Any]) -> None:
        """A line for ``step`` updates done."""
        self._file.write(_line({"step": step, **values}))
        for name, value in values.items():
            if isinstance(value, int | float):
                self._board.add_scalar(name, value, step)
        if self._wandb:
            self._wandb.log({"step": step, **values})

    def sync(self) -> None:
        """On disk before a checkpoint claims these steps are done."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._board.flush()

    def close(self) -> None:
        self.sync()
        self._file.close()
        self._board.close()
        if self._wandb:
            self._wandb.finish()


def check_wandb(project: str | None) -> None:
    """Raise ``ValueError`` when the metrics are to go to Weights & Biases and its package is not there."""
    if project is not None and find_spec("wandb") is None:
        raise ValueError(f"wandb is {project!r}: the package is not installed; pip install wandb, or leave wandb unset")


def _wandb(run: Path, project: str) -> Any:
    """The run of that name in the project, continued if it is there. A step that is done again is drawn twice: what was
    logged cannot be taken back.
    """
    import wandb  # type: ignore[import-not-found,unused-ignore]

    name = run.resolve().name
    opened = wandb.init(project=project, id=name, name=name, dir=str(run), resume="allow")
    opened.define_metric("*", step_metric="step")
    return opened


def read_metrics(run: Path) -> list[dict[str, Any]]:
    """All whole lines; a last line cut off by a kill is left out. A run without the file has none."""
    path = run / NAME
    if not path.exists():
        return []
    rows = []
    for line in path.read_text().splitlines():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return rows


def _line(row: dict[str, Any]) -> str:
    finite = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}
    return json.dumps(finite) + "\n"
