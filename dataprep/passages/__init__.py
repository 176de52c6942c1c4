"""Repeated passages: lines, paragraphs and long stretches of words that a corpus has more than once.

In the order data flows:

- ``settings``    what a recipe may say about it
- ``cut``         text → words, lines and paragraphs, hashed, with their places
- ``anchors``     which words stand for every long stretch around them
- ``units``       what may be repeated: keys of lines, paragraphs and stretches
- ``table``       equal keys, by open addressing
- ``rows``        what travels between workers: how often a key was seen, and where first
- ``remove``      verdicts on keys → the spans that go, and why
- ``splice``      those spans with the spaces that belong to them; their texts; the edited text
- ``top``         the most repeated, for the report
- ``_reference``  the same in plain Python, for readers and tests
"""
