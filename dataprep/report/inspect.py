"""Documents of a run as a person wants to see them: a deterministic sample, or by id.

Decisions:
- A sample is the documents with the smallest seeded hash of their id: the same for the same run, seed and filter,
  however the run was divided into parts.
- Two passes: the first reads only ids, sources and reasons; the second only the row groups that hold what was chosen.
- A quarantined record is given the id that it would have had as a document.
"""

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dataprep import storage
from dataprep.document import document_id
from dataprep.report.layout import (
    DOCUMENT_STAGES,
    ID_BYTES,
    KINDS,
    id_bytes,
    parts,
    read_group,
    row_groups,
    signal_names,
)

TEXT_CHARACTERS = 400
KEY_COLUMNS = ["id", "source", "locator", "rejected_by", "reason"]


@dataclass(frozen=True)
class Document:
    """One row of a part. ``text``: its first characters; ``characters``: of the whole text. Absent values are None.

    ``duplicate_of``, ``similarity``: the copy that was kept instead, and how like it this one is by ``measure``;
    ``component``: how many documents the group of candidates has that both are in.
    ``step``, ``error``: of a quarantined record, what was being done and what went wrong.
    """

    stage: str
    kind: str
    id: str  # hex
    part: str  # relative to the run directory
    source: str = ""
    locator: str = ""
    url: str | None = None
    date: str | None = None
    reason: str | None = None
    signals: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    characters: int | None = None
    text: str = ""
    duplicate_of: str | None = None
    similarity: float | None = None
    measure: str | None = None
    component: int | None = None
    step: str | None = None
    error: str | None = None


@dataclass(frozen=True, order=True)
class Place:
    """Where a chosen row is. Sorts by ``key``, the seeded hash of the id."""

    key: int
    id: bytes
    part: str
    group: int
    row: int


def sample(
    out: str,
    stage: str = "clean",
    kind: str = "removed",
    *,
    reason: str | None = None,
    source: str | None = None,
    limit: int = 10,
    seed: int = 0,
    characters: int = TEXT_CHARACTERS,
) -> list[Document]:
    """``limit`` documents of one stage and kind, by the hash of their id. ``reason``: whole, or its part before a dot.

    Raises ``ValueError`` for a stage that has no documents, or a reason or source that no document has.
    """
    files = _parts(out, stage, kind)
    chosen = _choose(files, _filter(reason, source), lambda _: "", limit, seed)
    found = fetch(out, stage, kind, chosen.get("", []), characters)
    if not found and limit > 0 and files and (reason or source):
        _explain_nothing(out, files, stage, kind, reason, source)
    return found


def sample_by_reason(
    out: str, stage: str, kind: str, limit: int, *, seed: int = 0, characters: int = TEXT_CHARACTERS
) -> dict[str, list[Document]]:
    """``limit`` documents for every reason of a stage, in one pass; reasons by name."""
    chosen = _choose(_parts(out, stage, kind), _filter(None, None), lambda reason: reason, limit, seed)
    places = [place for reason in sorted(chosen) for place in chosen[reason]]
    documents = iter(fetch(out, stage, kind, places, characters))
    return {reason: list(islice(documents, len(chosen[reason]))) for reason in sorted(chosen)}


def find(
    out: str,
    stage: str,
    kind: str,
    matches: Callable[[NDArray[np.uint8]], NDArray[np.bool_]],
    *,
    column: str = "id",
    limit: int | None = None,
    characters: int = TEXT_CHARACTERS,
) -> list[Document]:
    """Documents whose id (or another 16-byte ``column``) ``matches``: uint8[rows, 16] → bool[rows]; in part order."""
    places: list[Place] = []
    for file in _parts(out, stage, kind):
        for group, rows in row_groups(file.path, [*KEY_COLUMNS, column] if kind == "quarantined" else [column]):
            if column != "id" and column not in rows.column_names:
                continue
            ids = row_ids(rows) if column == "id" else id_bytes(rows[column])
            for row in np.flatnonzero(matches(ids)).tolist():
                places.append(Place(len(places), ids[row].tobytes(), file.path, group, row))
                if limit is not None and len(places) == limit:
                    return fetch(out, stage, kind, places, characters)
    return fetch(out, stage, kind, places, characters)


def any_of(ids: Iterable[bytes]) -> Callable[[NDArray[np.uint8]], NDArray[np.bool_]]:
    """A matcher for ``find``: exactly these ids."""
    wanted = pa.array(sorted(set(ids)), pa.binary(ID_BYTES))

    def matches(found: NDArray[np.uint8]) -> NDArray[np.bool_]:
        buffer = pa.py_buffer(np.ascontiguousarray(found))
        column = pa.Array.from_buffers(pa.binary(ID_BYTES), len(found), [None, buffer])
        return np.asarray(pc.is_in(column, value_set=wanted))

    return matches


def starting_with(prefix: str) -> Callable[[NDArray[np.uint8]], NDArray[np.bool_]]:
    """A matcher for ``find``: ids whose hex form starts with ``prefix``. Raises ``ValueError`` if it is not hex."""
    digits = prefix.strip().lower()
    if not 1 <= len(digits) <= 2 * ID_BYTES or any(digit not in "0123456789abcdef" for digit in digits):
        raise ValueError(f"--id {prefix}: must be 1 to {2 * ID_BYTES} hexadecimal digits")
    whole = np.frombuffer(bytes.fromhex(digits[: len(digits) // 2 * 2]), np.uint8)

    def matches(found: NDArray[np.uint8]) -> NDArray[np.bool_]:
        same: NDArray[np.bool_] = (found[:, : len(whole)] == whole).all(axis=1)
        if len(digits) % 2:
            same &= found[:, len(whole)] >> 4 == int(digits[-1], 16)
        return same

    return matches


def fetch(out: str, stage: str, kind: str, places: list[Place], characters: int) -> list[Document]:
    """Read the chosen rows, a row group at a time, and return them in the order given."""
    wanted: dict[str, dict[int, list[tuple[int, Place]]]] = defaultdict(lambda: defaultdict(list))
    for position, place in enumerate(places):
        wanted[place.part][place.group].append((position, place))
    found: dict[int, Document] = {}
    for path, groups in wanted.items():
        part = path.removeprefix(out.rstrip("/") + "/")
        with storage.open_read(path) as handle:
            file = pq.ParquetFile(handle)
            for group, members in groups.items():
                chosen = read_group(file, group).take([place.row for _, place in members])
                documents = _documents(chosen, stage, kind, part, characters)
                for (position, _), document in zip(members, documents, strict=True):
                    found[position] = document
    return [found[position] for position in range(len(places))]


def _documents(rows: pa.Table, stage: str, kind: str, part: str, characters: int) -> Iterator[Document]:
    signals = signal_names(rows.schema)
    ids = row_ids(rows)
    lengths: list[int | None] = [None] * len(rows)
    if "text" in rows.column_names:
        lengths = pc.utf8_length(rows["text"]).to_pylist()
        cut = pc.utf8_slice_codeunits(rows["text"], 0, characters)  # before any text becomes a Python object
        rows = rows.set_column(rows.column_names.index("text"), "text", cut)
    for row, length, key in zip(rows.to_pylist(), lengths, ids, strict=True):
        duplicate_of, date = row.get("duplicate_of"), row.get("date")
        yield Document(
            stage=stage,
            kind=kind,
            id=key.tobytes().hex(),
            part=part,
            source=row.get("source") or "",
            locator=row.get("locator") or "",
            url=row.get("url"),
            date=date.isoformat() if date else None,
            reason=row.get("rejected_by") or row.get("reason"),
            signals={name: row[name] for name in signals if row[name] is not None},
            metadata=dict(row.get("metadata") or ()),
            characters=length,
            text=row.get("text") or "",
            duplicate_of=duplicate_of.hex() if duplicate_of else None,
            similarity=row.get("similarity"),
            measure=row.get("measure"),
            component=row.get("component"),
            step=row.get("step"),
            error=row.get("error"),
        )


def _parts(out: str, stage: str, kind: str) -> list[storage.FileInfo]:
    if kind not in KINDS:
        raise ValueError(f"documents are {', '.join(KINDS)}, not {kind!r}")
    if stage not in DOCUMENT_STAGES:
        raise ValueError(f"--stage {stage}: stages with documents to look at are {', '.join(DOCUMENT_STAGES)}")
    return parts(out, stage, kind)


def row_ids(rows: pa.Table) -> NDArray[np.uint8]:
    """uint8[rows, 16]: the ids of documents; of quarantined records, those they would have had."""
    if "id" in rows.column_names:
        return id_bytes(rows["id"])
    pairs = zip(rows["source"].to_pylist(), rows["locator"].to_pylist(), strict=True)
    joined = b"".join(document_id(source, locator) for source, locator in pairs)
    return np.frombuffer(joined, np.uint8).reshape(-1, ID_BYTES)


def sample_keys(ids: NDArray[np.uint8], seed: int) -> NDArray[np.uint64]:
    """uint64[rows]: the id's two halves and the seed, mixed by the finalizer of SplitMix64 (Steele et al. 2014)."""
    words = np.ascontiguousarray(ids).view("<u8").reshape(-1, 2)
    mixed = words[:, 0] ^ np.uint64(seed % 2**64)
    for word in (np.uint64(0), words[:, 1]):
        mixed = (mixed ^ word) + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    return mixed


def _reasons(rows: pa.Table) -> pa.Array:
    for name in ("rejected_by", "reason"):
        if name in rows.column_names:
            return rows[name].cast(pa.string()).combine_chunks().fill_null("")
    return pa.array([""] * len(rows), pa.string())


def _filter(reason: str | None, source: str | None) -> Callable[[pa.Table], NDArray[np.bool_]]:
    def wanted(rows: pa.Table) -> NDArray[np.bool_]:
        mask = np.ones(len(rows), np.bool_)
        if reason is not None:
            names = _reasons(rows)
            mask &= np.asarray(pc.equal(names, reason)) | np.asarray(pc.starts_with(names, reason + "."))
        if source is not None:
            mask &= np.asarray(pc.equal(rows["source"].cast(pa.string()).combine_chunks(), source))
        return mask

    return wanted


def _choose(
    files: list[storage.FileInfo],
    wanted: Callable[[pa.Table], NDArray[np.bool_]],
    stratum: Callable[[str], str],
    limit: int,
    seed: int,
) -> dict[str, list[Place]]:
    """The ``limit`` smallest keys of each stratum of the reasons, ascending."""
    best: dict[str, list[Place]] = defaultdict(list)
    for file in files:
        for group, rows in row_groups(file.path, KEY_COLUMNS):
            mask = wanted(rows)
            ids = row_ids(rows)
            keys = sample_keys(ids, seed)
            encoded = _reasons(rows).dictionary_encode()
            codes = np.asarray(encoded.indices)
            for code, name in enumerate(encoded.dictionary.to_pylist()):
                candidates = np.flatnonzero(mask & (codes == code))
                first = candidates[np.argsort(keys[candidates], kind="stable")[:limit]].tolist()
                places = [Place(int(keys[row]), ids[row].tobytes(), file.path, group, row) for row in first]
                best[stratum(name)] = heapq.nsmallest(limit, best[stratum(name)] + places)
    return {name: places for name, places in best.items() if places}


def _explain_nothing(
    out: str, files: list[storage.FileInfo], stage: str, kind: str, reason: str | None, source: str | None
) -> None:
    reasons: set[str] = set()
    sources: set[str] = set()
    for file in files:
        for _, rows in row_groups(file.path, KEY_COLUMNS):
            reasons.update(pc.unique(_reasons(rows)).to_pylist())
            sources.update(pc.unique(rows["source"].cast(pa.string())).to_pylist())
    if source is not None and source not in sources:
        raise ValueError(f"--source {source}: not in {out}/{stage}, {kind}; there are {', '.join(sorted(sources))}")
    known = ", ".join(sorted(reasons - {""})) or "none"
    raise ValueError(f"--reason {reason}: no such document in {out}/{stage}, {kind}; there are {known}")
