"""One document through all stages: where it came from, where it was kept, where and why it went, and its shard."""

from dataclasses import dataclass

import numpy as np

from dataprep import storage
from dataprep.report.inspect import TEXT_CHARACTERS, Document, any_of, find, starting_with
from dataprep.report.layout import DOCUMENT_STAGES, ID_BYTES, KINDS, stages
from dataprep.shards import Manifest

COPIES_SHOWN = 10


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
    """``appearances``: the document in each stage, in chain order. ``kept_copy``: what was kept instead of it.

    ``copies``: the first documents that were removed in its favour. ``shard``: None when it has no tokens.
    """

    id: str
    appearances: tuple[Document, ...]
    kept_copy: Document | None
    copies: tuple[Document, ...]
    shard: ShardPlace | None


def tell(out: str, identifier: str, *, characters: int = TEXT_CHARACTERS) -> Story:
    """The story of the document whose id starts with ``identifier`` (hex).

    Raises ``ValueError`` when no document or more than one has such an id.
    """
    stages(out)
    matches = starting_with(identifier)
    found = [
        document
        for stage in DOCUMENT_STAGES
        for kind in KINDS
        for document in find(out, stage, kind, matches, characters=characters)
    ]
    ids = sorted({document.id for document in found})
    if not ids:
        raise ValueError(f"--id {identifier}: no document in {out} has an id that starts so")
    if len(ids) > 1:
        some = ", ".join(ids[:4]) + (", …" if len(ids) > 4 else "")
        raise ValueError(
            f"--id {identifier}: {len(ids)} documents have an id that starts so ({some}); give more digits"
        )
    key = bytes.fromhex(ids[0])
    original = next((bytes.fromhex(one.duplicate_of) for one in found if one.duplicate_of), None)
    kept = find(out, "unique", "kept", any_of([original]), limit=1, characters=characters) if original else []
    copies = find(out, "unique", "removed", any_of([key]), column="duplicate_of", limit=COPIES_SHOWN)
    source = next((one.source for one in found if one.source), "")
    return Story(ids[0], tuple(found), kept[0] if kept else None, tuple(copies), locate(out, key, source))


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
