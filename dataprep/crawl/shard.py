"""One shard of one round: every politeness state of its sites in one process, one asyncio loop, one task a host.

Decisions:
- A host task asks for one thing after the other; a request takes the host's lock, waits for the host, takes the lock of
  its address, waits for the address, and only then a connection. So one request is in flight per host and per address.
- robots.txt is an ordinary request of that queue. What cannot be waited for until the end of the round is deferred: it
  leaves no trace in the log and is selected again.
- Everything that happened is in the committed segments; a shard that starts again reads them and goes on. After a kill
  the last requests are unknown, so each host is first left alone for one delay.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import numpy as np

from dataprep.crawl.fetch import Fetched, Fetcher, FetchError, Resolve, system_resolve
from dataprep.crawl.frontier import MAX_TRIES, UNASKED, is_known
from dataprep.crawl.politeness import SLOW_DOWN, Patience
from dataprep.crawl.robots import MAX_REDIRECTS, Robots, judge
from dataprep.crawl.scope import Scope
from dataprep.crawl.segments import LogRow, Segments
from dataprep.crawl.settings import CrawlSettings
from dataprep.crawl.urls import host_of, normalise, origin_of, registered_domain, url_id

MAX_HOPS = 5
SINK_SOURCES = 20  # that many pages redirecting to one are a login or a consent page
ROBOTS_WAIT = 300.0
ROBOTS_TRIES = 3


class RoundOverError(Exception):
    """What is asked for cannot happen before the end of the round."""


class HostClosedError(Exception):
    """The host is left alone for the rest of the round."""


@dataclass
class Target:
    """A URL to fetch; ``tries`` in this round, ``hops`` redirects behind it."""

    url: str
    depth: int
    redirect_from: str | None = None
    hops: int = 0
    tries: int = 0


@dataclass
class Host:
    name: str
    patience: Patience
    left: int
    queue: deque[Target] = field(default_factory=deque)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    last_end: float | None = None


@dataclass
class Spot:
    """One address, however many hosts live there."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    ready: float = 0.0
    last_end: float | None = None


@dataclass
class Memory:
    """What earlier rounds know about this shard: ``hosts`` name → (ready, penalty), robots by origin, sorted ids."""

    hosts: dict[str, tuple[float, int]] = field(default_factory=dict)
    robots: dict[str, Robots] = field(default_factory=dict)
    known: np.ndarray = field(default_factory=lambda: np.empty(0, dtype="S16"))


@dataclass
class Summary:
    """selected + discovered = fetched + denied + deferred + failed; gaps in seconds, None when unknown."""

    selected: int = 0
    discovered: int = 0  # redirect targets followed within the round
    fetched: int = 0  # an answer of any status
    denied: int = 0  # robots, address or port
    failed: int = 0  # no answer
    deferred: int = 0
    requests: int = 0  # robots.txt included, in this process
    smallest_gap_host: float | None = None
    smallest_gap_address: float | None = None


class ShardCrawl:
    """Runs once. ``targets`` is (url, depth, host_left, domain_left) in order; ``allowance`` bounds page requests."""

    def __init__(
        self,
        settings: CrawlSettings,
        targets: Sequence[tuple[str, int, int, int]],
        allowance: int,
        memory: Memory,
        segments: Segments,
        resolve: Resolve = system_resolve,
        progress: Callable[[int, int], None] = lambda requests, fetched: None,
    ) -> None:
        self.settings = settings
        self.segments = segments
        self.memory = memory
        self.summary = Summary(selected=len(targets))
        self._resolve = resolve
        self._progress = progress
        self._scope = Scope(settings)
        self._allowance = allowance
        self._robots = dict(memory.robots)
        self._robots_tries: Counter[str] = Counter()
        self._hosts: dict[str, Host] = {}
        self._domain_left: dict[str, int] = {}
        self._spots: dict[str, Spot] = {}
        self._seen: set[bytes] = set()
        self._sources: Counter[str] = Counter()
        self._outcomes: dict[str, str] = {}
        self._pages = 0
        self._offset = time.time() - time.monotonic()
        self._end = self.now() + settings.round_seconds
        for url, depth, host_left, domain_left in targets:
            host = self._host(host_of(url), host_left)
            self._domain_left.setdefault(registered_domain(host.name), domain_left)
            host.queue.append(Target(url, depth))
            self._seen.add(url_id(url))
        self._resume()

    def now(self) -> float:
        """Unix time that never jumps back."""
        return time.monotonic() + self._offset

    def _host(self, name: str, left: int) -> Host:
        if name not in self._hosts:
            ready, penalty = self.memory.hosts.get(name, (0.0, 0))
            patience = Patience(
                self.settings.delay_of(name), name in self.settings.own_hosts, ready=ready, penalty=penalty
            )
            if self.segments.resumed:
                patience.ready = max(patience.ready, self.now() + patience.gap(0.0))
            self._hosts[name] = Host(name, patience, left)
        return self._hosts[name]

    def _resume(self) -> None:
        """Take back what the committed segments say has already happened in this round."""
        last: dict[str, LogRow] = {}
        tries: Counter[str] = Counter()
        for row in self.segments.rows:
            host = self._host(host_of(row["url"]), 0)
            host.patience.ready = max(host.patience.ready, row["ready"])
            host.patience.penalty = row["penalty"]
            if row["kind"] == "robots":
                self._robots[origin_of(row["url"])] = robots_of(row)
                continue
            last[row["url"]] = row
            tries[row["url"]] += 1
            self._outcomes[row["url"]] = row["outcome"]
            if row["outcome"] not in UNASKED:
                self._spend(host)
            self._follow(row)
        for host in self._hosts.values():
            for target in host.queue:
                target.tries = tries[target.url]
            host.queue = deque(
                target for target in host.queue if target.url not in last or _again(last[target.url], target.tries)
            )

    async def run(self) -> Summary:
        async with Fetcher(self.settings, self._resolve) as self._fetcher:
            self._connections = asyncio.Semaphore(self.settings.connections)
            clock = asyncio.create_task(self._keep_committing())
            try:
                async with asyncio.TaskGroup() as group:
                    for host in [host for host in self._hosts.values() if host.queue]:
                        group.create_task(self._drain(host))
            finally:
                clock.cancel()
        return self._summarise()

    async def _keep_committing(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            self.segments.roll()

    async def _drain(self, host: Host) -> None:
        while host.queue:
            target = host.queue[0]
            try:
                await self._visit(host, target)
            except (RoundOverError, HostClosedError):
                return

    async def _visit(self, host: Host, target: Target) -> None:
        """Deal with the head of the queue; it stays there until its row is written."""
        if self.now() >= self._end:
            raise RoundOverError
        robots = await self._robots_for(host, target)
        domain = registered_domain(host.name)
        if not robots.allows(target.url):
            self._log(host, target, {"outcome": "robots", "time": self.now(), "final": True})
            return
        if host.left <= 0 or self._domain_left.get(domain, 0) <= 0 or self._allowance <= 0:
            raise HostClosedError
        try:
            fetched = await self._request(host, target.url, before=lambda: self._spend(host))
        except FetchError as error:
            self._failed(host, target, error)
            return
        self._answered(host, target, fetched)

    def _spend(self, host: Host) -> None:
        host.left -= 1
        self._allowance -= 1
        domain = registered_domain(host.name)
        self._domain_left[domain] = self._domain_left.get(domain, 0) - 1

    # requests

    async def _wait(self, ready: float) -> None:
        if ready >= self._end and ready > self.now():
            raise RoundOverError
        while (left := ready - self.now()) > 0:
            await asyncio.sleep(left)

    async def _request(
        self, host: Host, url: str, any_type: bool = False, before: Callable[[], None] = lambda: None
    ) -> Fetched:
        """One polite request. Raises ``FetchError`` or ``RoundOverError``."""
        async with self._slot(host) as spot:
            before()
            self.summary.requests += 1
            started = self.now()
            self._note_gap(host, spot, started)
            gap = host.patience.gap(self.settings.response_timeout)
            try:
                fetched = await self._fetcher.fetch(url, any_type)
            except FetchError:
                ended = self.now()
                host.patience.failed(ended - started, ended)
                raise
            else:
                ended = self.now()
                gap = host.patience.gap(fetched.elapsed)
                host.patience.answered(fetched.exchange.status, fetched.elapsed, fetched.retry_after, ended)
                return fetched
            finally:
                host.last_end = spot.last_end = self.now()
                spot.ready = host.last_end + gap

    @asynccontextmanager
    async def _slot(self, host: Host) -> AsyncIterator[Spot]:
        async with host.lock:
            await self._wait(host.patience.ready)
            address = await self._fetcher.address(host.name)
            spot = self._spots.setdefault(address, Spot())
            async with spot.lock:
                await self._wait(spot.ready)
                async with self._connections:
                    yield spot

    def _note_gap(self, host: Host, spot: Spot, started: float) -> None:
        if host.last_end is not None:
            self.summary.smallest_gap_host = _least(self.summary.smallest_gap_host, started - host.last_end)
        if spot.last_end is not None:
            self.summary.smallest_gap_address = _least(self.summary.smallest_gap_address, started - spot.last_end)

    # answers

    def _answered(self, host: Host, target: Target, fetched: Fetched) -> None:
        exchange = fetched.exchange
        status = exchange.status
        row = exchange_row(fetched)
        location = normalise(fetched.location, target.url) if fetched.location else None
        if status == 200:
            row["outcome"] = "type" if not fetched.wanted else "ok" if exchange.body.strip() else "empty"
        elif status in (301, 302, 303, 307, 308) and location is not None:
            self._sources[location] += 1
            row["outcome"] = "redirect" if self._sources[location] <= SINK_SOURCES else "redirect_sink"
            row["location"] = location
        else:
            row["outcome"] = f"http_{status}"
        row["final"] = not (status == 429 or status >= 500)
        self._pages += row["outcome"] == "ok"
        if fetched.wanted:
            self.segments.store("fetch" if row["outcome"] == "ok" else "nonok", exchange, row)
        self._log(host, target, row)
        self._follow(row)
        if status >= 500 and host.patience.exhausted("server"):
            raise HostClosedError

    def _failed(self, host: Host, target: Target, error: FetchError) -> None:
        row: LogRow = {
            "outcome": error.kind,
            "time": self.now(),
            "final": error.kind in ("address", "port", "malformed"),
            "error": str(error),
        }
        self._log(host, target, row)
        if error.kind in ("dns", "address"):  # says something about the host: the other URLs have the same answer
            for other in list(host.queue):
                self._log(host, other, row.copy())
            raise HostClosedError
        if error.kind != "port" and host.patience.exhausted(error.kind if error.kind != "malformed" else "connect"):
            raise HostClosedError

    def _log(self, host: Host, target: Target, row: LogRow) -> None:
        """Write the row of the head of the queue (or of ``target``) and take it off, unless it is to be tried again."""
        host.queue.remove(target)
        target.tries += 1
        if _again(row, target.tries):
            host.queue.appendleft(target)
        row.update(
            {
                "kind": "page",
                "url": target.url,
                "depth": target.depth,
                "hops": target.hops,
                "redirect_from": target.redirect_from,
                "ready": host.patience.ready,
                "penalty": host.patience.penalty,
            }
        )
        self._outcomes[target.url] = row["outcome"]
        self.segments.log(row)
        self._progress(len(self._outcomes), self._pages)

    def _follow(self, row: LogRow) -> None:
        """Queue the target of a redirect on the same host; other hosts become links of the next round."""
        location = row.get("location")
        if location is None or row["outcome"] != "redirect" or row["hops"] >= MAX_HOPS:
            return
        host = self._hosts[host_of(row["url"])]
        if host_of(location) != host.name or not self._scope.allows(location):
            return
        identity = url_id(location)
        if identity in self._seen or is_known(self.memory.known, np.array([identity], dtype="S16"))[0]:
            return
        self._seen.add(identity)
        self.summary.discovered += 1
        host.queue.appendleft(Target(location, row["depth"], row["url"], row["hops"] + 1))

    # robots.txt

    async def _robots_for(self, host: Host, target: Target) -> Robots:
        origin = origin_of(target.url)
        while True:
            known = self._robots.get(origin)
            if known is not None and known.expires > self.now():
                break
            if self._robots_tries[origin] >= ROBOTS_TRIES:
                raise HostClosedError
            if self._robots_tries[origin]:
                await self._wait(max(host.patience.ready, self.now() + ROBOTS_WAIT))
            self._robots_tries[origin] += 1
            known = self._robots[origin] = await self._fetch_robots(host, origin, target, known)
            if known.outcome != "unreachable":
                self._robots_tries[origin] = 0
                break
        host.patience.robots_delay = known.delay
        host.patience.ready = max(host.patience.ready, (host.last_end or 0.0) + (known.delay or 0.0))
        return known

    async def _fetch_robots(self, host: Host, origin: str, target: Target, old: Robots | None) -> Robots:
        url = f"{origin}/robots.txt"
        asked = host
        row: LogRow = {"time": self.now()}
        for hop in range(MAX_REDIRECTS + 1):
            try:
                fetched = await self._request(asked, url, any_type=True)
            except FetchError as error:
                if error.kind in ("dns", "address", "port") and hop == 0:
                    self._failed(host, target, error)
                    raise HostClosedError from None
                row.update({"error": str(error), "status": None})
                break
            row.update(exchange_row(fetched))
            self.segments.store("robots", fetched.exchange, row)
            location = normalise(fetched.location, url) if fetched.location else None
            if not 300 <= fetched.exchange.status < 400:
                break
            if location is None or hop == MAX_REDIRECTS:
                row["status"] = 404  # RFC 9309, 2.3.1.2: no file can be found
                break
            # the rules still count for the first host
            url, asked = location, self._host(host_of(location), 0)
        body = fetched.exchange.body if row.get("status") and not row.get("error") else b""
        # a long file is cut where parsing ends anyway; one that broke off early may lack its prohibitions
        broken = row.get("truncated") is not None and len(body) < 500 << 10
        robots = judge(
            None if broken else row.get("status"),
            body,
            self.settings.user_agent,
            self.now(),
            fetched.max_age if body else None,
            self.settings.robots_403,
            old,
        )
        row.update(
            {
                "kind": "robots",
                "url": f"{origin}/robots.txt",
                "outcome": robots.outcome,
                "rules": robots.rules,
                "delay": robots.delay,
                "expires": robots.expires,
                "unreachable_since": robots.unreachable_since,
                "ready": host.patience.ready,
                "penalty": host.patience.penalty,
                "final": True,
            }
        )
        row["fetched"] = robots.fetched
        self.segments.log(row)
        return robots

    def _summarise(self) -> Summary:
        waiting = {target.url for host in self._hosts.values() for target in host.queue}
        self.summary.deferred = len(waiting)
        for url, outcome in self._outcomes.items():
            if url in waiting:
                continue
            if outcome in ("robots", "address", "port"):
                self.summary.denied += 1
            elif outcome in ("timeout", "connect", "tls", "malformed", "dns"):
                self.summary.failed += 1
            else:
                self.summary.fetched += 1
        return self.summary


def exchange_row(fetched: Fetched) -> LogRow:
    """What the log says about a response."""
    exchange = fetched.exchange
    return {
        "status": exchange.status,
        "time": exchange.time,
        "elapsed": round(fetched.elapsed, 6),
        "address": exchange.address,
        "media_type": fetched.media_type,
        "identified": fetched.identified,
        "bytes": len(exchange.body),
        "wire_bytes": fetched.wire,
        "truncated": exchange.truncated,
        "tls_error": fetched.tls_error,
    }


def robots_of(row: LogRow) -> Robots:
    """The decision a robots row of the log recorded."""
    return Robots(
        row["outcome"],  # type: ignore[arg-type]
        row["rules"],
        row["delay"],
        row["fetched"],
        row["expires"],
        row["unreachable_since"],
    )


def _again(row: LogRow, tries: int) -> bool:
    """Whether the host has asked to be asked later; other failures wait for the next round."""
    return row.get("status") in SLOW_DOWN and tries < MAX_TRIES


def _least(known: float | None, new: float) -> float:
    return new if known is None else min(known, new)
