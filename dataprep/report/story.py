"""One document through all stages: where it came from, where it was kept, where and why it went, and its shard.

Decisions:
- A document is named by its id or the beginning of it, or by its URL: exactly as written, or else with another scheme
  or a slash more or less at its end.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dataprep import storage
from dataprep.report.difference import Lines, difference
from dataprep.report.inspect import KEY_COLUMNS, TEXT_CHARACTERS, Document, any_of, find, row_ids, starting_with
from dataprep.report.layout import DOCUMENT_STAGES, ID_BYTES, KINDS, MANIFEST, parts, row_groups, stages
from dataprep.report.passages import PassageEdit, passage_edits
from dataprep.shards import Manifest

COPIES_SHOWN = 10
DIFFERENCE_LINES = 30
WHOLE = 1 << 40  # characters: more than any text has
SCHEMES = ("https://", "http://")


@dataclass(frozen=True)
class ShardPlace:
    """``row``: the document's number in the shard; its tokens are ``first_token`` and the ``tokens`` - 1 after it."""

    path: str
    split: str
    row: int
    first_token: int
    tokens: int


@dataclass(frozen=True)
class Story:
    """``appearances``: the document in each stage, in chain order. ``kept_copy``: what was kept instead of it, by the
    earlier run ``kept_by`` or, if that is None, by this one; ``unlike_copy``: how its text differs from that copy's.

    ``copies``: the first documents that were removed in its favour. ``shard``: None when it has no tokens. ``edits``:
    what cleaning changed in its text. ``passages``: what was cut out because the corpus repeats it. ``settings``: of
    each finished stage, as in its manifest.
    """

    id: str
    appearances: tuple[Document, ...]
    kept_copy: Document | None
    kept_by: str | None
    unlike_copy: Lines
    copies: tuple[Document, ...]
    shard: ShardPlace | None
    edits: Lines
    passages: tuple[PassageEdit, ...]
    settings: Mapping[str, Mapping[str, Any]]


def by_id(out: str, identifier: str) -> str:
    """The id that starts with ``identifier`` (hex). Raises ``ValueError`` when no document or more than one has it."""
    ids = with_id(out, identifier)
    if not ids:
        raise ValueError(f"--id {identifier}: no document in {out} has an id that starts so")
    if len(ids) > 1:
        some = ", ".join(ids[:4]) + (", …" if len(ids) > 4 else "")
        raise ValueError(
            f"--id {identifier}: {len(ids)} documents have an id that starts so ({some}); give more digits"
        )
    return ids[0]


def with_id(out: str, prefix: str, among: Sequence[str] = DOCUMENT_STAGES) -> list[str]:
    """The ids of all documents of these stages that start so. Raises ``ValueError`` where that is not hex."""
    matches = starting_with(prefix)
    return sorted({key.hex() for rows in _rows(out, among) for key in _keys(rows, matches(row_ids(rows)))})


def by_url(out: str, url: str) -> list[str]:
    """The ids of all documents that have this URL, or else one like it. Raises ``ValueError`` when there is none."""
    found = with_url(out, url)
    if not found:
        raise ValueError(f"--url {url}: no document in {out} has this URL, with or without a slash at its end")
    return found


def with_url(out: str, url: str, among: Sequence[str] = DOCUMENT_STAGES) -> list[str]:
    """The ids of all documents of these stages that have this URL, or else one like it."""
    alike = pa.array(sorted(_alike(url)), pa.string())
    exact: set[str] = set()
    like: set[str] = set()
    for rows in _rows(out, among):
        if "url" in rows.column_names:
            urls = rows["url"].combine_chunks()
            for found, mask in ((exact, pc.equal(urls, url)), (like, pc.is_in(urls, value_set=alike))):
                mask = pc.fill_null(mask, False).to_numpy(zero_copy_only=False)
                found.update(key.hex() for key in _keys(rows, mask))
    return sorted(exact or like)


def with_locator(out: str, locator: str, among: Sequence[str] = DOCUMENT_STAGES) -> list[str]:
    """The ids of all documents of these stages that have this locator, one a source."""
    found: set[str] = set()
    for rows in _rows(out, among):
        found.update(key.hex() for key in _keys(rows, pc.equal(rows["locator"], locator).to_numpy()))
    return sorted(found)


def locator_like(out: str, wanted: str, stage: str) -> str | None:
    """A locator of the stage's documents: one whose last part is that of ``wanted``, or else the first."""
    last = wanted.rstrip("/").rpartition("/")[2]
    first = None
    for rows in _rows(out, (stage,)):
        locators = rows["locator"].combine_chunks()
        alike = pc.index(pc.match_substring_regex(locators, f"(^|/){re.escape(last)}(#|$)"), True).as_py()
        if last and alike >= 0:
            return str(locators[alike])
        first = first or (str(locators[0]) if len(locators) else None)
    return first


def fates(out: str, ids: list[str]) -> list[Document]:
    """Where each of the documents was last, in the order of ``ids``."""
    last: dict[str, Document] = {one.id: one for one in _appearances(out, ids, 0)}
    return [last[key] for key in ids]


def tell(out: str, key: str, *, characters: int = TEXT_CHARACTERS) -> Story:
    """The story of the document with the id ``key`` (all of its hex)."""
    found = list(_appearances(out, [key], WHOLE))
    texts = {one.stage: one.text for one in found if one.kind in ("kept", "removed")}
    original = next((bytes.fromhex(one.duplicate_of) for one in found if one.duplicate_of), None)
    settings = {stage: _settings(out, stage) for stage in DOCUMENT_STAGES}
    earlier = settings["unique"].get("deduplicate", {}).get("against", ())
    copy, kept_by = _kept_copy(original, (out, *earlier)) if original else (None, None)
    copies = find(out, "unique", "removed", any_of([bytes.fromhex(key)]), column="duplicate_of", limit=COPIES_SHOWN)
    source = next((one.source for one in found if one.source), "")
    return Story(
        id=key,
        appearances=tuple(replace(one, text=one.text[:characters]) for one in found),
        kept_copy=copy and replace(copy, text=copy.text[:characters]),
        kept_by=kept_by if kept_by != out else None,
        unlike_copy=_edits(copy.text, texts.get("unique")) if copy else [],
        copies=tuple(copies),
        shard=locate(out, bytes.fromhex(key), source),
        edits=_edits(texts.get("documents"), texts.get("clean")),
        passages=tuple(passage_edits(out, key)),
        settings=settings,
    )


def _kept_copy(key: bytes, runs: Sequence[str]) -> tuple[Document | None, str | None]:
    """The document that was kept, and the run that has it."""
    for run in runs:
        if found := find(run, "unique", "kept", any_of([key]), limit=1, characters=WHOLE):
            return found[0], run
    return None, None


def _edits(before: str | None, after: str | None) -> Lines:
    return [] if before is None or after is None else difference(before, after, DIFFERENCE_LINES)


def _settings(out: str, stage: str) -> dict[str, Any]:
    path = storage.join(out, stage, MANIFEST)
    return storage.read_json(path).get("settings", {}) if storage.exists(path) else {}


def _appearances(out: str, ids: list[str], characters: int) -> Iterator[Document]:
    matches = any_of(map(bytes.fromhex, ids))
    for stage in DOCUMENT_STAGES:
        for kind in KINDS:
            yield from find(out, stage, kind, matches, characters=characters)


def _rows(out: str, among: Sequence[str] = DOCUMENT_STAGES) -> Iterator[pa.Table]:
    """Every row of the run's documents, with the columns that name it."""
    stages(out)
    for stage in among:
        for kind in KINDS:
            for file in parts(out, stage, kind):
                yield from (rows for _, rows in row_groups(file.path, [*KEY_COLUMNS, "url"]))


def _keys(rows: pa.Table, mask: NDArray[np.bool_]) -> list[bytes]:
    return [key.tobytes() for key in row_ids(rows.filter(pa.array(mask)))]


def _alike(url: str) -> set[str]:
    """``url`` as written, and with and without its scheme's s and a slash at its end."""
    address = next((url.removeprefix(scheme) for scheme in SCHEMES if url.startswith(scheme)), url).removesuffix("/")
    return {url, *(f"{scheme}{address}{slash}" for scheme in SCHEMES for slash in ("", "/"))}


def locate(out: str, key: bytes, source: str) -> ShardPlace | None:
    """The document's place in the shards of its source; only on a local disk, where shards are mapped and not read."""
    directory = storage.join(out, "shards")
    if not storage.is_local(out) or not storage.exists(storage.join(directory, "manifest.json")):
        return None
    wanted = np.frombuffer(key, np.uint8, ID_BYTES)
    manifest = Manifest.load(directory)
    for info in manifest.shards:
        if info.source == source:
            shard = manifest.open(info)
            for row in np.flatnonzero((shard.doc_ids == wanted).all(axis=1)).tolist():
                first, end = (int(bound) for bound in shard.offsets[row : row + 2])
                return ShardPlace(info.path, info.split, row, first, end - first)
    return None
