"""What a recipe says about one crawl: who asks, what it may ask for, how patiently, and when it stops.

Decisions:
- Nobody crawls anonymously: without a page and a mail address of the operator a crawl refuses to start, unless it stays
  on this machine.
- Politeness can be raised freely and lowered only for hosts the recipe lists as its own; the same list is what permits
  private and loopback addresses.
- ``include`` and ``exclude`` are written in the language of robots.txt: a pattern is a prefix, ``*`` is any run of
  characters, a final ``$`` is the end. A pattern that starts with ``/`` is compared with path and query, any other with
  the whole URL.
"""

import re
from functools import cached_property
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from dataprep.crawl.addresses import is_loopback_host, refusal
from dataprep.settings import Settings
from dataprep.urls import host_of, is_address, normalise, port_of

# Sites that publish their content as a dump: one download instead of a crawl, and they ask for it.
DUMPS = {
    "wikipedia.org": "https://dumps.wikimedia.org",
    "wiktionary.org": "https://dumps.wikimedia.org",
    "wikimedia.org": "https://dumps.wikimedia.org",
    "stackexchange.com": "https://archive.org/details/stackexchange",
    "stackoverflow.com": "https://archive.org/details/stackexchange",
    "gutenberg.org": "a Project Gutenberg mirror (the site itself is for people only)",
    "commoncrawl.org": "the WARC files, which are an input of their own",
    "github.com": "git itself",
    "arxiv.org": "https://info.arxiv.org/help/bulk_data.html",
}


class CrawlSettings(Settings):
    """One crawl. Times in seconds, sizes in bytes; ``max_pages*`` count requests for pages, whatever was answered."""

    seeds: tuple[str, ...] = Field(min_length=1)
    user_agent: str = Field("corpusmill", pattern=r"^[A-Za-z_-]+$", description="product token, matched in robots.txt")
    contact_url: str | None = Field(None, pattern=r"^https?://\S+$", description="a page about this crawler")
    contact_mail: str | None = Field(None, pattern=r"^[^@\s<>;]+@[^@\s<>;]+$")

    scope: Literal["host", "domain", "any"] = "host"
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    max_depth: int = Field(20, ge=0)
    max_pages: int = Field(10_000, ge=1)
    max_pages_per_host: int = Field(2_000, ge=1)
    max_pages_per_domain: int = Field(5_000, ge=1)
    rounds: int = Field(20, ge=1)
    round_seconds: float = Field(3600.0, gt=0)

    delay: float = Field(5.0, ge=5.0, description="between two requests to a host; lower it in own_hosts only")
    own_hosts: dict[str, float] = Field(default_factory=dict, description="hosts of the operator, each with its delay")
    robots_403: Literal["allow", "disallow"] = "allow"
    tls: Literal["verify", "record"] = "verify"

    connect_timeout: float = Field(10.0, gt=0)
    first_byte_timeout: float = Field(20.0, gt=0)
    response_timeout: float = Field(60.0, gt=0)
    max_bytes: int = Field(5 << 20, ge=1024)
    connections: int = Field(100, ge=1, description="open at once in one shard, over all hosts")
    shards: int = Field(16, ge=1, le=1000, description="pieces of work a round is cut into, by registered domain")

    @field_validator("seeds")
    @classmethod
    def _seeds(cls, seeds: tuple[str, ...]) -> tuple[str, ...]:
        normal = []
        for seed in seeds:
            url = normalise(seed)
            if url is None:
                raise ValueError(f"seed {seed!r} is not an absolute http or https URL")
            normal.append(url)
        return tuple(dict.fromkeys(normal))

    @field_validator("include", "exclude")
    @classmethod
    def _patterns(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            if not re.match(r"/|\*|https?:", pattern):
                raise ValueError(f"pattern {pattern!r} must start with '/', '*' or 'http'")
        return patterns

    @field_validator("own_hosts")
    @classmethod
    def _own_hosts(cls, hosts: dict[str, float]) -> dict[str, float]:
        normal = {}
        for host, delay in hosts.items():
            url = normalise(f"http://{host}/")
            if url is None or url.count("/") != 3 or port_of(url) != 80:
                raise ValueError(f"own_hosts: {host!r} is not a host name or address without port")
            if not 0 <= delay < float("inf"):
                raise ValueError(f"own_hosts: the delay of {host!r} is {delay}, allowed are 0 seconds and more")
            normal[host_of(url)] = delay
        return normal

    @model_validator(mode="after")
    def _private_seeds(self) -> Self:
        for seed in self.seeds:
            host = host_of(seed)
            private = is_loopback_host(host) or (is_address(host) and refusal(host.strip("[]")) is not None)
            if private and host not in self.own_hosts:
                raise ValueError(f"seed {seed!r} is not on the public internet; name it: own_hosts: {{{host!r}: 0}}")
        return self

    @model_validator(mode="after")
    def _contact(self) -> Self:
        stays_here = self.scope != "any" and all(is_loopback_host(host_of(seed)) for seed in self.seeds)
        missing = [name for name in ("contact_url", "contact_mail") if getattr(self, name) is None]
        if missing and not stays_here:
            raise ValueError(
                f"a crawl must say who is asking: {' and '.join(missing)} missing "
                "(only a crawl of this machine, with loopback seeds and scope host or domain, may do without)"
            )
        return self

    def delay_of(self, host: str) -> float:
        return self.own_hosts.get(host, self.delay)

    @cached_property
    def ports(self) -> frozenset[int]:
        """The ports that may be asked: the two of the web and those of the seeds."""
        return frozenset({80, 443} | {port_of(seed) for seed in self.seeds})

    def dump_warnings(self) -> list[str]:
        """One line for each seed whose publisher offers a dump instead."""
        lines = []
        for seed in self.seeds:
            for site, better in DUMPS.items():
                host = host_of(seed)
                if host == site or host.endswith("." + site):
                    lines.append(f"{seed}: {site} publishes its content; take {better} instead of crawling")
        return lines
