"""Gopher's quality measurements: document length, word length, symbols, bullets, ellipses, alphabetic and stop words.

Source: Rae et al. 2021, "Scaling Language Models: Methods, Analysis & Insights from Training Gopher", arXiv
2112.11446, appendix A.1.1. Where it leaves a choice we take datatrove's (0.10, gopher_quality_filter.py).

==========================  ============================================================================================
gopher.words                words with a letter or a number
gopher.mean_word_length     mean length in code points of the words counted in ``gopher.words``
gopher.hash_ratio           ``#`` per word; here and below also a symbol run that stands alone is a word
gopher.ellipsis_ratio       ``...`` (not overlapping) and ``…`` per word
gopher.bullet_lines         share of lines (``splitlines``) whose first character after white space is ``•`` or ``-``
gopher.ellipsis_lines       share of lines that end, before white space, in ``...`` or ``…``
gopher.alpha_words          share of all words that have an alphabetic character
gopher.stop_words           how many different of: the be to of and that have with (exactly so written)
==========================  ============================================================================================
"""

from typing import ClassVar

import numpy as np
import pyarrow as pa

from dataprep.compiled import njit
from dataprep.signals.base import OfWords, ratio
from dataprep.steps import with_columns
from dataprep.text.classes import classes
from dataprep.text.spans import drop_spaces, skip_spaces
from dataprep.text.utf8 import Bytes, Hashes, Ints, Longs, Utf8
from dataprep.text.view import text_of
from dataprep.text.words import HAS_ALPHA, HAS_CONTENT, IN_DENOMINATOR, segment

STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")

FULL_STOP = 0x2E


COLUMNS = pa.schema(
    [
        ("gopher.words", pa.int32()),
        ("gopher.mean_word_length", pa.float64()),
        ("gopher.hash_ratio", pa.float64()),
        ("gopher.ellipsis_ratio", pa.float64()),
        ("gopher.bullet_lines", pa.float64()),
        ("gopher.ellipsis_lines", pa.float64()),
        ("gopher.alpha_words", pa.float64()),
        ("gopher.stop_words", pa.int32()),
    ]
)


class GopherQuality(OfWords):
    """Adds the ``gopher.*`` columns."""

    name: ClassVar[str] = "gopher_quality"
    schema: ClassVar[pa.Schema] = COLUMNS

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        text = text_of(batch)
        words, lines = text.words(self.words), text.python_lines
        content, chars, all_words, alpha, stop = _count_words(
            words.offsets, words.sizes, words.chars, words.hashes, words.flags, _stop_word_hashes()
        )
        bullets, ellipses = _count_lines(text.utf8.values, lines.offsets, lines.starts, lines.ends, classes())
        line_count = np.diff(lines.offsets)
        return with_columns(
            batch,
            COLUMNS,
            {
                "gopher.words": content,
                "gopher.mean_word_length": ratio(chars, content),
                "gopher.hash_ratio": ratio(text.count("#"), all_words),
                "gopher.ellipsis_ratio": ratio(text.count("...") + text.count("…"), all_words),
                "gopher.bullet_lines": ratio(bullets, line_count),
                "gopher.ellipsis_lines": ratio(ellipses, line_count),
                "gopher.alpha_words": ratio(alpha, all_words),
                "gopher.stop_words": stop,
            },
        )


def _stop_word_hashes() -> Hashes:
    return segment(Utf8.of(pa.array([" ".join(STOP_WORDS)], pa.string()))).hashes


@njit(nogil=True, cache=True)
def _count_words(
    offsets: Longs, sizes: Ints, chars: Ints, hashes: Hashes, flags: Bytes, stop_words: Hashes
) -> tuple[Longs, Longs, Longs, Longs, Longs]:
    """Per document: words with content, their code points, all words, words with a letter, different stop words."""
    documents = len(offsets) - 1
    content = np.zeros(documents, np.int64)
    content_chars = np.zeros(documents, np.int64)
    total = np.zeros(documents, np.int64)
    alpha = np.zeros(documents, np.int64)
    stop = np.zeros(documents, np.int64)
    for d in range(documents):
        found = 0
        for w in range(offsets[d], offsets[d + 1]):
            if flags[w] & HAS_CONTENT:
                content[d] += 1
                content_chars[d] += chars[w]
            total[d] += (flags[w] & IN_DENOMINATOR) != 0
            alpha[d] += (flags[w] & HAS_ALPHA) != 0
            if sizes[w] <= 4:  # the longest stop word
                for k in range(len(stop_words)):
                    if hashes[w] == stop_words[k]:
                        found |= 1 << k
        while found:
            stop[d] += found & 1
            found >>= 1
    return content, content_chars, total, alpha, stop


@njit(nogil=True, cache=True)
def _count_lines(values: Bytes, offsets: Longs, starts: Longs, ends: Longs, table: Bytes) -> tuple[Longs, Longs]:
    """Per document: lines that begin with a bullet, lines that end in an ellipsis."""
    documents = len(offsets) - 1
    bullets = np.zeros(documents, np.int64)
    ellipses = np.zeros(documents, np.int64)
    for d in range(documents):
        for line in range(offsets[d], offsets[d + 1]):
            start = skip_spaces(values, starts[line], ends[line], table)
            end = drop_spaces(values, start, ends[line], table)
            if start == end:
                continue
            size = end - start
            bullets[d] += values[start] == 0x2D
            if size >= 3:
                bullets[d] += values[start] == 0xE2 and values[start + 1] == 0x80 and values[start + 2] == 0xA2
                dots = values[end - 3] == FULL_STOP and values[end - 2] == FULL_STOP and values[end - 1] == FULL_STOP
                one = values[end - 3] == 0xE2 and values[end - 2] == 0x80 and values[end - 1] == 0xA6
                ellipses[d] += dots or one
    return bullets, ellipses
