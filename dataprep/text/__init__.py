"""Kernels over the UTF-8 buffers of a text column: the ground floor of cleaning and of deduplication.

utf8        the buffers of a text column, decoding, the hash of a piece of text, counting code points
classes     what each of Unicode's code points is: space, letter, digit, mark, sentence end …
words       word segmentation
whitespace  words as what stands between white space
prose       the prose part of technical text, and what its other lines are
spans       lines (both meanings of the word) and paragraphs
repeats     duplicate lines and paragraphs, most frequent and repeated n-grams of words
view        all of these for one batch, each computed once, on demand
_reference  the same definitions in plain Python; the tests compare
"""
