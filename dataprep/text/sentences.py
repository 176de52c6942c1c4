"""Counting sentences as spaCy's rule-based sentencizer does, from the words that are there already.

A sentence begins with the first token after an end (one of the library's ``default_punct_chars``) that is neither an
end nor punctuation (Unicode category P). spaCy has tokens of white space, too, which begin a sentence like any other:
one space after a word belongs to the word, what else there is between two words is a token.
"""

import unicodedata
from functools import cache

import numpy as np

from dataprep.compiled import njit
from dataprep.text.spacy_rules import import_spacy
from dataprep.text.utf8 import Bytes, Ints, Longs, Utf8, decode
from dataprep.text.words import Words

SPACE_BYTE = 0x20
END = 1  # of the table: ends a sentence
PUNCTUATION = 2  # category P


def count_sentences(text: Utf8, words: Words) -> Longs:
    """int64 per document, at least 1. ``words`` are those of ``text`` by the definition ``spacy-en``."""
    return _count_sentences(text.values, text.offsets, words.offsets, words.starts, words.sizes, _table())


@cache
def _table() -> Bytes:
    import_spacy()
    from spacy.pipeline import Sentencizer

    table = np.fromiter(
        (PUNCTUATION * unicodedata.category(chr(code)).startswith("P") for code in range(0x110000)), np.uint8, 0x110000
    )
    table[[ord(char) for char in Sentencizer.default_punct_chars]] |= END
    table.flags.writeable = False
    return table


@njit(nogil=True, cache=True)
def _count_sentences(
    values: Bytes, offsets: Longs, word_offsets: Longs, starts: Longs, sizes: Ints, table: Bytes
) -> Longs:
    documents = len(offsets) - 1
    counts = np.ones(documents, np.int64)
    for d in range(documents):
        ended = False
        end = offsets[d]
        for w in range(word_offsets[d], word_offsets[d + 1] + 1):
            last = w == word_offsets[d + 1]
            start = offsets[d + 1] if last else starts[w]
            gap = start - end
            if gap > 0 and end > offsets[d] and values[end] == SPACE_BYTE:
                gap -= 1
            if gap > 0 and ended:
                counts[d] += 1
                ended = False
            if last:
                break
            end = start + sizes[w]
            code, size = decode(values, start, end)
            is_end = start + size == end and (table[code] & END) != 0
            if is_end:
                ended = True
                continue
            if not ended:
                continue
            i = start
            while i < end:
                code, size = decode(values, i, end)
                if not table[code] & PUNCTUATION:
                    break
                i += size
            if i < end:
                counts[d] += 1
                ended = False
    return counts
