"""A folder of pieces of files, bounded in bytes: what has not been used for longest goes first.

Decisions:
- A piece is a file that gets its name when it is whole; a process that is killed leaves a temporary file, which is
  removed once it is an hour old.
- Any number of processes share a folder without knowing of each other: a piece that another one removed is simply not
  there, one that two of them write is the same piece. One at a time makes room.
- Nothing is flushed to disk: whoever reads a piece proves it, so one that a power cut damaged is fetched again.
"""

import fcntl
import os
import threading
import time
import uuid
from pathlib import Path

TEMPORARY = ".tmp-"
LEFT_BEHIND_SECONDS = 3600.0
ROOM, STRIDE = 8, 64
"""Making room frees an eighth of the limit, and each process looks again after writing a sixty-fourth of it: with up to
eight processes the folder stays within the limit, each further one may add a sixty-fourth."""


class PieceCache:
    """Pieces by name, relative paths below ``folder``; ``limit`` in bytes. May be used from several threads."""

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder = folder
        self.limit = limit
        self._written = 0
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)
        self._make_room()

    def read(self, name: str, start: int = 0, stop: int | None = None) -> bytes | None:
        """Bytes ``start`` … ``stop`` - 1 of a piece; None when it is not there, or too short."""
        try:
            piece = os.open(self.folder / name, os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            os.utime(piece)
            if stop is None:
                stop = os.fstat(piece).st_size
            data = os.pread(piece, stop - start, start)
        finally:
            os.close(piece)
        return data if len(data) == stop - start else None

    def write(self, name: str, data: bytes) -> None:
        path = self.folder / name
        temporary = path.with_name(f"{TEMPORARY}{uuid.uuid4().hex}")
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_bytes(data)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        with self._lock:
            self._written += len(data)
            if self._written * STRIDE >= self.limit:
                self._make_room()

    def _make_room(self) -> None:
        self._written = 0
        with open(self.folder / f"{TEMPORARY}lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            pieces = sorted(self._pieces())
            used = sum(size for _, size, _ in pieces)
            if used * STRIDE <= self.limit * (STRIDE - ROOM):
                return
            for _, size, path in pieces:
                if used * ROOM <= self.limit * (ROOM - 1):
                    break
                Path(path).unlink(missing_ok=True)
                used -= size

    def _pieces(self) -> list[tuple[float, int, str]]:
        """(last used, bytes, path) of every piece; temporary files somebody left behind are removed."""
        found = []
        old = time.time() - LEFT_BEHIND_SECONDS
        for folder, _, names in os.walk(self.folder):
            for name in names:
                path = os.path.join(folder, name)
                try:
                    stat = os.stat(path)
                    if not name.startswith(TEMPORARY):
                        found.append((stat.st_mtime, stat.st_size, path))
                    elif stat.st_mtime < old and name != f"{TEMPORARY}lock":
                        os.unlink(path)
                except FileNotFoundError:  # another process was faster
                    continue
        return found
