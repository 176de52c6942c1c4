"""List files: plain text, one entry a line, lines that begin with ``#`` left out, compressed with gzip or not.

Long lists (millions of domains or URLs) are kept as sorted 64-bit hashes, 8 bytes an entry. Two given strings collide
with odds of about 2**-60: in about one of a million runs that look up a million URLs among a million entries, one URL
is wrongly taken for listed.
"""

import gzip
import io
from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dataprep import storage
from dataprep.compiled import njit
from dataprep.text.utf8 import BASE, ONE, Bytes, Hashes, Longs, Utf8, find_sorted

Bools = NDArray[np.bool_]

GZIP = b"\x1f\x8b"
PACKED = (b"\xfd7zX", b"PK\x03\x04", b"BZh", b"\x28\xb5\x2f\xfd")  # xz, zip, bzip2, zstd
ROWS = 100_000  # lines that are Python objects at one time


def list_files(paths: Iterable[str], name: str) -> list[str]:
    """Each path that is a file, and the files called ``name`` or ``name.gz`` in and below each that is a folder.

    Raises ``ValueError`` for a path that gives none.
    """
    found: list[str] = []
    for path in paths:
        files = [info.path for info in storage.list_files(path, recursive=True)]
        own = storage.absolute(path) in map(storage.absolute, files)
        chosen = files if own else [file for file in files if storage.basename(file) in (name, f"{name}.gz")]
        if not chosen:
            why = f"has no file called {name}" if files else "does not exist"
            raise ValueError(f"{path!r} {why}; allowed: a text file, or a folder with files called {name} or {name}.gz")
        found += chosen
    return found


def fingerprint(files: Iterable[str]) -> list[str]:
    """The hashes of the files' bytes, sorted: several lists are one, in whatever order."""
    return sorted({storage.content_hash(file) for file in files})


def entries(file: str) -> Iterator[pa.Array]:
    """The entries as they stand in the file, without white space around them, some thousands at a time."""
    with storage.open_read(file) as raw:
        compressed = raw.read(2) == GZIP
        raw.seek(0)
        data = gzip.GzipFile(fileobj=raw) if compressed else raw
        if data.read(4).startswith(PACKED):
            raise ValueError(f"list {file} is packed; allowed: text, as it is or compressed with gzip")
        data.seek(0)
        lines = io.TextIOWrapper(data, encoding="utf-8", errors="replace")
        while rows := list(islice(lines, ROWS)):
            yield pa.array([line.strip() for line in rows if line[0] != "#" and not line.isspace()], pa.large_string())


def hashes(column: pa.Array) -> Hashes:
    """The hash of each string, from its end to its start, so that the hash of a domain's end comes on the way."""
    text = Utf8.of(column)
    return _hashes(text.values, text.offsets)


@njit(nogil=True, cache=True, inline="always")
def extend_back(hashed: np.uint64, byte: np.uint8) -> np.uint64:
    """The hash of a piece with one byte more in front of it."""
    return hashed * BASE + (np.uint64(byte) + ONE)


@njit(nogil=True, cache=True)
def _hashes(values: Bytes, offsets: Longs) -> Hashes:
    result = np.zeros(len(offsets) - 1, np.uint64)
    for d in range(len(offsets) - 1):
        for i in range(offsets[d + 1] - 1, offsets[d] - 1, -1):
            result[d] = extend_back(result[d], values[i])
    return result


@njit(nogil=True, cache=True)
def isin(values: Hashes, ordered: Hashes) -> Bools:
    """Which of ``values`` a sorted list has."""
    result = np.zeros(len(values), np.bool_)
    for k in range(len(values)):
        result[k] = find_sorted(ordered, values[k]) >= 0
    return result
