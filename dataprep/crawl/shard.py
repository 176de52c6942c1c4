"""One shard of one round: every politeness state of its sites in one process, one asyncio loop, one task a host.

Decisions:
- A host's task asks for one thing after the other. What cannot be had before the end of the round is deferred: it
  leaves no trace in the log and is selected again.
- Everything that happened is in the committed segments; a shard that starts again reads them and goes on.
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from dataprep.crawl.fetch import Fetched, FetchError, Resolve, system_resolve
from dataprep.crawl.frontier import MAX_TRIES, UNASKED, is_known
from dataprep.crawl.gate import Gate, exchange_row, robots_of
from dataprep.crawl.politeness import SLOW_DOWN, Known
from dataprep.crawl.robots import Robots
from dataprep.crawl.scope import Scope
from dataprep.crawl.segments import LogRow, Segments
from dataprep.crawl.settings import CrawlSettings
from dataprep.crawl.trouble import NO_ANSWER, closes
from dataprep.crawl.turns import Host, HostClosedError, RoundOverError, Turns
from dataprep.urls import host_of, normalise, origin_of, registered_domain, url_id

MAX_HOPS = 5
SINK_SOURCES = 20  # that many pages redirecting to one are a login or a consent page
REDIRECTS = (301, 302, 303, 307, 308)

logger = logging.getLogger(__name__)


@dataclass
class Target:
    """A URL to fetch; ``tries`` in this round, ``hops`` redirects behind it."""

    url: str
    depth: int
    redirect_from: str | None = None
    hops: int = 0
    tries: int = 0


@dataclass
class Queue:
    """What is wanted from one host; ``left`` is its budget of requests for pages."""

    host: Host
    left: int
    closed: bool = False  # for the rest of the round
    targets: deque[Target] = field(default_factory=deque)


@dataclass
class Memory:
    """What earlier rounds know about this shard: hosts by name, robots by origin, sorted ids."""

    hosts: dict[str, Known] = field(default_factory=dict)
    robots: dict[str, Robots] = field(default_factory=dict)
    known: np.ndarray = field(default_factory=lambda: np.empty(0, dtype="S16"))


@dataclass
class Summary:
    """selected + discovered = fetched + denied + deferred + failed. Gaps in seconds, of this process only."""

    selected: int = 0
    discovered: int = 0  # redirect targets followed within the round
    fetched: int = 0  # an answer of any status
    denied: int = 0  # robots, address or port
    failed: int = 0  # no answer
    deferred: int = 0
    requests: int = 0  # robots.txt included, in this process
    smallest_gap_host: float | None = None
    smallest_gap_address: float | None = None
    links_cut: int = 0  # pages with more tags than were read for links


class ShardCrawl:
    """Runs once. ``targets`` is (url, depth, host_left, domain_left) in order; ``allowance`` bounds page requests.

    ``crowded`` is how many shards use an address at the same time.
    """

    def __init__(
        self,
        settings: CrawlSettings,
        targets: Sequence[tuple[str, int, int, int]],
        allowance: int,
        memory: Memory,
        segments: Segments,
        crowded: Mapping[str, int] | None = None,
        resolve: Resolve = system_resolve,
        progress: Callable[[int, int], None] = lambda done, pages: None,
    ) -> None:
        self._segments = segments
        self._progress = progress
        self._scope = Scope(settings)
        self._known = memory.known
        self._robots = dict(memory.robots)
        self._turns = Turns(settings, memory.hosts, segments.resumed, crowded or {}, resolve)
        self._gate = Gate(settings, self._turns, segments, self._robots)
        self._allowance = allowance
        self._queues: dict[str, Queue] = {}
        self._domain_left: dict[str, int] = {}
        self._seen: set[bytes] = set()  # of this round and shard only; older URLs are in ``known``
        self._sources: Counter[str] = Counter()
        self._outcomes: dict[str, str] = {}
        self._pages = 0
        self._summary = Summary(selected=len(targets))
        for url, depth, host_left, domain_left in targets:
            name = host_of(url)
            queue = self._queues.setdefault(name, Queue(self._turns.host(name), host_left))
            queue.targets.append(Target(url, depth))
            self._domain_left.setdefault(registered_domain(name), domain_left)
            self._seen.add(url_id(url))
        self._resume()

    def _resume(self) -> None:
        """Take back what the committed segments say has already happened in this round."""
        last: dict[str, LogRow] = {}
        tries: Counter[str] = Counter()
        for row in self._segments.rows:
            host = self._turns.host(host_of(row["url"]))
            host.patience.ready = max(host.patience.ready, row["ready"])
            host.patience.penalty = row["penalty"]
            host.patience.failures = row["failures"]
            if row["kind"] == "robots":
                origin = origin_of(row["url"])
                self._robots[origin] = robots_of(row)
                self._gate.tries[origin] = self._gate.tries[origin] + 1 if row["outcome"] == "unreachable" else 0
                continue
            last[row["url"]] = row
            tries[row["url"]] += 1
            self._outcomes[row["url"]] = row["outcome"]
            self._pages += row["outcome"] == "ok"
            queue = self._queues[host.name]
            queue.closed = closes(row)
            if row["outcome"] not in UNASKED:
                self._spend(queue)
            if "location" in row:
                self._sources[str(row["location"])] += 1
            self._follow(queue, row)
        for queue in self._queues.values():
            for target in queue.targets:
                target.tries = tries[target.url]
            queue.targets = deque(
                target for target in queue.targets if target.url not in last or _again(last[target.url], target.tries)
            )

    async def run(self) -> Summary:
        async with self._turns:
            clock = asyncio.create_task(self._keep_committing())
            try:
                async with asyncio.TaskGroup() as group:
                    for queue in self._queues.values():
                        if not queue.closed:
                            group.create_task(self._drain(queue))
            finally:
                clock.cancel()
        return self._summarise()

    async def _keep_committing(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            self._segments.roll()
            self._progress(len(self._outcomes), self._pages)  # a crawl that only waits is alive

    async def _drain(self, queue: Queue) -> None:
        try:
            while queue.targets:
                await self._visit(queue, queue.targets[0])
        except (RoundOverError, HostClosedError):
            return

    async def _visit(self, queue: Queue, target: Target) -> None:
        """Deal with the head of a queue; it stays there until its row is written."""
        if self._turns.now() >= self._turns.end:
            raise RoundOverError
        try:
            robots = await self._gate.robots(queue.host, origin_of(target.url))
            if not robots.allows(target.url):
                self._log(queue, target, {"outcome": "robots", "time": self._turns.now(), "final": True})
                return
            if min(queue.left, self._domain_left[registered_domain(queue.host.name)], self._allowance) <= 0:
                raise HostClosedError
            fetched = await self._turns.request(queue.host, target.url, before=lambda: self._spend(queue))
        except FetchError as error:
            self._failed(queue, target, error)
        else:
            self._answered(queue, target, fetched)

    def _spend(self, queue: Queue) -> None:
        queue.left -= 1
        self._allowance -= 1
        self._domain_left[registered_domain(queue.host.name)] -= 1

    def _answered(self, queue: Queue, target: Target, fetched: Fetched) -> None:
        exchange = fetched.exchange
        status = exchange.status
        row = exchange_row(fetched)
        location = normalise(fetched.location, target.url) if fetched.location else None
        if status == 200:
            row["outcome"] = "type" if not fetched.wanted else "ok" if exchange.body.strip() else "empty"
        elif status in REDIRECTS and location is not None:
            self._sources[location] += 1
            row["outcome"] = "redirect" if self._sources[location] <= SINK_SOURCES else "redirect_sink"
            row["location"] = location
        else:
            row["outcome"] = f"http_{status}"
        row["final"] = not (status == 429 or status >= 500)
        self._pages += row["outcome"] == "ok"
        if fetched.wanted:
            self._segments.store("fetch" if row["outcome"] == "ok" else "nonok", exchange, row)
        self._log(queue, target, row)
        self._follow(queue, row)
        self._close_after(queue, row)

    def _failed(self, queue: Queue, target: Target, error: FetchError) -> None:
        row: LogRow = {
            "outcome": error.kind,
            "time": self._turns.now(),
            "final": error.kind in ("address", "port", "malformed"),
            "error": str(error),
        }
        if error.kind == "address":  # its other URLs get the same answer
            for other in list(queue.targets):
                self._log(queue, other, row.copy())
            raise HostClosedError
        self._log(queue, target, row)
        self._close_after(queue, row)

    def _close_after(self, queue: Queue, row: LogRow) -> None:
        if closes(row):
            logger.info("%s is left alone in this round: %s", queue.host.name, row.get("error") or row["outcome"])
            raise HostClosedError

    def _log(self, queue: Queue, target: Target, row: LogRow) -> None:
        """Write a target's row and take it off the queue, or put it first when the host asked to be asked later."""
        queue.targets.remove(target)
        target.tries += 1
        if _again(row, target.tries):
            queue.targets.appendleft(target)
        row.update(
            {
                "kind": "page",
                "url": target.url,
                "depth": target.depth,
                "hops": target.hops,
                "redirect_from": target.redirect_from,
                "ready": queue.host.patience.ready,
                "penalty": queue.host.patience.penalty,
                "failures": queue.host.patience.failures,
            }
        )
        self._outcomes[target.url] = row["outcome"]
        self._segments.log(row)
        self._progress(len(self._outcomes), self._pages)

    def _follow(self, queue: Queue, row: LogRow) -> None:
        """Queue the target of a redirect on the same host; other hosts become links of the next round."""
        location = row.get("location")
        if location is None or row["outcome"] != "redirect" or row["hops"] >= MAX_HOPS:
            return
        if host_of(location) != queue.host.name or not self._scope.allows(location):
            return
        identity = url_id(location)
        if identity in self._seen or is_known(self._known, np.array([identity], dtype="S16"))[0]:
            return
        self._seen.add(identity)
        self._summary.discovered += 1
        queue.targets.appendleft(Target(location, row["depth"], row["url"], row["hops"] + 1))

    def _summarise(self) -> Summary:
        summary = self._summary
        waiting = {target.url for queue in self._queues.values() for target in queue.targets}
        outcomes = [outcome for url, outcome in self._outcomes.items() if url not in waiting]
        summary.deferred = len(waiting)
        summary.denied = sum(outcome in ("robots", "address", "port") for outcome in outcomes)
        summary.failed = sum(outcome in NO_ANSWER or outcome == "dns" for outcome in outcomes)
        summary.fetched = len(outcomes) - summary.denied - summary.failed
        summary.requests = self._turns.requests
        summary.smallest_gap_host, summary.smallest_gap_address = self._turns.gaps.host, self._turns.gaps.address
        return summary


def _again(row: LogRow, tries: int) -> bool:
    """Whether the host has asked to be asked later; other failures wait for the next round."""
    return row.get("status") in SLOW_DOWN and tries < MAX_TRIES
