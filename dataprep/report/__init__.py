"""What a run shows: read from the files it left, never from the run itself; a half-finished run can be looked at too.

layout         where a run directory keeps what; the rows of its parts, one row group at a time
wording        numbers and foreign text made fit for a person's eyes
funnel         ``_stage.json`` files → documents and characters in, kept, removed and quarantined, per stage and reason
inspect        kept, removed and quarantined documents: a deterministic sample, or by id
measured       what a finished clean stage says about itself: its steps and its rules
decide         other rules over the columns that are measured: what would be kept and removed
rulechange     which other rules: changed thresholds, another recipe, and how to make them real
story          one document through all stages: where it came from, where it went, and why
trace          a token of the shards → its document and the text around it
page           one page of a run, read again where the run read it
passages       what the corpus repeats and was therefore cut out of it
vocabulary     what the tokenizer makes of its sample
difference     what editing made of its text, in a few lines
distributions  document lengths, languages, sources, signals and duplicates, counted with array kernels
contamination  which items of evaluation sets the documents hold, from the columns of decontamination
markup         HTML that is escaped unless it says otherwise; bars and histograms
style          the report's one style sheet
sections       the report's figures: funnel, reasons, distributions, shards, timings
exhibits       the report's documents: samples, quarantined records, duplicates
html           the report: one self-contained file
"""
