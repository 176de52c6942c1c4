"""robots.txt after RFC 9309: what a fetched file means for us, and what a failed fetch means.

Decisions:
- Matching is Protego's. Before it sees a file, the file is rewritten to the one group that speaks to us: encoding and
  byte-order mark, line ends, size limit, value of User-agent cut to its product token, all groups naming us merged, and
  only Allow and Disallow left. Protego alone loses the first group behind a byte-order mark, does not know
  ``User-agent: mybot/1.0`` and lets a Crawl-delay or an unknown line split a group.
- What cannot be fetched forbids everything; only an answer "there is none" (4xx) allows.
- The canonical text is what is stored and carried from round to round, so a decision can be repeated later.

Sources: RFC 9309; google/robotstxt for typing errors and for the ends of groups.
"""

import math
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from protego import Protego

MAX_BYTES = 500 << 10
MAX_AGE = 24 * 3600.0  # RFC 9309, 2.4
STALE_AGE = 30 * 24 * 3600.0  # an older copy still counts this long while the file cannot be fetched
MAX_REDIRECTS = 5

Outcome = Literal["rules", "none", "unreachable"]

_KEYS = {
    "user-agent": "agent", "useragent": "agent", "user agent": "agent",
    "allow": "allow",
    "disallow": "disallow", "dissallow": "disallow", "dissalow": "disallow",
    "disalow": "disallow", "diasllow": "disallow", "disallaw": "disallow",
    "crawl-delay": "delay", "crawldelay": "delay", "crawl delay": "delay",
    "request-rate": "rate",
}  # fmt: skip
# key lengths are bounded, so that a line of half a megabyte of spaces costs no more than its length
_LINE = re.compile(r"[ \t]*+([A-Za-z][A-Za-z -]{0,20}?)[ \t]*+:(.*)", re.DOTALL).fullmatch
_NO_COLON = re.compile(r"[ \t]*+([A-Za-z][A-Za-z-]{0,20})[ \t]++(.*)", re.DOTALL).fullmatch
_TOKEN = re.compile(r"[A-Za-z_-]+").match
_NUMBER = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)").match
_RATE = re.compile(r"\s*(\d+)\s*/\s*(\d+)\s*([smhd]?)", re.IGNORECASE).match


@dataclass(frozen=True)
class Robots:
    """What robots.txt of one origin says to one product token.

    ``rules``: canonical text, one group for everybody; ``delay``: seconds or None; ``fetched``, ``expires``: Unix time.
    ``unreachable_since`` is when the file first could not be fetched.
    """

    outcome: Outcome
    rules: str = ""
    delay: float | None = None
    fetched: float = 0.0
    expires: float = 0.0
    unreachable_since: float | None = field(default=None)

    @cached_property
    def _parsed(self) -> Protego:
        return Protego.parse(self.rules)

    def allows(self, url: str) -> bool:
        """Whether ``url`` may be fetched. ``/robots.txt`` itself always may."""
        if self.outcome == "unreachable":
            return False
        return not self.rules or self._parsed.can_fetch(url, "us")


def decode(body: bytes) -> str:
    """UTF-8, or UTF-16 when a byte-order mark says so; what cannot be decoded becomes U+FFFD. Cut at 500 KiB."""
    cut = len(body) > MAX_BYTES
    body = body[:MAX_BYTES]
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = body.decode("utf-16", "replace")
    else:
        text = body.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    if cut:
        text = text[: max(text.rfind("\n"), text.rfind("\r")) + 1]
    return text.lstrip("\ufeff")


def canonical(body: bytes, token: str) -> tuple[str, float | None]:
    """The rules of ``body`` for ``token`` as the text of a single group, and the delay in seconds the group asks for.

    All groups naming the token are merged; if none does, those of ``*``; if there are none of these, the text is empty.
    """
    ours: list[tuple[str, str]] = []
    everyones: list[tuple[str, str]] = []
    named = False
    addressed: list[list[tuple[str, str]]] = []
    last_was_agent = True
    # splitlines would also break at \x0b, \x0c, \x85 and U+2028, which are part of a value here
    for line in re.split(r"\r\n|\r|\n", decode(body)):
        key, value = _directive(line.partition("#")[0])
        if key == "agent":
            if not last_was_agent:
                addressed = []
            last_was_agent = True
            if _is_token(value, token):
                named = True
                addressed.append(ours)
            elif value == "*" or (value[:1] == "*" and value[1].isspace()):
                addressed.append(everyones)
        elif key is not None:
            # only a rule ends the run of User-agent lines (google/robotstxt); Crawl-delay and unknown lines do not
            last_was_agent = last_was_agent and key not in ("allow", "disallow")
            for group in addressed[:1] if len(addressed) == 2 and addressed[0] is addressed[1] else addressed:
                group.append((key, value))
    group = ours if named else everyones
    rules = [
        f"{key.capitalize()}: {_one_line(value)}" for key, value in group if key in ("allow", "disallow") and value
    ]
    return "\n".join(["User-agent: *", *rules, ""]) if rules else "", _delay(group)


def _directive(line: str) -> tuple[str | None, str]:
    match = _LINE(line)
    if match is None or match[1].lower() not in _KEYS:
        match = _NO_COLON(line) or match
    if match is None:
        return None, ""
    return _KEYS.get(match[1].lower()), match[2].strip()


def _is_token(value: str, token: str) -> bool:
    match = _TOKEN(value)
    return match is not None and match[0].lower() == token.lower()


def _one_line(value: str) -> str:
    """Non-ASCII and control characters as %XX: equal for matching, and no line end is left for Protego to split at."""
    return "".join(c if "\x20" <= c < "\x7f" else "".join(f"%{b:02X}" for b in c.encode()) for c in value)


def _delay(group: list[tuple[str, str]]) -> float | None:
    """The largest delay asked for: Crawl-delay (``10s`` reads 10), or the inverse of Request-rate."""
    asked = []
    for key, value in group:
        if key == "delay" and (number := _NUMBER(value)):
            asked.append(float(number[1]))
        elif key == "rate" and (rate := _RATE(value)) and int(rate[1]):
            unit = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}[rate[3].lower()]
            asked.append(int(rate[2]) * unit / int(rate[1]))
    finite = [seconds for seconds in asked if math.isfinite(seconds)]
    return max(finite, default=None)


def judge(
    status: int | None, body: bytes, token: str, now: float, max_age: float | None, forbidden: str, old: Robots | None
) -> Robots:
    """The outcome of one fetch of robots.txt, after its redirects.

    ``status`` None is any failure to get a whole answer (connection, DNS, TLS, time, truncation); a redirect that could
    not be followed to its end is given as 404. ``max_age`` is Cache-Control's, ``forbidden`` the recipe's answer to 403
    (``allow`` or ``disallow``), ``old`` the copy from earlier.
    """
    if status is not None and 200 <= status < 300:
        rules, delay = canonical(body, token)
        age = MAX_AGE if max_age is None else min(max(max_age, 60.0), MAX_AGE)
        return Robots("rules", rules, delay, now, now + age)
    if status is not None and 400 <= status < 500 and status != 429 and not (status == 403 and forbidden == "disallow"):
        return Robots("none", fetched=now, expires=now + MAX_AGE)
    if status == 403:
        return Robots("rules", "User-agent: *\nDisallow: /\n", None, now, now + MAX_AGE)
    since = old.unreachable_since if old is not None and old.unreachable_since is not None else now
    if old is not None and old.outcome != "unreachable" and now - old.fetched < STALE_AGE:
        return Robots(old.outcome, old.rules, old.delay, old.fetched, now + 300.0, since)
    if now - since > STALE_AGE:
        return Robots("none", fetched=now, expires=now + MAX_AGE, unreachable_since=since)
    return Robots("unreachable", fetched=now, expires=now, unreachable_since=since)
