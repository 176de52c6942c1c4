"""What a shard is: its columns, its metadata and its name. ``docs/shard-format.md`` is this file in prose.

Decisions:
- Tokens and ids are declared non-null: without side columns a shard has exactly three buffers.
- Every metadata value is text, readable with any Arrow library; checksums are hex.
- The metadata holds the checksum of each buffer chunk and is itself checksummed. That last checksum, the *root*, stands
  for every value a reader can get out of the file; the manifest holds it, and the manifest's hash covers it.
- Nothing in a shard names a time, a machine or a library version: the same tokens are the same bytes.
"""

import json
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import xxhash

from dataprep.shards.columns import MASK, TYPES
from dataprep.shards.histogram import LengthHistogram

FORMAT_VERSION = 1
ID_BYTES = 16
PREFIX = "corpusmill."
ROOT_KEY = PREFIX + "root"

CHECKSUM = "xxh3."

# Buffer names as they appear in metadata keys and problems: column.buffer
OFFSETS, VALUES, IDS = "tokens.offsets", "tokens.values", "doc_id.values"

SPLITS = ("train", "validation")


def token_dtype(vocabulary_size: int) -> np.dtype[Any]:
    """uint16 while every id fits, else uint32."""
    return np.dtype(np.uint16 if vocabulary_size <= 1 << 16 else np.uint32)


def fingerprint(tokenizer_json: bytes) -> str:
    """What a shard remembers of its tokenizer: xxh3-128 of the bytes of ``tokenizer.json``, as hex."""
    return xxhash.xxh3_128_hexdigest(tokenizer_json)


def shard_name(source: str, split: str, index: int) -> str:
    """Path below the shards directory; characters of the source that file systems dislike are percent-encoded."""
    return f"{quote(source, safe='')}/{split}-{index:05d}.arrow"


def arrow_schema(dtype: np.dtype[Any], columns: dict[str, str], metadata: dict[str, str] | None = None) -> pa.Schema:
    """``columns``: names and types (see ``columns.TYPES``) of the side columns."""
    item = pa.field("item", pa.from_numpy_dtype(dtype), nullable=False)
    return pa.schema(
        [
            pa.field("tokens", pa.large_list(item), nullable=False),
            pa.field("doc_id", pa.binary(ID_BYTES), nullable=False),
            *(pa.field(name, TYPES[kind], nullable=kind != MASK) for name, kind in columns.items()),
        ],
        metadata=metadata,
    )


@dataclass(frozen=True)
class ShardMetadata:
    """The schema metadata of a shard. ``tokens`` counts the separators; ``bytes`` is UTF-8 text without them.

    ``bos_id``: the token that begins every document, None: no such token. ``columns``: side columns and their types.
    """

    tokenizer_fingerprint: str
    vocabulary_size: int
    eos_id: int
    source: str
    split: str
    documents: int
    tokens: int
    bytes: int
    largest_id: int
    lengths: LengthHistogram
    checksums: dict[str, str]  # buffer name → hex of chunk_checksums
    bos_id: int | None = None
    columns: dict[str, str] = field(default_factory=dict)

    def entries(self) -> dict[str, str]:
        """Metadata keys and values in the order in which they are stored, the root last."""
        values: dict[str, str] = {
            "format": str(FORMAT_VERSION),
            "tokenizer": self.tokenizer_fingerprint,
            "vocabulary_size": str(self.vocabulary_size),
            "eos_id": str(self.eos_id),
            "source": self.source,
            "split": self.split,
            "documents": str(self.documents),
            "tokens": str(self.tokens),
            "bytes": str(self.bytes),
            "largest_id": str(self.largest_id),
            "lengths": json.dumps(self.lengths.to_json(), separators=(",", ":")),
        }
        if self.bos_id is not None:
            values["bos_id"] = str(self.bos_id)
        if self.columns:
            values["columns"] = json.dumps(self.columns, separators=(",", ":"), ensure_ascii=False)
        values |= {CHECKSUM + name: checksums for name, checksums in self.checksums.items()}
        entries = {PREFIX + key: value for key, value in values.items()}
        return entries | {ROOT_KEY: root_checksum(entries)}

    @property
    def root(self) -> str:
        return self.entries()[ROOT_KEY]


def parse_metadata(metadata: dict[bytes, bytes] | None) -> ShardMetadata:
    """Raises ``ValueError`` with the reason when these are not the undamaged metadata of a shard we can read."""
    try:
        entries = {key.decode(): value.decode() for key, value in (metadata or {}).items()}
    except UnicodeDecodeError:
        raise ValueError("metadata are damaged (not UTF-8)") from None
    entries = {key: value for key, value in entries.items() if key.startswith(PREFIX)}
    root = entries.pop(ROOT_KEY, None)
    version = entries.get(PREFIX + "format")
    if root is None or version is None:
        raise ValueError(f"not a token shard (no {ROOT_KEY} in the schema metadata)")
    if root != root_checksum(entries):
        raise ValueError(f"metadata are damaged (they do not have the checksum {root})")
    if version != str(FORMAT_VERSION):
        raise ValueError(f"shard format {version}, this version reads format {FORMAT_VERSION}")
    values = {key.removeprefix(PREFIX): value for key, value in entries.items()}
    return ShardMetadata(
        tokenizer_fingerprint=values["tokenizer"],
        vocabulary_size=int(values["vocabulary_size"]),
        eos_id=int(values["eos_id"]),
        source=values["source"],
        split=values["split"],
        documents=int(values["documents"]),
        tokens=int(values["tokens"]),
        bytes=int(values["bytes"]),
        largest_id=int(values["largest_id"]),
        lengths=LengthHistogram.from_json(json.loads(values["lengths"])),
        checksums={key.removeprefix(CHECKSUM): value for key, value in values.items() if key.startswith(CHECKSUM)},
        bos_id=int(values["bos_id"]) if "bos_id" in values else None,
        columns=json.loads(values.get("columns", "{}")),
    )


def root_checksum(entries: dict[str, str]) -> str:
    """xxh3-128 of ``key NUL value LF`` over the entries sorted by key, as hex."""
    return xxhash.xxh3_128_hexdigest("".join(f"{key}\0{entries[key]}\n" for key in sorted(entries)).encode())


@dataclass(frozen=True)
class ShardInfo:
    """A manifest's line for one shard. ``checksum``: the shard's root; ``file_checksum``: xxh3-128 of the file."""

    path: str  # relative to the shards directory
    source: str
    split: str
    documents: int
    tokens: int
    bytes: int
    largest_id: int
    dtype: str
    checksum: str
    file_checksum: str

    def to_json(self) -> dict[str, Any]:
        return dict(vars(self))


@dataclass(frozen=True)
class WrittenShard:
    """What the writer reports and the manifest is built from."""

    info: ShardInfo
    lengths: LengthHistogram
    tokenizer_fingerprint: str
    vocabulary_size: int
    eos_id: int
    bos_id: int | None = None

    @classmethod
    def of(cls, path: str, metadata: ShardMetadata, file_checksum: str) -> "WrittenShard":
        info = ShardInfo(
            path=path,
            source=metadata.source,
            split=metadata.split,
            documents=metadata.documents,
            tokens=metadata.tokens,
            bytes=metadata.bytes,
            largest_id=metadata.largest_id,
            dtype=token_dtype(metadata.vocabulary_size).name,
            checksum=metadata.root,
            file_checksum=file_checksum,
        )
        tokenizer = (metadata.tokenizer_fingerprint, metadata.vocabulary_size, metadata.eos_id, metadata.bos_id)
        return cls(info, metadata.lengths, *tokenizer)

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"info": self.info.to_json(), "lengths": self.lengths.to_json()}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "WrittenShard":
        return cls(
            **(value | {"info": ShardInfo(**value["info"]), "lengths": LengthHistogram.from_json(value["lengths"])})
        )
