"""Tables as the benchmarks' page has them."""

from collections.abc import Iterable


def print_table(table: Iterable[tuple[str, ...]]) -> None:
    """As Markdown, its columns aligned; the first row names them."""
    rows = list(table)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, tuple("-" * width for width in widths))
    for row in rows:
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |")
