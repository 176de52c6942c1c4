"""Files that survive a kill or a power cut: whole, or as they were before."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

TEMPORARY = ".tmp-"
LOCK = "_lock"
LOCK_SECONDS = 10.0
"""A process that was just told to stop may be on its way out."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a run directory for this process; a kill lets go of it. A new one in which nothing was written goes again.

    Raises ``ValueError`` while another process holds it.
    """
    new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / LOCK, "wb") as handle:
        end = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise ValueError(f"{folder}: another trainer is at work here; allowed is another --run") from None
                time.sleep(0.1)
        try:
            yield
        finally:
            if new and os.listdir(folder) == [LOCK]:
                (folder / LOCK).unlink()
                folder.rmdir()


def append_lines(path: Path, lines: str) -> None:
    """Add whole lines. What a kill left of one before gets an end of its own."""
    with open(path, "a+b") as handle:
        size = handle.seek(0, os.SEEK_END)
        handle.seek(max(0, size - 1))
        torn = size > 0 and handle.read(1) != b"\n"
        handle.write(b"\n" * torn + lines.encode())


def replace_file(path: Path, content: bytes) -> None:
    """Put ``content`` at ``path``. Once this returns it is on disk; until then the earlier content is there."""
    temporary = path.with_name(f"{TEMPORARY}{path.name}")
    write_file(temporary, content)
    temporary.replace(path)
    sync_directory(path.parent)


def write_file(path: Path, content: bytes) -> None:
    """Write and flush to disk, for a file whose directory gets its name later."""
    with open(path, "wb") as handle:
        handle.write(content)
        sync_file(handle)


def sync_file(handle: BinaryIO) -> None:
    """Flush an open file to disk."""
    handle.flush()
    os.fsync(handle.fileno())


def sync_directory(path: Path) -> None:
    """Flush the names in a directory to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
