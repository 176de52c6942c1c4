"""Main-content extraction against other extractors, on annotated pages, in the same run.

quality     F1, precision and recall on every annotated set; the worst pages with what is missing and what is surplus
speed       pages and megabytes a second on one core, from page bytes to Arrow text
layout      lines, tables, lists and preformatted text against inscriptis' expectations
charsets    bytes decoded to the right characters, in 27 encodings
sets        the annotated pages and the site of each
metrics     shingles, segments, bootstrap over pages, folds of sites
engines     ours and the others behind one interface
worst       one page's differences, for a person to read

The pages are `html-extraction` of the shared test data; the others are `benchmarks/rivals/extraction.txt`.
"""
