"""What crosses a Beam edge, and how: record batches as Arrow IPC, splits as JSON.

Decisions:
- The coder is ours because Beam's fallback pickles, and pickling a sliced batch ships the whole parent.
- ``estimate_size`` answers without encoding; Beam's default encodes every element again only to count bytes.
"""

import json
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from apache_beam import coders


@dataclass(frozen=True)
class Split:
    """A piece of a stage's work: a function of the data, never of the workers.

    ``index`` names every file the split writes; ``size`` is its input in bytes, for progress and balance;
    ``work`` is JSON text in the stage's own terms.
    """

    index: int
    size: int
    work: str

    @classmethod
    def of(cls, index: int, size: int, work: Any) -> "Split":
        return cls(index, size, json.dumps(work, sort_keys=True, ensure_ascii=False))

    @property
    def name(self) -> str:
        return f"{self.index:05d}"

    def load(self) -> Any:
        return json.loads(self.work)


class RecordBatchCoder(coders.Coder):
    """One batch as one Arrow IPC stream; the decoded batch is a view on its message."""

    def encode(self, value: pa.RecordBatch) -> bytes:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, value.schema) as writer:
            writer.write_batch(value)
        return sink.getvalue().to_pybytes()

    def decode(self, encoded: bytes) -> pa.RecordBatch:
        return pa.ipc.open_stream(pa.py_buffer(encoded)).read_next_batch()

    def estimate_size(self, value: pa.RecordBatch) -> int:
        return value.nbytes

    def is_deterministic(self) -> bool:
        return False  # equal batches may differ in their buffers: never a key

    def to_type_hint(self) -> type:
        return pa.RecordBatch

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))


class SplitCoder(coders.Coder):
    """A split as JSON text."""

    def encode(self, value: Split) -> bytes:
        return json.dumps([value.index, value.size, value.work]).encode()

    def decode(self, encoded: bytes) -> Split:
        return Split(*json.loads(encoded))

    def estimate_size(self, value: Split) -> int:
        return len(value.work) + 16

    def is_deterministic(self) -> bool:
        return True

    def to_type_hint(self) -> type:
        return Split

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))


coders.registry.register_coder(pa.RecordBatch, RecordBatchCoder)
coders.registry.register_coder(Split, SplitCoder)
