"""Decontamination: which items of evaluation sets stand in a document, found by runs of words they share.

What is looked for of an item, and what is not, is in `contamination`; how words are compared in `dataprep.text.ngrams`.

======================  ================================================================================================
decontamination.ngrams  places in the document where a run of an item begins
decontamination.items   different items of which a run was found
decontamination.hits    those items by set and number, each with the share of its different runs that was found, rounded
                        down: ``gsm8k:12=0.04 humaneval:3=1.00``; null where there is none
decontamination.share   share of the document's bare words that stand in such a run
decontamination.covered the largest share of one item's different runs: how much of it leaks
======================  ================================================================================================

All items are listed, so that the columns alone say which items of a set a corpus holds.
"""

from itertools import pairwise
from typing import Annotated, Any, ClassVar

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from dataprep import storage
from dataprep.signals.base import ratio
from dataprep.signals.contamination import Index, load_index
from dataprep.signals.evaluations import Evaluation
from dataprep.steps import Step, with_columns
from dataprep.text.ngrams import BareWords
from dataprep.text.utf8 import Longs
from dataprep.text.view import text_of

COLUMNS = pa.schema(
    [
        ("decontamination.ngrams", pa.int32()),
        ("decontamination.items", pa.int32()),
        ("decontamination.hits", pa.string()),
        ("decontamination.share", pa.float64()),
        ("decontamination.covered", pa.float64()),
    ]
)

SetName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=64)]


class Decontamination(Step):
    """Looks for the items of ``evaluations``: sets by name, each ``{paths: […], fields: […], common: 10}``.

    By runs of ``ngram`` words, and whole passages of at least ``min_words``, if a share ``letters`` of the words has a
    letter. Adds the ``decontamination.*`` columns.
    """

    name: ClassVar[str] = "decontamination"
    schema: ClassVar[pa.Schema] = COLUMNS
    evaluations: dict[SetName, Evaluation] = Field(min_length=1)
    ngram: int = Field(default=13, ge=1)
    min_words: int = Field(default=8, ge=1)
    letters: float = Field(default=0.5, ge=0, le=1)

    @model_validator(mode="after")
    def _ordered(self) -> "Decontamination":
        if self.min_words > self.ngram:
            raise ValueError(f"min_words {self.min_words} is above ngram {self.ngram}; allowed: at most ngram")
        return self

    def depends_on(self) -> dict[str, Any]:
        """The files' bytes; and the counts that a report needs besides the columns."""
        return {
            "evaluations": {
                one.name: {
                    "items": one.items,
                    "sought": one.sought,
                    "files": [
                        {"path": path, "items": items, "hash": storage.content_hash(path)} for path, items in one.files
                    ],
                }
                for one in self._index().sets
            }
        }

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        index, text = self._index(), text_of(batch)
        words = BareWords.of(text.utf8, text.words())
        starts, runs, lengths = index.table.find(words)
        # every run lies in the last document that begins at or before it: empty ones have no words
        documents = np.searchsorted(words.offsets, starts, "right") - 1
        places = np.ones(len(starts), np.bool_)
        places[1:] = starts[1:] != starts[:-1]
        reach = np.maximum.accumulate(starts + lengths)
        fresh = reach - np.maximum(starts, np.append(0, reach[:-1]))[: len(reach)]
        rows, items, found = _found_items(index, documents, runs)
        covered = np.zeros(batch.num_rows, np.float64)
        np.maximum.at(covered, rows, found / index.runs[items])
        return with_columns(
            batch,
            COLUMNS,
            {
                "decontamination.ngrams": np.bincount(documents[places], minlength=batch.num_rows),
                "decontamination.items": np.bincount(rows, minlength=batch.num_rows),
                "decontamination.hits": _listed(index, batch.num_rows, rows, items, found),
                "decontamination.share": ratio(np.bincount(documents, fresh, batch.num_rows), np.diff(words.offsets)),
                "decontamination.covered": covered,
            },
        )

    def _index(self) -> Index:
        return load_index(tuple(sorted(self.evaluations.items())), self.ngram, self.min_words, self.letters)


def _found_items(index: Index, documents: Longs, runs: Longs) -> tuple[Longs, Longs, Longs]:
    """Per document and item, sorted: the document, the item, how many of the item's different runs are in it."""
    pairs = np.unique(documents * len(index.table.keys) + runs)
    documents, runs = np.divmod(pairs, max(len(index.table.keys), 1))
    counts = index.offsets[runs + 1] - index.offsets[runs]
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    items = index.items[np.repeat(index.offsets[runs], counts) + within]
    pairs, found = np.unique(np.repeat(documents, counts) * len(index.runs) + items, return_counts=True)
    documents, items = np.divmod(pairs, len(index.runs))
    return documents, items, found


def _listed(index: Index, documents: int, rows: Longs, items: Longs, found: Longs) -> list[str | None]:
    """The column ``hits``; only documents with hits become Python objects."""
    percent = (100 * found // index.runs[items]).tolist()
    names = [f"{index.label(item)}={part / 100:.2f}" for item, part in zip(items.tolist(), percent, strict=True)]
    listed: list[str | None] = [None] * documents
    bounds = np.append(np.flatnonzero(np.diff(rows, prepend=-1)), len(rows)).tolist()
    for start, end in pairwise(bounds):
        listed[rows[start]] = " ".join(names[start:end])
    return listed
