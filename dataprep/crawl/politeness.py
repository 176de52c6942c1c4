"""How long to leave a host in peace: pure arithmetic over what it answered, with the clock handed in.

Decisions:
- The gap runs from the end of one response to the start of the next request, and is the longest of the recipe's delay,
  the delay robots.txt asks for, and five times the response time (at most 30 s). For a host the recipe lists as its own
  the response time does not count.
- 429 and 503 stop the host until ``Retry-After`` (at most 24 h), else for delay × 2ⁿ (at most 1 h); a success halves
  the penalty, it does not clear it. Errors can only slow us down.
- Five failures in a row (three of TLS) and the host is left alone for the round; a failed lookup does so at once.
  The count lasts over rounds: a host that was left alone is asked once, and again only if it answers.
"""

from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import NamedTuple

RESPONSE_FACTOR = 5.0
RESPONSE_CAP = 30.0
RETRY_CAP = 24 * 3600.0
BACKOFF_CAP = 3600.0
FAILURES = {"tls": 3}  # in a row, after which a host is left alone for the round
OTHER_FAILURES = 5
SLOW_DOWN = (429, 503)


def retry_after(value: str | None, now: float) -> float | None:
    """Seconds to wait from a Retry-After header, seconds or HTTP date; None when absent or not understood."""
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:12]), RETRY_CAP)
    try:
        return min(max(parsedate_to_datetime(value).timestamp() - now, 0.0), RETRY_CAP)
    except (ValueError, TypeError, OverflowError):
        return None


def is_exhausted(failures: int, kind: str) -> bool:
    """Whether a host is to be left alone for the round, after ``failures`` in a row, the last of ``kind``."""
    return failures >= FAILURES.get(kind, OTHER_FAILURES)


class Known(NamedTuple):
    """What earlier rounds know about a host; see ``Patience``."""

    ready: float = 0.0
    penalty: int = 0
    failures: int = 0
    strikes: int = 0


@dataclass
class Patience:
    """What is known about one host's wishes. ``ready`` is the Unix time from which it may be asked again."""

    delay: float  # the recipe's
    own: bool = False
    robots_delay: float | None = None
    ready: float = 0.0
    penalty: int = 0  # n of delay × 2ⁿ
    failures: int = 0  # in a row, over rounds
    strikes: int = 0  # earlier rounds in a row without an answer

    def gap(self, response_time: float) -> float:
        """Seconds to wait after an ordinary response that took ``response_time`` seconds."""
        slow = 0.0 if self.own else min(RESPONSE_FACTOR * response_time, RESPONSE_CAP)
        return max(self.delay, self.robots_delay or 0.0, slow)

    def answered(self, status: int, response_time: float, retry: str | None, now: float) -> None:
        """A response ended at ``now``."""
        wait = self.gap(response_time)
        if status in SLOW_DOWN:
            self.penalty += 1
            self.failures = self.failures + 1 if status == 503 else self.failures
            asked = retry_after(retry, now)
            wait = max(wait, min(max(wait, 1.0) * 2**self.penalty, BACKOFF_CAP) if asked is None else asked)
        elif status >= 500:
            self.penalty += 1
            self.failures += 1
            wait = max(wait, min(wait * 2 ** (self.penalty - 1), BACKOFF_CAP))
        else:
            self.failures = 0
            wait = max(wait, min(wait * 2**self.penalty, BACKOFF_CAP)) if self.penalty else wait
            self.penalty //= 2
        self.ready = now + wait

    def failed(self, response_time: float, now: float) -> None:
        """A request ended at ``now`` without an answer."""
        self.failures += 1
        self.ready = now + self.gap(response_time)
