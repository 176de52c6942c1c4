"""Signals: steps that measure a batch of documents and change nothing. One file a family, one column a measurement.

base        ratios as Python computes them
language    language.*    which language, by a fastText model
gopher      gopher.*      the quality measurements of MassiveText (Gopher)
repetition  repetition.*  the repetition measurements of MassiveText (Gopher)
fineweb     fineweb.*     the line measurements of FineWeb
urls        url.*         lists of domains, URLs and words in URLs (RefinedWeb, FineWeb)
toxicity    toxicity.*    lists of words for each language (C4)
wordlists   what both have in common: list files, and long lists as sorted hashes
decontamination  decontamination.*  which items of evaluation sets stand in a document
contamination    what is looked for of evaluation sets
evaluations      evaluation sets and their files
classifier  classifier.*  how much a document is like those that a fastText model was trained to find
dolma       dolma.*       Gopher's measurements as the Dolma toolkit takes them
dclm        dclm.*        the measurements of DCLM-Baseline
technical   technical.*   what the lines of a technical text are, and its prose part measured
_reference  the measurements in plain Python; the tests compare
"""
