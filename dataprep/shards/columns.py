"""Side columns: what is known of a document beside its tokens, one value a row, and how any column lies in buffers.

Decisions:
- A column has the type that its signal has. Buffers are canonical (no slice, zeros behind nulls and in unused bits, a
  validity bitmap only where there are nulls), so that equal values are equal bytes.
- A loss mask is a column, too: a bit a token, 1 where the token is a target. Nothing here writes one yet.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

LOSS_MASK = "loss_mask"
MASK = "bits"

# The names that types have in a shard's metadata
TYPES = {
    "int32": pa.int32(),
    "int64": pa.int64(),
    "float32": pa.float32(),
    "float64": pa.float64(),
    "string": pa.string(),
    MASK: pa.large_list(pa.field("item", pa.bool_(), nullable=False)),
}
NAMES = {kind: name for name, kind in TYPES.items()}


@dataclass(frozen=True)
class Buffer:
    """Flat ``data`` of elements of ``bits`` bits each.

    ``offsets``: element i is of the document that ``offsets`` put it in; None: of document i. ``boundaries``: the
    elements are offsets themselves, the i-th begins document i and ends the one before.
    """

    data: NDArray[np.uint8]
    bits: int
    offsets: NDArray[Any] | None = None
    boundaries: bool = False

    def documents(self, start: int, stop: int, count: int) -> range:
        """The rows, of ``count``, that have at least one bit in the bytes ``start`` to ``stop`` - 1."""
        first, last = start * 8 // self.bits, (min(stop, len(self.data)) * 8 - 1) // self.bits
        if self.offsets is not None:
            last = min(last, int(self.offsets[-1]) - 1)
            first, last = (int(row) - 1 for row in np.searchsorted(self.offsets, [first, last], side="right"))
        elif self.boundaries:
            first -= 1
        return range(max(first, 0), min(last + 1, count))


def side_column(path: str, name: str, values: pa.Array, rows: int) -> pa.Array:
    """``values`` as a shard holds them. Raises ``ValueError`` naming the column when it cannot hold them."""
    if "." not in name:
        raise ValueError(f"shard {path}: column {name!r} must be named as signals are, family.signal")
    if pa.types.is_large_string(values.type):
        values = values.cast(pa.string())
    kind = NAMES.get(values.type)
    if kind is None or kind == MASK:
        allowed = ", ".join(name for name in TYPES if name != MASK)
        raise ValueError(f"shard {path}: column {name!r} is {values.type}, allowed are {allowed}")
    if len(values) != rows:
        raise ValueError(f"shard {path}: column {name!r} has {len(values)} values for {rows} documents")
    nulls = values.null_count
    validity = None
    if nulls:
        valid = values.is_valid().to_numpy(zero_copy_only=False)
        validity = pa.py_buffer(np.packbits(valid, bitorder="little"))
        values = pc.fill_null(values, "" if kind == "string" else 0)
    if kind != "string":
        data = np.array(values.to_numpy(zero_copy_only=False))
        return pa.Array.from_buffers(values.type, rows, [validity, pa.py_buffer(data)], null_count=nulls)
    starts = np.frombuffer(values.buffers()[1], np.int32, rows + 1, 4 * values.offset)
    text = b"" if values.buffers()[2] is None else values.buffers()[2][int(starts[0]) : int(starts[-1])]
    offsets = pa.py_buffer(starts - starts[0])
    return pa.Array.from_buffers(pa.string(), rows, [validity, offsets, pa.py_buffer(text)], null_count=nulls)


def mask_column(path: str, mask: NDArray[np.bool_], offsets: NDArray[np.int64]) -> pa.Array:
    """bool[tokens] → a bit for each token, lowest bit of a byte first, in lists that are as long as the documents."""
    if mask.dtype != np.bool_ or mask.shape != (int(offsets[-1]),):
        raise ValueError(
            f"shard {path}: {LOSS_MASK} is {mask.dtype}{list(mask.shape)}, expected bool[{int(offsets[-1])}]"
        )
    bits = pa.Array.from_buffers(
        pa.bool_(), len(mask), [None, pa.py_buffer(np.packbits(mask, bitorder="little"))], null_count=0
    )
    return pa.Array.from_buffers(
        TYPES[MASK], len(offsets) - 1, [None, pa.py_buffer(offsets)], null_count=0, children=[bits]
    )


def buffers(name: str, column: pa.Array, tokens: int) -> Iterator[tuple[str, Buffer]]:
    """The buffers of a whole column without Arrow's padding, by the names under which their checksums are kept.

    ``tokens``: how many elements the lists of a column of lists have together. Raises ``ValueError`` when a buffer is
    shorter than its column needs.
    """
    kind, rows, raw = column.type, len(column), column.buffers()
    if column.null_count:
        validity = f"{name}.validity"
        yield validity, Buffer(_view(validity, raw[0], -(-rows // 8)), 1)
    values, offsets, bits = f"{name}.values", None, 8
    if pa.types.is_string(kind) or pa.types.is_large_list(kind):
        integer = np.dtype(np.int32 if pa.types.is_string(kind) else np.int64)
        data = _view(f"{name}.offsets", raw[1], (rows + 1) * integer.itemsize)
        offsets = data.view(integer)
        yield f"{name}.offsets", Buffer(data, integer.itemsize * 8, boundaries=True)
    if pa.types.is_string(kind):
        size = 0 if raw[2] is None else raw[2].size
    else:
        bits = (kind.value_type if pa.types.is_large_list(kind) else kind).bit_width
        size = -(-(rows if offsets is None else tokens) * bits // 8)
    yield values, Buffer(_view(values, raw[-1], size), bits, offsets)


def _view(name: str, buffer: pa.Buffer | None, size: int) -> NDArray[np.uint8]:
    data = np.empty(0, np.uint8) if buffer is None else np.frombuffer(buffer, np.uint8)
    if len(data) < size:
        raise ValueError(f"buffer {name} has {len(data)} bytes, expected {size}")
    return data[:size]
