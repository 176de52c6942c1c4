"""Words, lines and paragraphs of a batch of texts, each with a hash of its words and its place in the bytes.

Words are ``words-1`` (`dataprep.dedup.words`): runs of letters, digits and underscores in lower case. Lines end at a
newline; one of white space alone is none, but ends a paragraph. A line's place is without the white space around it.

What decides that text is deleted is hashed twice, 128 bits: a word as xxh3 of its bytes and as xxh3 of its bytes and a
space. Two different passages are mistaken for one with odds of 2**-128 a pair: among 10**12 passages, 1 in 10**14.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from dataprep.compiled import njit
from dataprep.dedup.words import fold_words, space_table
from dataprep.text.fold import fold_table
from dataprep.text.utf8 import Bytes, Hashes, Longs, Utf8, decode
from dataprep.text.xxh3 import xxh3

NEWLINE = 0x0A
_LETTER, _SPACE, _MARK, _LONG = 0, 1, 2, 3  # characters, and a byte that is only a part of one


@dataclass(frozen=True)
class Cut:
    """Pieces of all documents, one after the other; those of document d are ``offsets[d]`` to ``offsets[d + 1]``."""

    word_offsets: Longs
    hashes: Hashes  # (2, words)
    word_starts: Longs  # bytes in the column's values
    word_ends: Longs
    line_offsets: Longs
    line_places: Longs  # (lines, 2)
    line_words: Longs  # (lines, 2): the first word, and the one after the last
    letters: Longs  # letters, digits and underscores of each line
    paragraph_offsets: Longs
    paragraph_lines: Longs  # (paragraphs, 2): the first line, and the one after the last


def cut(text: Utf8) -> Cut:
    """The words, lines and paragraphs of every document."""
    words, lines = _room(text.values, text.offsets, _kinds())
    return Cut(*_cut(text.values, text.offsets, _kinds(), fold_table(), space_table(), words, lines))


@cache
def _kinds() -> Bytes:
    """uint8[256]: what a byte is, if it is a character of its own."""
    kinds = np.full(256, _LONG, np.uint8)
    kinds[:128] = np.where(fold_table()[:128] != 0, _LETTER, np.where(space_table()[:128], _SPACE, _MARK))
    return kinds


@njit(nogil=True, cache=True)
def _room(values: Bytes, offsets: Longs, kinds: Bytes) -> tuple[int, int]:
    """At most so many words and lines: a word begins at the first byte of a text or after a byte that may end one."""
    words = lines = len(offsets) - 1
    before = _LETTER
    for i in range(offsets[0], offsets[len(offsets) - 1]):
        kind = kinds[values[i]]
        words += ((kind == _LETTER) & (before != _LETTER)) | (values[i] >= 0xC0)
        lines += values[i] == NEWLINE
        before = kind
    return words, lines


@njit(nogil=True, cache=True)
def _cut(values, offsets, kinds, table, space, most_words, most_lines):  # type: ignore[no-untyped-def]
    documents = len(offsets) - 1
    word_offsets = np.zeros(documents + 1, np.int64)
    line_offsets = np.zeros(documents + 1, np.int64)
    paragraph_offsets = np.zeros(documents + 1, np.int64)
    hashes = np.empty((2, most_words), np.uint64)
    begins = np.empty(most_words + 1, np.int64)
    ends = np.empty(most_words + 1, np.int64)  # that of word w is in w + 1
    line_places = np.empty((most_lines, 2), np.int64)
    line_words = np.empty((most_lines, 2), np.int64)
    letters = np.empty(most_lines, np.int64)
    paragraphs = np.empty((most_lines, 2), np.int64)
    longest = 0
    for d in range(documents):
        longest = max(longest, offsets[d + 1] - offsets[d])
    folded = np.empty(2 * longest + 2, np.uint8)
    starts = np.empty(longest // 2 + 3, np.int64)
    words = lines = count = word_stop = 0
    for d in range(documents):
        found, _ = fold_words(values, offsets[d], offsets[d + 1], table, folded, starts)
        for k in range(found):
            hashes[0, words + k] = xxh3(folded, starts[k], starts[k + 1] - 1)
            hashes[1, words + k] = xxh3(folded, starts[k], starts[k + 1])
        i = offsets[d]
        end = offsets[d + 1]
        start = never = end + 1  # of the line's text
        stop = i
        first, inside, in_line, goes_on = words, 0, 0, False
        # as in `fold_words`: places beyond the last are written and overwritten, so few branches depend on the text
        while i <= end:
            if i == end or values[i] == NEWLINE:
                if start != never:
                    line_places[lines, 0], line_places[lines, 1] = start, stop
                    line_words[lines, 0], line_words[lines, 1] = first, words
                    letters[lines] = in_line
                    if not goes_on:
                        paragraphs[count, 0] = lines
                        count += 1
                    lines += 1
                    paragraphs[count - 1, 1] = lines
                goes_on = start != never
                start, first, inside, in_line = never, words, 0, 0
                i += 1
                continue
            kind, size = kinds[values[i]], 1
            if kind == _LONG:
                code, size = decode(values, i, end)
                kind = _SPACE if code < space.size and space[code] else _MARK
                kind = _LETTER if table[code] != 0 else kind
            letter = int(kind == _LETTER)
            begins[words] = i
            words += letter & (1 - inside)
            in_line += letter
            inside = letter
            start = min(start, i) if kind != _SPACE else start
            i += size
            stop = i if kind != _SPACE else stop
            word_stop = i if letter else word_stop
            ends[words] = word_stop
        word_offsets[d + 1] = words
        line_offsets[d + 1] = lines
        paragraph_offsets[d + 1] = count
    return (
        *(word_offsets, hashes[:, :words], begins[:words], ends[1 : words + 1]),
        *(line_offsets, line_places[:lines], line_words[:lines], letters[:lines]),
        *(paragraph_offsets, paragraphs[:count]),
    )
