"""One page of a run again: found by its URL, locator or id, and read where the run read it.

Decisions:
- Documents are texts, so a page is read from its source. A source that is gone, or has something else at that place, is
  an error; what else may have changed shows in the text, which a caller can compare with the run's.
"""

from dataclasses import dataclass
from typing import Any

from dataprep import storage
from dataprep.html.sites.memory import SiteMemory
from dataprep.parts import Quarantined
from dataprep.report.inspect import Document, any_of, find
from dataprep.report.layout import KINDS, MANIFEST, SITES, stages
from dataprep.report.story import WHOLE, locator_like, with_id, with_locator, with_url
from dataprep.sources.items import Page, Removed
from dataprep.sources.listing import InputFile, list_inputs
from dataprep.sources.reading import read_pieces
from dataprep.sources.settings import FilesSettings
from dataprep.sources.splitting import Piece

STAGE = "documents"
ARCHIVES = ("warc", "wet")


@dataclass(frozen=True)
class Found:
    """The document as the documents stage left it, its whole text; ``ids``: all that were meant, itself first."""

    document: Document
    ids: tuple[str, ...]


def find_page(out: str, wanted: str) -> Found:
    """The document with this URL or locator, or whose id starts so. Raises ``ValueError`` when there is none."""
    ids = with_url(out, wanted, (STAGE,)) if "://" in wanted else with_locator(out, wanted, (STAGE,))
    if not ids and wanted and not wanted.lower().strip("0123456789abcdef"):
        ids = with_id(out, wanted, (STAGE,))
    if not ids:
        like = locator_like(out, wanted, STAGE)
        hint = f"; a locator here is {like}" if like else ""
        raise ValueError(f"--page {wanted}: no document in {out} has this URL, locator or id{hint}")
    for kind in KINDS:
        for one in find(out, STAGE, kind, any_of([bytes.fromhex(ids[0])]), limit=1, characters=WHOLE):
            return Found(one, tuple(ids))
    raise ValueError(f"--page {wanted}: {out}/{STAGE} does not have this document")


def extract_settings(out: str) -> dict[str, Any]:
    """How the run extracted. Raises ``ValueError`` before it has finished that."""
    settings: dict[str, Any] = _manifest(out)["settings"]["extract"]
    return settings


def site_memory(out: str) -> SiteMemory | None:
    """What the run learned of its sites; None if it looked at none."""
    partitions = _manifest(out)["extra"].get("sites", {}).get("partitions")
    return SiteMemory(storage.join(out, STAGE, SITES), partitions) if partitions else None


def read_page(out: str, one: Document) -> Page:
    """The page that the document was made from. Raises ``ValueError`` when it was none, or is not there any more."""
    sources = {name: FilesSettings.model_validate(files) for name, files in _manifest(out)["settings"]["sources"]}
    settings = sources[one.source]
    file, place = _file(out, one, settings)
    if file.format not in (*ARCHIVES, "text"):
        raise ValueError(f"{one.locator}: is a text in a {file.format} file; only HTML pages have blocks")
    start = int(place.partition("+")[0] or 0)
    item = None
    for item in read_pieces([Piece(file.name, file.path, file.format, file.size, start)], one.source, settings):
        if item.locator == one.locator or _place(item.locator) != place.partition("+")[0]:
            break
    if item is None or item.locator != one.locator or item.url != one.url:
        raise ValueError(f"{file.path}: has changed since the run; {one.locator} is not there any more")
    if isinstance(item, Quarantined):
        raise ValueError(f"{one.locator}: cannot be read: {item.reason}, {item.error}")
    if isinstance(item, Removed):
        raise ValueError(f"{one.locator}: was removed as {item.reason}, before anything was extracted")
    if not isinstance(item, Page) or item.media != "html":
        raise ValueError(f"{one.locator}: is plain text, of which all is kept; only HTML pages have blocks")
    return item


def _manifest(out: str) -> dict[str, Any]:
    stages(out)
    path = storage.join(out, STAGE, MANIFEST)
    if not storage.exists(path):
        raise ValueError(f"{out}: the {STAGE} stage of this run is not finished")
    manifest: dict[str, Any] = storage.read_json(path)
    return manifest


def _place(locator: str) -> str:
    """The offset of the record's section."""
    return locator.rpartition("#")[2].partition("+")[0]


def _file(out: str, one: Document, settings: FilesSettings) -> tuple[InputFile, str]:
    """The file that the locator names, and the place in it; empty for a whole file."""
    name, _, place = one.locator.rpartition("#")
    fetched = storage.list_files(storage.join(out, "crawl", one.source, name)) if name else []
    if fetched and settings.paths == ("crawl",):
        (file,) = fetched
        return InputFile(name, file.path, file.size, file.version, "warc"), place
    files = {file.name: file for file in list_inputs(settings, f"sources.{one.source}.files.paths")[0]}
    if one.locator in files:
        return files[one.locator], ""
    if name not in files:
        raise ValueError(f"{one.locator}: the file is gone; source {one.source} reads {', '.join(settings.paths)}")
    return files[name], place
