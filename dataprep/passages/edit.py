"""Removals applied to a batch: documents without what was repeated, those that have no word left, and a row an edit."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataprep.dedup.sidecar import joined
from dataprep.document import CHARACTERS
from dataprep.edits.base import delete_spans
from dataprep.passages.remove import Removals
from dataprep.passages.rows import NOWHERE, Seen
from dataprep.passages.splice import character_places, texts
from dataprep.passages.units import REASONS
from dataprep.text.utf8 import Utf8, text_column

NOTHING_LEFT = "nothing_left"  # why a document went: all its words were repeated

EDITS = pa.schema(
    [
        pa.field("id", pa.binary(16), nullable=False),
        pa.field("start", pa.int64(), nullable=False),  # code points, in the text as it was
        pa.field("end", pa.int64(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("occurrences", pa.int64(), nullable=False),  # in the corpus, of a passage those of its first words
        pa.field("kept_in", pa.binary(16)),  # the document where it stays; null: nowhere
        pa.field("text", pa.large_string(), nullable=False),  # what went
    ]
)


@dataclass(frozen=True)
class Edited:
    kept: pa.RecordBatch
    removed: pa.RecordBatch
    edits: pa.RecordBatch


def edited(batch: pa.RecordBatch, found: Removals, verdicts: Seen) -> Edited:
    """``found`` are the removals from ``batch``, by rows of ``verdicts``."""
    text = Utf8.of(batch.column("text"))
    rows = found.verdicts
    places = character_places(text.values, text.offsets, found.documents, found.spans)
    kept_in = joined(verdicts.ids[rows])
    columns = [
        batch.column("id").take(pa.array(found.documents)),
        pa.array(places[:, 0]),
        pa.array(places[:, 1]),
        pa.array(REASONS, pa.string()).take(pa.array(verdicts.kinds[rows])),
        pa.array(verdicts.counts[rows]),
        pc.if_else(pa.array(verdicts.places[rows] == NOWHERE), pa.scalar(None, kept_in.type), kept_in),
        text_column(*texts(text.values, found.spans), pa.large_string()),
    ]
    gone = np.zeros(batch.num_rows, np.bool_)
    gone[found.documents] = True
    gone &= found.words_left == 0
    shorter = delete_spans(batch, found.spans)
    index = shorter.schema.get_field_index(CHARACTERS.name)
    if index >= 0:
        characters = pc.utf8_length(shorter.column("text")).cast(CHARACTERS.type)
        shorter = shorter.set_column(index, shorter.schema.field(index), characters)
    return Edited(
        shorter.filter(pa.array(~gone)),
        _rejected(batch.filter(pa.array(gone))),
        pa.RecordBatch.from_arrays(columns, schema=EDITS),
    )


def removed_schema(documents: pa.Schema) -> pa.Schema:
    """What removed rows have: the documents' columns, and ``rejected_by`` if they lack it."""
    return documents if "rejected_by" in documents.names else documents.append(pa.field("rejected_by", pa.string()))


def _rejected(batch: pa.RecordBatch) -> pa.RecordBatch:
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    columns["rejected_by"] = pa.array([NOTHING_LEFT] * batch.num_rows, pa.string())
    schema = removed_schema(batch.schema)
    return pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)
