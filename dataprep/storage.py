"""Files anywhere, written whole or not at all.

Decisions:
- Paths are plain strings; ``scheme://`` goes to fsspec (gs, s3, …), everything else is the local disk.
- Locally a file is written under a temporary name in the same directory, flushed to disk and renamed. For an
  object store it is written to a local temporary file and uploaded when it is whole: an upload (one PUT, or a multipart
  upload completed at its end) is atomic, a half-written stream is not on every store.
- Temporary names contain ``.tmp-``; nothing that lists a directory through this module ever sees them.
"""

import json
import os
import posixpath
import shutil
import tempfile
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import fsspec
import pyarrow as pa

TEMPORARY = ".tmp-"


@dataclass(frozen=True, order=True)
class FileInfo:
    """One file of a listing; ``version`` is the etag or the modification time, whichever the store knows."""

    path: str
    size: int
    version: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def is_local(path: str) -> bool:
    return "://" not in path or path.startswith("file://")


def local_path(path: str) -> str:
    return path.removeprefix("file://")


def join(*parts: str) -> str:
    return posixpath.join(*parts)


def open_read(path: str) -> IO[bytes]:
    """Open for reading, seekable. Raises ``FileNotFoundError``."""
    if is_local(path):
        return open(local_path(path), "rb")
    return fsspec.open(path, "rb").open()


@contextmanager
def open_atomic(path: str) -> Iterator[IO[bytes]]:
    """A binary file that appears at ``path`` when the block ends well, and never when it does not."""
    if not is_local(path):
        with tempfile.NamedTemporaryFile(prefix="corpusmill-") as handle:
            yield handle
            handle.flush()
            fs, inner = fsspec.url_to_fs(path)
            fs.put_file(handle.name, inner)
        return
    target = local_path(path)
    os.makedirs(os.path.dirname(target) or ".", exist_ok=True)
    temporary = f"{target}{TEMPORARY}{os.getpid()}-{threading.get_ident()}-{uuid.uuid4().hex[:8]}"
    try:
        with open(temporary, "wb") as handle:
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(temporary, target)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise


def write_bytes(path: str, data: bytes) -> None:
    with open_atomic(path) as handle:
        handle.write(data)


def read_bytes(path: str) -> bytes:
    with open_read(path) as handle:
        return handle.read()


def write_json(path: str, value: Any) -> None:
    """Keys sorted, two spaces, final newline: the same value is always the same bytes."""
    write_bytes(path, (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode())


def read_json(path: str) -> Any:
    return json.loads(read_bytes(path))


def exists(path: str) -> bool:
    if is_local(path):
        return os.path.exists(local_path(path))
    fs, inner = fsspec.url_to_fs(path)
    return fs.exists(inner)


def list_files(path: str, suffix: str = "", recursive: bool = False) -> list[FileInfo]:
    """The files of a directory sorted by path (a missing directory is empty), or the file itself if ``path`` is one."""
    found: list[FileInfo] = []
    if is_local(path):
        root = local_path(path)
        if os.path.isfile(root):
            stat = os.stat(root)
            return [FileInfo(root, stat.st_size, str(stat.st_mtime_ns))]
        for folder, folders, names in os.walk(root):
            if not recursive:
                folders.clear()
            for name in names:
                if name.endswith(suffix) and TEMPORARY not in name:
                    full = os.path.join(folder, name)
                    try:
                        stat = os.stat(full)
                    except FileNotFoundError:  # a dangling link, or a temporary file that has just been renamed
                        continue
                    found.append(FileInfo(full, stat.st_size, str(stat.st_mtime_ns)))
        return sorted(found)
    fs, inner = fsspec.url_to_fs(path)
    if not fs.exists(inner):
        return []
    listing = fs.find(inner, maxdepth=None if recursive else 1, detail=True)
    for name, info in listing.items():
        if name.endswith(suffix) and TEMPORARY not in name:
            version = info.get("etag") or info.get("ETag") or info.get("mtime") or info.get("LastModified") or ""
            found.append(FileInfo(fs.unstrip_protocol(name), int(info["size"] or 0), str(version)))
    return sorted(found)


def remove_file(path: str) -> None:
    """Remove one file; a missing one is fine."""
    if is_local(path):
        Path(local_path(path)).unlink(missing_ok=True)
        return
    fs, inner = fsspec.url_to_fs(path)
    if fs.exists(inner):
        fs.rm_file(inner)


def sweep(path: str) -> None:
    """Remove the temporary files that killed writers left under a local directory; only when no writer is at work."""
    if is_local(path):
        for found in Path(local_path(path)).rglob(f"*{TEMPORARY}*"):
            found.unlink(missing_ok=True)


def remove_tree(path: str) -> None:
    """Remove a directory; locally it is renamed first, so that half of it is never mistaken for the whole."""
    if is_local(path):
        root = local_path(path)
        if os.path.exists(root):
            doomed = f"{root}{TEMPORARY}{uuid.uuid4().hex[:8]}"
            os.rename(root, doomed)
            shutil.rmtree(doomed)
        return
    fs, inner = fsspec.url_to_fs(path)
    if fs.exists(inner):
        fs.rm(inner, recursive=True)


def open_arrow(path: str) -> pa.RecordBatchFileReader:
    """An Arrow IPC file: memory-mapped when local, read whole otherwise."""
    if is_local(path):
        return pa.ipc.open_file(pa.memory_map(local_path(path)))
    return pa.ipc.open_file(pa.py_buffer(read_bytes(path)))
