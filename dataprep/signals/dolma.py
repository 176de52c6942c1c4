"""Gopher's measurements as the Dolma toolkit takes them: its tagger ``gopher_v2``, value by value.

Source: Soldaini et al. 2024, "Dolma", arXiv 2402.00159; allenai/dolma 1.2.1, python/dolma/taggers/gopher.py, of which
every value is reproduced, rounded to 5 decimals as its taggers write them. Words are those of ``str.split``; an
n-gram's length has no spaces; whatever occurs more than once counts with its first occurrence.

==========================  ============================================================================================
dolma.words                 words
dolma.median_word_length    median of their lengths in code points
dolma.symbol_ratio          share of words with a ``#`` or a ``…``
dolma.alpha_words           share of words with an alphabetic character
dolma.required_words        how many words are one of Gopher's stop words, exactly so written
dolma.bullet_lines          share of lines (split at runs of newlines) whose very first character is ``*`` or ``-``
dolma.ellipsis_lines        share of lines whose very last character is ``…``
dolma.dup_line_frac         share of lines that occur more than once
dolma.dup_line_char_frac    code points in those, per code point in words (so it can be above 1)
dolma.top_N_gram            N 2 to 4: code points in the most frequent n-gram times its count, of those in words
dolma.dup_N_gram            N 5 to 10: code points in n-grams that occur more than once, of those in all n-grams
==========================  ============================================================================================
"""

from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dataprep.compiled import njit
from dataprep.signals.base import ratio
from dataprep.signals.gopher import STOP_WORDS
from dataprep.steps import Step, with_columns
from dataprep.text.repeats import duplicate_spans, recurring_ngrams, top_ngrams
from dataprep.text.utf8 import Bytes, Hashes, Ints, Longs, Utf8
from dataprep.text.view import text_of
from dataprep.text.whitespace import chunks
from dataprep.text.words import HAS_ALPHA

TOP = (2, 3, 4)
REPEATED = (5, 6, 7, 8, 9, 10)
DECIMALS = 5  # TAGGER_SCORE_PRECISION in dolma/core/taggers.py

COLUMNS = pa.schema(
    [
        ("dolma.words", pa.int32()),
        ("dolma.median_word_length", pa.float64()),
        ("dolma.symbol_ratio", pa.float64()),
        ("dolma.alpha_words", pa.float64()),
        ("dolma.required_words", pa.int32()),
        ("dolma.bullet_lines", pa.float64()),
        ("dolma.ellipsis_lines", pa.float64()),
        ("dolma.dup_line_frac", pa.float64()),
        ("dolma.dup_line_char_frac", pa.float64()),
        *((f"dolma.top_{n}_gram", pa.float64()) for n in TOP),
        *((f"dolma.dup_{n}_gram", pa.float64()) for n in REPEATED),
    ]
)


class Dolma(Step):
    """Adds the ``dolma.*`` columns."""

    name: ClassVar[str] = "dolma"
    schema: ClassVar[pa.Schema] = COLUMNS

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        text = text_of(batch)
        words, lines = text.words("white-space"), text.newline_run_lines
        chars, medians, symbols, alpha, required = _count_words(
            text.utf8.values,
            words.offsets,
            words.starts,
            words.sizes,
            words.chars,
            words.hashes,
            words.flags,
            chunks(Utf8.of(pa.array([" ".join(STOP_WORDS)], pa.string()))).hashes,
        )
        bullets, ellipses = _count_lines(text.utf8.values, lines.offsets, lines.starts, lines.ends)
        duplicates, duplicate_chars = duplicate_spans(text.utf8, lines, every=True)
        # the tagger measures nothing in a text without a character, where we have one empty line
        duplicates, duplicate_chars = duplicates * (text.code_points > 0), duplicate_chars * (text.code_points > 0)
        word_count, line_count = np.diff(words.offsets), np.diff(lines.offsets)
        per_char = np.maximum(chars, 1)
        values: dict[str, NDArray[Any]] = {
            "dolma.median_word_length": medians,
            "dolma.symbol_ratio": ratio(symbols, word_count),
            "dolma.alpha_words": ratio(alpha, word_count),
            "dolma.bullet_lines": ratio(bullets, line_count),
            "dolma.ellipsis_lines": ratio(ellipses, line_count),
            "dolma.dup_line_frac": ratio(duplicates, line_count),
            "dolma.dup_line_char_frac": ratio(duplicate_chars, per_char),
        }
        for n, top in zip(TOP, top_ngrams(words, TOP, joint=0), strict=True):
            values[f"dolma.top_{n}_gram"] = ratio(top, per_char)
        _, recurring, every = recurring_ngrams(words, REPEATED)
        for k, n in enumerate(REPEATED):
            values[f"dolma.dup_{n}_gram"] = ratio(recurring[k], every[k])
        values = {name: _rounded(value) for name, value in values.items()}
        return with_columns(batch, COLUMNS, {**values, "dolma.words": word_count, "dolma.required_words": required})


def _rounded(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """``round(value, DECIMALS)`` as Python computes it, element by element."""
    scaled = values * 10**DECIMALS
    result = np.rint(scaled) / 10**DECIMALS
    # where scaling itself may have decided between two neighbours, Python looks at the exact value
    for i in np.flatnonzero(np.abs(scaled - np.floor(scaled) - 0.5) < 1e-6):
        result[i] = round(float(values[i]), DECIMALS)
    return result


@njit(nogil=True, cache=True)
def _count_words(
    values: Bytes,
    offsets: Longs,
    starts: Longs,
    sizes: Ints,
    chars: Ints,
    hashes: Hashes,
    flags: Bytes,
    required_words: Hashes,
) -> tuple[Longs, NDArray[np.float64], Longs, Longs, Longs]:
    """Per document: code points in words, median length, words with a symbol, words with a letter, required words."""
    documents = len(offsets) - 1
    total = np.zeros(documents, np.int64)
    medians = np.zeros(documents, np.float64)
    symbols = np.zeros(documents, np.int64)
    alpha = np.zeros(documents, np.int64)
    required = np.zeros(documents, np.int64)
    for d in range(documents):
        for w in range(offsets[d], offsets[d + 1]):
            total[d] += chars[w]
            alpha[d] += (flags[w] & HAS_ALPHA) != 0
            end = starts[w] + sizes[w]
            for i in range(starts[w], end):
                hash_sign = values[i] == 0x23
                if hash_sign or (values[i] == 0xE2 and i + 2 < end and values[i + 1] == 0x80 and values[i + 2] == 0xA6):
                    symbols[d] += 1
                    break
            if sizes[w] <= 4:  # the longest required word
                for k in range(len(required_words)):
                    required[d] += hashes[w] == required_words[k]
        n = offsets[d + 1] - offsets[d]
        if n:
            ordered = np.sort(chars[offsets[d] : offsets[d + 1]])
            medians[d] = (ordered[(n - 1) // 2] + ordered[n // 2]) / 2
    return total, medians, symbols, alpha, required


@njit(nogil=True, cache=True)
def _count_lines(values: Bytes, offsets: Longs, starts: Longs, ends: Longs) -> tuple[Longs, Longs]:
    """Per document: lines that begin with a bullet, lines that end in an ellipsis."""
    documents = len(offsets) - 1
    bullets = np.zeros(documents, np.int64)
    ellipses = np.zeros(documents, np.int64)
    for d in range(documents):
        for line in range(offsets[d], offsets[d + 1]):
            start = starts[line]
            end = ends[line]
            if start < end:
                bullets[d] += values[start] == 0x2A or values[start] == 0x2D
            if end - start >= 3:
                ellipses[d] += values[end - 3] == 0xE2 and values[end - 2] == 0x80 and values[end - 1] == 0xA6
    return bullets, ellipses
