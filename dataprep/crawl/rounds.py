"""The rounds of one crawl as plain functions over its directory; an engine only has to run the pieces.

``plan_round`` → one ``crawl_piece`` for each piece, anywhere, in any order → ``finish_round``; then the next round.
Under ``OUT/crawl/<source>/round=NNNN`` (fetch, nonok and robots are described in ``segments``)::

    frontier/shard=NNN.parquet   what the round asks for
    links/shard=NNN.parquet      what the pages link to, each URL once, by the shard that found it
    state/shard=NNN.parquet      every known URL after the round
    hosts/shard=NNN.parquet      when a host may be asked again, its failures and strikes, its delay
    hosts/robots-NNN.parquet     robots.txt of each origin as decided
    ../_again.json               first round of this attempt, if all before it were in vain
    _round.json                  counts; written last: a round without it is not over
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dataprep import storage
from dataprep.crawl.fetch import Resolve, identity, system_resolve
from dataprep.crawl.frontier import LINKS, STATE, by_host, known_ids, link_batch, merge, select
from dataprep.crawl.gate import robots_of
from dataprep.crawl.harvest import harvest
from dataprep.crawl.politeness import Known
from dataprep.crawl.robots import Robots
from dataprep.crawl.scope import Scope
from dataprep.crawl.segments import SEGMENT_PAGES, LogRow, Segments, read_log, shard_logs
from dataprep.crawl.settings import CrawlSettings
from dataprep.crawl.shard import Memory, ShardCrawl, Summary
from dataprep.crawl.trouble import HOST_ROUNDS, back_off, strike
from dataprep.urls import host_of, origin_of

HOSTS = pa.schema(
    [
        pa.field("host", pa.string(), nullable=False),
        pa.field("ready", pa.float64(), nullable=False),
        pa.field("penalty", pa.int32(), nullable=False),
        pa.field("failures", pa.int32(), nullable=False),
        pa.field("strikes", pa.int32(), nullable=False),  # rounds in a row without an answer
        pa.field("reason", pa.string()),  # of the last strike
        pa.field("delay", pa.float64()),
        pa.field("address", pa.string()),
    ]
)
ROBOTS = pa.schema(
    [
        pa.field("origin", pa.string(), nullable=False),
        pa.field("outcome", pa.string(), nullable=False),
        pa.field("rules", pa.string(), nullable=False),
        pa.field("delay", pa.float64()),
        pa.field("fetched", pa.float64(), nullable=False),
        pa.field("expires", pa.float64(), nullable=False),
        pa.field("unreachable_since", pa.float64()),
    ]
)


@dataclass(frozen=True)
class Piece:
    """One shard's work in a round: ``urls`` selected, ``allowance`` page requests at most.

    ``crowded``: addresses that hosts of other shards share in this round, with the number of shards.
    """

    shard: int
    urls: int
    allowance: int
    crowded: dict[str, int] = field(default_factory=dict)


class CrawlDirectory:
    """Where one crawl lives, and every file name in it."""

    def __init__(self, path: str, settings: CrawlSettings) -> None:
        self.path = path
        self.settings = settings

    def file(self, round_number: int, *parts: str) -> str:
        return storage.join(self.path, f"round={round_number:04d}", *parts)

    def table(self, round_number: int, kind: str, shard: int, schema: pa.Schema, stem: str = "shard=") -> pa.Table:
        path = self.file(round_number, kind, f"{stem}{shard:03d}.parquet")
        if round_number < 0 or not storage.exists(path):
            return schema.empty_table()
        with storage.open_read(path) as handle:
            return pq.read_table(handle).cast(schema)

    def write(self, table: pa.Table, round_number: int, kind: str, shard: int, stem: str = "shard=") -> None:
        """No file for no rows: most shards of a small crawl are empty."""
        if table.num_rows == 0:
            return
        with storage.open_atomic(self.file(round_number, kind, f"{stem}{shard:03d}.parquet")) as handle:
            pq.write_table(table, handle, compression="zstd")

    def states(self, round_number: int) -> dict[int, pa.Table]:
        """The state after a round, by shard; before round 0 it is the seeds."""
        if round_number < 0:
            return self._seed_states()
        return {s: self.table(round_number, "state", s, STATE) for s in range(self.settings.shards)}

    def _seed_states(self) -> dict[int, pa.Table]:
        scope = Scope(self.settings)
        wanted = [seed for seed in self.settings.seeds if not scope.excludes(seed)]
        if not wanted:
            raise ValueError(f"crawl.exclude matches every seed ({', '.join(self.settings.seeds)}): nothing to ask for")
        seeds = link_batch(((seed, 0, None) for seed in wanted), self.settings)
        return {
            shard: merge(STATE.empty_table(), [], _of_shard(seeds, shard), -1, self.settings)
            for shard in range(self.settings.shards)
        }

    def first_round(self) -> int:
        """0, or how many rounds the attempts before this one have made, in which nothing could be fetched."""
        path = storage.join(self.path, "_again.json")
        return int(storage.read_json(path)["round"]) if storage.exists(path) else 0

    def begin_again(self, round_number: int) -> None:
        """Let the next run go on with this round as if it were the first; what hosts asked for is not forgotten."""
        storage.write_json(storage.join(self.path, "_again.json"), {"round": round_number})

    def hosts(self, round_number: int, shard: int) -> list[dict[str, Any]]:
        """The rows of ``HOSTS`` after a round, as the round after it is to see them."""
        rows: list[dict[str, Any]] = self.table(round_number, "hosts", shard, HOSTS).to_pylist()
        if round_number + 1 == self.first_round():
            rows = [{**row, "strikes": 0, "reason": None} for row in rows]
        return rows

    def unreachable(self, round_number: int) -> dict[str, str]:
        """Host → reason of those that gave no answer when they were last asked, by name."""
        rows = [row for s in range(self.settings.shards) for row in self.hosts(round_number, s) if row["strikes"]]
        return {row["host"]: row["reason"] for row in sorted(rows, key=lambda row: str(row["host"]))}

    def readiness(self) -> dict[str, float]:
        """Host → Unix time from which it may be asked again, after the last whole round."""
        last = 0
        while self.summary(last) is not None:
            last += 1
        ready: dict[str, float] = {}
        for shard in range(self.settings.shards):
            for row in self.table(last - 1, "hosts", shard, HOSTS).to_pylist():
                ready[row["host"]] = row["ready"]
        return ready

    def summary(self, round_number: int) -> dict[str, Any] | None:
        path = self.file(round_number, "_round.json")
        return storage.read_json(path) if storage.exists(path) else None


def plan_round(crawl: CrawlDirectory, round_number: int) -> list[Piece]:
    """Select what the round asks for and write it; the same again gives the same bytes. Empty: the crawl is over."""
    delays: dict[str, float] = {}
    addresses: dict[str, set[int]] = {}
    given_up: set[str] = set()
    for shard in range(crawl.settings.shards):
        for row in crawl.hosts(round_number - 1, shard):
            if row["strikes"] >= HOST_ROUNDS:
                given_up.add(row["host"])
            delays[row["host"]] = row["delay"] or 0.0
            if row["address"] is not None:
                addresses.setdefault(row["address"], set()).add(shard)
    states = crawl.states(round_number - 1)
    chosen = select(states, delays, crawl.settings, given_up)
    spent = sum(sum(state["requests"].to_pylist()) for state in states.values())
    spare = crawl.settings.max_pages - spent - sum(table.num_rows for table in chosen.values())
    pieces = []
    for shard, table in chosen.items():
        crawl.write(table, round_number, "frontier", shard)
        # redirects followed within the round are requests too, and have to come out of the same budget
        allowance = table.num_rows + spare // len(chosen)
        busy = {address: len(shards & chosen.keys()) for address, shards in addresses.items() if shard in shards}
        crowded = {address: shards for address, shards in sorted(busy.items()) if shards > 1}
        pieces.append(Piece(shard, table.num_rows, allowance, crowded))
    return pieces


def crawl_piece(
    crawl: CrawlDirectory,
    round_number: int,
    piece: Piece,
    information: dict[str, str],
    progress: Callable[[int, int], None] = lambda done, pages: None,
    resolve: Resolve = system_resolve,
    before: Sequence[CrawlDirectory] = (),
    segment_pages: int = SEGMENT_PAGES,
) -> tuple[Summary, list[LogRow]]:
    """Fetch one shard's frontier and read its links. Run again it asks for nothing that is committed.

    ``information`` goes into the WARC files' first record; ``before`` are other crawls that may have asked the same
    hosts a moment ago; a segment is committed after ``segment_pages`` requests at the latest. Returns the counts and
    all rows of the shard's log.
    """
    frontier = pq.read_table(pa.BufferReader(storage.read_bytes(
        crawl.file(round_number, "frontier", f"shard={piece.shard:03d}.parquet"))))  # fmt: skip
    targets = [(r["url"], r["depth"], r["host_left"], r["domain_left"]) for r in frontier.to_pylist()]
    about = warc_information(crawl.settings, information)
    with Segments(crawl.path, round_number, piece.shard, about, segment_pages) as segments:
        memory = recall(crawl, round_number, piece.shard)
        for other in before:
            for host, ready in other.readiness().items():
                known = memory.hosts.get(host, Known())
                memory.hosts[host] = known._replace(ready=max(known.ready, ready))
        shard = ShardCrawl(crawl.settings, targets, piece.allowance, memory, segments, piece.crowded, resolve, progress)
        summary = asyncio.run(shard.run())
    cut: list[str] = []
    links = link_batch(harvest(crawl.path, round_number, piece.shard, crawl.settings, cut), crawl.settings)
    summary.links_cut = len(cut)
    crawl.write(links, round_number, "links", piece.shard)
    return summary, segments.rows


def warc_information(settings: CrawlSettings, information: dict[str, str]) -> dict[str, str]:
    """The ``warcinfo`` fields of a crawl (WARC/1.1, 6.2 and the Heritrix set)."""
    headers = identity(settings)
    operator = "; ".join(filter(None, [settings.contact_url, settings.contact_mail]))
    return {
        "software": headers["User-Agent"].partition(" ")[0],
        "format": "WARC File Format 1.1",
        "conformsTo": "http://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/",
        "robots": "RFC 9309",
        "http-header-user-agent": headers["User-Agent"],
        **({"operator": operator} if operator else {}),
        **information,
    }


def recall(crawl: CrawlDirectory, round_number: int, shard: int) -> Memory:
    """What the rounds before know about a shard's hosts and URLs."""
    hosts = crawl.hosts(round_number - 1, shard)
    robots = crawl.table(round_number - 1, "hosts", shard, ROBOTS, "robots-").to_pylist()
    state = crawl.states(-1)[shard] if round_number == 0 else crawl.table(round_number - 1, "state", shard, STATE)
    return Memory(
        {row["host"]: Known(*(row[name] for name in Known._fields)) for row in hosts},
        {row.pop("origin"): Robots(**row) for row in robots},
        known_ids(state),
    )


def finish_round(crawl: CrawlDirectory, round_number: int, pieces: list[Piece]) -> dict[str, Any]:
    """Merge what the pieces left behind into state and hosts, shard by shard, and close the round."""
    before = crawl.states(round_number - 1)
    outcomes: Counter[str] = Counter()
    known = unfetched = struck = 0
    for shard in range(crawl.settings.shards):
        log = [row for path in shard_logs(crawl.path, round_number, shard) for row in read_log(path)]
        found = [_of_shard(crawl.table(round_number, "links", piece.shard, LINKS), shard) for piece in pieces]
        links = pa.concat_tables([LINKS.empty_table(), *found])
        state = merge(before[shard], log, links, round_number, crawl.settings)
        crawl.write(state, round_number, "state", shard)
        struck += _write_hosts(crawl, round_number, shard, log)
        outcomes.update(row["outcome"] for row in log if row["kind"] == "page")
        known += state.num_rows
        unfetched += state["status"].to_pylist().count("unfetched")
    value = {
        "round": round_number,
        "pieces": [asdict(piece) for piece in pieces],
        "outcomes": dict(sorted(outcomes.items())),
        "known": known,
        "unfetched": unfetched,
        "struck": struck,
    }
    storage.write_json(crawl.file(round_number, "_round.json"), value)
    return value


def _of_shard(links: pa.Table, shard: int) -> pa.Table:
    return links.filter(pa.compute.equal(links["shard"], shard))


def _write_hosts(crawl: CrawlDirectory, round_number: int, shard: int, log: list[LogRow]) -> int:
    """Returns how many hosts could not be reached in this round."""
    hosts = {row["host"]: row for row in crawl.hosts(round_number - 1, shard)}
    struck = 0
    robots = {
        row["origin"]: row for row in crawl.table(round_number - 1, "hosts", shard, ROBOTS, "robots-").to_pylist()
    }
    for name, rows in by_host(log).items():
        host = hosts.setdefault(name, {"host": name, "strikes": 0})
        host.update({key: rows[-1][key] for key in ("ready", "penalty", "failures")})
        judged = strike(rows, host["strikes"])
        if judged is not None:
            host["strikes"], host["reason"] = judged
            if host["strikes"]:
                struck += 1
                host["ready"] = max(host["ready"], rows[-1]["time"] + back_off(host["strikes"]))
    for row in log:
        host = hosts[host_of(row["url"])]
        if row["kind"] == "page" and row.get("address"):  # a robots.txt may have come from another host
            host["address"] = row["address"]
        if row["kind"] == "robots":
            decided = robots_of(row)
            host["delay"] = decided.delay
            robots[origin_of(row["url"])] = {"origin": origin_of(row["url"]), **asdict(decided)}
    crawl.write(pa.Table.from_pylist([hosts[h] for h in sorted(hosts)], HOSTS), round_number, "hosts", shard)
    crawl.write(
        pa.Table.from_pylist([robots[o] for o in sorted(robots)], ROBOTS), round_number, "hosts", shard, "robots-"
    )
    return struck
