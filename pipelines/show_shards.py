"""What the command line prints about shards: their figures, whether they are whole, and where a token came from."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import cast

from rich.console import Console, JustifyMethod
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table
from rich.text import Text

from dataprep import storage
from dataprep.report.layout import MANIFEST, stages
from dataprep.report.trace import Trace
from dataprep.report.trace import trace as find_trace
from dataprep.report.vocabulary import VocabularyFigures, load_vocabulary
from dataprep.report.wording import count, one_line, size, visible
from dataprep.shards import (
    Manifest,
    ShardInfo,
    Statistics,
    export_shards,
    manifest,
    shard_of,
    shard_statistics,
    verify_directory,
)
from dataprep.shards.export import check

TOKENS_SHOWN = 8
LISTED = 20  # shards whose checksums are shown; the manifest has all


def statistics(console: Console, out: str) -> None:
    """Figures of the tokenizer and the shards under a run's directory (or of a shards directory itself)."""
    figures = load_vocabulary(out)
    for table in (
        *(vocabulary_tables(figures) if figures else ()),
        *stats_tables(shard_statistics(Manifest.load(shards_in(out)))),
    ):
        console.print(table)
        console.print()


def verify(console: Console, out: str) -> bool:
    """Check every checksum and print what is damaged. True: nothing is."""
    directory = shards_in(out)
    files = damaged = 0
    start = monotonic()
    found = storage.list_files(directory, ".arrow", recursive=True)
    total = sum(file.size for file in found if "/_" not in file.path.removeprefix(directory))  # no working files
    with _progress(console, "verifying", total) as advance:
        for path, problems in verify_directory(directory, seen=advance):
            files += 1
            damaged += bool(problems)
            if problems:
                console.print(Text(f"damaged  {visible(path)}"), soft_wrap=True)
            for problem in problems:
                console.print(Text(f"  {visible(str(problem))}", style="red"), soft_wrap=True)
    seconds = max(monotonic() - start, 1e-9)
    verdict = f"{count(damaged)} of {count(files)} files are damaged" if damaged else f"{count(files)} files are whole"
    console.print(f"{verdict}: {size(total)} in {seconds:.1f} s, {size(int(total / seconds))}/s", highlight=False)
    return not damaged


def export(console: Console, out: str, form: str, target: str) -> None:
    """Write the shards as files for another trainer. Raises ``ValueError`` naming the option that is wrong."""
    loaded = Manifest.load(shards_in(out))
    check(loaded, form, target)
    width = 2 if loaded.shards[0].dtype == "uint16" else 4
    with _progress(console, "exporting", loaded.tokens * width) as advance:
        files = export_shards(loaded, form, target, advance)
    for path in files:
        console.print(Text(f"{size(storage.list_files(path)[0].size):>8}  {visible(path)}"), soft_wrap=True)


def trace(console: Console, out: str, shard: str | None, token: int | None, position: int | None, split: str) -> None:
    """Where one token came from. Raises ``ValueError`` naming the option that is wrong."""
    directory = shards_in(out)
    loaded = Manifest.load(directory)
    if (shard is None) != (token is None) or (shard is None) == (position is None):
        raise ValueError("trace needs --shard with --token, or --position, or --step")
    if position is not None:
        try:
            info, token = shard_of(loaded, split, position)
        except ValueError as error:
            raise ValueError(f"--position: {error}") from None
    else:
        info = _listed(loaded, directory, shard or "")
    assert token is not None
    try:
        found = find_trace(directory.rstrip("/").rpartition("/")[0] or ".", loaded, info, token)
    except ValueError as error:
        raise ValueError(f"trace: {error}") from None
    console.print(trace_table(found))
    console.print()
    console.print(marked(found), soft_wrap=True)


def trace_step(run: str, step: int, top: int | None) -> int:
    """Have the trainer, which nothing here imports, print the documents that an update of its run saw; its exit code.

    Raises ``ValueError`` when ``run`` is not a trainer's.
    """
    if not (Path(run) / "run.json").is_file():
        raise ValueError(f"{run}: no run.json; --step asks for a run directory of trainer train")
    options = ["--step", str(step), *(["--top", str(top)] if top is not None else [])]
    return subprocess.run([sys.executable, "-m", "trainer", "trace", *options, "--", run]).returncode


def stats_tables(figures: Statistics) -> list[Table]:
    """Per source and split; then what holds for all shards; then the first shards' checksums."""
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
    for path, checksum in list(figures.checksums.items())[:LISTED]:
        checksums.add_row(Text(visible(path)), checksum)
    if len(figures.checksums) > LISTED:
        checksums.add_row(Text(f"… and {count(len(figures.checksums) - LISTED)} more in {manifest.FILE_NAME}"), "")
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


def trace_table(found: Trace) -> Table:
    place, document = found.place, found.document
    where = f"{count(place.index)} of {count(found.tokens)}, document {count(place.row)} of the shard"
    rows = [
        ("shard", f"{place.info.path}, token {count(place.token)} of {count(place.info.tokens)} ({place.info.split})"),
        ("token", f"{found.id} {found.around.name}, {where}"),
        ("id", place.doc_id.hex()),
        ("source", place.info.source),
    ]
    if document:
        rows += [("url", document.url or ""), ("locator", document.locator), ("date", document.date or "")]
        rows += [("read from", document.part)]
    rows.append(("document", found.doubt or ""))
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, item in rows:
        if item:
            table.add_row(name, Text(one_line(item)))
    return table


def marked(found: Trace) -> Text:
    """The text with the token in brackets that no text has by chance."""
    near = found.around
    return Text.assemble(visible(near.before), (f"⟦{visible(near.token)}⟧", "bold reverse"), visible(near.after))


def shards_in(out: str) -> str:
    """The shards under a run's directory, or ``out`` itself. Raises ``ValueError`` when it is neither, or too early."""
    inner = storage.join(out, "shards")
    for directory in (inner, out):
        if storage.exists(storage.join(directory, manifest.FILE_NAME)):
            return directory
    if "shards" in stages(out) and storage.exists(storage.join(inner, MANIFEST)):
        return inner  # finished, and damaged since
    raise ValueError(f"{out}: the shards stage of this run is not finished, so there are no shards to look at yet")


def _listed(loaded: Manifest, directory: str, shard: str) -> ShardInfo:
    path = shard.removeprefix(f"{directory}/")
    for info in loaded.shards:
        if info.path == path:
            return info
    some = ", ".join(info.path for info in loaded.shards[:4]) + (", …" if len(loaded.shards) > 4 else "")
    raise ValueError(f"--shard {shard}: is not in {directory}; allowed are {some}")


@contextmanager
def _progress(console: Console, what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar in bytes that goes when it is done; only on a terminal."""
    columns = (what, BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=total)
        yield lambda amount: bar.advance(task, amount)
