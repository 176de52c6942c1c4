"""Verdicts on keys → the spans that go from a batch of texts, each with its verdict.

- A line or paragraph goes unless it is the first.
- A word goes if it is in a stretch of n words that is not the first; but a first stretch keeps its own words where its
  copy overlaps it, as in a text that is one word many times.
- A word that has several reasons to go has the first of repeated paragraph, line, passage.
- What stands between two removed words goes with them.

So every word that goes has an equal one before it in the corpus, in an equal line, paragraph or stretch; the first of
them stays (with ``keep: first``).
"""

from dataclasses import dataclass

import numpy as np

from dataprep.compiled import njit
from dataprep.dedup.words import space_table
from dataprep.passages.cut import Cut
from dataprep.passages.rows import Seen
from dataprep.passages.splice import left_edge, right_edge, with_spaces
from dataprep.passages.table import Known
from dataprep.passages.units import LINE, PARAGRAPH, PASSAGE, Units
from dataprep.text.fold import fold_table
from dataprep.text.utf8 import Hashes, Longs, Utf8


@dataclass(frozen=True)
class Removals:
    """Disjoint spans in order: the document's row, the bytes in the column's values, the row of the verdict."""

    documents: Longs
    spans: Longs  # (n, 2)
    verdicts: Longs
    words: Longs  # in each span
    units: int  # lines, paragraphs and stretches that these are made of
    words_left: Longs  # by document


class Told:
    """The verdicts that a part was told, each key once."""

    def __init__(self, verdicts: Seen) -> None:
        self.verdicts = verdicts
        self.keys = Known(verdicts.keys)


def removals(text: Utf8, pieces: Cut, units: Units, ids: Hashes, told: Told, stretch: int) -> Removals:
    """What goes from a batch. ``ids`` uint64[n, 2] of its documents; ``stretch``: the words of one."""
    verdicts = told.verdicts
    rows = told.keys.rows(units.keys)
    known = np.flatnonzero(rows >= 0)
    rows = rows[known]
    here = units.documents[known]
    stays = (verdicts.ids[rows] == ids[here]).all(axis=1) & (verdicts.places[rows] == units.places[known])
    known, rows = known[~stays], rows[~stays]
    owners, verdict_of, whole = _owners(
        *(units.kinds[known], units.documents[known], units.which[known], rows, ids, verdicts.ids, verdicts.places),
        *(pieces.word_offsets, pieces.line_words, pieces.line_places, pieces.paragraph_lines),
        stretch,
    )
    documents, spans, of, words = _spans(
        *(text.values, text.offsets, owners, pieces.word_offsets, pieces.word_starts, pieces.word_ends, whole),
        *(fold_table(), space_table()),
    )
    gone = np.concatenate([[0], np.cumsum(owners >= 0)])
    left = np.diff(pieces.word_offsets) - np.diff(gone[pieces.word_offsets])
    return Removals(documents, spans, verdict_of[of], words, len(known), left)


@njit(nogil=True, cache=True)
def _owners(  # type: ignore[no-untyped-def]
    kinds, documents, which, rows, ids, first_ids, first_places,
    word_offsets, line_words, line_places, paragraph_lines, stretch,
):  # fmt: skip
    """For every word the number of the removed piece that it is in, or -1; the verdict of each piece; and the place of
    each that is a line or paragraph, else -1.

    A piece is a line, a paragraph, or as many stretches in a row as are first in the same document.
    """
    owners = np.full(word_offsets[-1], -1, np.int64)
    verdicts = np.empty(len(kinds), np.int64)
    whole = np.full((len(kinds), 2), -1, np.int64)
    pieces = covered = 0
    last = -1
    for u in range(len(kinds)):
        if kinds[u] != PASSAGE:
            continue
        row, d = rows[u], documents[u]
        start, end = max(which[u], covered), which[u] + stretch
        if first_ids[row, 0] == ids[d, 0] and first_ids[row, 1] == ids[d, 1]:
            start = max(start, word_offsets[d] + first_places[row] + stretch)
        if start >= end:
            continue
        same = last >= 0 and first_ids[row, 0] == first_ids[last, 0] and first_ids[row, 1] == first_ids[last, 1]
        if not (same and start == covered):
            verdicts[pieces] = row
            pieces += 1
        owners[start:end] = pieces - 1
        covered, last = end, row
    for kind in (LINE, PARAGRAPH):
        for u in range(len(kinds)):
            if kinds[u] != kind:
                continue
            first = which[u] if kind == LINE else paragraph_lines[which[u], 0]
            stop = which[u] + 1 if kind == LINE else paragraph_lines[which[u], 1]
            owners[line_words[first, 0] : line_words[stop - 1, 1]] = pieces
            verdicts[pieces] = rows[u]
            whole[pieces, 0] = line_places[first, 0]
            whole[pieces, 1] = line_places[stop - 1, 1]
            pieces += 1
    return owners, verdicts[:pieces], whole[:pieces]


@njit(nogil=True, cache=True)
def _spans(values, offsets, owners, word_offsets, word_starts, word_ends, whole, table, space):  # type: ignore[no-untyped-def]
    """Document, bytes, piece and words of every span that goes."""
    most = 0
    for w in range(len(owners)):
        most += owners[w] >= 0 and (w == 0 or owners[w] != owners[w - 1])
    most += len(offsets)  # a piece may end one document and begin the next
    documents = np.empty(most, np.int64)
    spans = np.empty((most, 2), np.int64)
    pieces = np.empty(most, np.int64)
    words = np.empty(most, np.int64)
    count = 0
    for d in range(len(offsets) - 1):
        w, end = word_offsets[d], word_offsets[d + 1]
        while w < end:
            if owners[w] < 0:
                w += 1
                continue
            first = count
            while w < end and owners[w] >= 0:
                piece = owners[w]
                start = word_starts[w] if whole[piece, 0] < 0 else whole[piece, 0]
                words[count] = -w
                while w < end and owners[w] == piece:
                    w += 1
                documents[count] = d
                pieces[count] = piece
                words[count] += w
                spans[count, 0] = start
                spans[count, 1] = word_ends[w - 1] if whole[piece, 0] < 0 else whole[piece, 1]
                count += 1
            for k in range(first, count - 1):
                spans[k, 1] = spans[k + 1, 0]
            begin, stop = offsets[d], offsets[d + 1]
            left = left_edge(values, begin, spans[first, 0], table, space)
            right = right_edge(values, spans[count - 1, 1], stop, table, space)
            left, right = with_spaces(values, begin, left, right, stop, space)
            spans[first, 0] = left
            spans[count - 1, 1] = right
    return documents[:count], spans[:count], pieces[:count], words[:count]
