"""Deduplication: which documents are copies of one another, and which copy stays.

In the order data flows:

- ``settings``    what a recipe may say about it
- ``words``       text → lower-cased words and exact fingerprints, straight from the UTF-8 buffers
- ``normalise``   other tools' words, by name; ``simplify`` is what they do to a text first
- ``hashing``     64-bit mixing, partition numbers
- ``minhash``     signatures, bit-identical to ``datasketch.MinHash(scheme="affine32")``
- ``origin``      the page a document is of, and the scope within which it is compared
- ``policy``      which copy the recipe would rather keep, as a number
- ``sidecar``     the file beside each part that holds all of these
- ``bands``       signatures → the keys that similar documents share
- ``components``  shared keys → edges → connected components, by contraction in bounded memory
- ``sets``        sets of shingles, for exact comparison
- ``verdict``     components → who is kept, who is removed, for which kept copy and how similar
- ``index``       the keys of what a run kept, for later runs
- ``rows``        what travels between workers, and verdicts applied to document batches
- ``_reference``  the same in plain Python, for readers and tests
"""
