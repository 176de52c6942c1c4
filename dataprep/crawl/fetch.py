"""One HTTP request under every limit of the crawler: addresses, time, size, rate, type.

Decisions:
- A host is resolved once, its address checked, and exactly that address is dialled; the check is repeated where the
  socket is made, which also sees address literals. Proxy variables, cookies and redirects are ignored here.
- Bodies are taken raw and decoded with a cap. A body cut by size, time or disconnection is kept and marked truncated.
- Answers other than text are dropped once their first 1,024 bytes are seen.
- A failure is a ``FetchError`` with a short kind; a response of any status is not a failure.
"""

import asyncio
import ipaddress
import socket
import ssl
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from types import TracebackType
from typing import Any

import aiohttp
import aiohttp.abc
from yarl import URL

from dataprep.crawl.addresses import AddressRefusedError, refusal
from dataprep.crawl.decode import TEXT_TYPES, CappedDecoder, sniff
from dataprep.crawl.settings import CrawlSettings
from dataprep.crawl.warc import Exchange
from dataprep.urls import host_of, is_address, path_of, port_of

Resolve = Callable[[str], Awaitable[list[str]]]

MIN_RATE = 1000  # bytes a second over RATE_WINDOW seconds: below it a server is a tar pit
RATE_WINDOW = 20.0
POSITIVE_TTL = 3600.0
NEGATIVE_TTL = 60.0
MAX_LOOKUPS = 50

_dialling: ContextVar[str] = ContextVar("_dialling")


class FetchError(Exception):
    """No response. ``kind``: dns, connect (no connection), disconnect (no whole answer), tls, timeout,
    malformed, address or port. The message is one line."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(" ".join(message.split())[:300] or kind)
        self.kind = kind


@dataclass(frozen=True)
class Fetched:
    """A response. ``elapsed`` in seconds, ``wire`` bytes as received; ``wanted`` is False when the type is not text."""

    exchange: Exchange
    elapsed: float
    wire: int
    media_type: str
    identified: str
    wanted: bool
    location: str | None
    retry_after: str | None
    max_age: float | None
    tls_error: str | None = None


async def system_resolve(host: str) -> list[str]:
    """The addresses of ``host`` from the system's resolver, in its order of preference."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class _CheckedResolver(aiohttp.abc.AbstractResolver):
    def __init__(self, fetcher: "Fetcher") -> None:
        self._fetcher = fetcher

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[aiohttp.abc.ResolveResult]:
        address = await self._fetcher.address(host)
        kind = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [
            {
                "hostname": host,
                "host": address,
                "port": port,
                "family": kind,
                "proto": 0,
                "flags": socket.AI_NUMERICHOST,
            }
        ]

    async def close(self) -> None:
        pass


class Fetcher:
    """Use as an async context manager; safe for many requests at once, politeness is the caller's."""

    def __init__(self, settings: CrawlSettings, resolve: Resolve = system_resolve) -> None:
        self._settings = settings
        self._resolve = resolve
        self._lookups = asyncio.Semaphore(MAX_LOOKUPS)
        self._addresses: dict[str, tuple[float, str | FetchError]] = {}
        self.headers = identity(settings)

    async def __aenter__(self) -> "Fetcher":
        connector = aiohttp.TCPConnector(
            resolver=_CheckedResolver(self),
            use_dns_cache=False,
            limit=self._settings.connections,
            limit_per_host=1,
            happy_eyeballs_delay=None,
            socket_factory=self._socket,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            headers=self.headers,
            max_field_size=8190,
            max_line_size=8190,
            max_headers=128,
            timeout=aiohttp.ClientTimeout(
                total=None,
                sock_connect=self._settings.connect_timeout,
                sock_read=self._settings.first_byte_timeout,
            ),
        )
        # aiohttp would ask a second time, at once, when a connection is closed without an answer
        self._session._retry_connection = False
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def address(self, host: str) -> str:
        """The checked address of ``host``, resolved at most once an hour. Raises ``FetchError`` dns or address."""
        if is_address(host):
            return self._checked(host, host.strip("[]"))
        now = time.monotonic()
        known = self._addresses.get(host)
        if known is None or known[0] < now:
            async with self._lookups:
                known = await self._look_up(host, now)
            self._addresses[host] = known
        if isinstance(known[1], FetchError):
            raise FetchError(known[1].kind, str(known[1]))
        return known[1]

    async def _look_up(self, host: str, now: float) -> tuple[float, str | FetchError]:
        try:
            async with asyncio.timeout(self._settings.connect_timeout):
                found = await self._resolve(host)
        except (OSError, UnicodeError, TimeoutError) as error:
            return now + NEGATIVE_TTL, FetchError("dns", f"{host} has no address: {error}")
        refused: FetchError | None = None
        for address in found:
            try:
                return now + POSITIVE_TTL, self._checked(host, address)
            except FetchError as error:
                refused = error
        return now + NEGATIVE_TTL, refused or FetchError("dns", f"{host} has no address")

    def _checked(self, host: str, address: str) -> str:
        reason = None if host in self._settings.own_hosts else refusal(address)
        if reason is not None:
            raise FetchError("address", f"{reason}, and {host} is not in own_hosts")
        return address

    def _socket(self, info: Any) -> socket.socket:
        family, kind, protocol, _, target = info
        host = _dialling.get("")
        reason = None if host in self._settings.own_hosts else refusal(target[0])
        if reason is not None:
            raise AddressRefusedError(f"{reason}, and {host} is not in own_hosts")
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)
        return made

    async def fetch(self, url: str, any_type: bool = False) -> Fetched:
        """GET a normal URL. ``any_type`` keeps a body that is not text (robots.txt is read whatever it is).

        Raises ``FetchError``.
        """
        host = host_of(url)
        if port_of(url) not in self._settings.ports:
            raise FetchError("port", f"port {port_of(url)} is neither 80, 443 nor that of a seed")
        await self.address(host)
        _dialling.set(host)
        try:
            return await self._get(url, any_type, None)
        except FetchError as error:
            if error.kind != "tls" or self._settings.tls != "record":
                raise
            return await self._get(url, any_type, str(error))

    async def _get(self, url: str, any_type: bool, tls_error: str | None) -> Fetched:
        started = time.time()
        clock = time.monotonic()
        try:
            async with asyncio.timeout(self._settings.response_timeout) as limit:
                response = await self._session.get(URL(url, encoded=True), allow_redirects=False, ssl=tls_error is None)
                try:
                    limit.reschedule(None)
                    return await self._read(response, url, started, clock, any_type, tls_error)
                finally:
                    response.close()
        except (aiohttp.ClientSSLError, ssl.SSLError) as error:
            raise FetchError("tls", str(error)) from None
        except aiohttp.ClientConnectorDNSError as error:
            raise FetchError("dns", str(error)) from None
        except aiohttp.ConnectionTimeoutError:
            raise FetchError("connect", f"no connection within {time.monotonic() - clock:.1f} s") from None
        except TimeoutError:
            raise FetchError("timeout", f"no answer within {time.monotonic() - clock:.1f} s") from None
        except (aiohttp.ClientResponseError, aiohttp.http_exceptions.HttpProcessingError, ValueError) as error:
            raise FetchError("malformed", f"{type(error).__name__}: {error}") from None
        except (aiohttp.ClientError, OSError) as error:
            if isinstance(getattr(error, "os_error", None), AddressRefusedError):
                raise FetchError("address", str(error)) from None
            kind = "connect" if isinstance(error, aiohttp.ClientConnectorError) else "disconnect"
            raise FetchError(kind, f"{type(error).__name__}: {error}") from None

    async def _read(
        self,
        response: aiohttp.ClientResponse,
        url: str,
        started: float,
        clock: float,
        any_type: bool,
        tls_error: str | None,
    ) -> Fetched:
        media_type = response.headers.get("Content-Type", "")
        address, cipher, protocol = _peer(response)
        decoder = CappedDecoder(response.headers.get("Content-Encoding", ""), self._settings.max_bytes)
        wanted, truncated = True, None
        deadline = clock + self._settings.response_timeout
        window, window_wire = time.monotonic(), 0
        try:
            async with asyncio.timeout(max(deadline - time.monotonic(), 0.001)):
                async for chunk in response.content.iter_any():
                    decoder.feed(chunk)
                    if (
                        not any_type
                        and len(decoder.body) >= 1024
                        and not _is_text(decoder, media_type, response.status)
                    ):
                        wanted = False
                        break
                    if decoder.truncated:
                        truncated = "length"
                        break
                    now = time.monotonic()
                    if now - window >= RATE_WINDOW:
                        if decoder.wire - window_wire < MIN_RATE * RATE_WINDOW:
                            truncated = "time"
                            break
                        window, window_wire = now, decoder.wire
        except TimeoutError:
            if not decoder.body:
                raise
            truncated = "time"
        except (aiohttp.ClientPayloadError, aiohttp.ClientConnectionError, OSError):
            if not decoder.body:
                raise
            truncated = "disconnect"
        body = bytes(decoder.body)
        identified = sniff(body, media_type) if body else ""
        wanted = wanted and (any_type or not body or response.status != 200 or identified in TEXT_TYPES)
        exchange = Exchange(
            url=url,
            time=started,
            request=_request_block(url, response),
            status=response.status,
            reason=response.reason or "",
            headers=tuple(response.raw_headers),
            body=body,
            address=address or (await self.address(host_of(url))),
            protocol=protocol,
            cipher=cipher,
            identified=identified or None,
            truncated=truncated,
        )
        return Fetched(
            exchange=exchange,
            elapsed=time.monotonic() - clock,
            wire=decoder.wire,
            media_type=media_type,
            identified=identified,
            wanted=wanted,
            location=response.headers.get("Location"),
            retry_after=response.headers.get("Retry-After"),
            max_age=_max_age(response.headers.get("Cache-Control", "")),
            tls_error=tls_error,
        )


def identity(settings: CrawlSettings) -> dict[str, str]:
    """The headers that say who asks; only what is decoded with a cap is offered."""
    token = f"{settings.user_agent}/{_version()}"
    page = settings.contact_url and f"+{settings.contact_url}"
    contact = "; ".join(filter(None, [page, settings.contact_mail]))
    headers = {
        "User-Agent": f"{token} ({contact})" if contact else token,
        "Accept": "text/html,application/xhtml+xml,text/plain;q=0.9,*/*;q=0.1",
        "Accept-Encoding": "gzip, br",
    }
    return headers | ({"From": settings.contact_mail} if settings.contact_mail else {})


def _version() -> str:
    try:
        return version("corpusmill")
    except PackageNotFoundError:  # run from a checkout
        return "0"


def _is_text(decoder: CappedDecoder, media_type: str, status: int) -> bool:
    return status != 200 or sniff(bytes(decoder.body[:1024]), media_type) in TEXT_TYPES


def _request_block(url: str, response: aiohttp.ClientResponse) -> bytes:
    lines = [f"GET {path_of(url)} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in response.request_info.headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def _peer(response: aiohttp.ClientResponse) -> tuple[str | None, str | None, str]:
    """Address, cipher suite and protocol; the first two None when a short answer has already freed its connection."""
    number = response.version
    protocol = f"http/{number.major}.{number.minor}" if number else "http/1.1"
    transport = response.connection.transport if response.connection is not None else None
    if transport is None:
        return None, None, protocol
    peer = transport.get_extra_info("peername")
    cipher = transport.get_extra_info("cipher")
    return (str(ipaddress.ip_address(peer[0])) if peer else None), (cipher[0] if cipher else None), protocol


def _max_age(cache_control: str) -> float | None:
    for part in cache_control.lower().split(","):
        name, _, value = part.strip().partition("=")
        if name in ("no-cache", "no-store"):
            return 0.0
        if name == "max-age" and value.strip('"').isdigit():
            return float(value.strip('"')[:9])
    return None
