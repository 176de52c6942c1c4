"""What is looked for of evaluation sets: runs of words, and which items each stands in.

Decisions:
- A passage is known by its runs of ``ngram`` words; a shorter one of at least ``min_words`` by all its words as one
  run; one shorter still is not looked for. Brown et al. 2020 (arXiv 2005.14165): "a 13-gram overlap" or an overlap
  "with the whole example when it is shorter than 13-grams" (section 4), and "due to spurious collisions at lower values
  of N we use a minimum value of 8" (appendix C). Words are compared as in `dataprep.text.ngrams`.
- A run in more than ``common`` items of its set is a template or an instruction and is not looked for there. Brown et
  al. ignored 13-grams found in more than 10 training documents; here the sets alone decide, so that no document's
  verdict depends on another's. A set whose items share long passages (many questions about one text) needs a larger
  number.
- A run of which less than the share ``letters`` of the words has a letter is not looked for: counting and tables are in
  every corpus. (Of 478 hits of HumanEval, GSM8K and four more in 64,000 pages of software documentation, 477 were a
  test's "1 2 3 4 5 6 7 8 9 10 11 12 13" or "0 1 2 3 4 5 6 7 8 9 a b c": none of them with 0.5, 29 with 0.25.)
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dataprep.signals.evaluations import Evaluation, read_rows
from dataprep.text.ngrams import BareWords, RunTable
from dataprep.text.utf8 import Hashes, Longs, Utf8
from dataprep.text.words import HAS_ALPHA, HAS_CONTENT, segment


@dataclass(frozen=True)
class EvaluationSet:
    """What is known of one set: its items, how many of them are ``sought``, and its files with their items."""

    name: str
    files: tuple[tuple[str, int], ...]
    items: int
    sought: int


class Runs(NamedTuple):
    """Different pairs of a run and an item it stands in, sorted by run."""

    keys: Hashes
    items: Longs
    heads: Hashes  # of the run's first words
    lengths: Longs

    @classmethod
    def none(cls) -> "Runs":
        return cls(np.empty(0, np.uint64), np.empty(0, np.int64), np.empty(0, np.uint64), np.empty(0, np.int64))

    @classmethod
    def join(cls, parts: Iterable["Runs"]) -> "Runs":
        runs = cls(*map(np.concatenate, zip(*parts, strict=True)))
        runs = runs.only(np.lexsort((runs.items, runs.keys)))
        new = np.ones(len(runs.keys), np.bool_)
        new[1:] = (runs.keys[1:] != runs.keys[:-1]) | (runs.items[1:] != runs.items[:-1])
        return runs.only(new)

    def only(self, chosen: NDArray[Any]) -> "Runs":
        return Runs(*(column[chosen] for column in self))

    def without_common(self, common: int) -> "Runs":
        """Without the runs that stand in more than ``common`` items."""
        _, run, count = np.unique(self.keys, return_inverse=True, return_counts=True)
        return self.only(count[run] <= common)


@dataclass(frozen=True)
class Index:
    """The runs of all sets. Items are numbered through, set after set in the order of their names."""

    sets: tuple[EvaluationSet, ...]
    table: RunTable
    offsets: Longs  # the items of run k: items[offsets[k]] to items[offsets[k + 1]]
    items: Longs
    runs: Longs  # of each item, how many different ones

    def label(self, item: int) -> str:
        """``set:number``."""
        for one in self.sets:
            if item < one.items:
                return f"{one.name}:{item}"
            item -= one.items
        raise IndexError(item)


@cache
def load_index(evaluations: tuple[tuple[str, Evaluation], ...], ngram: int, min_words: int, letters: float) -> Index:
    """The index of sets in the order of their names, made once per process."""
    parts: list[Runs] = []
    sets: list[EvaluationSet] = []
    first = 0
    for name, evaluation in evaluations:
        rows = [(path, read_rows(path)) for path in evaluation.paths]
        texts = [list(evaluation.passages(row)) for _, file in rows for row in file]
        passages = pa.array([text for passages in texts for text in passages], pa.large_string())
        owners = np.repeat(np.arange(first, first + len(texts)), [len(passages) for passages in texts])
        runs = _runs(passages, owners, ngram, min_words, letters).without_common(evaluation.common)
        files = tuple((path, len(file)) for path, file in rows)
        sets.append(EvaluationSet(name, files, len(texts), len(np.unique(runs.items))))
        parts.append(runs)
        first += len(texts)
    runs = Runs.join(parts)
    keys, starts = np.unique(runs.keys, return_index=True)
    table = RunTable.of(keys, runs.heads, np.unique(runs.lengths), min_words)
    offsets = np.append(starts, len(runs.keys)).astype(np.int64)
    return Index(tuple(sets), table, offsets, runs.items, np.bincount(runs.items, minlength=first))


def _runs(passages: pa.Array, owners: Longs, ngram: int, min_words: int, letters: float) -> Runs:
    """The runs by which ``passages`` are known, with the items that own them."""
    text = Utf8.of(passages)
    words = segment(text)
    bare = BareWords.of(text, words)
    sizes = np.diff(bare.offsets)
    alphabetic = np.append(0, np.cumsum((words.flags[(words.flags & HAS_CONTENT) != 0] & HAS_ALPHA) != 0))
    parts = [Runs.none()]
    for length in range(min_words, ngram + 1):
        count = np.where(sizes == length, 1, 0) if length < ngram else np.maximum(sizes - ngram + 1, 0)
        within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        starts, items = np.repeat(bare.offsets[:-1], count) + within, np.repeat(owners, count)
        wordy = alphabetic[starts + length] - alphabetic[starts] >= letters * length
        starts, items = starts[wordy], items[wordy]
        sized = np.full(len(starts), length)
        parts.append(Runs(bare.runs(starts, length), items, bare.runs(starts, min_words), sized))
    return Runs.join(parts)
