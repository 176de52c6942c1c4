"""Between rounds: which URLs are known, which are asked next, what a round has changed. Sorted columns, no set of URLs.

Decisions:
- State is one row a URL, sorted by (key, id), in one Parquet file a shard; a shard holds whole registered domains.
- *select* is a pure function of (state, settings): unfetched rows, those never tried first, by (depth, id), as many
  as the budgets leave; none of a host that was given up.
- *merge* is a pure function of (state, fetch rows, links): a fetch changes its row, a link adds a row only if there is
  none. Both sides are sorted and compared as 16-byte ids.
"""

from collections import Counter
from collections.abc import Container, Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataprep.crawl.segments import LogRow
from dataprep.crawl.settings import CrawlSettings
from dataprep.crawl.trouble import blameless
from dataprep.urls import host_of, registered_domain, shard_of, sort_key, url_id

MAX_TRIES = 3

STATE = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("id", pa.binary(16), nullable=False),
        pa.field("url", pa.string(), nullable=False),
        pa.field("host", pa.string(), nullable=False),
        pa.field("domain", pa.string(), nullable=False),
        pa.field("status", pa.string(), nullable=False),  # unfetched, fetched, redirect, robots, gone
        pa.field("outcome", pa.string()),  # the log's word for it
        pa.field("depth", pa.int32(), nullable=False),
        pa.field("retries", pa.int32(), nullable=False),
        pa.field("round", pa.int32()),  # of the last attempt
        pa.field("requests", pa.int32(), nullable=False),
        pa.field("digest", pa.string()),
        pa.field("found_on", pa.string()),
    ]
)
LINKS = pa.schema(
    [
        pa.field("url", pa.string(), nullable=False),
        pa.field("shard", pa.int32(), nullable=False),
        pa.field("depth", pa.int32(), nullable=False),
        pa.field("found_on", pa.string()),
    ]
)
FRONTIER = pa.schema(
    [
        pa.field("url", pa.string(), nullable=False),
        pa.field("depth", pa.int32(), nullable=False),
        pa.field("host_left", pa.int32(), nullable=False),  # requests the host may still get, in all
        pa.field("domain_left", pa.int32(), nullable=False),
    ]
)
# No request was made: these cost no budget.
UNASKED = frozenset({"robots", "address", "port", "dns"})


def link_batch(links: Iterable[tuple[str, int, str | None]], settings: CrawlSettings) -> pa.Table:
    """Rows of ``LINKS`` from (url, depth, found_on): one row a URL, that of least depth, ties by the page it is on."""
    table = pa.Table.from_pylist(
        [
            {
                "url": url,
                "shard": shard_of(registered_domain(host_of(url)), settings.shards),
                "depth": depth,
                "found_on": page,
            }
            for url, depth, page in links
        ],
        schema=LINKS,
    )
    return first_of_each(table)


def first_of_each(links: pa.Table) -> pa.Table:
    """One row for each URL, sorted by URL: the least (depth, found_on)."""
    if links.num_rows == 0:
        return links
    links = links.sort_by([("url", "ascending"), ("depth", "ascending"), ("found_on", "ascending")])
    urls = links["url"].combine_chunks()
    fresh = pc.not_equal(urls.slice(1), urls.slice(0, len(urls) - 1))
    return links.filter(pa.concat_arrays([pa.array([True]), fresh]))


def known_ids(state: pa.Table) -> np.ndarray:
    """The ids of a state, sorted: ``S16`` compares like bytes, and all ids are 16 long."""
    return np.sort(np.array(state["id"].to_pylist(), dtype="S16"))


def is_known(ids: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Boolean for each of ``wanted`` (S16): whether it is in the sorted ``ids``."""
    if len(ids) == 0:
        return np.zeros(len(wanted), dtype=bool)
    position = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
    return np.asarray(ids[position] == wanted)


def merge(
    state: pa.Table, log: Sequence[LogRow], links: pa.Table, round_number: int, settings: CrawlSettings
) -> pa.Table:
    """The state of one shard after a round. ``links`` holds only URLs of this shard, in any order, repeats allowed."""
    changed = _attempts(log)
    rows = _changed_rows(state, changed, blameless(by_host(log).values()), round_number)
    ids = np.array([url_id(url) for url in changed], dtype="S16")
    untouched = state.filter(pa.array(~is_known(np.sort(ids), np.array(state["id"].to_pylist(), dtype="S16"))))
    result = pa.concat_tables([untouched, pa.Table.from_pylist(rows, schema=STATE)])
    links = first_of_each(links)
    links = links.filter(pc.less_equal(links["depth"], settings.max_depth))
    if links.num_rows:
        targets = np.array([url_id(url) for url in links["url"].to_pylist()], dtype="S16")
        links = links.filter(pa.array(~is_known(known_ids(result), targets)))
        result = pa.concat_tables([result, pa.Table.from_pylist([_new_row(r) for r in links.to_pylist()], STATE)])
    return result.sort_by([("key", "ascending"), ("id", "ascending")]).combine_chunks()


def _new_row(link: dict[str, Any]) -> dict[str, Any]:
    url = str(link["url"])
    return {
        "key": sort_key(url),
        "id": url_id(url),
        "url": url,
        "host": host_of(url),
        "domain": registered_domain(host_of(url)),
        "status": "unfetched",
        "depth": link["depth"],
        "retries": 0,
        "requests": 0,
        "found_on": link["found_on"],
    }


def by_host(log: Iterable[LogRow]) -> dict[str, list[LogRow]]:
    hosts: dict[str, list[LogRow]] = {}
    for row in log:
        hosts.setdefault(host_of(row["url"]), []).append(row)
    return hosts


def _attempts(log: Sequence[LogRow]) -> dict[str, list[LogRow]]:
    attempts: dict[str, list[LogRow]] = {}
    for row in log:
        if row["kind"] == "page":
            attempts.setdefault(row["url"], []).append(row)
    return attempts


def _changed_rows(
    state: pa.Table, changed: dict[str, list[LogRow]], forgiven: Counter[str], round_number: int
) -> list[dict[str, Any]]:
    ids = np.sort(np.array([url_id(url) for url in changed], dtype="S16"))
    known = state.filter(pa.array(is_known(ids, np.array(state["id"].to_pylist(), dtype="S16"))))
    rows = {row["url"]: row for row in known.to_pylist()}
    result = []
    for url, attempts in changed.items():
        last = attempts[-1]
        # a redirect target that was followed within the round has no row yet
        row = rows.get(url) or _new_row({"url": url, "depth": last["depth"], "found_on": last.get("redirect_from")})
        row["retries"] = row["retries"] + sum(not attempt["final"] for attempt in attempts) - forgiven[url]
        row["requests"] = row["requests"] + sum(a["outcome"] not in UNASKED for a in attempts)
        row["outcome"], row["round"] = last["outcome"], round_number
        row["digest"] = last.get("digest")
        row["status"] = _status(last, row["retries"])
        result.append(row)
    return result


def _status(row: LogRow, retries: int) -> str:
    if not row["final"]:
        return "unfetched" if retries < MAX_TRIES else "gone"
    outcome = row["outcome"]
    if outcome == "ok":
        return "fetched"
    if outcome in ("redirect", "redirect_sink"):
        return "redirect"
    return "robots" if outcome == "robots" else "gone"


def used(states: Iterable[pa.Table]) -> tuple[Counter[str], Counter[str]]:
    """Requests so far by host and by registered domain."""
    hosts: Counter[str] = Counter()
    domains: Counter[str] = Counter()
    for state in states:
        if state.num_rows == 0:
            continue
        for row in state.group_by(["host", "domain"]).aggregate([("requests", "sum")]).to_pylist():
            hosts[row["host"]] += row["requests_sum"]
            domains[row["domain"]] += row["requests_sum"]
    return hosts, domains


def select(
    states: dict[int, pa.Table], delays: dict[str, float], settings: CrawlSettings, given_up: Container[str] = ()
) -> dict[int, pa.Table]:
    """The rows of ``FRONTIER`` of each shard that has any: due URLs by (last round, depth, id) within every budget.

    A host gets no more than it can be asked in one round at its delay (``delays``, else the recipe's), so that no host
    holds a round up. The total budget is spent in the order of depth over all shards.
    """
    hosts, domains = used(states.values())
    left = settings.max_pages - sum(hosts.values())
    if left <= 0:
        return {}
    candidates = []
    for shard, state in states.items():
        due = state.filter(pc.equal(state["status"], "unfetched"))
        if due.num_rows:
            tried = pc.fill_null(due["round"], -1)  # or one that always fails would keep the others from their turn
            shards = pa.array(np.full(due.num_rows, shard, dtype=np.int32))
            due = due.select(["depth", "id", "url", "host", "domain"])
            candidates.append(due.append_column("tried", tried).append_column("shard", shards))
    if not candidates:
        return {}
    due = pa.concat_tables(candidates).sort_by([(name, "ascending") for name in ("tried", "depth", "id")])
    taken_host: Counter[str] = Counter()
    taken_domain: Counter[str] = Counter()
    chosen: dict[int, list[dict[str, object]]] = {}
    for row in due.select(["url", "host", "domain", "depth", "shard"]).to_pylist():
        host, domain = row["host"], row["domain"]
        if host in given_up:
            continue
        host_left = settings.max_pages_per_host - hosts[host]
        domain_left = settings.max_pages_per_domain - domains[domain]
        delay = max(delays.get(host, 0.0), settings.delay_of(host))
        in_time = max(1, int(settings.round_seconds / delay)) if delay else host_left
        if taken_host[host] >= min(host_left, in_time) or taken_domain[domain] >= domain_left:
            continue
        taken_host[host] += 1
        taken_domain[domain] += 1
        chosen.setdefault(row["shard"], []).append(
            {"url": row["url"], "depth": row["depth"], "host_left": host_left, "domain_left": domain_left}
        )
        left -= 1
        if left == 0:
            break
    return {shard: pa.Table.from_pylist(chosen[shard], schema=FRONTIER) for shard in sorted(chosen)}
