"""Toxicity: words and phrases of a list for each language. A model's score is the step `classifier`'s.

Source of the lists' meaning: C4 (Raffel et al. 2020, arXiv 1910.10683, section 2.2), as its code in TensorFlow Datasets
(c4_utils.py) and datatrove 0.10 (C4BadWordsFilter) have it. The text is lower-cased (``str.lower``); an entry counts
where the characters before and after it are not ``\\w``. In languages written without spaces it counts anywhere.

====================  ==================================================================================================
toxicity.words        entries found; from the left, the longest entry at a place, none inside another
toxicity.distinct     how many different entries are among them
toxicity.share        code points in them, of all, both of the lower-cased text
====================  ==================================================================================================

Decisions:
- ``toxicity.words`` is above 0 exactly where datatrove's expression finds something. It does not count; an expression
  that takes the characters around a word with it would count ``a a`` once.
- Entries are not lower-cased, as in C4: one with a capital letter is never found.
- A document in a language without a list has null, and so fires no rule. Everything is a matter of words: "bitch" in a
  dog breeder's page counts.
"""

import re
from functools import cache
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from pydantic import field_validator

from dataprep import storage
from dataprep.compiled import njit
from dataprep.signals.base import ratio
from dataprep.signals.wordlists import entries, fingerprint
from dataprep.steps import Step, with_columns
from dataprep.text.classes import regex_words
from dataprep.text.lower import lower
from dataprep.text.spans import NEWLINE
from dataprep.text.trie import Trie, may_begin
from dataprep.text.utf8 import Bytes, Ints, Longs, Utf8, code_points, count_code_points, decode, last_character

LANGUAGE = "language.label"
LIST_NAME = re.compile(r"[a-z]{2,3}([-_]\w+)*")  # a language's label

COLUMNS = pa.schema(
    [("toxicity.words", pa.int32()), ("toxicity.distinct", pa.int32()), ("toxicity.share", pa.float64())]
)


class Toxicity(Step):
    """``lists`` is a folder with a file for each language, called like its label.

    The language is ``language.label`` where an earlier step wrote it, else ``language``. ``allowed`` entries are left
    out of every list, and languages in ``unspaced`` are searched anywhere; both are C4's.
    """

    name: ClassVar[str] = "toxicity"
    schema: ClassVar[pa.Schema] = COLUMNS
    lists: str
    language: str = "en"
    allowed: tuple[str, ...] = ("sm", "グロ", "女の子", "性")
    unspaced: tuple[str, ...] = ("ja", "th", "zh")

    @field_validator("lists")
    @classmethod
    def _has_lists(cls, lists: str) -> str:
        if not _files(lists):
            raise ValueError("has no list; allowed: a folder with one word list a language, called like it (en, pt)")
        return lists

    def depends_on(self) -> dict[str, Any]:
        return {"lists": {name: fingerprint([path]) for name, path in _files(self.lists).items()}}

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        return with_columns(batch, COLUMNS, self._words(batch))

    def _words(self, batch: pa.RecordBatch) -> dict[str, pa.Array]:
        text, rows = batch.column("text"), batch.num_rows
        known = LANGUAGE in batch.schema.names
        labels = batch.column(LANGUAGE) if known else pa.repeat(pa.scalar(self.language, pa.string()), rows)
        labels = labels.dictionary_encode()
        numbers = labels.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        unknown = np.ones(rows, np.bool_)
        counts = np.zeros((4, rows), np.int64)
        for number, language in enumerate(labels.dictionary.to_pylist()):
            trie = _trie(self.lists, language, self.allowed)
            if trie is None:
                continue
            chosen = np.flatnonzero(numbers == number)
            lowered = lower(Utf8.of(text if len(chosen) == rows else text.take(pa.array(chosen))))
            apart = language not in self.unspaced
            counts[:3, chosen] = _count(
                lowered.values, lowered.offsets, regex_words(), apart, trie.beginnings, *trie.arrays
            )
            counts[3, chosen] = code_points(lowered.values, lowered.offsets)
            unknown[chosen] = False
        return {
            "toxicity.words": pa.array(counts[0].astype(np.int32), mask=unknown),
            "toxicity.distinct": pa.array(counts[1].astype(np.int32), mask=unknown),
            "toxicity.share": pa.array(ratio(counts[2], counts[3]), mask=unknown),
        }


def _files(folder: str) -> dict[str, str]:
    """The files directly in a folder that are called like a language, by name."""
    files = {storage.basename(info.path): info.path for info in storage.list_files(folder)}
    return {name: file for name, file in files.items() if LIST_NAME.fullmatch(name) and file != folder}


@cache
def _trie(lists: str, language: str, allowed: tuple[str, ...]) -> Trie | None:
    """A language's list, loaded once per process; None where it has none."""
    file = _files(lists).get(language)
    if file is None:
        return None
    return Trie.of(sorted({entry for block in entries(file) for entry in block.to_pylist()}.difference(allowed)))


@njit(nogil=True, cache=True)
def _count(
    values: Bytes,
    offsets: Longs,
    word: Bytes,
    apart: bool,
    beginnings: Bytes,
    columns: Bytes,
    nodes: Ints,
    ends: Bytes,
) -> Longs:
    """int64 (3, documents): entries found, different ones, code points in them; ``apart`` from characters of words."""
    documents = len(offsets) - 1
    result = np.zeros((3, documents), np.int64)
    last_seen = np.full(len(nodes), -1, np.int64)  # by an entry's node: the last document that has it
    # the bytes behind which an entry may begin; behind the last byte of a longer character it depends
    opens = np.ones(256, np.uint8)
    if apart:
        opens[:0x80] -= word[:0x80]
    for d in range(documents):
        i = offsets[d]
        end = offsets[d + 1]
        before = np.uint8(NEWLINE)  # a document begins as a line does
        while i < end:
            found = 0
            # one branch that is hardly ever taken; a branch for the end of each word would be mispredicted too often
            if opens[before] & may_begin(beginnings, values, i) and not (
                apart and before >= 0x80 and word[decode(values, last_character(values, offsets[d], i), i)[0]]
            ):
                k = i
                node = 0
                stop = i
                while k < end:
                    node = nodes[node, columns[values[k]]]
                    if node == 0:
                        break
                    k += 1
                    if ends[node] and (not apart or k == end or not word[decode(values, k, end)[0]]):
                        found = node
                        stop = k
                if found:
                    result[0, d] += 1
                    result[1, d] += last_seen[found] != d
                    last_seen[found] = d
                    result[2, d] += count_code_points(values, i, stop)
                    i = stop
            if not found:
                i += 1
            before = values[i - 1]
    return result
