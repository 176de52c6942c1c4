"""What the passages stage cut out of one document."""

from dataclasses import dataclass

import pyarrow as pa

from dataprep import storage
from dataprep.report.inspect import any_of, row_ids
from dataprep.report.layout import row_groups


@dataclass(frozen=True)
class PassageEdit:
    """``start``, ``end``: code points of the text before. ``kept_in``: hex id of the document where it stays."""

    start: int
    end: int
    reason: str
    occurrences: int
    kept_in: str | None
    text: str


def passage_edits(out: str, key: str) -> list[PassageEdit]:
    """Those of the document with the id ``key`` (hex), in the order of the text."""
    matches = any_of([bytes.fromhex(key)])
    found = []
    for file in storage.list_files(storage.join(out, "passages", "edits"), ".parquet"):
        for _, rows in row_groups(file.path):
            for row in rows.filter(pa.array(matches(row_ids(rows)))).drop_columns(["id"]).to_pylist():
                kept_in = row.pop("kept_in")
                found.append(PassageEdit(**row, kept_in=kept_in and kept_in.hex()))
    return found
