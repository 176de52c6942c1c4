"""From texts to what shingles are cut from: the named definitions of a word.

Each is a rewriting of the texts, a table of what stands for each character in a word (0 ends one), and whether two
word ends in a row have an empty word between them.

| name | words |
| --- | --- |
| ``words-1`` | see `words` |
| ``datatrove-0.10`` | ``simplify_text(text).split()`` |
| ``datatrove-en-0.10`` | datatrove's: the tokens of its English tokenizer, ``spacy.blank("en")``, of the same |
| ``text-dedup-0.4`` | ``re.split(r"\\W", text.lower())`` |
| ``bigcode-1`` | ``re.split("[^A-Za-z_0-9]", text)`` |
| ``redpajama-2`` | ``normalize(text).split()`` |

A shingle's bytes are the UTF-8 of its words joined by one space, in every definition.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from dataprep.compiled import njit
from dataprep.dedup.settings import NormalisationName
from dataprep.dedup.simplify import plain, simplify
from dataprep.text import view
from dataprep.text.chunks import segment_spacy
from dataprep.text.fold import fold_table
from dataprep.text.lower import lower
from dataprep.text.utf8 import Bytes, Ints, Longs, Utf8, frozen


@dataclass(frozen=True)
class Normalisation:
    """A definition of words."""

    rewrite: Callable[[Utf8], Utf8]
    table: Callable[[], Ints]  # int32[0x110000]
    empty_words: bool = False


def unchanged(text: Utf8) -> Utf8:
    return text


def english_tokens(text: Utf8) -> Utf8:
    """The tokens of the simplified texts, a space between two."""
    simplified = simplify(text)
    words = segment_spacy(simplified)
    values, offsets = _spaced(simplified.values, words.offsets, words.starts, words.sizes)
    return Utf8(frozen(values), offsets)


@cache
def between_spaces() -> Ints:
    table = np.arange(0x110000, dtype=np.int32)
    table[ord(" ")] = 0
    return table


@cache
def word_characters() -> Ints:
    r"""What ``\w`` matches, as it is."""
    return np.where(fold_table() != 0, np.arange(0x110000, dtype=np.int32), np.int32(0))


@cache
def ascii_word_characters() -> Ints:
    table = word_characters().copy()
    table[128:] = 0
    return table


NORMALISATIONS: dict[NormalisationName, Normalisation] = {
    "words-1": Normalisation(unchanged, fold_table),
    "datatrove-0.10": Normalisation(simplify, between_spaces),
    "datatrove-en-0.10": Normalisation(english_tokens, between_spaces),
    "text-dedup-0.4": Normalisation(lower, word_characters, empty_words=True),
    "bigcode-1": Normalisation(unchanged, ascii_word_characters, empty_words=True),
    "redpajama-2": Normalisation(plain, between_spaces),
}


def libraries_of(name: NormalisationName) -> dict[str, str]:
    """The libraries, with their versions, whose rules decide what a word is."""
    return view.libraries_of("spacy-en") if name == "datatrove-en-0.10" else {}


@njit(nogil=True, cache=True)
def _spaced(values: Bytes, word_offsets: Longs, starts: Longs, sizes: Ints) -> tuple[Bytes, Longs]:
    out = np.empty(sizes.sum() + len(sizes), np.uint8)
    limits = np.zeros(len(word_offsets), np.int64)
    used = 0
    for d in range(len(word_offsets) - 1):
        for w in range(word_offsets[d], word_offsets[d + 1]):
            for i in range(starts[w], starts[w] + sizes[w]):
                out[used] = values[i]
                used += 1
            out[used] = 32
            used += 1
        limits[d + 1] = used
    return out, limits
