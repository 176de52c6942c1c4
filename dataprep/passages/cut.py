"""Words, lines and paragraphs of a batch of texts, each with a hash of its words and its place in the bytes.

Words are ``words-1`` (`dataprep.dedup.words`): runs of letters, digits and underscores in lower case. Lines end at a
newline; one of white space alone is none, but ends a paragraph. A line's place is without the white space around it.

What decides that text is deleted is hashed twice, 128 bits: a word as xxh3 of its bytes and as xxh3 of its bytes and a
space. Two different passages are mistaken for one with odds of 2**-128 a pair: among 10**12 passages, 1 in 10**14.
"""

from dataclasses import dataclass

import numpy as np

from dataprep.compiled import njit
from dataprep.dedup.hashing import xxh3
from dataprep.dedup.words import fold_words, space_table
from dataprep.text.fold import fold_table
from dataprep.text.utf8 import Bytes, Hashes, Ints, Longs, Utf8, decode

NEWLINE = 0x0A


@dataclass(frozen=True)
class Cut:
    """Pieces of all documents, one after the other; those of document d are ``offsets[d]`` to ``offsets[d + 1]``."""

    word_offsets: Longs
    hashes: Hashes  # (2, words)
    word_places: Longs  # (words, 2): where each begins and ends, bytes in the column's values
    line_offsets: Longs
    line_places: Longs  # (lines, 2)
    line_words: Longs  # (lines, 2): the first word, and the one after the last
    letters: Longs  # letters, digits and underscores of each line
    paragraph_offsets: Longs
    paragraph_lines: Longs  # (paragraphs, 2): the first line, and the one after the last


def cut(text: Utf8) -> Cut:
    """The words, lines and paragraphs of every document."""
    table = fold_table()
    words, lines = _room(text.values, text.offsets, table)
    return Cut(*_cut(text.values, text.offsets, table, space_table(), words, lines))


@njit(nogil=True, cache=True)
def _room(values: Bytes, offsets: Longs, table: Ints) -> tuple[int, int]:
    """At most so many words and lines: a word begins at the first byte of a text or after a byte that may end one."""
    words = lines = len(offsets) - 1
    inside = True
    for i in range(offsets[0], offsets[len(offsets) - 1]):
        byte = values[i]
        letter = byte < 0x80 and table[byte] != 0
        words += (letter and not inside) or byte >= 0xC0
        inside = letter
        lines += byte == NEWLINE
    return words, lines


@njit(nogil=True, cache=True)
def _cut(values, offsets, table, space, most_words, most_lines):  # type: ignore[no-untyped-def]
    documents = len(offsets) - 1
    word_offsets = np.zeros(documents + 1, np.int64)
    line_offsets = np.zeros(documents + 1, np.int64)
    paragraph_offsets = np.zeros(documents + 1, np.int64)
    hashes = np.empty((2, most_words), np.uint64)
    places = np.empty((most_words, 2), np.int64)
    line_places = np.empty((most_lines, 2), np.int64)
    line_words = np.empty((most_lines, 2), np.int64)
    letters = np.zeros(most_lines, np.int64)
    paragraphs = np.empty((most_lines, 2), np.int64)
    longest = 0
    for d in range(documents):
        longest = max(longest, offsets[d + 1] - offsets[d])
    folded = np.empty(2 * longest + 2, np.uint8)
    starts = np.empty(longest // 2 + 3, np.int64)
    words = lines = count = 0
    for d in range(documents):
        found, _ = fold_words(values, offsets[d], offsets[d + 1], table, folded, starts)
        for k in range(found):
            hashes[0, words + k] = xxh3(folded, starts[k], starts[k + 1] - 1)
            hashes[1, words + k] = xxh3(folded, starts[k], starts[k + 1])
        i = offsets[d]
        end = offsets[d + 1]
        inside = in_line = in_paragraph = False
        while i < end:
            byte = values[i]
            if byte < 0x80:
                code, size = np.int64(byte), 1
            else:
                code, size = decode(values, i, end)
            if code < space.size and space[code]:
                inside = False
                if code == NEWLINE:
                    in_paragraph = in_paragraph and in_line
                    lines += in_line
                    in_line = False
                i += size
                continue
            if not in_line:
                in_line = True
                line_places[lines, 0] = i
                line_words[lines, 0] = words
                line_words[lines, 1] = words
                if not in_paragraph:
                    in_paragraph = True
                    paragraphs[count, 0] = lines
                    count += 1
                paragraphs[count - 1, 1] = lines + 1
            if table[code] != 0:
                letters[lines] += 1
                if not inside:
                    places[words, 0] = i
                    words += 1
                    line_words[lines, 1] = words
                inside = True
                places[words - 1, 1] = i + size
            else:
                inside = False
            i += size
            line_places[lines, 1] = i
        lines += in_line
        word_offsets[d + 1] = words
        line_offsets[d + 1] = lines
        paragraph_offsets[d + 1] = count
    return (
        *(word_offsets, hashes[:, :words], places[:words]),
        *(line_offsets, line_places[:lines], line_words[:lines], letters[:lines]),
        *(paragraph_offsets, paragraphs[:count]),
    )
