"""Files anywhere, written whole or not at all.

Decisions:
- Paths are plain strings; ``scheme://`` goes to fsspec (gs, s3, …), everything else is the local disk.
- Locally a file is written under a temporary name in the same directory, flushed to disk and renamed. For an
  object store it is written to a local temporary file and uploaded when it is whole: an upload (one PUT, or a multipart
  upload completed at its end) is atomic, a half-written stream is not on every store.
- Temporary names contain ``.corpusmill-tmp-``; nothing that lists a directory through this module ever sees them.
"""

import errno
import json
import os
import posixpath
import shutil
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import fsspec
import pyarrow as pa
import xxhash

TEMPORARY = ".corpusmill-tmp-"  # nobody else's files are called that
HASH_BLOCK = 1 << 20  # read at once; larger ones leave the processor's cache and are no faster


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


def absolute(path: str) -> str:
    """One spelling for a place: local paths absolute and without ``file://``, others as they are."""
    return os.path.abspath(local_path(path)) if is_local(path) else path


def join(*parts: str) -> str:
    return posixpath.join(*parts)


def basename(path: str) -> str:
    """The name after the last slash."""
    return posixpath.basename(path)


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
            fs, inner = _remote(path)
            fs.put_file(handle.name, inner)
        return
    target = local_path(path)
    temporary = f"{target}{TEMPORARY}{os.getpid()}-{threading.get_ident()}-{uuid.uuid4().hex[:8]}"
    try:
        with ExitStack() as stack:
            with _named(target):
                if os.path.isdir(target):
                    raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
                os.makedirs(os.path.dirname(target) or ".", exist_ok=True)
                file = stack.enter_context(open(temporary, "wb"))
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise


@contextmanager
def directory_atomic(path: str) -> Iterator[str]:
    """A local directory to fill that appears at ``path`` when the block ends well, and never when it does not."""
    temporary = f"{path}{TEMPORARY}{uuid.uuid4().hex[:8]}"
    with _named(path):
        os.makedirs(temporary)
    try:
        yield temporary
        os.rename(temporary, path)
    except BaseException:
        shutil.rmtree(temporary)
        raise


@contextmanager
def _named(path: str) -> Iterator[None]:
    """What goes wrong with a temporary name, or a folder above, is told of ``path``, which the user knows."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, f"cannot be written: {error.strerror}", path) from None


def write_bytes(path: str, data: bytes) -> None:
    with open_atomic(path) as handle:
        handle.write(data)


def read_bytes(path: str) -> bytes:
    with open_read(path) as handle:
        return handle.read()


def content_hash(path: str, seen: Callable[[int], None] | None = None) -> str:
    """xxh3-128 of the file's bytes, as hex. ``seen`` is told how many bytes have been read since it was last told."""
    digest = xxhash.xxh3_128()
    block = memoryview(bytearray(HASH_BLOCK))  # one for the whole file: a new one each time costs as much as hashing it
    with open_read(path) as handle:
        while size := handle.readinto(block):  # type: ignore[attr-defined]
            digest.update(block[:size])
            if seen:
                seen(size)
    return digest.hexdigest()


def write_json(path: str, value: Any) -> None:
    write_bytes(path, json_bytes(value))


def json_bytes(value: Any) -> bytes:
    """Keys sorted, two spaces, final newline: the same value is always the same bytes."""
    return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def read_json(path: str) -> Any:
    """Raises ``ValueError`` naming the file when it is not JSON."""
    try:
        return json.loads(read_bytes(path))
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}; remove it and run the same command again") from None


def exists(path: str) -> bool:
    if is_local(path):
        return os.path.exists(local_path(path))
    fs, inner = _remote(path)
    return fs.exists(inner)


def list_files(path: str, suffix: str = "", recursive: bool = False) -> list[FileInfo]:
    """The files of a directory sorted by path (a missing directory is empty), or the file itself if ``path`` is one."""
    found: list[FileInfo] = []
    if is_local(path):
        root = local_path(path)
        if os.path.isfile(root):
            stat = os.stat(root)
            return [FileInfo(root, stat.st_size, str(stat.st_mtime_ns))]
        seen = {os.path.realpath(root)}
        for folder, folders, names in os.walk(root, onerror=_refuse_unreadable, followlinks=True):
            folders[:] = sorted(_once(folder, folders, seen)) if recursive else []
            for name in names:
                if name.endswith(suffix) and TEMPORARY not in name:
                    full = os.path.join(folder, name)
                    try:
                        stat = os.stat(full)
                    except FileNotFoundError:  # a dangling link, or a temporary file that has just been renamed
                        continue
                    found.append(FileInfo(full, stat.st_size, str(stat.st_mtime_ns)))
        return sorted(found)
    fs, inner = _remote(path)
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
    fs, inner = _remote(path)
    if fs.exists(inner):
        fs.rm_file(inner)


def sweep(path: str, recursive: bool = True) -> None:
    """Remove what killed writers and removers left in a local directory; only when no writer is at work."""
    if not is_local(path):
        return
    root = Path(local_path(path))
    for found in list(root.rglob(f"*{TEMPORARY}*") if recursive else root.glob(f"*{TEMPORARY}*")):
        if found.is_dir() and not found.is_symlink():
            shutil.rmtree(found)
        else:
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
    fs, inner = _remote(path)
    if fs.exists(inner):
        fs.rm(inner, recursive=True)


def _remote(path: str) -> tuple[fsspec.AbstractFileSystem, str]:
    # other processes write what this one lists: a driver's cached listing would be an old one
    fs, inner = fsspec.url_to_fs(path, use_listings_cache=False)
    return fs, inner


def _refuse_unreadable(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise error


def _once(folder: str, names: list[str], seen: set[str]) -> Iterator[str]:
    """The subfolders that were not reached by another way (links may form circles) and are not being removed."""
    for name in names:
        real = os.path.realpath(os.path.join(folder, name))
        if real not in seen and TEMPORARY not in name:
            seen.add(real)
            yield name


def open_arrow(path: str) -> pa.RecordBatchFileReader:
    """An Arrow IPC file: memory-mapped when local, read whole otherwise."""
    if is_local(path):
        return pa.ipc.open_file(pa.memory_map(local_path(path)))
    return pa.ipc.open_file(pa.py_buffer(read_bytes(path)))
