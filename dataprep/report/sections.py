"""Each part of the report: data in, markup out; nothing when there is nothing to say."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dataprep.report.distributions import Lengths, SignalHistogram, bin_edge
from dataprep.report.funnel import Funnel, Reason, StageCounts
from dataprep.report.layout import OPTIONAL, STAGES
from dataprep.report.markup import (
    Child,
    Html,
    Piece,
    Series,
    bar,
    details,
    histogram,
    join,
    legend,
    section,
    share_bar,
    table,
    tag,
)
from dataprep.report.wording import clip, count, seconds, share, short, size, value
from dataprep.shards import LengthHistogram, Statistics

REASONS_SHOWN = 40
LABELS_SHOWN = 20
COLOURS = (("kept", "kept"), ("removed", "removed"), ("bad", "quarantined"))


def head(funnel: Funnel, statistics: Statistics | None) -> Html:
    """The recipe's name, one sentence, and the four figures that people ask for first."""
    started = next((stage for stage in funnel.counted if stage.documents_in and stage.name != "crawl"), None)
    ended = next((s for s in reversed(funnel.counted) if s.kept and s.finished and s.name in STAGES[1:]), None)
    tiles: list[tuple[str, str]] = []
    if started:
        tiles.append((short(started.documents_in), "records read"))
    if ended:
        tiles.append((short(ended.kept), "documents left"))
        if ended.characters_kept:
            tiles.append((short(ended.characters_kept), "characters in them"))
    if statistics:
        tiles.append((short(statistics.total.tokens), f"tokens in {_plural(statistics.total.shards, 'shard')}"))
    unfinished = [stage.name for stage in funnel.stages if not stage.finished]
    missing = [name for name in STAGES if name not in OPTIONAL and funnel.stage(name) is None]
    state = [f"{', '.join(unfinished)}: not finished"] if unfinished else []
    state += [f"{', '.join(missing)}: not begun"] if missing else []
    return tag(
        "header",
        tag("p", "Corpusmill report", class_="eyebrow"),
        tag("h1", funnel.recipe or "A run without a finished stage"),
        tag("p", _sentence(started, ended), class_="lead"),
        tag("p", f"This run is not complete. {'; '.join(state)}.", class_="warn") if state else None,
        tag(
            "div",
            *(tag("div", tag("b", figure), tag("span", words), class_="tile") for figure, words in tiles),
            class_="tiles",
        ),
    )


def _sentence(started: StageCounts | None, ended: StageCounts | None) -> str:
    if not started or not ended:
        return "No document has come through yet."
    text = f"{count(started.documents_in)} records were read, {count(ended.kept)} documents are left"
    return f"{text} ({share(ended.kept, started.documents_in)}). Everything else has a reason below."


def funnel_bars(funnel: Funnel) -> Html:
    """One row for each stage: documents as a thick bar, characters as a thin one, each to its own scale."""
    stages = [stage for stage in funnel.counted if stage.documents_in or not stage.finished]
    documents = max((stage.documents_in for stage in stages if stage.name != "crawl"), default=0)
    characters = max((max(s.characters_in, s.characters_kept + s.characters_removed) for s in stages), default=0)
    rows = [_funnel_row(s, s.documents_in if s.name == "crawl" else documents, characters) for s in stages]
    return section(
        "The funnel",
        legend(COLOURS),
        *rows,
        note="Thick bars are documents, thin bars are characters (Unicode code points). A crawl counts addresses, "
        "fetched and known, and has its own scale.",
    )


def _funnel_row(stage: StageCounts, documents: int, characters: int) -> Html:
    amounts = (stage.kept, stage.documents_removed, stage.documents_quarantined)
    pieces = [
        Piece(kind, amount, f"{label} {count(amount)}") for (kind, label), amount in zip(COLOURS, amounts, strict=True)
    ]
    thin = [
        Piece("kept", stage.characters_kept, f"kept {count(stage.characters_kept)} characters"),
        Piece("removed", stage.characters_removed, f"removed {count(stage.characters_removed)} characters"),
    ]
    text: list[Child] = [tag("b", count(stage.kept)), f" of {count(stage.documents_in)} kept"]
    if stage.kept != stage.documents_in:
        text.append(f" ({share(stage.kept, stage.documents_in)})")
    for amount, label in ((stage.documents_removed, "removed"), (stage.documents_quarantined, "quarantined")):
        if amount:
            text.append(f" · {count(amount)} {label}")
    if stage.characters_kept:
        text.append(f" · {short(stage.characters_kept)} characters kept")
    note = None if stage.finished else "so far"
    if stage.finished and not stage.adds_up:
        note = "does not add up"
    return tag(
        "div",
        tag("div", stage.name, tag("small", note) if note else None, class_="name"),
        tag(
            "div",
            bar(pieces, documents),
            bar(thin, characters, thin=True) if stage.characters_kept or stage.characters_removed else None,
            tag("div", *text, class_="figures"),
        ),
        class_="stage",
    )


def reason_tables(funnel: Funnel) -> Html:
    blocks: list[Html] = []
    for stage in funnel.stages:
        for kind, reasons, colour in (("removed", stage.removed, "removed"), ("quarantined", stage.quarantined, "bad")):
            if reasons and stage.finished:
                blocks.append(tag("h3", f"{stage.name}: {kind}"))
                blocks.append(_reasons(reasons, stage.documents_in, colour))
    note = "Each document is counted once, under the first rule that rejected it. Shares are of what the stage took in."
    return section("Why documents went", *blocks, note=note)


def _reasons(reasons: Sequence[Reason], documents_in: int, colour: str) -> Html:
    rows: list[list[Child]] = [
        [
            tag("span", reason.name, class_="mono"),
            count(reason.documents),
            share_bar(reason.documents, documents_in, colour),
            short(reason.characters) if reason.characters else "–",
        ]
        for reason in reasons[:REASONS_SHOWN]
    ]
    if len(reasons) > REASONS_SHOWN:
        rest = reasons[REASONS_SHOWN:]
        documents, characters = (sum(r.documents for r in rest), sum(r.characters for r in rest))
        rows.append(
            [
                f"{len(rest)} further reasons",
                count(documents),
                share_bar(documents, documents_in, colour),
                short(characters),
            ]
        )
    return table(("reason", "documents", "share", "characters"), rows, (1, 2, 3))


def length_chart(before: Lengths | None, after: Lengths | None, stage: str) -> Html:
    """``before``: extracted documents; ``after``: those left after ``stage``; None where there are none."""
    given = [
        (label, kind, one)
        for label, kind, one in (("extracted", "all", before), (f"left after {stage}", "kept", after))
        if one
    ]
    if not given:
        return Html("")
    first = min(int(np.flatnonzero(one.counts)[0]) for _, _, one in given)
    last = max(len(one.counts) for _, _, one in given)
    series = [Series(label, kind, one.counts[first:]) for label, kind, one in given]
    ticks = [
        ((index - first) / (last - first), short(bin_edge(index))) for index in range(first, last + 1) if index % 6 == 0
    ]
    rows = [
        [label, count(one.documents), count(one.quartiles[0]), count(one.quartiles[1]), count(one.quartiles[2])]
        for label, _, one in given
    ]
    step = max(one.step for _, _, one in given)
    return section(
        "Document length",
        legend([(kind, label) for label, kind, _ in given]),
        histogram(
            series, lambda i: f"{count(bin_edge(i + first))} to {count(bin_edge(i + first + 1) - 1)} characters", ticks
        ),
        table(("", "documents", "quarter shorter than", "median", "quarter longer than"), rows, (1, 2, 3, 4)),
        note="Characters of text, on a logarithmic axis."
        + (f" There is much text: every {step}th row group was measured." if step > 1 else ""),
    )


def label_table(title: str, what: str, kept: Mapping[str, int], removed: Mapping[str, int], note: str) -> Html:
    """Kept and removed documents for each label (a language, say), most documents first."""
    labels = sorted(kept.keys() | removed.keys(), key=lambda name: (-kept.get(name, 0) - removed.get(name, 0), name))
    total = sum(kept.values()) + sum(removed.values())
    largest = max((kept.get(name, 0) + removed.get(name, 0) for name in labels), default=0)
    rows: list[list[Child]] = []
    shown = labels[:LABELS_SHOWN]
    groups = [(name or "(none)", [name]) for name in shown]
    if len(labels) > LABELS_SHOWN:
        groups.append((f"{len(labels) - LABELS_SHOWN} more", labels[LABELS_SHOWN:]))
    for name, members in groups:
        stays, goes = (sum(counts.get(member, 0) for member in members) for counts in (kept, removed))
        pieces = [Piece("kept", stays, f"kept {count(stays)}"), Piece("removed", goes, f"removed {count(goes)}")]
        rows.append(
            [
                clip(name, 60),
                bar(pieces, max(largest, stays + goes)),
                count(stays),
                count(goes),
                share(stays + goes, total),
            ]
        )
    return section(title, table((what, "", "kept", "removed", "share"), rows, (2, 3, 4)) if rows else None, note=note)


def source_table(stages: Sequence[str], documents: Mapping[str, Mapping[str, int]], tokens: Mapping[str, int]) -> Html:
    """``documents``: stage → source → documents kept; ``tokens``: source → tokens in the shards."""
    sources = sorted({source for counts in documents.values() for source in counts} | tokens.keys())
    columns = ["source", *(f"after {stage}" for stage in stages), *(["tokens", "share of tokens"] if tokens else [])]
    total = sum(tokens.values())
    rows: list[list[Child]] = []
    for source in sources:
        row: list[Child] = [source or "(none)", *(count(documents[stage].get(source, 0)) for stage in stages)]
        if tokens:
            row += [count(tokens.get(source, 0)), share_bar(tokens.get(source, 0), total, "kept")]
        rows.append(row)
    return section("Sources", table(columns, rows, range(1, len(columns))), note="Documents left after each stage.")


def signal_grid(signals: Sequence[SignalHistogram]) -> Html:
    """Small histograms of every numeric signal; documents that were removed stand in front."""
    cells = []
    for one in signals:
        width = (one.high - one.low) / len(one.kept)

        def describe(index: int, low: float = one.low, width: float = width) -> str:
            return f"{_figure(low + index * width)} to {_figure(low + (index + 1) * width)}"

        every = Series("all", "all", one.kept + one.removed)
        drawn = histogram(
            [every, Series("removed", "removed over", one.removed)],
            describe,
            [(0.0, _figure(one.low)), (1.0, _figure(one.high))],
            small=True,
            root=True,
        )
        cells.append(tag("div", tag("h4", one.name), drawn))
    if not cells:
        return Html("")
    return section(
        "Signals",
        legend([("all", "all documents"), ("removed", "removed, for whatever reason")]),
        details(
            f"{_plural(len(cells), 'signal')} measured before the rules decided",
            tag("div", *cells, class_="grid"),
            open_=True,
        ),
        note="Where a threshold cuts, and what it would cost to move it. Heights are square roots of the counts, and "
        "the outermost hundredth on each side is in the end bars.",
    )


def shard_figures(statistics: Statistics | None, lengths: LengthHistogram | None, problem: str | None) -> Html:
    """``problem``: why there are no figures although there is a manifest."""
    if statistics is None:
        return section("Shards", tag("p", problem, class_="warn") if problem else None)
    rows = [
        [
            *(one.source, one.split, count(one.shards), count(one.documents), count(one.tokens)),
            f"{one.bytes_per_token:.2f}",
            *(count(one.lengths[percent]) for percent in (5, 50, 95, 100)),
        ]
        for one in (*statistics.rows, statistics.total)
    ]
    columns = ("source", "split", "shards", "documents", "tokens", "bytes/token", "5%", "median", "95%", "longest")
    vocabulary = f"Vocabulary {count(statistics.vocabulary_size)}, largest id used {count(statistics.largest_id)}"
    return section(
        "Shards",
        table(columns, rows, range(2, len(columns))),
        _token_lengths(lengths) if lengths else None,
        tag("p", "Manifest ", tag("code", statistics.manifest_hash)),
        tag("p", "Tokenizer ", tag("code", statistics.tokenizer_fingerprint)),
        note=f"{vocabulary}, stored as {statistics.dtype}. The last four columns are tokens per document.",
    )


def _token_lengths(lengths: LengthHistogram) -> Html:
    bounds = np.array([bound for bound, _ in lengths.counts], np.float64)
    bins = np.floor(np.log2(np.maximum(bounds, 1)) * 2 + 1e-9).astype(np.int64)
    first = int(bins.min())
    counts = np.bincount(bins - first, weights=[number for _, number in lengths.counts]).astype(np.int64)

    def edge(index: int) -> int:
        return int(np.ceil(2 ** ((index + first) / 2) - 1e-6))

    ticks = [(index / len(counts), count(edge(index))) for index in range(len(counts) + 1) if (index + first) % 4 == 0]
    return join(
        [
            tag("h3", "Tokens per document"),
            histogram(
                [Series("documents", "kept", counts)],
                lambda i: f"{count(edge(i))} to {count(edge(i + 1) - 1)} tokens",
                ticks,
            ),
        ]
    )


def machinery(funnel: Funnel) -> Html:
    """Timings, sizes and what else the stages wrote down."""
    rows: list[list[Child]] = []
    for stage in funnel.stages:
        if stage.finished:
            wall, cpu = (seconds(stage.timings.get(name, 0)) for name in ("wall_seconds", "task_cpu_seconds"))
            memory = f"{stage.timings.get('peak_rss_mb', 0):,.0f} MB"
            rows.append([stage.name, wall, cpu, memory, count(stage.splits), count(stage.files), size(stage.bytes)])
    columns = ("stage", "wall", "CPU in tasks", "peak memory", "splits", "files", "output")
    notes = [
        details(
            f"{stage.name}: what else it wrote down",
            table(("what", "value"), [[name, text] for name, text in flat(stage.extra)]),
        )
        for stage in funnel.stages
        if flat(stage.extra)
    ]
    return section("Time and space", table(columns, rows, range(1, len(columns))), *notes)


def flat(extra: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """The scalars of a nested mapping, and its lists of scalars, as (dotted name, text)."""
    found: list[tuple[str, str]] = []
    for name, item in sorted(extra.items()):
        if isinstance(item, Mapping):
            found += flat(item, f"{prefix}{name}.")
        elif isinstance(item, list):
            if item and not any(isinstance(entry, Mapping | list) for entry in item):
                found.append((prefix + name, clip("; ".join(value(entry) for entry in item), 200)))
        elif item is not None:
            found.append((prefix + name, clip(value(item), 200)))
    return found


def _figure(number: float) -> str:
    return short(number) if abs(number) >= 1000 else f"{number:.3g}"


def _plural(number: int, one: str) -> str:
    return f"{count(number)} {one if number == 1 else one + 's'}"
