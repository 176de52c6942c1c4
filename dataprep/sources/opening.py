"""Opening a file whose whole is compressed, and reading it so that damage is reported and not swallowed."""

import gzip
import io
import zlib
from typing import IO, Any

import zstandard
from isal import isal_zlib

from dataprep import storage

DAMAGE = (EOFError, gzip.BadGzipFile, zlib.error, zstandard.ZstdError)
InflateError: type[Exception] = isal_zlib.error  # type: ignore[assignment]  # its stub names an instance
ZSTD_PIECE = 2048  # four bytes can stand for a block of 128 kB, so this bounds what is in memory to 64 MB


class ZstdFile(io.RawIOBase):
    """The decompressed bytes of Zstandard frames, one after the other.

    Unlike the library's own reader it raises ``EOFError`` when the input ends inside a frame.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.frame: Any = None
        self.held = b""
        self.data = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self.data:
            compressed = self.held or self.file.read(ZSTD_PIECE)
            self.held = b""
            if not compressed:
                if self.frame is not None:
                    raise EOFError("the compressed data ends early")
                return 0
            if self.frame is None:
                self.frame = zstandard.ZstdDecompressor().decompressobj()
            self.data = memoryview(self.frame.decompress(compressed))
            if self.frame.eof:
                self.held = self.frame.unused_data
                self.frame = None
        size = min(len(self.data), len(buffer))
        buffer[:size] = self.data[:size]
        self.data = self.data[size:]
        return size

    def close(self) -> None:
        self.file.close()
        super().close()


def open_decompressed(path: str) -> IO[bytes]:
    """The decompressed bytes of ``.gz`` and ``.zst`` files, the bytes themselves of others. Sequential reading only."""
    handle = storage.open_read(path)
    if path.endswith(".gz"):
        return io.BufferedReader(gzip.GzipFile(fileobj=handle), 1 << 20)
    if path.endswith(".zst"):
        return io.BufferedReader(ZstdFile(handle), 1 << 20)
    return handle


def is_compressed(path: str) -> bool:
    return path.endswith((".gz", ".zst"))
