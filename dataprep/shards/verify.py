"""Proving shards: every damaged chunk is found and named, with the documents it touches."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from dataprep import storage
from dataprep.shards.checksums import CHUNK_BYTES, damaged_chunks
from dataprep.shards.layout import IDS, ShardInfo
from dataprep.shards.manifest import FILE_NAME, Manifest
from dataprep.shards.reader import Shard, open_shard

NAMED_IDS = 3
THREADS = 4  # a disk is only busy when it is asked for several files at a time


@dataclass(frozen=True)
class Problem:
    """``buffer`` and ``chunk`` are None where the damage is not in a buffer; ``doc_ids`` are hex, of ``documents``."""

    path: str
    message: str
    buffer: str | None = None
    chunk: int | None = None
    documents: range = range(0)
    doc_ids: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.buffer is None:
            return f"{self.path}: {self.message}"
        ids = ", ".join(self.doc_ids[:NAMED_IDS]) + (", …" if len(self.doc_ids) > NAMED_IDS else "")
        rows = f"{self.documents.start} to {self.documents.stop - 1}"
        return f"{self.path}: buffer {self.buffer}, chunk {self.chunk}: {self.message}; documents {rows} ({ids})"


def verify_shard(path: str) -> list[Problem]:
    """Check every chunk of every buffer of one shard against the checksums in its own metadata."""
    try:
        shard = open_shard(path)
    except FileNotFoundError:
        return [Problem(path, "missing")]
    except ValueError as error:
        return [Problem(path, str(error).removeprefix(f"{path}: "))]
    damaged = {name: damaged_chunks(data, shard.metadata.checksums[name]) for name, data in shard.buffers().items()}
    return [_problem(shard, name, chunk, damaged) for name, chunks in damaged.items() for chunk in chunks]


def verify_directory(
    path: str, threads: int = THREADS, seen: Callable[[int], None] | None = None
) -> Iterator[tuple[str, list[Problem]]]:
    """Verify ``manifest.json`` and then each listed shard; yields (file, its problems), files without problems too.

    Also found: bytes changed outside the buffers, another shard under a listed name, shards that are not listed.
    ``threads`` shards are read at a time, a MiB of each in memory. ``seen`` is told, by any of the threads, how many
    bytes have been read since.
    """
    file = storage.join(path, FILE_NAME)
    try:
        manifest = Manifest.load(path)
    except FileNotFoundError:
        yield file, [Problem(file, "missing")]
        return
    except ValueError as error:
        yield file, [Problem(file, str(error).removeprefix(f"{file}: "))]
        return
    same = storage.read_bytes(file) == manifest.encoded()
    yield file, [] if same else [Problem(file, "its content is right, but not written as it was (spaces, order)")]
    with ThreadPoolExecutor(threads) as pool:
        verified = pool.map(lambda info: _verify_listed(manifest, info, seen), manifest.shards)
        try:
            yield from zip((storage.join(path, info.path) for info in manifest.shards), verified, strict=True)
        finally:  # who stops listening need not wait for the rest
            pool.shutdown(wait=False, cancel_futures=True)
    listed = {storage.join(path, info.path) for info in manifest.shards}
    for found in storage.list_files(path, ".arrow", recursive=True):
        if found.path not in listed and "/_" not in found.path.removeprefix(path):
            yield found.path, [Problem(found.path, f"not listed in {FILE_NAME}")]


def _verify_listed(manifest: Manifest, info: ShardInfo, seen: Callable[[int], None] | None) -> list[Problem]:
    path = storage.join(manifest.path, info.path)
    try:
        whole = storage.content_hash(path, seen) == info.file_checksum
    except FileNotFoundError:
        return [Problem(path, "missing")]
    if whole:
        return []
    problems = verify_shard(path)
    if not problems:
        try:
            manifest.open(info)
        except ValueError as error:
            return [Problem(path, str(error).removeprefix(f"{path}: "))]
        problems = [Problem(path, "bytes outside the buffers differ from the file that was written")]
    return problems


def _problem(shard: Shard, name: str, chunk: int, damaged: Mapping[str, list[int]]) -> Problem:
    start = chunk * CHUNK_BYTES
    buffer = shard.layout[name]
    by = name.rpartition(".")[0] + ".offsets"
    lost = buffer.offsets is not None and damaged[by]  # then nothing says whose bytes these are
    documents = range(shard.documents) if lost else buffer.documents(start, start + CHUNK_BYTES, shard.documents)
    message = f"bytes {start} and on do not have the recorded checksum"
    if name == IDS:
        message += " (so the ids named may be damaged themselves)"
    ids = tuple(shard.doc_id(row).hex() for row in documents)
    return Problem(shard.path, message, name, chunk, documents, ids)
