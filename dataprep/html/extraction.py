"""A source's items become what a stage writes: texts, removed records, quarantine rows, in the order they were read."""

from collections.abc import Iterable, Iterator

from dataprep.child.parent import borrowed
from dataprep.html.charset import decode
from dataprep.html.sandbox import Failed, Sandbox
from dataprep.html.settings import ExtractSettings
from dataprep.parts import Quarantined
from dataprep.sources.items import Item, Page, Removed, Text, valid_text

WAITING_PAGES = 256
WAITING_BYTES = 8 << 20

Outcome = Text | Removed | Quarantined


def extract(items: Iterable[Item], source: str, settings: ExtractSettings) -> Iterator[Outcome]:
    """One outcome for each item, in order. Texts of nothing but white space are removed as ``empty_text``."""
    with borrowed(Sandbox(settings)) as sandbox:
        waiting: list[Item] = []
        size = 0
        for item in items:
            waiting.append(item)
            if isinstance(item, Page):
                size += len(item.payload)
            if size >= WAITING_BYTES or len(waiting) >= WAITING_PAGES:
                yield from _outcomes(waiting, source, sandbox)
                waiting, size = [], 0
        yield from _outcomes(waiting, source, sandbox)


def _outcomes(items: list[Item], source: str, sandbox: Sandbox) -> Iterator[Outcome]:
    pages = [item for item in items if isinstance(item, Page) and item.media == "html"]
    results = iter(sandbox.extract([(bytes(page.payload), page.charset) for page in pages]))
    for item in items:
        if isinstance(item, Page):
            if item.media == "html":
                result = next(results)
                if isinstance(result, Failed):
                    yield Quarantined(source, item.locator, "extract", result.reason, result.error, item.url)
                    continue
                notes = _notes(result.charset, result.how, result.replaced)
                if result.title.strip():
                    notes["title"] = " ".join(result.title.split())
                text = result.text
            else:
                decoded = decode(bytes(item.payload), item.charset, html=False)
                notes = _notes(decoded.charset, decoded.how, decoded.replaced)
                text = valid_text(decoded.text)
            item = Text(item.locator, text, item.url, item.date, {**item.metadata, **notes})
        if isinstance(item, Text) and (not item.text or item.text.isspace()):
            item = Removed(item.locator, "empty_text", item.url, item.date, item.metadata)
        yield item


def _notes(charset: str, how: str, replaced: int) -> dict[str, str]:
    notes = {"charset": charset, "charset_from": how}
    if replaced:
        notes["charset_replaced"] = str(replaced)
    return notes
