"""Hosts in trouble: what one row of the log, or a round of them, says about the host rather than about the URL."""

from dataprep.crawl.politeness import is_exhausted
from dataprep.crawl.segments import LogRow

NO_ANSWER = frozenset({"timeout", "connect", "tls", "malformed"})


def closes(row: LogRow) -> bool:
    """Whether a page's row ends the round for its host: what the row says holds for all its URLs."""
    if row["outcome"] in ("dns", "address"):
        return True
    failed = row["outcome"] in NO_ANSWER or (row.get("status") or 0) >= 500
    return failed and is_exhausted(row.get("failures", 0), row["outcome"])
