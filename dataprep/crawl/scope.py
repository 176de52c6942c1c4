"""Which URLs belong to a crawl: sites, ports, and the recipe's include and exclude patterns."""

import re

from dataprep.crawl.settings import CrawlSettings
from dataprep.urls import host_of, path_of, port_of, registered_domain


class Scope:
    """Compiled once per process; ``allows`` takes a normal URL."""

    def __init__(self, settings: CrawlSettings) -> None:
        self._kind = settings.scope
        self._ports = settings.ports
        hosts = {host_of(seed) for seed in settings.seeds}
        self._sites = hosts if settings.scope == "host" else {registered_domain(host) for host in hosts}
        self._include = [_compile(pattern) for pattern in settings.include]
        self._exclude = [_compile(pattern) for pattern in settings.exclude]

    def allows(self, url: str) -> bool:
        host = host_of(url)
        if port_of(url) not in self._ports:
            return False
        if self._kind == "host" and host not in self._sites:
            return False
        if self._kind == "domain" and registered_domain(host) not in self._sites:
            return False
        if self._include and not _any(self._include, url):
            return False
        return not self.excludes(url)

    def excludes(self, url: str) -> bool:
        """Whether an exclude pattern matches; seeds are asked for unless it does, included or not."""
        return _any(self._exclude, url)


def _any(patterns: list[tuple[bool, re.Pattern[str]]], url: str) -> bool:
    path = path_of(url)
    return any(pattern.match(path if on_path else url) for on_path, pattern in patterns)


def _compile(pattern: str) -> tuple[bool, re.Pattern[str]]:
    """A robots.txt pattern as a regular expression, and whether it is compared with the path or the whole URL."""
    anchored = pattern.endswith("$")
    parts = pattern.removesuffix("$").split("*")
    # each run is as short as possible and never given back: linear, and enough for a match
    body = "".join(f"(?>.*?{re.escape(part)})" if i and part else re.escape(part) if not i else ".*"
                   for i, part in enumerate(parts))  # fmt: skip
    if anchored and len(parts) > 1 and parts[-1]:
        body = body[: body.rindex("(?>")] + f".*{re.escape(parts[-1])}"
    return not pattern.startswith("http"), re.compile(body + (r"\Z" if anchored else ""), re.DOTALL)
