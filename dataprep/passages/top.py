"""The most repeated lines, paragraphs and passages, for the report.

A list holds the ``MOST`` of each reason by occurrences, then key; lists of several parts merge into that of the whole.
"""

from collections.abc import Iterable
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataprep.dedup.sidecar import joined
from dataprep.passages.remove import Removals
from dataprep.passages.rows import NOWHERE, Seen
from dataprep.passages.units import PASSAGE, REASONS

MOST = 20
CHARACTERS = 300  # of a sample


def most_repeated(edits: pa.RecordBatch, found: Removals, verdicts: Seen, stretch: int) -> list[dict[str, Any]]:
    """The list of a batch, given the edits that its removals became; passages that went in pieces are left out."""
    whole = (verdicts.kinds[found.verdicts] != PASSAGE) | (found.words >= stretch)
    rows = np.unique(found.verdicts[whole])
    order = np.lexsort((verdicts.keys[rows, 1], verdicts.keys[rows, 0], -verdicts.counts[rows], verdicts.kinds[rows]))
    kinds = verdicts.kinds[rows[order]]
    first = rows[order][np.arange(len(order)) - np.searchsorted(kinds, kinds) < MOST]
    shown = whole & np.isin(found.verdicts, first)
    texts = pc.utf8_slice_codeunits(edits.column("text").filter(pa.array(shown)), 0, CHARACTERS)
    samples = pa.table({"row": found.verdicts[shown], "text": pc.utf8_trim_whitespace(texts)})
    entries = []
    for sample in samples.group_by("row").aggregate([("text", "min")]).to_pylist():
        row = sample["row"]
        kept_in = verdicts.places[row] != NOWHERE
        entries.append(
            {
                "reason": REASONS[verdicts.kinds[row]],
                "occurrences": int(verdicts.counts[row]),
                "kept_in": joined(verdicts.ids[row : row + 1])[0].as_py().hex() if kept_in else None,
                "key": "".join(f"{half:016x}" for half in verdicts.keys[row].tolist()),
                "text": sample["text_min"],
            }
        )
    return merged(entries)


def merged(entries: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first ``MOST`` of each reason, each key once, with the first of its texts."""
    ordered = sorted(entries, key=lambda e: (e["reason"], -e["occurrences"], e["key"], e["text"]))
    found = []
    for _, same_reason in groupby(ordered, key=lambda e: e["reason"]):
        each = [next(same_key) for _, same_key in groupby(same_reason, key=lambda e: e["key"])]
        found += each[:MOST]
    return found
