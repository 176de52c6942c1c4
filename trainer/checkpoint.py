"""Checkpoints that are whole or not there.

Decisions:
- A checkpoint is a directory ``step-00000100`` of safetensors (model, optimizer), ``state.json`` (step, random state,
  what it belongs to) and ``checksums.json`` (xxh3-128 of the other files). Nothing in it is unpickled.
- It is written under a temporary name, every file flushed to disk, renamed, and only then does the file ``latest`` name
  it. A kill at any point leaves the previous checkpoint and ``latest`` as they were.
- Loading hashes every file before it believes one byte. A damaged checkpoint is reported and the newest whole one
  taken.
- Parameters and optimizer state are stored by name, unsharded: any world size loads them.
"""

import base64
import json
import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import xxhash
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from trainer.files import TEMPORARY, replace_file, sync_directory, write_file
from trainer.optim import optimizer_tensors, restore_optimizer

MODEL, OPTIMIZER, STATE, CHECKSUMS = "model.safetensors", "optimizer.safetensors", "state.json", "checksums.json"
LATEST = "latest"


@dataclass(frozen=True)
class Checkpoint:
    """Loaded and verified. ``state``: ``step`` (updates done), ``tokens``, ``manifest`` (its hash), ``random``."""

    path: Path
    model: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    state: dict[str, Any]

    @property
    def step(self) -> int:
        return int(self.state["step"])

    def restore(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Put weights, optimizer state and the random generators where they were when it was saved."""
        restore_model(model, self.model)
        restore_optimizer(model, optimizer, self.optimizer)
        torch.set_rng_state(_tensor(self.state["random"]["cpu"]))
        if torch.cuda.is_available() and self.state["random"]["cuda"]:
            torch.cuda.set_rng_state(_tensor(self.state["random"]["cuda"]))


def restore_model(model: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Tied weights are stored once, under their first name."""
    missing, unexpected = model.load_state_dict(tensors, strict=False)
    known = {name for name, _ in model.named_parameters()}
    if unexpected or known & set(missing):
        raise ValueError(
            f"checkpoint and model differ: missing {sorted(known & set(missing))}, unknown {sorted(unexpected)}"
        )


def save_checkpoint(
    folder: Path,
    step: int,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    state: dict[str, Any],
    keep: int,
) -> Path:
    """Write ``folder/step-…``, point ``latest`` at it, remove all but the newest ``keep``; returns its path."""
    random = {
        "cpu": _text(torch.get_rng_state()),
        "cuda": _text(torch.cuda.get_rng_state()) if torch.cuda.is_available() else None,
    }
    files = {
        MODEL: save(_on_cpu(dict(model.named_parameters()))),
        OPTIMIZER: save(_on_cpu(optimizer_tensors(model, optimizer))),
        STATE: _json({**state, "step": step, "random": random}),
    }
    files[CHECKSUMS] = _json({name: xxhash.xxh3_128_hexdigest(content) for name, content in files.items()})
    folder.mkdir(parents=True, exist_ok=True)
    final = folder / f"step-{step:08d}"
    temporary = folder / f"{TEMPORARY}{final.name}-{uuid.uuid4().hex[:8]}"
    temporary.mkdir()
    for name, content in files.items():
        write_file(temporary / name, content)
    sync_directory(temporary)
    if (
        final.exists()
    ):  # a damaged one that an earlier checkpoint was taken for, or one that ``latest`` never came to name
        final.rename(folder / f"{TEMPORARY}replaced-{uuid.uuid4().hex[:8]}")
    temporary.rename(final)
    sync_directory(folder)
    replace_file(folder / LATEST, final.name.encode())
    for old in checkpoints(folder)[keep:]:
        if old != final:
            _remove(old)
    clear_leftovers(folder)
    return final


def load_checkpoint(folder: Path, warn: Callable[[str], None], at_most: int | None = None) -> Checkpoint | None:
    """The checkpoint that ``latest`` names, or the newest whole one; None when none was ever finished. With
    ``at_most``, the newest whole one of so many updates or fewer.

    Each damaged one is named through ``warn``. Raises ``ValueError`` when there are checkpoints and all are damaged.
    """
    candidates = [path for path in checkpoints(folder) if at_most is None or step_of(path) <= at_most]
    try:
        named = folder / (folder / LATEST).read_text().strip()
        candidates = sorted(candidates, key=lambda path: path != named)
    except (OSError, UnicodeDecodeError):
        pass  # killed before the first pointer was written, or the pointer is unreadable: the newest whole one serves
    for path in candidates:
        try:
            return _load(path)
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            warn(f"checkpoint {path} is damaged and passed over: {error}")
    if candidates:
        raise ValueError(
            f"{folder}: none of {len(candidates)} checkpoints is whole; remove the directory to start again"
        )
    return None


def checkpoints(folder: Path) -> list[Path]:
    """Finished checkpoints, newest first. A directory gets such a name only when all of it is on disk."""
    return sorted(folder.glob("step-*"), reverse=True)


def step_of(path: Path) -> int:
    """Updates done, by the name of a checkpoint."""
    return int(path.name.removeprefix("step-"))


def drop_after(folder: Path, step: int) -> None:
    """Remove the checkpoints of more than ``step`` updates: the run went back to before them."""
    kept = [path for path in checkpoints(folder) if step_of(path) <= step]
    if kept:
        replace_file(folder / LATEST, kept[0].name.encode())
    for path in checkpoints(folder):
        if path not in kept:
            _remove(path)


def clear_leftovers(folder: Path) -> None:
    """Remove what a kill left under temporary names."""
    for path in folder.glob(f"{TEMPORARY}*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _load(path: Path) -> Checkpoint:
    recorded = json.loads((path / CHECKSUMS).read_bytes())
    content = {name: (path / name).read_bytes() for name in (MODEL, OPTIMIZER, STATE)}
    for name, data in content.items():
        if xxhash.xxh3_128_hexdigest(data) != recorded[name]:
            raise ValueError(f"{name} does not have its recorded checksum")
    return Checkpoint(path, load(content[MODEL]), load(content[OPTIMIZER]), json.loads(content[STATE]))


def _remove(path: Path) -> None:
    """Renamed first: a half-removed directory must not look like a checkpoint."""
    doomed = path.with_name(f"{TEMPORARY}{path.name}-{uuid.uuid4().hex[:8]}")
    path.rename(doomed)
    shutil.rmtree(doomed)


def _on_cpu(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=2, sort_keys=True) + "\n").encode()


def _text(state: Tensor) -> str:
    return base64.b64encode(state.numpy().tobytes()).decode()


def _tensor(text: str) -> Tensor:
    return torch.frombuffer(bytearray(base64.b64decode(text)), dtype=torch.uint8)
