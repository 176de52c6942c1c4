"""The measurements of DCLM-Baseline: those of its RefinedWeb heuristics, as its own code takes them.

Source: Li et al. 2024, "DataComp-LM", arXiv 2406.11794; mlfoundations/dclm, its content_filters.py as
baselines/baselines_configs/dclm_baseline_refinedweb.yaml calls it. Words are those of ``str.split``, but for
``dclm.words`` and the n-grams. Lines and paragraphs (split at two newlines) are stripped and not empty.

======================  ================================================================================================
dclm.words              tokens between ASCII white space (fastText's) that begin with a letter or number
dclm.mean_word_length   mean length in code points
dclm.symbol_ratio       ``#``, ``...``, ``. . .`` and ``…`` per word
dclm.bullet_lines       share of lines that begin with ``●``, ``•``, ``*`` or ``-``
dclm.ellipsis_lines     share of lines that end in ``...``, ``. . .`` or ``…``
dclm.non_alpha_words    share of words without an alphabetic character
dclm.stop_words         how many words are one of Gopher's stop words, in any case
dclm.dup_line_frac      share of lines that occur more than once, their first time included; ``para``: of paragraphs
dclm.dup_line_char_frac code points in those, of all in lines; ``para``: in paragraphs
dclm.top_N_gram         N 2 to 4: code points in the longest of the most frequent n-grams, times its count, of those in
                        words; 0 where none occurs twice
dclm.dup_N_gram         N 5 to 10: code points of words that are part of an n-gram that occurs more than once
======================  ================================================================================================

n-grams are of words by Unicode's boundaries (UAX #29; DCLM: uniseg) that begin with a letter or number. Here they are
our own words (see `words`), joined where UAX #29 does: at one ``.`` ``:`` ``·`` or ``’`` between letters, or one ``;``
between digits. What is left to differ is rare: Katakana beside other letters, ``½`` in a number, Hebrew quotes.
"""

from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dataprep.compiled import njit
from dataprep.signals.base import ratio
from dataprep.signals.gopher import STOP_WORDS
from dataprep.steps import Step, with_columns
from dataprep.text.classes import ALPHA, DIGIT, MARK, NUMBER, SINGLE, classes
from dataprep.text.repeats import duplicate_spans, recurring_ngrams, top_ngrams
from dataprep.text.spans import stripped
from dataprep.text.utf8 import (
    BASE,
    ONE,
    Bytes,
    Hashes,
    Ints,
    Longs,
    Utf8,
    count_code_points,
    decode,
    extend_hash,
    last_character,
)
from dataprep.text.view import text_of
from dataprep.text.whitespace import chunks, fasttext_words
from dataprep.text.words import HAS_ALPHA, Words

TOP = (2, 3, 4)
REPEATED = (5, 6, 7, 8, 9, 10)
SYMBOLS = ("#", "...", ". . .", "…")

# UAX #29: MidLetter and MidNumLet, and MidNum (``.``, ``,`` and apostrophes are `words`' own)
BETWEEN_LETTERS = np.array(
    [ord(c) for c in ".:·\u2018\u2019\u2024\u2027\u0387\u055f\u05f4\ufe13\ufe52\ufe55\uff07\uff0e\uff1a"], np.int64
)
BETWEEN_DIGITS = np.array(
    [ord(c) for c in ";\u037e\u0589\u060c\u060d\u066c\u07f8\u2018\u2019\u2024\u2044\ufe10\ufe14\ufe50\ufe52\ufe54"],
    np.int64,
)

COLUMNS = pa.schema(
    [
        ("dclm.words", pa.int32()),
        ("dclm.mean_word_length", pa.float64()),
        ("dclm.symbol_ratio", pa.float64()),
        ("dclm.bullet_lines", pa.float64()),
        ("dclm.ellipsis_lines", pa.float64()),
        ("dclm.non_alpha_words", pa.float64()),
        ("dclm.stop_words", pa.int32()),
        *(
            (f"dclm.dup_{name}", pa.float64())
            for name in ("line_frac", "para_frac", "line_char_frac", "para_char_frac")
        ),
        *((f"dclm.top_{n}_gram", pa.float64()) for n in TOP),
        *((f"dclm.dup_{n}_gram", pa.float64()) for n in REPEATED),
    ]
)


class Dclm(Step):
    """Adds the ``dclm.*`` columns that DCLM-Baseline's document rules compare."""

    name: ClassVar[str] = "dclm"
    schema: ClassVar[pa.Schema] = COLUMNS

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        text = text_of(batch)
        split = text.words("white-space")
        plain, stop = _count_words(
            text.utf8.values, split.offsets, split.starts, split.sizes, split.flags, _stop_word_hashes()
        )
        split_words = np.diff(split.offsets)
        lines = stripped(text.utf8, text.newline_lines)
        bullets, ellipses = _count_lines(text.utf8.values, lines.offsets, lines.starts, lines.ends)
        values: dict[str, NDArray[Any]] = {
            "dclm.words": fasttext_words(text.utf8),
            "dclm.mean_word_length": ratio(_word_chars(split.offsets, split.chars), split_words),
            "dclm.symbol_ratio": ratio(np.sum([text.count(symbol) for symbol in SYMBOLS], axis=0), split_words),
            "dclm.bullet_lines": ratio(bullets, np.diff(lines.offsets)),
            "dclm.ellipsis_lines": ratio(ellipses, np.diff(lines.offsets)),
            "dclm.non_alpha_words": ratio(plain, split_words),
            "dclm.stop_words": stop,
        }
        for name, spans in (("line", lines), ("para", stripped(text.utf8, text.paragraphs))):
            count, duplicate_chars = duplicate_spans(text.utf8, spans, every=True)
            values[f"dclm.dup_{name}_frac"] = ratio(count, np.diff(spans.offsets))
            values[f"dclm.dup_{name}_char_frac"] = ratio(
                duplicate_chars, _span_chars(text.utf8.values, spans.offsets, spans.starts, spans.ends)
            )
        words = boundary_words(text.utf8, text.words())
        word_chars = _word_chars(words.offsets, words.chars)
        for n, top in zip(TOP, top_ngrams(words, TOP, joint=0, longest=True, least=2), strict=True):
            values[f"dclm.top_{n}_gram"] = ratio(top, word_chars)
        covered, _, _ = recurring_ngrams(words, REPEATED)
        for n, char_count in zip(REPEATED, covered, strict=True):
            values[f"dclm.dup_{n}_gram"] = ratio(char_count, word_chars)
        return with_columns(batch, COLUMNS, values)


def boundary_words(text: Utf8, words: Words) -> Words:
    """``words`` joined where UAX #29 has no boundary, those that begin with no letter or number left out."""
    return Words(
        *_join(text.values, words.offsets, words.starts, words.sizes, words.chars, words.hashes, words.flags, classes())
    )


def _stop_word_hashes() -> Hashes:
    return chunks(Utf8.of(pa.array([" ".join(STOP_WORDS)], pa.string()))).hashes


@njit(nogil=True, cache=True)
def _span_chars(values: Bytes, offsets: Longs, starts: Longs, ends: Longs) -> Longs:
    """Per document: the code points in its spans."""
    result = np.zeros(len(offsets) - 1, np.int64)
    for d in range(len(offsets) - 1):
        for span in range(offsets[d], offsets[d + 1]):
            result[d] += count_code_points(values, starts[span], ends[span])
    return result


@njit(nogil=True, cache=True)
def _word_chars(offsets: Longs, chars: Ints) -> Longs:
    """Per document: the code points in its words."""
    result = np.zeros(len(offsets) - 1, np.int64)
    for d in range(len(offsets) - 1):
        for w in range(offsets[d], offsets[d + 1]):
            result[d] += chars[w]
    return result


@njit(nogil=True, cache=True)
def _count_words(
    values: Bytes, offsets: Longs, starts: Longs, sizes: Ints, flags: Bytes, stop_words: Hashes
) -> tuple[Longs, Longs]:
    """Per document: words without a letter, and stop words in any case."""
    plain = np.zeros(len(offsets) - 1, np.int64)
    stop = np.zeros(len(offsets) - 1, np.int64)
    for d in range(len(offsets) - 1):
        for w in range(offsets[d], offsets[d + 1]):
            plain[d] += (flags[w] & HAS_ALPHA) == 0
            if sizes[w] > 4:  # the longest stop word
                continue
            hashed = np.uint64(0)
            for i in range(starts[w], starts[w] + sizes[w]):
                byte = values[i] | 0x20 if 0x41 <= values[i] <= 0x5A else values[i]
                hashed = hashed * BASE + (np.uint64(byte) + ONE)
            for k in range(len(stop_words)):
                stop[d] += hashed == stop_words[k]
    return plain, stop


@njit(nogil=True, cache=True)
def _count_lines(values: Bytes, offsets: Longs, starts: Longs, ends: Longs) -> tuple[Longs, Longs]:
    """Per document: lines that begin with a bullet, lines that end in an ellipsis; no line is empty."""
    bullets = np.zeros(len(offsets) - 1, np.int64)
    ellipses = np.zeros(len(offsets) - 1, np.int64)
    for d in range(len(offsets) - 1):
        for line in range(offsets[d], offsets[d + 1]):
            end = ends[line]
            first = decode(values, starts[line], end)[0]
            bullets[d] += first in (0x25CF, 0x2022, 0x2A, 0x2D)
            last = decode(values, last_character(values, starts[line], end), end)[0]
            size = end - starts[line]
            tight = size >= 3 and last == 0x2E and values[end - 2] == 0x2E and values[end - 3] == 0x2E
            wide = (
                size >= 5
                and last == 0x2E
                and values[end - 2] == 0x20
                and values[end - 3] == 0x2E
                and values[end - 4] == 0x20
                and values[end - 5] == 0x2E
            )
            ellipses[d] += last == 0x2026 or tight or wide
    return bullets, ellipses


@njit(nogil=True, cache=True)
def _joins(code: int, left: int, right: int, table: Bytes) -> bool:
    """Whether UAX #29 has no boundary around ``code`` between two such characters."""
    if table[left] & table[right] & DIGIT:
        return code in BETWEEN_DIGITS
    return (
        (table[left] & table[right] & ALPHA) != 0
        and not ((table[left] | table[right]) & SINGLE)
        and code in BETWEEN_LETTERS
    )


@njit(nogil=True, cache=True)
def _join(
    values: Bytes,
    offsets: Longs,
    starts: Longs,
    sizes: Ints,
    chars: Ints,
    hashes: Hashes,
    flags: Bytes,
    table: Bytes,
) -> tuple[Longs, Longs, Ints, Ints, Hashes, Bytes]:
    new_offsets = np.zeros(len(offsets), np.int64)
    new_starts = np.empty_like(starts)
    new_sizes = np.empty_like(sizes)
    new_chars = np.empty_like(chars)
    new_hashes = np.empty_like(hashes)
    new_flags = np.empty_like(flags)
    count = 0
    for d in range(len(offsets) - 1):
        w = offsets[d]
        last_word = offsets[d + 1]
        while w < last_word:
            end = starts[w] + sizes[w]
            if not table[decode(values, starts[w], end)[0]] & (ALPHA | NUMBER):
                w += 1
                continue
            new_starts[count] = starts[w]
            new_chars[count] = chars[w]
            new_hashes[count] = hashes[w]
            new_flags[count] = flags[w]
            while w + 2 < last_word and chars[w + 1] == 1 and starts[w + 1] == end:
                joint = decode(values, end, end + sizes[w + 1])[0]
                after = end + sizes[w + 1]
                if starts[w + 2] != after:
                    break
                before = last_character(values, starts[w], end)
                while before > starts[w] and table[decode(values, before, end)[0]] & MARK:
                    before = last_character(values, starts[w], before)
                left = decode(values, before, end)[0]
                right = decode(values, after, after + sizes[w + 2])[0]
                if not _joins(joint, left, right, table):
                    break
                end = after + sizes[w + 2]
                new_hashes[count] = extend_hash(new_hashes[count], values, starts[w + 1], end)
                new_chars[count] += 1 + chars[w + 2]
                new_flags[count] |= flags[w + 2]
                w += 2
            new_sizes[count] = end - new_starts[count]
            count += 1
            w += 1
        new_offsets[d + 1] = count
    return (
        new_offsets,
        new_starts[:count],
        new_sizes[:count],
        new_chars[:count],
        new_hashes[:count],
        new_flags[:count],
    )
