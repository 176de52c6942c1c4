"""Proving shards: every damaged chunk is found and named, with the documents it touches."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dataprep import storage
from dataprep.shards.checksums import CHUNK_BYTES, damaged_chunks
from dataprep.shards.layout import ID_BYTES, IDS, OFFSETS, VALUES, ShardInfo
from dataprep.shards.manifest import FILE_NAME, Manifest, file_checksum
from dataprep.shards.reader import Shard, open_shard

NAMED_IDS = 3


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
    whole_offsets = not damaged[OFFSETS]
    return [_problem(shard, buffer, chunk, whole_offsets) for buffer, chunks in damaged.items() for chunk in chunks]


def verify_directory(path: str) -> Iterator[tuple[str, list[Problem]]]:
    """Verify ``manifest.json`` and then each listed shard; yields (file, its problems), files without problems too.

    Also found: bytes changed outside the buffers, another shard under a listed name, shards that are not listed.
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
    yield file, []
    for info in manifest.shards:
        yield storage.join(path, info.path), _verify_listed(manifest, info)
    listed = {storage.join(path, info.path) for info in manifest.shards}
    for found in storage.list_files(path, ".arrow", recursive=True):
        if found.path not in listed and "/_" not in found.path.removeprefix(path):
            yield found.path, [Problem(found.path, f"not listed in {FILE_NAME}")]


def _verify_listed(manifest: Manifest, info: ShardInfo) -> list[Problem]:
    path = storage.join(manifest.path, info.path)
    try:
        whole = file_checksum(path) == info.file_checksum
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


def _problem(shard: Shard, buffer: str, chunk: int, whole_offsets: bool) -> Problem:
    documents = _documents(shard, buffer, chunk) if whole_offsets or buffer != VALUES else range(shard.documents)
    message = f"bytes {chunk * CHUNK_BYTES} and on do not have the recorded checksum"
    if buffer == IDS:
        message += " (so the ids named may be damaged themselves)"
    ids = tuple(shard.doc_id(row).hex() for row in documents)
    return Problem(shard.path, message, buffer, chunk, documents, ids)


def _documents(shard: Shard, buffer: str, chunk: int) -> range:
    """The rows that have at least one byte in a chunk of a buffer."""
    start, stop = chunk * CHUNK_BYTES, min((chunk + 1) * CHUNK_BYTES, shard.buffers()[buffer].nbytes)
    if buffer == IDS:
        return range(start // ID_BYTES, -(-stop // ID_BYTES))
    if buffer == OFFSETS:  # an offset ends one document and begins the next
        return range(max(start // 8 - 1, 0), min(stop // 8, shard.documents))
    width = shard.tokens.itemsize
    first = int(np.searchsorted(shard.offsets, start // width, side="right")) - 1
    last = int(np.searchsorted(shard.offsets, (stop - 1) // width, side="right")) - 1
    return range(first, last + 1)
