"""Files that survive a kill or a power cut: whole, or as they were before."""

import os
from pathlib import Path
from typing import BinaryIO

TEMPORARY = ".tmp-"


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
