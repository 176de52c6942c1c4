"""Kernels over the UTF-8 buffers of a text column: the ground floor of cleaning and of deduplication.

utf8        the buffers of a text column, decoding, the hash of a piece of text, counting code points
classes     what each of Unicode's code points is: space, letter, digit, mark, sentence end …
words       word segmentation
chunks      exact words of a tokenizer that splits at white space first: spaCy's
spacy_kernel  how it cuts a chunk
spacy_rules   what it cuts at, from the installed library
sentences   sentences as spaCy's rule counts them
normal      Unicode normalisation: what it may change, a batch in form C
fold        lower case, code point by code point
whitespace  words as what stands between white space
prose       the prose part of technical text, and what its other lines are
spans       lines (both meanings of the word) and paragraphs
ngrams      n-grams of words without case and punctuation, and a table to find given ones in
repeats     duplicate lines and paragraphs, most frequent and repeated n-grams of words
lower       lower case, as ``str.lower``
xxh3        XXH3 of a piece of bytes, and loads of whole words
trie        a list of words and phrases, found in text
view        all of these for one batch, each computed once, on demand
_reference  the same definitions in plain Python; the tests compare
"""
