"""What the command line prints about a run that is there: tables for a terminal, from ``dataprep.report``.

Decisions:
- What a document says is never markup, and never reaches the terminal with its control characters.
"""

from collections.abc import Sequence
from typing import cast

from rich.console import Console, Group, JustifyMethod, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from dataprep import storage
from dataprep.report.funnel import Funnel, StageCounts, load_funnel
from dataprep.report.html import FILE_NAME, write_report
from dataprep.report.inspect import Document, sample
from dataprep.report.layout import DOCUMENT_STAGES, KINDS, MANIFEST, parts, stages
from dataprep.report.vocabulary import VocabularyFigures, load_vocabulary
from dataprep.report.wording import count, one_line, paragraphs, share, short, size, value, visible
from dataprep.shards import Manifest, Statistics, manifest, shard_statistics, verify_directory

REASONS_SHOWN = 12
TEXT_CHARACTERS = 400
TOKENS_SHOWN = 8
COLOURS = {"kept": "green", "removed": "yellow", "quarantined": "red"}
PLACES = (
    ("report", FILE_NAME),
    ("fetched pages", "crawl"),
    ("documents left", "unique/kept"),
    ("… without repeats", "passages/kept"),
    ("removed by rules", "clean/removed"),
    ("removed as copies", "unique/removed"),
    ("repeated passages", "passages/edits"),
    ("tokenizer", "tokenizer/tokenizer.json"),
    ("token shards", "shards"),
    ("log", "_logs"),
)


def summary(console: Console, out: str) -> None:
    """The end of a run: the funnel and where everything is."""
    console.print(funnel_table(load_funnel(out)))
    console.print()
    console.print(where_everything_is(out), soft_wrap=True)


def statistics(console: Console, out: str) -> None:
    """Figures of the tokenizer and the shards under a run's directory (or of a shards directory itself)."""
    figures = load_vocabulary(out)
    for table in (
        *(vocabulary_tables(figures) if figures else ()),
        *stats_tables(shard_statistics(Manifest.load(_shards(out)))),
    ):
        console.print(table)
        console.print()


def verify(console: Console, out: str) -> bool:
    """Check every checksum and print what each file is found to be. True: nothing is damaged."""
    whole = True
    for path, problems in verify_directory(_shards(out)):
        whole &= not problems
        console.print(Text(f"{'damaged' if problems else 'right  '}  {visible(path)}"), soft_wrap=True)
        for problem in problems:
            console.print(Text(f"  {visible(str(problem))}", style="red"), soft_wrap=True)
    return whole


def report(out: str) -> str:
    """Write the report and return its path."""
    return write_report(out)


def inspect(
    console: Console,
    out: str,
    stage: str = "clean",
    verdict: str = "all",
    reason: str | None = None,
    source: str | None = None,
    limit: int = 5,
) -> None:
    """A sample of one stage's documents. Raises ``ValueError`` naming the wrong option."""
    if stage not in DOCUMENT_STAGES:
        raise ValueError(f"--stage {stage}: allowed are {', '.join(DOCUMENT_STAGES)}")
    if verdict not in (*KINDS, "all"):
        raise ValueError(f"--verdict {verdict}: allowed are {', '.join(KINDS)}, all")
    there = stages(out)
    if stage not in there:
        shown = [name for name in there if name in DOCUMENT_STAGES]
        instead = f"; --stage {shown[-1]} shows what there is" if shown else ""
        raise ValueError(f"{out}: the {stage} stage of this run has not run{instead}")
    kinds = [verdict] if verdict != "all" else ["removed", "quarantined"] if reason else list(KINDS)
    kinds = [kind for kind in kinds if parts(out, stage, kind)] or kinds[:1]
    found: list[Document] = []
    problem: ValueError | None = None
    for kind in kinds:
        try:
            found += sample(out, stage, kind, reason=reason, source=source, limit=limit)
        except ValueError as error:  # one kind may lack the reason that another has
            problem = error
    if problem and not found:
        raise problem
    console.print(inspect_view(found) if found else f"no {' or '.join(kinds)} documents in {out}/{stage}")


def funnel_table(funnel: Funnel) -> Table:
    """Documents and characters per stage; below each stage its reasons."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("stage", "documents", "share", "characters", "share"):
        justify: JustifyMethod = "left" if name == "stage" else "right"
        table.add_column(name, justify=justify, no_wrap=True, overflow="ellipsis")
    for stage in funnel.stages:
        _add_stage(table, stage)
    return table


def _add_stage(table: Table, stage: StageCounts) -> None:
    title = Text(stage.name, style="bold")
    if not stage.finished:
        title.append(" (not finished)", style="red")
    table.add_row(title, count(stage.documents_in), "in", _characters(stage.characters_in), "")
    for kind, label, reasons in (("removed", "", stage.removed), ("quarantined", "quarantined: ", stage.quarantined)):
        shown = [(reason.name, reason.documents, reason.characters) for reason in reasons[:REASONS_SHOWN]]
        rest = reasons[REASONS_SHOWN:]
        if rest:
            shown.append((f"{len(rest)} more reasons", sum(r.documents for r in rest), sum(r.characters for r in rest)))
        for name, documents, characters in shown:
            table.add_row(
                Text(f"  {label}{one_line(name)}", style=COLOURS[kind]),
                f"-{count(documents)}",
                share(documents, stage.documents_in),
                f"-{_characters(characters)}" if characters else "",
                share(characters, stage.characters_in) if characters and stage.characters_in else "",
            )
    table.add_row(
        Text("  kept", style=COLOURS["kept"]),
        count(stage.kept),
        share(stage.kept, stage.documents_in),
        _characters(stage.characters_kept),
        share(stage.characters_kept, stage.characters_in) if stage.characters_in and stage.characters_kept else "",
    )


def _characters(number: int) -> str:
    return short(number) if number else ""


def stats_tables(figures: Statistics) -> list[Table]:
    """Per source and split; then what holds for all shards; then every shard's checksum."""
    table = Table(title="Shards", box=None, header_style="bold", pad_edge=False, title_justify="left")
    for name in ("source", "split"):
        table.add_column(name, no_wrap=name == "split")
    for name in ("shards", "documents", "tokens", "bytes", "bytes a\ntoken", "tokens a\ndocument"):
        table.add_column(name, justify="right")
    lengths = Table(title="Tokens per document", box=None, header_style="bold", pad_edge=False, title_justify="left")
    for name in ("source", "split"):
        lengths.add_column(name)
    for percent in figures.total.lengths:
        lengths.add_column("longest" if percent == 100 else f"{percent}%", justify="right")
    for row in (*figures.rows, figures.total):
        key = (Text(visible(row.source)), row.split)
        sums = (row.shards, row.documents, row.tokens, row.bytes)
        rates = (f"{row.bytes_per_token:.3f}", f"{row.tokens_per_document:,.1f}")
        table.add_row(*key, *map(count, sums), *rates)
        lengths.add_row(*key, *(count(tokens) for tokens in row.lengths.values()))
    facts = Table(box=None, show_header=False, pad_edge=False)
    facts.add_row("vocabulary", f"{count(figures.vocabulary_size)} (largest id used {count(figures.largest_id)})")
    facts.add_row("stored as", figures.dtype)
    facts.add_row("tokenizer", figures.tokenizer_fingerprint)
    facts.add_row("manifest", figures.manifest_hash)
    checksums = Table("shard", "checksum", box=None, header_style="bold", pad_edge=False)
    for path, checksum in figures.checksums.items():
        checksums.add_row(Text(visible(path)), checksum)
    return [table, lengths, facts, checksums]


def vocabulary_tables(figures: VocabularyFigures) -> list[Table]:
    """Bytes per token by source and language in the tokenizer's sample; then its tokens."""
    table = Table(title="Tokenizer", box=None, header_style="bold", pad_edge=False, title_justify="left")
    for name, justify in (("source", "left"), ("language", "left"), ("bytes", "right"), ("bytes a\ntoken", "right")):
        table.add_column(name, justify=cast(JustifyMethod, justify))
    for one in (*figures.groups, figures.total):
        table.add_row(*map(_cell, one.name), count(one.bytes), f"{one.bytes_per_token:.3f}")
    facts = Table(box=None, show_header=False, pad_edge=False)
    for name, text in figures.facts:
        facts.add_row(name, _cell(text))
    for name, tokens in (("the longest", figures.longest), ("first not in the sample", figures.unused)):
        if tokens:
            facts.add_row(name, _cell(" ".join(text for _, text, _, _ in tokens[:TOKENS_SHOWN])))
    return [table, facts]


def _cell(text: str) -> Text:
    return Text(visible(text))


def inspect_view(documents: Sequence[Document]) -> RenderableType:
    """One panel for each document."""
    return Group(*(_panel(one) for one in documents))


def _panel(one: Document) -> Panel:
    title = f"{one.stage}: {one.kind}" + (f", {one_line(one.reason)}" if one.reason else "")
    return Panel(
        Group(_facts(one), *body(one)),
        title=Text(title, style=f"bold {COLOURS[one.kind]}"),
        title_align="left",
        border_style=COLOURS[one.kind],
    )


def _facts(one: Document) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    rows: list[tuple[str, str | None]] = [
        ("id", one.id),
        ("source", one.source),
        ("url", one.url),
        ("locator", one.locator),
        ("date", one.date),
        ("step", one.step),
        ("error", one.error),
        ("kept instead", one.duplicate_of),
        ("similarity", None if one.similarity is None else f"{one.similarity:.3f}"),
        ("characters", None if one.characters is None else count(one.characters)),
        *_signals(one),
    ]
    for name, item in rows:
        if item:
            table.add_row(name, Text(one_line(item)))
    return table


def _signals(one: Document) -> list[tuple[str, str | None]]:
    """A line for each family."""
    families: dict[str, list[str]] = {}
    for name, item in sorted(one.signals.items()):
        family, _, signal = name.partition(".")
        families.setdefault(family, []).append(f"{signal} {value(item)}")
    return [(family, ", ".join(signals)) for family, signals in families.items()]


def body(one: Document) -> list[RenderableType]:
    """How its text begins."""
    if not one.text:
        return []
    more = " …" if one.characters is not None and one.characters > len(one.text) else ""
    return [Text(), Text(visible(paragraphs(one.text)) + more)]


def where_everything_is(out: str) -> Text:
    """The paths that exist, with their sizes: to be printed with ``soft_wrap``, so that a path can be copied whole."""
    lines = []
    for name, relative in PLACES:
        path = storage.join(out, relative)
        files = storage.list_files(path, recursive=True)
        if files:
            lines.append(f"{name:18}{size(sum(file.size for file in files)):>8}  {visible(path)}")
    return Text("\n".join(lines))


def _shards(out: str) -> str:
    """The shards under a run's directory, or ``out`` itself. Raises ``ValueError`` when it is neither, or too early."""
    inner = storage.join(out, "shards")
    for directory in (inner, out):
        if storage.exists(storage.join(directory, manifest.FILE_NAME)):
            return directory
    if "shards" in stages(out) and storage.exists(storage.join(inner, MANIFEST)):
        return inner  # finished, and damaged since
    raise ValueError(f"{out}: the shards stage of this run is not finished, so there are no shards to look at yet")
