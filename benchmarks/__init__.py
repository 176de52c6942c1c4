"""Measurements, each runnable by itself: `python -m benchmarks.end_to_end`. Figures and commands are in README.md."""
