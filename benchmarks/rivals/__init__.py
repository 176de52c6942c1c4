"""Scripts that run other tools, each in that tool's own environment (`requirements.txt`); they import nothing of ours.

datatrove_filters    datatrove's quality filters over JSON Lines: verdicts, reasons, CPU time

`extraction.txt` is different: one small extractor to install beside the project (`benchmarks.extraction`).
"""
