"""A web site on loopback that answers as it is told and remembers who asked when."""

import asyncio
import socketserver
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from dataprep.crawl.rounds import CrawlDirectory, Piece, crawl_piece, finish_round, plan_round
from dataprep.crawl.segments import LogRow
from dataprep.crawl.settings import CrawlSettings
from dataprep.crawl.shard import Summary

Answer = bytes | Iterator[bytes]


def http(body: bytes | str = b"", status: str = "200 OK", **headers: str) -> bytes:
    """A whole response; ``_`` in header names stands for ``-``."""
    data = body.encode() if isinstance(body, str) else body
    fields = {"Content-Type": "text/html; charset=utf-8", "Content-Length": str(len(data)), "Connection": "close"}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value)
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + data


def page(*links: str) -> bytes:
    return http("<!DOCTYPE html><p>words</p>" + "".join(f'<a href="{link}">x</a>' for link in links))


MISSING = http("not here", "404 Not Found")


@dataclass
class Request:
    host: str
    address: str
    path: str
    headers: dict[str, str]
    started: float
    ended: float = 0.0


@dataclass
class Site:
    """``pages`` maps a path (or host + path) to an answer, or to a function of the request that makes one."""

    pages: dict[str, Any] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    port: int = 0

    def answer(self, request: Request) -> Answer:
        found = self.pages.get(request.host + request.path, self.pages.get(request.path, MISSING))
        return found(request) if callable(found) else found

    def paths(self) -> list[str]:
        return [request.path for request in self.requests if request.path != "/robots.txt"]

    def counts(self) -> Counter[str]:
        return Counter(self.paths())

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"


@contextmanager
def serve(
    pages: dict[str, Any] | None = None,
    addresses: tuple[str, ...] = ("127.0.0.1",),
    tls: ssl.SSLContext | None = None,
) -> Iterator[Site]:
    site = Site(dict(pages or {}))

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            started = time.monotonic()
            line = self.rfile.readline().split()
            headers = {}
            while (field := self.rfile.readline().strip()) and b":" in field:
                name, _, value = field.decode("latin-1").partition(":")
                headers[name.lower()] = value.strip()
            if len(line) < 2:
                return
            host = headers.get("host", "").rpartition(":")[0]
            request = Request(host, self.server.server_address[0], line[1].decode(), headers, started)  # type: ignore[arg-type]
            site.requests.append(request)
            answer = site.answer(request)
            try:
                for piece in [answer] if isinstance(answer, bytes) else answer:
                    request.ended = time.monotonic()  # before the client can have it
                    self.wfile.write(piece)
                    self.wfile.flush()
            except OSError:
                pass

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True
        block_on_close = False
        request_queue_size = 64

    servers: list[Server] = []
    try:
        for address in addresses:
            servers.append(Server((address, site.port), Handler))
            site.port = servers[0].server_address[1]
            if tls is not None:
                servers[-1].socket = tls.wrap_socket(servers[-1].socket, server_side=True)
            threading.Thread(target=servers[-1].serve_forever, args=(0.02,), daemon=True).start()
        yield site
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


def resolver(names: dict[str, str], calls: Counter[str] | None = None) -> Callable[[str], Any]:
    """Resolves the names given, and nothing else."""

    async def resolve(host: str) -> list[str]:
        if calls is not None:
            calls[host] += 1
        await asyncio.sleep(0)
        if host not in names:
            raise OSError(f"no such host: {host}")
        return [names[host]]

    return resolve


async def _nothing(host: str) -> list[str]:
    raise OSError(f"no such host: {host}")


def settings_for(site: Site, seed: str = "/", **values: Any) -> CrawlSettings:
    """A crawl of the loopback site without pauses; addresses are literals unless ``seeds`` says otherwise."""
    defaults: dict[str, Any] = {"seeds": [site.url(seed)], "own_hosts": {"127.0.0.1": 0.0}, "shards": 2}
    defaults |= {"contact_url": "https://me.example/bot", "contact_mail": "me@me.example"}
    return CrawlSettings(**{**defaults, **values})


def crawl_round(
    crawl: CrawlDirectory, number: int, resolve: Callable[[str], Any] = _nothing
) -> tuple[list[Summary], list[LogRow]] | None:
    """One round as the driver does it; None when there is nothing to ask."""
    pieces: list[Piece] = plan_round(crawl, number)
    if not pieces:
        return None
    done = [crawl_piece(crawl, number, piece, {"isPartOf": "test"}, resolve=resolve) for piece in pieces]
    finish_round(crawl, number, pieces)
    return [summary for summary, _ in done], [row for _, rows in done for row in rows]


def crawl_all(
    path: str, settings: CrawlSettings, resolve: Callable[[str], Any] = _nothing
) -> tuple[list[Summary], list[LogRow]]:
    """All rounds until there is nothing left to ask."""
    crawl = CrawlDirectory(path, settings)
    summaries: list[Summary] = []
    rows: list[LogRow] = []
    for number in range(settings.rounds):
        done = crawl_round(crawl, number, resolve)
        if done is None:
            break
        summaries += done[0]
        rows += done[1]
        summary = crawl.summary(number)
        assert summary is not None
        if not summary["outcomes"] and not summary["struck"]:
            break
    return summaries, rows


def outcomes(rows: list[LogRow]) -> dict[str, str]:
    """Path → the last outcome of a page."""
    return {row["url"].split("/", 3)[3]: row["outcome"] for row in rows if row["kind"] == "page"}
