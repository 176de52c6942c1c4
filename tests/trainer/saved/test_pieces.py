"""Tensors in pieces: any block is read from any pieces, and the files are plain safetensors."""

from pathlib import Path

import pytest
import torch
import xxhash
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from trainer.saved.pieces import TYPES, Box, Stored, hash_file, read_tensors, write_tensors


@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=3).flatmap(
        lambda shape: st.tuples(
            st.just(shape),
            *[
                st.tuples(*[st.lists(st.integers(0, n), max_size=3) for n in shape]),
                st.tuples(*[st.tuples(st.integers(0, n), st.integers(0, n)) for n in shape]),
            ],
        )
    )
)
def test_any_box_is_read_from_any_pieces(tmp_path_factory: pytest.TempPathFactory, case: tuple) -> None:  # type: ignore[type-arg]
    """``cuts`` of each axis make a grid of pieces, each in a file of its own; some are empty."""
    shape, cuts, ends = case
    folder = tmp_path_factory.mktemp("pieces")
    tensor = torch.arange(torch.Size(shape).numel(), dtype=torch.float32).reshape(shape)
    edges = [sorted({0, n, *axis}) for n, axis in zip(shape, cuts, strict=True)]
    grid = torch.cartesian_prod(*[torch.arange(len(axis) - 1) for axis in edges]).reshape(-1, len(shape)).tolist()
    pieces = []
    for number, place in enumerate(grid):
        first = [axis[at] for axis, at in zip(edges, place, strict=True)]
        last = [axis[at + 1] for axis, at in zip(edges, place, strict=True)]
        part = tensor[tuple(map(slice, first, last))].contiguous()
        write_tensors(folder / str(number), {"t": part})
        pieces.append((str(number), Box(tuple(first), tuple(part.shape))))
    start = tuple(min(pair) for pair in ends)
    box = Box(start, tuple(max(pair) - min(pair) for pair in ends))
    stored = {"t": Stored(tuple(shape), torch.float32, tuple(pieces))}
    found = read_tensors(folder, stored, {"t": box})["t"]
    assert torch.equal(found, tensor[tuple(slice(a, a + n) for a, n in zip(box.start, box.shape, strict=True))])
    assert torch.equal(read_tensors(folder, stored, {"t": Box.whole(shape)})["t"], tensor)


def test_files_are_what_safetensors_reads_of_every_type_and_the_hash_is_the_files(tmp_path: Path) -> None:
    tensors = {f"{dtype}": torch.randn(3, 5).mul(9).to(dtype) for dtype in TYPES}
    tensors |= {"number": torch.tensor(3.5), "nothing": torch.empty(0, 4)}
    digest = write_tensors(tmp_path / "file", tensors)
    content = (tmp_path / "file").read_bytes()
    assert digest == hash_file(tmp_path / "file") == xxhash.xxh3_128_hexdigest(content)
    loaded = load_file(tmp_path / "file")
    assert loaded.keys() == tensors.keys()
    assert all(
        torch.equal(loaded[name], tensor) and loaded[name].dtype == tensor.dtype for name, tensor in tensors.items()
    )
