"""What ``dataprep inspect --page`` prints: one page's blocks, and why each was kept or dropped."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dataprep import storage
from dataprep.html.elements import Element, Word
from dataprep.html.explain import Block, Choice, Cut, Explained, explain
from dataprep.html.selection.rules import THRESHOLDS
from dataprep.html.settings import ExtractSettings
from dataprep.recipe import apply_override
from dataprep.recipe import explain as mistakes
from dataprep.report.page import Found, extract_settings, find_page, read_page, site_memory
from dataprep.report.wording import clip, count, one_line, share, visible
from dataprep.sources.listing import format_of
from dataprep.sources.opening import open_decompressed
from dataprep.sources.text import is_html
from dataprep.sources.warc import identify
from pipelines.show import COLOURS

STDIN = "-"
LISTED = 5  # other documents of the same URL
REASON_WIDTH = 16
AROUND = 3  # elements around a block that are shown whatever they are; of others, those that say something
WORDS = 2  # classes that belong to no category
WORD = 40  # characters of a class
SHORT = 40  # characters of a text that has its measures beside it
SAME = "″"  # the path of the block before
ALWAYS = "invisible"  # cut off however much it holds
SILENT = ("body", "div", "html", "span", "tbody")
KEPT, DROPPED = COLOURS["kept"], COLOURS["removed"]
NOTES = ("title", "author", "published", "language", "canonical", "json_ld_type")  # columns of EXTRACTED_PAGES


def page(console: Console, out: str | None, wanted: str, overrides: Sequence[str], only_text: bool = False) -> bool:
    """A page of the run at ``out``, or without one a file, or ``-``: standard input. Raises ``ValueError``.

    False: nothing could be extracted.
    """
    notes = []
    if out is None:
        settings = _settings({}, overrides)
        explained = explain(_read(wanted), None, None, settings)
        where: dict[str, str | None] = {"file": wanted}
        if settings.site_memory:
            notes.append("extract.site_memory has no effect on a single file: what its site repeats is not known")
    else:
        settings = _settings(extract_settings(out), overrides)
        memory = site_memory(out)
        found = find_page(out, wanted)
        one = found.document
        source = read_page(out, one)
        known = memory if settings.site_memory else None
        explained = explain(bytes(source.payload), source.charset, source.url, settings, known, source.date)
        where = {"document": _fate(found), "source": one.source, "url": one.url, "locator": one.locator}
        if settings.site_memory and not memory:
            notes.append("extract.site_memory has no effect: this run did not look at what its sites repeat")
        if one.kind == "kept" and not overrides and explained.page["text"] != one.text:
            notes.append("the run kept another text: the file or this program has changed since")
    if only_text and not explained.page["reason"]:
        text = explained.page["text"]
        console.file.write((visible(text) if console.is_terminal else text) + "\n")
    else:
        _print(console, explained, settings, where)
        for note in notes:
            console.print(Text(f"note: {note}", style="red"), soft_wrap=True)
    return not explained.page["reason"]


def _settings(recorded: Mapping[str, Any], overrides: Sequence[str]) -> ExtractSettings:
    value = {"extract": dict(recorded)}
    for override in overrides:
        if not override.startswith("extract."):
            raise ValueError(f"--set {override}: must be a field of extract, as in extract.profile=page")
        apply_override(value, override)
    try:
        return ExtractSettings.model_validate(value["extract"])
    except ValidationError as error:
        lines = mistakes(error, ExtractSettings, value["extract"])
        raise ValueError("\n".join(f"extract.{line}" for line in lines)) from None


def _read(name: str) -> bytes:
    data = sys.stdin.buffer.read() if name == STDIN else _read_file(name)
    if not data:
        raise ValueError(f"--page {name}: is empty")
    if identify("text/html", "", data) is None:
        raise ValueError(f"--page {name}: is neither HTML nor plain text")
    return data


def _read_file(name: str) -> bytes:
    if "://" in name and not storage.exists(name):
        raise ValueError(f"--page {name}: is no file; the page of a run needs the run's directory before it")
    if format_of(name) not in (None, "text"):
        raise ValueError(f"--page {name}: is not one page; give an HTML file, or a run's directory and a page's URL")
    if format_of(name) and not is_html(name):
        raise ValueError(f"--page {name}: is plain text, of which all is kept; only HTML pages have blocks")
    try:
        with open_decompressed(name) as file:
            return file.read()
    except FileNotFoundError:
        raise ValueError(f"--page {name}: no such file") from None


def _fate(found: Found) -> str:
    one, others = found.document, found.ids[1:]
    fate = f"{one.id} {one.kind}" + (f": {one.reason}" if one.reason else "")
    if not others:
        return fate
    more = ", …" if len(others) > LISTED else ""
    return f"{fate} (the first of {count(len(found.ids))}; others: {', '.join(others[:LISTED])}{more})"


def _print(console: Console, explained: Explained, settings: ExtractSettings, where: Mapping[str, str | None]) -> None:
    facts = Table(box=None, show_header=False, pad_edge=False)
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    for name, value in [*where.items(), *_facts(explained, settings)]:
        if value:
            facts.add_row(Text(name), Text(one_line(value)))
    console.print(facts)
    console.print(_blocks(explained.blocks, explained.container))


def _facts(explained: Explained, settings: ExtractSettings) -> Iterator[tuple[str, str | None]]:
    page = explained.page
    yield from ((name, page[name]) for name in NOTES)
    replaced = f", {count(page['charset_replaced'])} characters replaced" if page["charset_replaced"] else ""
    yield "charset", page["charset"] and f"{page['charset']} by {page['charset_from']}{replaced}"
    if page["reason"]:
        yield "failed", f"{page['reason']}: {page['error']}"
    if not explained.choice:
        return
    how = f": {_choice(explained.choice)}" if settings.profile == "auto" else ", as set"
    yield "profile", page["html.profile"] + how
    if explained.gentle:
        yield "", f"read again with few things cut off: fewer than {THRESHOLDS.reread_chars} characters were kept"
    if explained.container:
        yield "container", _path(explained.container)
    kept = sum(not block.reason for block in explained.blocks)
    characters = f"{share(page['html.kept'], 1)} of {count(page['html.characters'])} characters"
    yield "kept", f"{count(kept)} of {count(len(explained.blocks))} blocks, {characters}"


def _choice(choice: Choice) -> str:
    """The numbers that the profile is chosen by, and when that is ``page``."""
    limits = THRESHOLDS
    return (
        f"the rules for articles keep {count(choice.kept)} characters (a page: under {limits.page_kept}) and lose "
        f"{share(choice.lost, 1)} of what was not cut off (a page: over {limits.page_lost:.0%}), "
        f"with links {share(choice.lost_with_links, 1)} (or over {limits.page_links_lost:.0%}); "
        f"{share(choice.reference, 1)} is code, terms and definitions (or over {limits.reference_share:.0%}, with over "
        f"{limits.reference_lost:.0%} lost)"
    )


def _blocks(blocks: Sequence[Block], container: Element | None) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(justify="right", style="dim", no_wrap=True)
    table.add_column(width=REASON_WIDTH, no_wrap=True)
    table.add_column(overflow="fold")
    cut: Cut | None = None
    before = ""
    for block in blocks:
        if block.cut and block.cut is not cut:
            table.add_row("", "", _cut(block.cut, "cut off"))
        cut = block.cut
        verdict = Text(block.reason or "kept", style=DROPPED if block.reason else KEPT)
        text = Text(visible(block.text), style="dim" if block.reason else "")
        text.append("  " if 0 < len(text) <= SHORT else "\n" if text else "")
        where = _where(block, container)
        text.append(" · ".join([SAME if where == before else where, *_measures(block)]), style="dim italic")
        before = where
        table.add_row(str(block.number), verdict, text)
        for inner in block.without:
            table.add_row("", "", _cut(inner, "without"))
    return table


def _where(block: Block, container: Element | None) -> str:
    """Its path, up to the container; inside what was cut off its element alone."""
    if not block.element:
        return "outside all elements"
    return _label(block.element) if block.cut else _path(block.element, container)


def _measures(block: Block) -> Iterator[str]:
    yield f"{count(block.characters)} characters"
    if block.links:
        yield "all in links" if block.links == 1 else f"{share(block.links, 1)} in links"
    if block.marks:
        yield f"{count(block.marks)} {'mark' if block.marks == 1 else 'marks'}"


def _cut(cut: Cut, what: str) -> Text:
    """The element, why, and how far it was from staying."""
    held = f", holds {share(cut.share, 1)} of the page's running text, cut off with up to {cut.limit:.0%}"
    return Text(f"{what}: {_path(cut.element)}: {cut.reason}{'' if cut.reason == ALWAYS else held}", style=DROPPED)


def _path(element: Element, last: Element | None = None) -> str:
    """The element and those around it, from the inside out: the nearest, and others that say something."""
    shown = [_label(element)]
    distance = 1
    while element is not last and element.parent:
        element = element.parent
        telling = any(word.categories for word in element.words)
        if telling or (distance <= AROUND and (len(element.words) > 1 or element.words[0].text not in SILENT)):
            shown.append(_label(element))
        distance += 1
    return " < ".join(shown)


def _label(element: Element) -> str:
    """Its tag; all ids and classes that belong to a category, and the first of the others."""
    tag, *names = element.words
    silent = [word for word in names if not word.categories][:WORDS]
    return "".join(_word(word) for word in (tag, *(word for word in names if word.categories or word in silent)))


def _word(word: Word) -> str:
    name = one_line(clip(word.text, WORD))
    return f"{name}({', '.join(word.categories)})" if word.categories else name
