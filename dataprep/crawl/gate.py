"""robots.txt of each origin: fetched as an ordinary request, kept for its time, and asked before every page."""

import logging
from collections import Counter

from dataprep.crawl.fetch import Fetched, FetchError
from dataprep.crawl.robots import MAX_BYTES, MAX_REDIRECTS, Robots, judge
from dataprep.crawl.segments import LogRow, Segments
from dataprep.crawl.settings import CrawlSettings
from dataprep.crawl.turns import Host, HostClosedError, Turns
from dataprep.urls import host_of, normalise

RETRY_SECONDS = 300.0
TRIES = 3

logger = logging.getLogger(__name__)


class Gate:
    """``known`` is what earlier rounds and committed segments decided, by origin."""

    def __init__(self, settings: CrawlSettings, turns: Turns, segments: Segments, known: dict[str, Robots]) -> None:
        self._settings = settings
        self._turns = turns
        self._segments = segments
        self._known = known
        self.tries: Counter[str] = Counter()  # in vain, of each origin in this round

    async def robots(self, host: Host, origin: str) -> Robots:
        """What holds for ``origin`` now; its delay becomes the host's.

        Raises ``HostClosedError`` when it could not be fetched three times (once, if the host gave no answer in the
        round before), ``RoundOverError``, or ``FetchError`` (dns, address or port) when the host cannot be asked.
        """
        while True:
            robots = self._known.get(origin)
            if robots is not None and robots.expires > self._turns.now():
                break
            if self.tries[origin] >= (1 if host.patience.strikes else TRIES):
                logger.info("%s is left alone in this round: robots.txt of %s cannot be fetched", host.name, origin)
                raise HostClosedError
            if self.tries[origin]:
                await self._turns.wait(
                    max(host.patience.ready, self._turns.now() + RETRY_SECONDS), f"{origin}/robots.txt"
                )
            self.tries[origin] += 1
            robots = self._known[origin] = await self._fetch(host, origin, robots)
            if robots.outcome != "unreachable":
                self.tries[origin] = 0
                break
        host.patience.robots_delay = robots.delay
        host.patience.ready = max(host.patience.ready, (host.last_end or 0.0) + (robots.delay or 0.0))
        return robots

    async def _fetch(self, host: Host, origin: str, old: Robots | None) -> Robots:
        url = f"{origin}/robots.txt"
        row: LogRow = {"time": self._turns.now(), "status": None}
        fetched: Fetched | None = None
        asked = host
        for hop in range(MAX_REDIRECTS + 1):
            try:
                fetched = await self._turns.request(asked, url, any_type=True)
            except FetchError as error:
                if error.kind in ("dns", "address", "port") and hop == 0:
                    raise
                row.update({"error": str(error), "status": None})
                break
            row.update(exchange_row(fetched))
            self._segments.store("robots", fetched.exchange, row)
            location = normalise(fetched.location, url) if fetched.location else None
            if not 300 <= fetched.exchange.status < 400:
                break
            if location is None or hop == MAX_REDIRECTS:
                row["status"] = 404  # RFC 9309, 2.3.1.2: no file can be found
                break
            # the rules still count for the first host
            url, asked = location, self._turns.host(host_of(location))
        return self._decide(host, origin, row, fetched, old)

    def _decide(self, host: Host, origin: str, row: LogRow, fetched: Fetched | None, old: Robots | None) -> Robots:
        status = row["status"]
        body = fetched.exchange.body if fetched is not None else b""
        if row.get("truncated") is not None and len(body) < MAX_BYTES:
            status = None  # a file that broke off may lack its prohibitions; a long one is cut there anyway
        robots = judge(
            status,
            body,
            self._settings.user_agent,
            self._turns.now(),
            fetched.max_age if fetched is not None else None,
            self._settings.robots_403,
            old,
        )
        row.update(
            {
                "kind": "robots",
                "url": f"{origin}/robots.txt",
                "outcome": robots.outcome,
                "rules": robots.rules,
                "delay": robots.delay,
                "fetched": robots.fetched,
                "expires": robots.expires,
                "unreachable_since": robots.unreachable_since,
                "ready": host.patience.ready,
                "penalty": host.patience.penalty,
                "failures": host.patience.failures,
                "final": True,
            }
        )
        self._segments.log(row)
        return robots


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
