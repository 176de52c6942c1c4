"""What ``dataprep contamination`` prints: which items of evaluation sets a run's documents hold."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dataprep.report.contamination import FoundSet, find_contamination, write_items
from dataprep.report.wording import count, one_line, share


def contamination(console: Console, out: str, items: str | None = None, limit: int = 5) -> None:
    """A line a set, then the ``limit`` worst items of each; all items found go to the file ``items``."""
    sets = find_contamination(out)
    written = None if items is None else write_items(items, sets)
    console.print(sets_table(sets))
    for one in sets:
        if one.found:
            console.print()
            console.print(items_table(one, limit))
    if written is not None:
        console.print(f"\n{count(written)} items written to {items}", soft_wrap=True, markup=False)


def sets_table(sets: list[FoundSet]) -> Table:
    """Per set: items, how many were looked for, found at all, by half and whole; the documents that hold some."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("set", overflow="fold")
    for name in ("items", "sought", "found", "share", "half", "whole", "documents\nkept", "\nremoved"):
        table.add_column(name, justify="right")
    for one in sets:
        table.add_row(
            one.name,
            *map(count, (one.items, one.sought, len(one.found))),
            share(len(one.found), one.items),
            *map(count, (one.at_least(0.5), one.at_least(1), one.documents["kept"], one.documents["removed"])),
        )
    return table


def items_table(one: FoundSet, limit: int) -> Table:
    """The worst items of one set, each with the document that holds most of it."""
    table = Table(title=f"Items of {one.name}", box=None, header_style="bold", pad_edge=False, title_justify="left")
    for name in ("item", "covered", "kept", "removed"):
        table.add_column(name, justify="right")
    table.add_column("document", overflow="fold")
    for item in one.worst(limit):
        kept, removed = item.documents["kept"], item.documents["removed"]
        where = Text(f"{item.document} {one_line(item.place)}")
        table.add_row(str(item.number), f"{item.covered:.2f}", count(kept), count(removed), where)
    return table
