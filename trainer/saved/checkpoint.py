"""Checkpoints that are whole or not there.

Decisions:
- A checkpoint is a directory ``step-00000100``. Every rank that holds what no other does writes that into files of its
  own, ``model-00000.safetensors`` and ``optimizer-00000.safetensors``; rank 0 adds ``index.json`` (which file has which
  piece of which tensor), ``state.json`` (step, random state, what the loop hands in) and ``checksums.json`` (xxh3-128
  of all other files). Nothing in it is unpickled.
- It is written under a temporary name, every file flushed to disk, renamed, and only then does the file ``latest`` name
  it. A kill at any point leaves the previous checkpoint and ``latest`` as they were.
- Training waits while parameters and optimizer state are copied to memory kept for that; a thread writes the copy.
  There is one copy, so the next save waits for the last one, and raises what that met.
- Loading hashes every file before it believes one byte; ranks share the hashing. A damaged checkpoint is reported and
  the newest whole one taken, by all ranks the same.
- Tensors are stored by name and place (``pieces``): any number of ranks and any layout loads them, each rank only its
  part.
"""

import base64
import json
import secrets
import shutil
import uuid
from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Self

import torch
import xxhash
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from trainer.files import TEMPORARY, replace_file, sync_directory, write_file
from trainer.optim import optimizer_tensors, restore_optimizer
from trainer.parallel import ALONE, Ranks
from trainer.saved.pieces import TYPES, Box, Stored, hash_file, is_writer, laid_out_as, read_tensors, write_tensors

MODEL, OPTIMIZER = "model", "optimizer"
INDEX, STATE, CHECKSUMS = "index.json", "state.json", "checksums.json"
LATEST = "latest"


class CheckpointError(OSError):
    """A checkpoint that could not be written; one line naming it."""


@dataclass(frozen=True)
class Checkpoint:
    """Verified. ``state``: ``step`` (updates done), ``random``, and what the loop handed in when it was saved."""

    path: Path
    index: dict[str, dict[str, Stored]]
    state: dict[str, Any]

    @property
    def step(self) -> int:
        return int(self.state["step"])

    @property
    def model(self) -> dict[str, Tensor]:
        """All parameters, whole, on the CPU."""
        stored = self.index[MODEL]
        return read_tensors(self.path, stored, {name: Box.whole(tensor.shape) for name, tensor in stored.items()})

    def restore(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Put weights, optimizer state and the random generators where they were when it was saved."""
        parameters = dict(model.named_parameters())
        owners = {name: name.rpartition(":")[0] for name in self.index[OPTIMIZER]}
        restore_model(model, self._read(MODEL, parameters))
        optimized = {name: parameters[owner] for name, owner in owners.items() if owner in parameters}
        restore_optimizer(model, optimizer, self._read(OPTIMIZER, optimized))
        torch.set_rng_state(_tensor(self.state["random"]["cpu"]))
        if torch.cuda.is_available() and self.state["random"]["cuda"]:
            torch.cuda.set_rng_state(_tensor(self.state["random"]["cuda"]))

    def _read(self, kind: str, parameters: dict[str, Any]) -> dict[str, Tensor]:
        """All of a kind; what has the shape of its parameter lies as that does, and only this rank's part is read."""
        stored = self.index[kind]
        boxes = {name: Box.whole(tensor.shape) for name, tensor in stored.items()}
        like = {name: of for name, of in parameters.items() if name in stored and of.shape == stored[name].shape}
        found = read_tensors(self.path, stored, boxes | {name: Box.held(of) for name, of in like.items()})
        return found | {name: laid_out_as(found[name], of) for name, of in like.items()}


def restore_model(model: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Tied weights are stored once, under their first name."""
    missing, unexpected = model.load_state_dict(tensors, strict=False)
    known = {name for name, _ in model.named_parameters()}
    if unexpected or known & set(missing):
        raise ValueError(
            f"checkpoint and model differ: missing {sorted(known & set(missing))}, unknown {sorted(unexpected)}"
        )


class Saver:
    """Saves the checkpoints of a run, one at a time, while training goes on.

    Every rank has one and uses it at the same steps. Of old checkpoints the newest ``keep`` stay, and those of steps
    that ``keep_every`` divides. A context manager: leaving waits for the last save.
    """

    def __init__(self, folder: Path, keep: int, keep_every: int | None = None, ranks: Ranks = ALONE) -> None:
        self.folder = folder
        self._keep, self._keep_every = keep, keep_every
        self._ranks = ranks
        self._name = f"{ranks.from_main(secrets.randbits(32)):08x}"  # one temporary directory for all ranks
        self._copies: dict[str, Tensor] = {}
        self._pool = ThreadPoolExecutor(1, "checkpoint")
        self._writing: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.wait()
        finally:
            self._pool.shutdown()

    def save(self, step: int, model: nn.Module, optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
        """Copy everything and return; it is on disk when ``wait`` or the next save returns.

        ``state``: what JSON can hold; rank 0's is kept. Raises what the save before this one met.
        """
        self.wait()
        random = {
            "cpu": _text(torch.get_rng_state()),
            "cuda": _text(torch.cuda.get_rng_state()) if torch.cuda.is_available() else None,
        }
        document = _json({**state, "step": step, "random": random})
        index: dict[str, Any] = {MODEL: {}, OPTIMIZER: {}}
        copies: dict[str, dict[str, Tensor]] = {MODEL: {}, OPTIMIZER: {}}
        boxes: dict[str, dict[str, Box]] = {MODEL: {}, OPTIMIZER: {}}
        parameters: dict[str, Tensor] = dict(model.named_parameters())
        for kind, tensors in ((MODEL, parameters), (OPTIMIZER, optimizer_tensors(model, optimizer))):
            for name, tensor in sorted(tensors.items()):
                index[kind][name] = {"shape": list(tensor.shape), "dtype": TYPES[tensor.dtype], "pieces": []}
                if is_writer(tensor, self._ranks):
                    boxes[kind][name] = Box.held(tensor)
                    copies[kind][name] = self._copy(f"{kind}/{name}", tensor)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self._writing = self._pool.submit(self._write, step, document, index, boxes, copies)

    def wait(self) -> None:
        """Until the checkpoint last begun is on disk. Raises ``CheckpointError`` when it could not be written."""
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()

    def _copy(self, key: str, tensor: Tensor) -> Tensor:
        local = (tensor.to_local() if isinstance(tensor, DTensor) else tensor).detach()
        if key not in self._copies:
            self._copies[key] = torch.empty(local.shape, dtype=local.dtype, pin_memory=local.is_cuda)
        return self._copies[key].copy_(local, non_blocking=True)

    def _write(
        self,
        step: int,
        document: bytes,
        index: dict[str, Any],
        boxes: dict[str, dict[str, Box]],
        copies: dict[str, dict[str, Tensor]],
    ) -> None:
        """On every rank, in the thread: files, then rank 0 makes a checkpoint of them."""
        final = self.folder / f"step-{step:08d}"
        temporary = self.folder / f"{TEMPORARY}{final.name}-{self._name}"
        files, error = {}, None
        try:
            temporary.mkdir(parents=True, exist_ok=True)
            for kind, tensors in copies.items():
                if tensors:
                    file = f"{kind}-{self._ranks.rank:05d}.safetensors"
                    files[file] = write_tensors(temporary / file, tensors)
        except OSError as problem:
            error = f"rank {self._ranks.rank}: {problem}"
        written = self._ranks.gather((error, files, boxes))
        error = next((error for error, _, _ in written if error), None)
        if error is None and self._ranks.main:
            try:
                self._finish(step, temporary, final, document, index, written)
            except (OSError, ValueError) as problem:
                error = str(problem)
        error = self._ranks.gather(error)[0]
        if error is not None:
            raise CheckpointError(f"checkpoint {final}: {error}")

    def _finish(
        self,
        step: int,
        temporary: Path,
        final: Path,
        document: bytes,
        index: dict[str, Any],
        written: list[tuple[str | None, dict[str, str], dict[str, dict[str, Box]]]],
    ) -> None:
        checksums: dict[str, str] = {}
        for rank, (_, files, boxes) in enumerate(written):
            checksums |= files
            for kind, of in boxes.items():
                for name, box in of.items():
                    index[kind][name]["pieces"].append([f"{kind}-{rank:05d}.safetensors", box.start, box.shape])
        for file in checksums:
            if not (temporary / file).exists():
                raise FileNotFoundError(f"{file} is not seen by rank 0; all ranks must share this directory")
        _parse_index(index, checksums)
        for name, content in ((INDEX, _json(index)), (STATE, document)):
            checksums[name] = xxhash.xxh3_128_hexdigest(content)
            write_file(temporary / name, content)
        write_file(temporary / CHECKSUMS, _json(checksums))
        sync_directory(temporary)
        if final.exists():
            # a damaged one that an earlier checkpoint was taken for, or one that ``latest`` never came to name
            final.rename(self.folder / f"{TEMPORARY}replaced-{uuid.uuid4().hex[:8]}")
        temporary.rename(final)
        sync_directory(self.folder)
        replace_file(self.folder / LATEST, final.name.encode())
        # what is there of later steps is damaged, or the run was put back by hand: it takes no place of a good one
        for old in [path for path in checkpoints(self.folder) if step_of(path) <= step][self._keep :]:
            if not (self._keep_every and step_of(old) % self._keep_every == 0):
                _remove(old)
        clear_leftovers(self.folder)


def load_checkpoint(
    folder: Path,
    warn: Callable[[str], None],
    ranks: Ranks = ALONE,
    step: int | None = None,
    at_most: int | None = None,
) -> Checkpoint | None:
    """The checkpoint that ``latest`` names, or the newest whole one; None when none was ever finished. With a ``step``,
    that one and no other; with ``at_most``, the newest whole one of so many updates or fewer.

    Every rank calls it, and gets the same. Each damaged one is named through ``warn``. Raises ``ValueError`` when there
    are checkpoints and all are damaged, when none is of ``step``, or when ranks see different ones.
    """
    candidates = [path for path in checkpoints(folder) if at_most is None or step_of(path) <= at_most]
    if step is not None:
        kept = [step_of(path) for path in reversed(candidates)]
        if step not in kept:
            raise ValueError(f"{folder}: no checkpoint of step {step}; there are {', '.join(map(str, kept))}")
        candidates = [folder / f"step-{step:08d}"]
    try:
        named = folder / (folder / LATEST).read_text().strip()
        candidates = sorted(candidates, key=lambda path: path != named)
    except (OSError, UnicodeDecodeError):
        pass  # killed before the first pointer was written, or the pointer is unreadable: the newest whole one serves
    seen = ranks.gather([path.name for path in candidates])
    for rank, names in enumerate(seen):
        if names != seen[0]:
            raise ValueError(f"{folder}: rank {rank} sees other checkpoints than rank 0; all must share this directory")
    for path in candidates:
        found, error = None, None
        try:
            found = _open(path, ranks)
        except (OSError, ValueError, KeyError, SafetensorError) as problem:
            error = str(problem)
        errors = dict.fromkeys(error for error in ranks.gather(error) if error is not None)
        if not errors:
            return found
        warn(f"checkpoint {path} is damaged and passed over: {'; '.join(errors)}")
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
    """Remove the checkpoints of more than ``step`` updates: the run went back to before them.

    ``latest`` comes last: a start after a kill then still finds the newest that is left, and that it was given up.
    """
    kept = [path for path in checkpoints(folder) if step_of(path) <= step]
    for path in checkpoints(folder):
        if path not in kept:
            _remove(path)
    if kept:
        replace_file(folder / LATEST, kept[0].name.encode())


def clear_leftovers(folder: Path) -> None:
    """Remove what a kill left under temporary names."""
    for path in folder.glob(f"{TEMPORARY}*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _open(path: Path, ranks: Ranks) -> Checkpoint:
    """Of the tensors' files each rank proves every ``world_size``-th."""
    recorded = json.loads((path / CHECKSUMS).read_bytes())
    content = {name: (path / name).read_bytes() for name in (INDEX, STATE)}
    digests = {name: xxhash.xxh3_128_hexdigest(data) for name, data in content.items()}
    files = sorted(set(recorded) - set(content))
    digests |= {name: hash_file(path / name) for name in files[ranks.rank :: ranks.world_size]}
    for name, digest in digests.items():
        if digest != recorded[name]:
            raise ValueError(f"{name} does not have its recorded checksum")
    return Checkpoint(path, _parse_index(json.loads(content[INDEX]), recorded), json.loads(content[STATE]))


def _parse_index(index: dict[str, Any], files: Collection[str]) -> dict[str, dict[str, Stored]]:
    """Raises ``ValueError`` when these files do not hold every tensor whole."""
    types = {name: dtype for dtype, name in TYPES.items()}
    out: dict[str, dict[str, Stored]] = {}
    for kind, tensors in index.items():
        out[kind] = {}
        for name, entry in tensors.items():
            pieces = tuple((file, Box(tuple(start), tuple(shape))) for file, start, shape in entry["pieces"])
            out[kind][name] = Stored(tuple(entry["shape"]), types[entry["dtype"]], pieces)
            held = sum(prod(box.shape) for file, box in pieces if file in files)
            if held != prod(entry["shape"]):
                raise ValueError(f"{kind} {name}: {held} of {prod(entry['shape'])} values are in the files")
    return out


def _remove(path: Path) -> None:
    """Renamed first: a half-removed directory must not look like a checkpoint."""
    doomed = path.with_name(f"{TEMPORARY}{path.name}-{uuid.uuid4().hex[:8]}")
    path.rename(doomed)
    shutil.rmtree(doomed)


def _json(value: Any) -> bytes:
    return (json.dumps(value, sort_keys=True) + "\n").encode()


def _text(state: Tensor) -> str:
    return base64.b64encode(state.numpy().tobytes()).decode()


def _tensor(text: str) -> Tensor:
    return torch.frombuffer(bytearray(base64.b64decode(text)), dtype=torch.uint8)
