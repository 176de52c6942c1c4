"""The library: functions over Arrow record batches, file formats, recipes. No engine: usable from a notebook.

In the order the data flows, each usable alone:

- `storage`    files anywhere, written whole or not at all
- `document`   the document batch and the identity of a document
- `parts`      Parquet parts and quarantine rows
- `tally`      counts that must add up
- `settings`   the base of every settings model
- `urls`       one normal form for every URL; its sort key, identity and site
- `child/`     child processes with limits, for code that may misbehave
- `crawl/`     sites → WARC files, politely
- `sources/`   WARC, WET, JSON Lines, Parquet and text files → pages and texts
- `html/`      pages → main text, in a child process with limits
- `compiled`   the compiler of kernels, and when its results are out of date
- `text/`      kernels over a batch's UTF-8: words, lines, repetition
- `steps`      the step protocol, and the isolation of documents that make one raise
- `models`     fastText models by name or path
- `signals/`   measurements as columns
- `edits/`     changes of the text
- `rules`      signals → reasons; `rulesets/` holds published ones as data
- `clean/`     which steps and rules a recipe means; runs the steps in a child process with limits
- `dedup/`     exact and MinHash duplicates, components, verdicts
- `passages/`  lines, paragraphs and long stretches that a corpus repeats
- `tokens/`    tokenizer training and encoding
- `shards/`    Arrow token shards and their manifest
- `recipe`     what a run is
- `report/`    what a run shows
"""
