"""Whose turn it is: one request at a time for each host and for each address, with the pause each of them is owed.

A request takes the host's lock, waits for the host, takes the lock of its address, waits for the address, and only then
takes a connection. What cannot be waited for until the end of the round raises ``RoundOverError`` at once.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import TracebackType

from dataprep.crawl.fetch import Fetched, Fetcher, FetchError, Resolve
from dataprep.crawl.politeness import Known, Patience
from dataprep.crawl.settings import CrawlSettings

LOGGED_SECONDS = 30.0  # shorter pauses are everyday

logger = logging.getLogger(__name__)


class RoundOverError(Exception):
    """What is asked for cannot happen before the end of the round."""


class HostClosedError(Exception):
    """The host is left alone for the rest of the round."""


@dataclass
class Host:
    name: str
    patience: Patience
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    last_end: float | None = None


@dataclass
class Spot:
    """One address, however many hosts live there."""

    address: str
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    ready: float = 0.0
    last_end: float | None = None


@dataclass
class Gaps:
    """The smallest pauses seen between two requests, in seconds; None when nothing was asked twice."""

    host: float | None = None
    address: float | None = None


class Turns:
    """Use as an async context manager, inside the loop that makes the requests.

    ``known`` is from earlier rounds. ``resumed``: a killed
    process asked hosts nobody knows when, so each is first left alone for one delay. ``crowded``: address →
    number of shards that use it at the same time; each of them then asks there so many times more slowly.
    """

    def __init__(
        self,
        settings: CrawlSettings,
        known: Mapping[str, Known],
        resumed: bool,
        crowded: Mapping[str, int],
        resolve: Resolve,
    ) -> None:
        self._settings = settings
        self._known = known
        self._resumed = resumed
        self._crowded = crowded
        self._resolve = resolve
        self._hosts: dict[str, Host] = {}
        self._spots: dict[str, Spot] = {}
        self._offset = time.time() - time.monotonic()
        self.end = self.now() + settings.round_seconds
        self.requests = 0
        self.gaps = Gaps()

    async def __aenter__(self) -> "Turns":
        self._connections = asyncio.Semaphore(self._settings.connections)
        self._fetcher = await Fetcher(self._settings, self._resolve).__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._fetcher.__aexit__(kind, error, trace)

    def now(self) -> float:
        """Unix time that never jumps back."""
        return time.monotonic() + self._offset

    def host(self, name: str) -> Host:
        if name not in self._hosts:
            known = self._known.get(name, Known())
            own = name in self._settings.own_hosts
            patience = Patience(self._settings.delay_of(name), own, **known._asdict())
            if self._resumed:
                patience.ready = max(patience.ready, self.now() + patience.gap(0.0))
            self._hosts[name] = Host(name, patience)
        return self._hosts[name]

    async def wait(self, ready: float, name: str) -> None:
        """Sleep until the Unix time ``ready``, or raise ``RoundOverError`` now if the round will be over by then.

        ``name`` is the host or address that is waited for; a long wait is logged.
        """
        if ready >= self.end and ready > self.now():
            logger.info("%s asks for a pause beyond the end of this round", name)
            raise RoundOverError
        if ready - self.now() >= LOGGED_SECONDS:
            logger.info("waiting %.0f s for %s", ready - self.now(), name)
        while (left := ready - self.now()) > 0:
            await asyncio.sleep(left)

    async def request(
        self, host: Host, url: str, any_type: bool = False, before: Callable[[], None] = lambda: None
    ) -> Fetched:
        """One polite request; ``before`` is called when it is certain to be made.

        Raises ``FetchError`` or ``RoundOverError``.
        """
        async with self._slot(host) as spot:
            before()
            self.requests += 1
            started = self.now()
            self._note_gaps(host, spot, started)
            gap = host.patience.gap(self._settings.response_timeout)
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
                spot.ready = host.last_end + gap * self._crowded.get(spot.address, 1)

    @asynccontextmanager
    async def _slot(self, host: Host) -> AsyncIterator[Spot]:
        async with host.lock:
            await self.wait(host.patience.ready, host.name)
            address = await self._fetcher.address(host.name)
            spot = self._spots.setdefault(address, Spot(address))
            async with spot.lock:
                await self.wait(spot.ready, spot.address)
                async with self._connections:
                    yield spot

    def _note_gaps(self, host: Host, spot: Spot, started: float) -> None:
        if host.last_end is not None:
            self.gaps.host = _least(self.gaps.host, started - host.last_end)
        if spot.last_end is not None:
            self.gaps.address = _least(self.gaps.address, started - spot.last_end)


def _least(known: float | None, new: float) -> float:
    return new if known is None else min(known, new)
