"""Opening a file whose whole is compressed, and reading it so that damage is reported and not swallowed."""

import gzip
import io
import zlib
from typing import IO

import zstandard

from dataprep import storage

DAMAGE = (EOFError, gzip.BadGzipFile, zlib.error, zstandard.ZstdError)


def open_decompressed(path: str) -> IO[bytes]:
    """The decompressed bytes of ``.gz`` and ``.zst`` files, the bytes themselves of others. Sequential reading only."""
    handle = storage.open_read(path)
    if path.endswith(".gz"):
        return io.BufferedReader(gzip.GzipFile(fileobj=handle), 1 << 20)
    if path.endswith(".zst"):
        reader = zstandard.ZstdDecompressor().stream_reader(handle, read_across_frames=True)
        return io.BufferedReader(reader, 1 << 20)
    return handle


def is_compressed(path: str) -> bool:
    return path.endswith((".gz", ".zst"))
