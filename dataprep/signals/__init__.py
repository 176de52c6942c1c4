"""Signals: steps that measure a batch of documents and change nothing. One file a family, one column a measurement.

base        what a signal is, and ratios as Python computes them
language    language.*    which language, by a fastText model
gopher      gopher.*      the quality measurements of MassiveText (Gopher)
repetition  repetition.*  the repetition measurements of MassiveText (Gopher)
fineweb     fineweb.*     the line measurements of FineWeb
dolma       dolma.*       Gopher's measurements as the Dolma toolkit takes them
dclm        dclm.*        the measurements of DCLM-Baseline
technical   technical.*   what the lines of a technical text are, and its prose part measured
settings    the part of a recipe that says what is measured and what is rejected
_reference  the measurements in plain Python; the tests compare
"""
