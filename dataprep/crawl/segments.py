"""What one shard of one round has fetched, committed piece by piece, so that a retried shard does not fetch again.

A segment is up to three WARC files and a log of the same number; the files appear by atomic rename, the log last. A log
that exists is committed together with everything it points to; whatever else lies there is a leftover of a process that
was killed, and is removed. Under ``OUT/crawl/<source>/round=NNNN``::

    fetch/shard=NNN/seg-000.warc.gz    responses with status 200 and text, what the documents stage reads
    nonok/shard=NNN/seg-000.warc.gz    redirects, errors, empty answers
    robots/shard=NNN/seg-000.warc.gz   robots.txt as served
    fetch/shard=NNN/seg-000.log        one JSON object a line for each request or refusal, see ``LogRow``

A shard is locked while it is crawled where the file system can lock; on an object store the runner must see to it that
a shard is never run twice at the same time.
"""

import fcntl
import json
import os
import time
from contextlib import ExitStack
from pathlib import PurePosixPath
from types import TracebackType
from typing import IO, Literal, TypedDict

from dataprep import storage
from dataprep.crawl.warc import Exchange, WarcFile

SEGMENT_PAGES = 1000
SEGMENT_SECONDS = 120.0
SEGMENT_BYTES = 256 << 20
LOCK_SECONDS = 30.0  # a worker whose driver was killed takes a moment to leave

Place = Literal["fetch", "nonok", "robots"]


class LogRow(TypedDict, total=False):
    """One line of a fetch log: a request and its answer, or why there was no request.

    kind: page or robots. outcome of a page: ok, redirect, redirect_sink, http_NNN, empty, type, timeout, connect, tls,
    disconnect, malformed, dns, address, port, robots; of robots.txt: rules, none, unreachable. The URL is the one
    asked, which is the record's target URI; a redirect is followed as a row of its own that names it in redirect_from.
    """

    kind: str
    url: str
    outcome: str
    status: int | None
    depth: int
    time: float  # start of the request (or of the refusal), Unix time
    elapsed: float  # seconds to the end of the response
    ready: float  # Unix time from which the host may be asked again
    penalty: int  # back-off steps of the host
    failures: int  # of the host, in a row
    address: str | None
    media_type: str  # header
    identified: str  # by the first 1,024 bytes
    bytes: int  # decoded payload
    wire_bytes: int
    digest: str  # of the payload, sha1 base32
    truncated: str | None  # length, time or disconnect
    warc: str | None  # relative to OUT/crawl/<source>
    offset: int | None
    length: int | None  # of the response record's gzip member
    location: str | None  # normalised target of a redirect
    redirect_from: str | None
    hops: int
    final: bool  # False: to be tried again
    rules: str  # robots: canonical text
    delay: float | None  # robots: delay asked for
    fetched: float  # robots: when the copy in use was made
    expires: float
    unreachable_since: float | None
    tls_error: str | None
    error: str | None


class ShardBusyError(RuntimeError):
    """Another process is crawling this shard; a shard runs once at a time, or hosts would be asked twice as often."""


class Segments:
    """Use as a context manager: leaving it in any way but a kill commits what is whole."""

    def __init__(
        self,
        directory: str,
        round_number: int,
        shard: int,
        information: dict[str, str],
        pages: int = SEGMENT_PAGES,
    ) -> None:
        self._directory = directory
        self._pages = pages
        self._round = f"round={round_number:04d}"
        self._shard = f"shard={shard:03d}"
        self._information = information
        self.rows: list[LogRow] = []
        self.resumed = False

    def __enter__(self) -> "Segments":
        self._guard = ExitStack()
        home = self._folder("fetch")
        if storage.is_local(home):
            self.resumed = os.path.isdir(storage.local_path(home))
            os.makedirs(storage.local_path(home), exist_ok=True)
            self._lock(storage.local_path(home))
        self._number = 0
        while storage.exists(self._path("fetch", "log")):
            self.rows += read_log(self._path("fetch", "log"))
            self._number += 1
        self.resumed = self.resumed or bool(self.rows)
        self._sweep()
        self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._guard:
            self.commit()

    def _lock(self, folder: str) -> None:
        handle = os.open(folder, os.O_RDONLY)
        self._guard.callback(os.close, handle)
        end = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                return fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= end:
                    self._guard.close()
                    raise ShardBusyError(f"{folder} is being crawled by another process") from None
                time.sleep(0.2)

    def _sweep(self) -> None:
        for place in ("fetch", "nonok", "robots"):
            storage.sweep(self._folder(place))
            for file in storage.list_files(self._folder(place)):
                if int(PurePosixPath(file.path).name[4:7]) >= self._number:
                    storage.remove_file(file.path)

    def _folder(self, place: str) -> str:
        return storage.join(self._directory, self._round, place, self._shard)

    def _name(self, extension: str) -> str:
        return f"seg-{self._number:03d}.{extension}"

    def _path(self, place: str, extension: str) -> str:
        return storage.join(self._folder(place), self._name(extension))

    def _start(self) -> None:
        self._files = ExitStack()
        self._warcs: dict[Place, WarcFile] = {}
        self._open: list[LogRow] = []
        self._began = time.monotonic()

    def store(self, place: Place, exchange: Exchange, row: LogRow) -> None:
        """Write the records of an exchange and say in ``row`` where they are."""
        name = storage.join(self._round, place, self._shard, self._name("warc.gz"))
        if place not in self._warcs:
            handle: IO[bytes] = self._files.enter_context(storage.open_atomic(self._path(place, "warc.gz")))
            self._warcs[place] = WarcFile(handle, name, self._information, exchange.time)
        row["offset"], row["length"], row["digest"] = self._warcs[place].exchange(exchange)
        row["warc"] = name

    def log(self, row: LogRow) -> None:
        self._open.append(row)
        self.roll()

    def roll(self) -> None:
        """Commit the segment if it is full or old."""
        full = len(self._open) >= self._pages or sum(w.size for w in self._warcs.values()) >= SEGMENT_BYTES
        if full or (self._open and time.monotonic() - self._began >= SEGMENT_SECONDS):
            self.commit()

    def commit(self) -> None:
        if self._open:
            for warc in self._warcs.values():
                warc.close()
            self._files.close()
            text = "".join(json.dumps(row, sort_keys=True, ensure_ascii=False) + "\n" for row in self._open)
            storage.write_bytes(self._path("fetch", "log"), text.encode("utf-8", "surrogatepass"))
            self.rows += self._open
            self._number += 1
        else:
            self._files.close()
        self._start()


def read_log(path: str) -> list[LogRow]:
    return [json.loads(line) for line in storage.read_bytes(path).splitlines()]


def shard_logs(directory: str, round_number: int, shard: int) -> list[str]:
    """The committed logs of a shard, in order."""
    folder = storage.join(directory, f"round={round_number:04d}", "fetch", f"shard={shard:03d}")
    return [file.path for file in storage.list_files(folder, ".log")]
