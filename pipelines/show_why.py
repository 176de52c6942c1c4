"""What ``dataprep why`` prints: one document's way through the chain, and the numbers that decided it."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from dataprep.document import PAGE_SIGNALS
from dataprep.report.difference import Lines
from dataprep.report.inspect import Document
from dataprep.report.measured import Measured, beside, condition, find_measured, fires
from dataprep.report.story import DIFFERENCE_LINES, Story, by_id, by_url, fates, tell
from dataprep.report.wording import clip, count, one_line, value, visible
from pipelines.show import COLOURS, TEXT_CHARACTERS, body

LISTED = 20  # documents that share a URL
STAGE_WIDTH = 12
CONDITION_WIDTH = 14  # longer ones, as lists are, go on below
FIRES, DECIDED = "✗", "▶"
DIFFERENCE_STYLES = {"-": "red", "+": "green", "@": "dim", " ": ""}


class Row(NamedTuple):
    """One signal and one rule on it; further rules on it have rows without its name."""

    signal: str
    value: str
    mark: str
    condition: str
    reason: str


def why(console: Console, out: str, url: str | None = None, identifier: str | None = None) -> None:
    """The story of one document, or the list of those that share a URL. Raises ``ValueError``."""
    if (url is None) == (identifier is None):
        raise ValueError("why needs one of --url and --id")
    keys = [by_id(out, identifier)] if identifier is not None else by_url(out, url or "")
    if len(keys) == 1:
        console.print(story_view(tell(out, keys[0], characters=TEXT_CHARACTERS), find_measured(out)))
        return
    more = f" (the first {LISTED})" if len(keys) > LISTED else ""
    console.print(Text(f"{count(len(keys))} documents have this URL; --id tells the story of one{more}:"))
    for one in fates(out, keys[:LISTED]):
        console.print(_last_seen(one))


def story_view(story: Story, measured: Measured | None) -> RenderableType:
    """Where it came from; each stage with what it measured and changed; its copies; its tokens; its text."""
    shown: list[RenderableType] = [Text(story.id, style="bold"), _origin(story)]
    for one in story.appearances:
        shown += [Text(), _verdict(one)]
        if one.stage == "clean" and one.kind != "quarantined":
            shown += [*_signals(one, measured), *_edits(story)]
        if one.stage == "unique":
            shown += _copies(story, one)
        if one.stage == "passages":
            shown += _passages(story)
    if story.shard:
        place = story.shard
        last = place.first_token + place.tokens - 1
        tokens = f"{count(place.tokens)} tokens, {count(place.first_token)} to {count(last)} of {place.path}"
        shown += [Text(), _heading("shards", place.split, "kept"), Text(f"  {tokens}, document {count(place.row)}")]
    last_text = [one for one in story.appearances if one.text][-1:]
    return Group(*shown, *(line for one in last_text for line in body(one)))


def _last_seen(one: Document) -> Text:
    verdict = f"{one.stage}: {one.kind}" + (f", {one_line(one.reason)}" if one.reason else "")
    place = " · ".join(one_line(item) for item in (one.url, one.source, one.locator) if item)
    return Text.assemble(f"\n{one.id}  ", (verdict, COLOURS[one.kind]), (f"\n  {place}", "dim"))


def _origin(story: Story) -> Table:
    """Source, place in it, and what its reader and extractor noted."""
    first = story.appearances[0]
    notes = dict(first.metadata)
    engine = story.settings["documents"].get("extract", {}).get("engine")
    if "charset_from" in notes:  # it was a page
        charset = f"{notes.pop('charset', '')} by {notes.pop('charset_from')}"
        notes = {"extracted": f"HTML by {engine}, characters {charset}", **notes}
    return _pairs([*_where(first), *notes.items()])


def _where(one: Document) -> list[tuple[str, str | None]]:
    return [("source", one.source), ("url", one.url), ("locator", one.locator), ("date", one.date)]


def _pairs(rows: Sequence[tuple[str, str | None]]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", min_width=STAGE_WIDTH)
    table.add_column(overflow="fold")
    for name, item in rows:
        if item:
            table.add_row(Text(f"  {one_line(name)}"), Text(one_line(item)))
    return table


def _heading(stage: str, verdict: str, kind: str) -> Text:
    return Text.assemble((f"{stage:{STAGE_WIDTH}}", "bold"), (verdict, f"bold {COLOURS[kind]}"))


def _verdict(one: Document) -> Text:
    line = _heading(one.stage, f"{one.kind}: {one_line(one.reason)}" if one.reason else one.kind, one.kind)
    if one.error:
        line.append(f"\n  {one.step}: {one_line(one.error)}")
    length = "" if one.characters is None else f", {count(one.characters)} characters"
    return line.append(f"\n  {one.part}{length}", style="dim")


def _signals(one: Document, measured: Measured | None) -> Iterator[RenderableType]:
    """Each step with its values; beside a value every rule on it, and whether it fires."""
    header = Row("   signal", "value", "", "fires if", "reason")
    groups = []
    for title, names in _steps(one, measured):
        families = {name.partition(".")[0] for name in names}
        family = f"{families.pop()}." if len(families) == 1 else ""
        groups.append((f"{title}: {family}*" if family else title, _rows(one, names, len(family), measured)))
    rows = [header, *(row for _, group in groups for row in group)]
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    yield _table([header], widths, "dim")
    for title, group in groups:
        yield Text(f"  {title}", style="bold")
        yield _table(group, widths)
    marks = {row.mark for row in rows}
    if DECIDED in marks:
        yield Text(f"  {DECIDED} decided{f'; {FIRES} fires too' if FIRES in marks else ''}", style="dim")


def _table(rows: Sequence[Row], widths: Sequence[int], style: str = "") -> Table:
    """One step's rows, with the columns of all steps; a condition that is long and the reason go on below."""
    name, measured, mark, condition, _ = widths
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(width=name)
    table.add_column(width=measured, justify="right")
    table.add_column(width=mark)
    table.add_column(width=min(condition, CONDITION_WIDTH))
    table.add_column(overflow="fold")
    for row in rows:
        marked = {DECIDED: f"bold {COLOURS['removed']}", FIRES: COLOURS["removed"]}.get(row.mark, style)
        table.add_row(*map(Text, row), style=marked)
    return table


def _steps(one: Document, measured: Measured | None) -> Iterator[tuple[str, Sequence[str]]]:
    """Extraction, each step, and their columns; without a manifest that says so, each family of columns."""
    if measured:
        if not one.signals.keys().isdisjoint(PAGE_SIGNALS.names):
            yield "extraction", PAGE_SIGNALS.names
        for step in measured.steps:
            yield f"{step.name}, which edits the text" if step.edits else step.name, step.columns
        return
    for family in dict.fromkeys(name.partition(".")[0] for name in one.signals):
        yield family, [name for name in one.signals if name.startswith(f"{family}.")]


def _rows(one: Document, names: Sequence[str], hidden: int, measured: Measured | None) -> list[Row]:
    """``hidden``: how many characters each name begins with that the step's heading shows."""
    found = []
    for name in names:
        item = one.signals.get(name)
        shown = f"   {name[hidden:]}"
        rules = [rule for rule in (measured.rules if measured else ()) if rule.when == name]
        for rule in rules:
            decided = rule.reject == one.reason
            mark = DECIDED if decided else FIRES if fires(rule, one.signals) else ""
            found.append(Row(shown, "–" if item is None else beside(item, rule), mark, condition(rule), rule.reject))
            shown = ""
        if not rules:
            found.append(Row(shown, "–" if item is None else value(item), "", "", ""))
    return found


def _edits(story: Story) -> Iterator[Text]:
    if story.edits:
        yield Text("  its text, before and after:", style="bold")
        yield from _difference(story.edits)


def _difference(lines: Lines) -> Iterator[Text]:
    for sign, line in lines:
        yield Text(f"   {sign} {visible(line)}", style=DIFFERENCE_STYLES[sign])


def _passages(story: Story) -> Iterator[Text]:
    """What was cut out of its text, how often the corpus has that, and where it stays."""
    for edit in story.passages[:DIFFERENCE_LINES]:
        where = "nowhere" if edit.kept_in is None else edit.kept_in
        yield Text(f"  characters {count(edit.start)} to {count(edit.end)}: {edit.reason}", style="bold")
        yield Text(f"   {count(edit.occurrences)} times in the corpus, stays in {where}", style="dim")
        yield Text(f"   - {clip(one_line(edit.text), TEXT_CHARACTERS)}", style=DIFFERENCE_STYLES["-"])
    if len(story.passages) > DIFFERENCE_LINES:
        yield Text(f"  and {count(len(story.passages) - DIFFERENCE_LINES)} more", style="dim")


def _copies(story: Story, one: Document) -> Iterator[RenderableType]:
    """The copy that was kept instead of it, or the first that were removed in its favour."""
    if one.duplicate_of:
        needed = story.settings["unique"].get("deduplicate", {}).get("threshold")
        like = "not compared, the URL is the same"
        if one.similarity is not None:
            near = f" (a near copy has at least {needed:g})" if needed is not None else ""
            like = f"{one.similarity:.3f} {one.measure or ''}".rstrip() + near
        verdict: list[tuple[str, str | None]] = [
            ("similarity", like),
            ("component", str(one.component)),
            ("kept instead", one.duplicate_of),
        ]
        kept = story.kept_copy
        yield _pairs([*verdict, ("of the run", story.kept_by), *(_where(kept) if kept else ())])
        if kept:
            yield Padding(Text(clip(one_line(kept.text), TEXT_CHARACTERS), style="dim"), (0, 0, 0, 4))
        if story.unlike_copy:
            yield Text("  that copy's text (-) and this one's (+):", style="bold")
            yield from _difference(story.unlike_copy)
    elif story.copies:
        yield Text("  removed in its favour:")
        for copy in story.copies:
            like = "" if copy.similarity is None else f"{copy.similarity:.3f} "
            yield Text(f"   {copy.id} {like}{clip(one_line(copy.url or copy.locator), TEXT_CHARACTERS)}")
