"""A shard's metadata and the place of each buffer in its file, from the file's first kilobytes alone.

For readers of a store, which fetch ranges: the Arrow IPC file format begins with the schema and the record batch's
description, before any buffer (https://arrow.apache.org/docs/format/Columnar.html#ipc-file-format). pyarrow reads the
schema; of the description, a flatbuffer, only the list of buffers is needed, read here by hand.
"""

import struct
from dataclasses import dataclass

import pyarrow as pa

from dataprep.shards.layout import ID_BYTES, IDS, OFFSETS, VALUES, ShardMetadata, parse_metadata, token_dtype

MAGIC = b"ARROW1\0\0"
CONTINUATION = 0xFFFFFFFF
FIRST_READ = 1 << 16
"""Bytes that hold the head of a shard of up to about three thousand chunks; a larger head says how long it is."""

# Fields by their numbers in Arrow's Message.fbs (Message.header, RecordBatch.buffers); a Buffer is two int64
HEADER, BUFFERS, BUFFER_BYTES = 2, 2, 16
# The buffers of the first column, large_list: validity, offsets, validity of the items, items; doc_id's two follow
POSITIONS = {OFFSETS: 1, VALUES: 3, IDS: 5}


@dataclass(frozen=True)
class Head:
    """``places``: buffer name → (first byte in the file, bytes without padding)."""

    metadata: ShardMetadata
    places: dict[str, tuple[int, int]]


def head_length(data: bytes) -> int:
    """Bytes of the head as far as ``data``, a beginning of the file, tells: with more than it has, ask again.

    Raises ``ValueError`` when this is not the beginning of an Arrow file.
    """
    if not data.startswith(MAGIC):
        raise ValueError("not an Arrow file")
    position = len(MAGIC)
    for _ in ("schema", "record batch"):
        if len(data) < position + 8:
            return position + 8
        marker, size = struct.unpack_from("<Ii", data, position)
        if marker != CONTINUATION or size <= 0:
            raise ValueError("damaged, or an Arrow file of before 2019")
        position += 8 + size
    return position


def parse_head(data: bytes) -> Head:
    """``data``: the head, or a beginning of the file that holds it. Raises ``ValueError`` with the reason."""
    end = head_length(data)
    if len(data) < end:
        raise ValueError("damaged, its head is cut off")
    start = len(MAGIC)
    batch = start + 8 + struct.unpack_from("<i", data, start + 4)[0]
    try:
        schema = pa.ipc.read_schema(pa.py_buffer(data[start:batch]))
        metadata = parse_metadata(schema.metadata)
        if schema.names[:2] != ["tokens", "doc_id"]:
            raise ValueError(f"the first columns are {schema.names[:2]}, expected tokens and doc_id")
        listed = _buffers(data[batch + 8 : end])
        sizes = {
            OFFSETS: 8 * (metadata.documents + 1),
            VALUES: token_dtype(metadata.vocabulary_size).itemsize * metadata.tokens,
            IDS: ID_BYTES * metadata.documents,
        }
        places = {}
        for name, size in sizes.items():
            first, found = listed[POSITIONS[name]]
            if found < size:
                raise ValueError(f"buffer {name} has {found} bytes, expected {size}")
            places[name] = end + first, size
    except (pa.ArrowException, OSError, struct.error, IndexError) as error:
        raise ValueError(f"damaged, its head cannot be read ({error})") from None
    return Head(metadata, places)


def _buffers(message: bytes) -> list[tuple[int, int]]:
    """(offset in the body, length) of each buffer of a record batch message."""
    batch = _follow(message, _field(message, _follow(message, 0), HEADER))
    vector = _follow(message, _field(message, batch, BUFFERS))
    count = struct.unpack_from("<I", message, vector)[0]
    return [struct.unpack_from("<qq", message, vector + 4 + i * BUFFER_BYTES) for i in range(count)]


def _follow(data: bytes, at: int) -> int:
    return at + struct.unpack_from("<I", data, at)[0]


def _field(data: bytes, table: int, number: int) -> int:
    """Where a field of a flatbuffer's table is (https://flatbuffers.dev/internals/)."""
    slots = table - struct.unpack_from("<i", data, table)[0]
    return table + struct.unpack_from("<H", data, slots + 4 + 2 * number)[0]
