"""Hosts in trouble: what a row of the log, or a round of them, says about the host rather than about the URL.

Decisions:
- A host without an address, without a connection or without a readable robots.txt, and one that was left alone after
  too many failures in a row, costs its URLs nothing: they go back as they were.
- Such a round is a strike for the host. After each it is left alone for longer, then robots.txt is tried once instead
  of three times; after ``HOST_ROUNDS`` rounds in a row without an answer the crawl gives the host up.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from dataprep.crawl.politeness import is_exhausted
from dataprep.crawl.segments import LogRow

NO_ANSWER = frozenset({"timeout", "connect", "disconnect", "tls", "malformed"})
UNREACHED = frozenset({"dns", "connect"})
HOST_ROUNDS = 3
BACKOFF_SECONDS = 60.0


def back_off(strikes: int) -> float:
    """Seconds to leave a host alone after so many rounds without an answer."""
    return BACKOFF_SECONDS * 2 ** (strikes - 1)


def closes(row: LogRow) -> bool:
    """Whether a page's row ends the round for its host: what the row says holds for all its URLs."""
    if row["outcome"] in ("dns", "address"):
        return True
    return _failed(row) and is_exhausted(row.get("failures", 0), row["outcome"])


def strike(rows: Sequence[LogRow], before: int) -> tuple[int, str | None] | None:
    """Rounds without an answer after a round with these rows of one host, and why; None: as ``before``."""
    answered = any(row["kind"] == "page" and not _failed(row) and row.get("status") not in (None, 429) for row in rows)
    if _is_unreached(rows[-1]):
        return (1 if answered else before + 1), _reason(rows[-1])
    return (0, None) if answered else None


def blameless(rows_by_host: Iterable[Sequence[LogRow]]) -> Counter[str]:
    """URL → how many of its failures in a round are the host's."""
    found: Counter[str] = Counter()
    for rows in rows_by_host:
        found.update(row["url"] for row in rows if row["kind"] == "page" and row["outcome"] in UNREACHED)
        if rows[-1]["kind"] == "robots" or not closes(rows[-1]):
            continue
        for row in reversed(rows):
            if row["kind"] == "robots" or not _failed(row):
                break
            if row["outcome"] not in UNREACHED and not row["final"]:
                found[row["url"]] += 1
    return found


def _failed(row: LogRow) -> bool:
    return row["outcome"] in NO_ANSWER or (row.get("status") or 0) >= 500


def _is_unreached(row: LogRow) -> bool:
    if row["kind"] == "robots":
        return row["outcome"] == "unreachable"
    return row["outcome"] in UNREACHED or (row["outcome"] != "address" and closes(row))


def _reason(row: LogRow) -> str:
    if row["kind"] == "robots":
        status = row.get("status")
        broken = f"broke off ({row.get('truncated')})" if row.get("truncated") else f"answered {status}"
        return f"robots.txt: {row.get('error') or broken}"
    return f"{row['outcome']}: {row['error']}" if row.get("error") else row["outcome"]
