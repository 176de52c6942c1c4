"""Tensors in files, whole or in pieces: each rank writes what it holds, and any rank reads what it needs.

Decisions:
- A piece is a block of a tensor and where it begins. It does not say how ranks were laid out, so another number of
  ranks, or another way to cut, reads the same files.
- Files are safetensors, which any tool opens and nothing unpickles. PyTorch's own distributed checkpoints keep their
  index as a pickle.
- They are written here and not by the library, because that joins all tensors to one string first: another copy of the
  model in memory, made while no other thread may run. Here tensors are hashed and written where they lie.
"""

import json
import struct
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xxhash
from numpy.typing import NDArray
from safetensors import safe_open
from torch import Tensor
from torch.distributed.tensor import DTensor
from torch.distributed.tensor._utils import compute_local_shape_and_global_offset

from trainer.files import sync_file
from trainer.parallel import Ranks

HASH_BYTES = 2**24
TYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
"""Names in the header of a safetensors file."""


@dataclass(frozen=True)
class Box:
    """A block of a tensor: its first index and its size, by axis."""

    start: tuple[int, ...]
    shape: tuple[int, ...]

    @classmethod
    def whole(cls, shape: Iterable[int]) -> "Box":
        size = tuple(shape)
        return cls((0,) * len(size), size)

    @classmethod
    def held(cls, tensor: Tensor) -> "Box":
        """What this rank holds of it."""
        if not isinstance(tensor, DTensor):
            return cls.whole(tensor.shape)
        shape, start = compute_local_shape_and_global_offset(tensor.shape, tensor.device_mesh, tensor.placements)
        return cls(tuple(start), tuple(shape))

    def within(self, other: "Box") -> tuple[slice, ...] | None:
        """The part of ``other`` that is also here, as slices of ``other``; None when there is none."""
        first = [max(a, b) - b for a, b in zip(self.start, other.start, strict=True)]
        last = [
            min(a + n, b + m) - b for a, n, b, m in zip(self.start, self.shape, other.start, other.shape, strict=True)
        ]
        return tuple(map(slice, first, last)) if all(a < z for a, z in zip(first, last, strict=True)) else None


@dataclass(frozen=True)
class Stored:
    """A tensor in files: its shape and type, and which file holds which box of it."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    pieces: tuple[tuple[str, Box], ...]


def is_writer(tensor: Tensor, ranks: Ranks) -> bool:
    """Of the ranks that hold the same piece of a tensor, the first writes it."""
    if ranks.mesh is None or not isinstance(tensor, DTensor):
        return ranks.main
    names = tensor.device_mesh.mesh_dim_names or ()
    cut = {name for name, place in zip(names, tensor.placements, strict=True) if not place.is_replicate()}
    first = all(ranks.mesh.get_local_rank(name) == 0 for name in ranks.mesh.mesh_dim_names or () if name not in cut)
    return first and prod(Box.held(tensor).shape) > 0


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> str:
    """Write CPU tensors as a safetensors file and flush it to disk; returns its xxh3-128."""
    header, end = {}, 0
    for name, tensor in tensors.items():
        begin, end = end, end + tensor.nbytes
        header[name] = {"dtype": TYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # so that tensors begin at multiples of 8
    digest = xxhash.xxh3_128()
    with open(path, "wb") as file:
        parts: list[Any] = [struct.pack("<Q", len(text)), text, *map(_bytes, tensors.values())]
        for part in parts:
            digest.update(part)
            file.write(part)
        sync_file(file)
    return digest.hexdigest()


def read_tensors(folder: Path, stored: Mapping[str, Stored], wanted: Mapping[str, Box]) -> dict[str, Tensor]:
    """These boxes of these tensors, put together from the pieces that touch them."""
    out: dict[str, Tensor] = {}
    with ExitStack() as stack:
        opened: dict[str, Any] = {}
        for name, box in wanted.items():
            out[name] = torch.empty(box.shape, dtype=stored[name].dtype)
            for file, piece in stored[name].pieces:
                of_piece, of_box = box.within(piece), piece.within(box)
                if of_piece is None or of_box is None:
                    continue
                if file not in opened:
                    opened[file] = stack.enter_context(safe_open(folder / file, "pt"))
                if piece == box:
                    out[name] = opened[file].get_tensor(name)
                else:
                    out[name][of_box] = opened[file].get_slice(name)[of_piece]
    return out


def laid_out_as(part: Tensor, tensor: Tensor) -> Tensor:
    """``part``, the box that this rank holds of something of ``tensor``'s shape, as ``tensor`` is distributed."""
    if not isinstance(tensor, DTensor):
        return part
    local = part.to(tensor.to_local().device)
    return DTensor.from_local(
        local, tensor.device_mesh, tensor.placements, run_check=False, shape=tensor.shape, stride=tensor.stride()
    )


def hash_file(path: Path) -> str:
    """The xxh3-128 of a file."""
    digest = xxhash.xxh3_128()
    with open(path, "rb") as file:
        while part := file.read(HASH_BYTES):
            digest.update(part)
    return digest.hexdigest()


def _bytes(tensor: Tensor) -> NDArray[np.uint8]:
    return tensor.reshape(-1).view(torch.uint8).numpy()
