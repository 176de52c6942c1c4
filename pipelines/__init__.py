"""Beam: composes `dataprep` into stages, moves the data, resumes, reports progress; and the command line.

- `batches`      what crosses a Beam edge: splits and record batches, and their coders
- `receipts`     what a split did; the reason it is not run twice
- `shuffle`      `Each` and `PartitionShuffle`, the two ways a stage moves
- `stage`        fingerprint, manifest, resume
- `crawl`        stage 1: sites → WARC segments, in rounds
- `documents`    stage 2: files and fetched pages → document parts
- `clean`        stage 3: signals and rules → kept and removed
- `earlier`      an index of a run for later ones, and the comparison with earlier ones
- `unique`       stage 4: duplicates → kept and removed
- `passages`     stage 5, if the recipe asks: repeated lines, paragraphs and long stretches → edits
- `tokens`       stages 6 and 7: tokenizer, shards
- `local`        Beam on this machine
- `run`          the chain of stages, and the process that drives it
- `launch`       starting that process and following it
- `progress`     what the user sees while it runs
- `show`         what the user sees of a run that is there
- `contamination`  which evaluation items a run's documents hold, for the eye
- `show_why`     … of one document
- `show_page`    … of one page's blocks
- `show_decide`  … of other rules for it
- `options`      Beam's options on our command line
- `packages`     which packages of others the workers need
- `portability`  whether the job graphs can leave this machine
- `demo`         ``make demo``
- `errors`       what the command line answers with one line
- `classifier_cli`  ``dataprep classifier``
- `cli`          the ``dataprep`` command
"""
