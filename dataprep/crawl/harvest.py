"""From committed pages to links: a pure function of a shard's segments, done after the fetching, in document order."""

import logging
from collections.abc import Iterator

import fastwarc.warc
from fastwarc.warc import WarcRecordType

from dataprep import storage
from dataprep.crawl.links import MAX_TAGS, extract_links
from dataprep.crawl.scope import Scope
from dataprep.crawl.segments import LogRow, read_log, shard_logs
from dataprep.crawl.settings import CrawlSettings

logger = logging.getLogger(__name__)


def harvest(
    directory: str, round_number: int, shard: int, settings: CrawlSettings, cut: list[str]
) -> Iterator[tuple[str, int, str | None]]:
    """(url, depth, page) of every link in scope. Pages with more links than were read are added to ``cut``."""
    scope = Scope(settings)
    for log in shard_logs(directory, round_number, shard):
        pages: dict[int, LogRow] = {}
        warc = None
        for row in read_log(log):
            if row["kind"] != "page":
                continue
            location = row.get("location")
            if location is not None and scope.allows(location):
                yield location, row["depth"], row["url"]
            if row["outcome"] == "ok" and row["depth"] < settings.max_depth:
                warc, offset = row["warc"], row["offset"]
                assert offset is not None
                pages[offset] = row
        if warc is None:
            continue
        for row, content_type, link_headers, body in _bodies(storage.join(directory, warc), pages):
            links, whole = extract_links(body, content_type, row["url"], link_headers)
            if not whole:
                cut.append(row["url"])
                logger.warning("%s: has more than %d tags, only their links were read", row["url"], MAX_TAGS)
            for link in links:
                if scope.allows(link):
                    yield link, row["depth"] + 1, row["url"]


def _bodies(path: str, pages: dict[int, LogRow]) -> Iterator[tuple[LogRow, str, list[str], bytes]]:
    with storage.open_read(path) as handle:
        for record in fastwarc.warc.ArchiveIterator(handle, record_types=WarcRecordType.response, parse_http=True):
            row = pages.get(record.stream_pos)
            if row is not None:
                headers = record.http_headers
                link_headers = [value for name, value in headers.items() if name.lower() == "link"]
                yield row, headers.get("Content-Type") or "", link_headers, record.reader.read()
