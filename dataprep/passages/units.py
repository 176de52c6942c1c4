"""What may be repeated: lines, paragraphs and stretches of n words of a batch, each with the key of its words.

A key is 128 bits, two independent halves (see `cut`); kinds have different keys for the same words. A unit's place is
the number of its first word in its document, so what is first in the corpus is known by document id and place alone.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dataprep.compiled import njit
from dataprep.passages.anchors import anchor_words, anchors_of, mixed, run_hashes
from dataprep.passages.cut import Cut
from dataprep.passages.settings import PassageSettings
from dataprep.text.utf8 import Bytes, Hashes, Longs

PARAGRAPH, LINE, PASSAGE = 0, 1, 2  # a place that is several of them goes as the first
KINDS = (PARAGRAPH, LINE, PASSAGE)
REASONS = ("repeated_paragraph", "repeated_line", "repeated_passage")


@dataclass(frozen=True)
class Units:
    """Kind, key, document and place of every unit, and where it is in its `Cut`."""

    kinds: Bytes
    keys: Hashes  # (n, 2)
    documents: Longs  # the row in the batch
    places: Longs
    which: Longs  # the paragraph, the line or the first word

    @classmethod
    def concatenate(cls, parts: "list[Units]") -> "Units":
        return cls(
            np.concatenate([np.empty(0, np.uint8), *(part.kinds for part in parts)]),
            np.concatenate([np.empty((0, 2), np.uint64), *(part.keys for part in parts)]),
            *(
                np.concatenate([np.empty(0, np.int64), *(getattr(part, name) for part in parts)])
                for name in ("documents", "places", "which")
            ),
        )


def limits(settings: PassageSettings) -> tuple[int | None, int | None, int | None]:
    """By kind: how many times a unit may be there; None where the kind is not looked for."""
    return settings.paragraphs, settings.lines, None if settings.substring_tokens is None else 1


def units_of(pieces: Cut, repeated: Hashes, settings: PassageSettings) -> Units:
    """The units of a batch that the corpus may have more than once; ``repeated`` are the anchors it has so, sorted."""
    found = []
    if settings.paragraphs is not None:
        lines = pieces.paragraph_lines
        words = np.column_stack([pieces.line_words[lines[:, 0], 0], pieces.line_words[lines[:, 1] - 1, 1]])
        sums = np.concatenate([[0], np.cumsum(pieces.letters)])
        enough = sums[lines[:, 1]] - sums[lines[:, 0]] >= settings.characters
        found.append(_whole(PARAGRAPH, pieces, pieces.paragraph_offsets, words, enough))
    if settings.lines is not None:
        enough = pieces.letters >= settings.characters
        found.append(_whole(LINE, pieces, pieces.line_offsets, pieces.line_words, enough))
    if settings.substring_tokens is not None:
        n = settings.substring_tokens
        documents, which, keys = _stretches(pieces.hashes, pieces.word_offsets, n, anchor_words(n), repeated)
        places = which - pieces.word_offsets[documents]
        found.append(Units(np.full(len(which), PASSAGE, np.uint8), keys, documents, places, which))
    return Units.concatenate(found)


def _whole(kind: int, pieces: Cut, offsets: Longs, words: Longs, enough: NDArray[np.bool_]) -> Units:
    which = np.flatnonzero(enough)
    documents = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))[which]
    places = words[which, 0] - pieces.word_offsets[documents]
    kinds = np.full(len(which), kind, np.uint8)
    return Units(kinds, _keys(pieces.hashes, words[which], kind), documents, places, which)


@njit(nogil=True, cache=True)
def _keys(hashes: Hashes, words: Longs, kind: int) -> Hashes:
    """The key of every run ``words`` (n, 2) of words."""
    keys = np.empty((len(words), 2), np.uint64)
    for half in range(2):
        for i in range(len(words)):
            key = np.uint64(kind + 1)
            for word in range(words[i, 0], words[i, 1]):
                key = mixed(key, hashes[half, word])
            keys[i, half] = key
    return keys


@njit(nogil=True, cache=True)
def _stretches(hashes, offsets, n, size, repeated):  # type: ignore[no-untyped-def]
    """Document, first word and key of every stretch of ``n`` words whose anchor is one of ``repeated``."""
    documents = np.empty(hashes.shape[1], np.int64)
    firsts = np.empty(hashes.shape[1], np.int64)
    keys = np.empty((hashes.shape[1], 2), np.uint64)
    count = 0
    for d in range(len(offsets) - 1):
        start, end = offsets[d], offsets[d + 1]
        if end - start < n or repeated.size == 0:
            continue
        places, runs = anchors_of(hashes[0, start:end], n, size)
        begin = count
        last = -1
        wanted = False
        for i in range(places.size):
            if places[i] != last:
                last = places[i]
                at = np.searchsorted(repeated, runs[last])
                wanted = at < repeated.size and repeated[at] == runs[last]
            if wanted:
                documents[count] = d
                firsts[count] = start + i
                count += 1
        if count == begin:
            continue
        for half in range(2):
            whole = run_hashes(hashes[half, start:end], n)
            for k in range(begin, count):
                keys[k, half] = whole[firsts[k] - start]
    return documents[:count], firsts[:count], keys[:count].copy()
