"""Evaluation sets: what a recipe says about them, and reading their items.

An item is one row of a set's files, numbered from 0 over the files in their order. Each of its strings, at any depth,
is a passage of its own: no run of words reaches from a question into its answer.
"""

import json
from collections.abc import Iterator
from typing import IO, Any

import pyarrow.parquet as pq
from pydantic import Field, model_validator

from dataprep.settings import Settings
from dataprep.sources.items import valid_text
from dataprep.sources.opening import DAMAGE, open_decompressed

SUFFIXES = (".json", ".jsonl", ".ndjson", ".parquet")


class Evaluation(Settings):
    """One set: the files in ``paths``, and the ``fields`` of a row to look for (none given: every string in it).

    A run of words that occurs in more than ``common`` of its items is not looked for: see `contamination`.
    """

    paths: tuple[str, ...] = Field(min_length=1)
    fields: tuple[str, ...] = ()
    common: int = Field(default=10, ge=1)

    @model_validator(mode="before")
    @classmethod
    def _known_fields(cls, value: Any) -> Any:
        unknown = set(value) - set(cls.model_fields) if isinstance(value, dict) else set()
        if unknown or not isinstance(value, dict | Evaluation):
            wrong = f"unknown field {min(unknown)!r}; " if unknown else ""
            raise ValueError(f"{wrong}a set is {{{', '.join(cls.model_fields)}}}")
        return value

    @model_validator(mode="after")
    def _readable(self) -> "Evaluation":
        missing = set(self.fields)
        known: dict[str, None] = {}
        for path in self.paths:
            rows = read_rows(path)
            if not rows:
                raise ValueError(f"paths: {path!r} holds no items")
            for row in rows:
                missing -= row.keys()
                known.update(dict.fromkeys(row))
        if missing:
            where = ", ".join(self.paths)
            raise ValueError(f"fields: {min(missing)!r} is in no item of {where}; allowed: {', '.join(known)}")
        return self

    def passages(self, row: dict[str, Any]) -> Iterator[str]:
        for name in self.fields or row:
            yield from _strings(row.get(name))


def read_rows(path: str) -> list[dict[str, Any]]:
    """The rows of one file, by its suffix. Raises ``ValueError`` naming the file."""
    kind = path.lower().removesuffix(".gz").removesuffix(".zst")
    if not kind.endswith(SUFFIXES) or (kind != path.lower() and kind.endswith(".parquet")):
        raise ValueError(f"paths: {path!r} must be {', '.join(SUFFIXES)}, all but the last also as .gz or .zst")
    try:
        with open_decompressed(path) as file:
            rows = list(_parsed(file, kind))
    except FileNotFoundError:
        raise ValueError(f"paths: {path!r} does not exist") from None
    except (OSError, ValueError, RecursionError, *DAMAGE) as error:
        raise ValueError(f"paths: {path!r} cannot be read: {' '.join(str(error).split())}") from None
    for number, row in enumerate(rows):
        if not isinstance(row, dict):
            raise ValueError(f"paths: item {number} of {path!r} is a {type(row).__name__}, not an object with fields")
    return rows


def _parsed(file: IO[bytes], kind: str) -> Iterator[Any]:
    if kind.endswith(".parquet"):
        yield from pq.ParquetFile(file).read().to_pylist()
        return
    content = file.read().decode("utf-8-sig")
    if kind.endswith(".json"):
        try:
            whole = json.loads(content)
        except json.JSONDecodeError as error:
            if error.msg != "Extra data":  # JSON Lines are often called .json
                raise
        else:
            yield from _array(whole)
            return
    yield from (json.loads(line) for line in content.split("\n") if line.strip())


def _array(whole: Any) -> list[Any]:
    """The rows of a JSON file: an array, or an object's only array (BIG-Bench Hard: ``{"canary", "examples"}``)."""
    arrays = [whole] if isinstance(whole, list) else []
    if isinstance(whole, dict):
        arrays = [value for value in whole.values() if isinstance(value, list)]
    if len(arrays) != 1:
        raise ValueError("must be an array of objects, or an object with one such array")
    return arrays[0]


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield valid_text(value)
    elif isinstance(value, dict):
        for name in value:
            yield from _strings(value[name])
    elif isinstance(value, list):
        for member in value:
            yield from _strings(member)
