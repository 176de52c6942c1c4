"""First stage: sites → ``crawl/<source>/round=NNNN/…``, in rounds; each round is one Beam pipeline over shards.

Between rounds the driver selects what is asked next and merges what was found (`dataprep.crawl.rounds`); workers fetch.
A shard is one element and holds whole registered domains, so that all politeness towards a site is in one place.
Fetched pages are precious: a run with other crawl settings refuses to touch them. The code is not part of the stage's
fingerprint for the same reason: what was fetched stays what was fetched.
"""

import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc

from dataprep import storage
from dataprep.crawl.rounds import CrawlDirectory, Piece, crawl_piece, finish_round, plan_round
from dataprep.crawl.segments import SEGMENT_PAGES, LogRow
from dataprep.crawl.settings import CrawlSettings
from dataprep.parts import Quarantined
from dataprep.tally import Tally
from pipelines.batches import Split
from pipelines.receipts import Receipt
from pipelines.shuffle import Each
from pipelines.stage import Run, Stage, fingerprint

QUARANTINED = frozenset({"malformed"})  # an answer that is not HTTP, or a body that cannot be decoded
NAMED = 20  # unreachable hosts in the manifest


class CrawlStage(Stage):
    name = "crawl"
    title = "crawl"
    code = ()
    phases = ("fetch",)
    precious = True
    segment_pages = SEGMENT_PAGES
    reads_kept_documents = False

    def settings(self) -> dict[str, Any]:
        return {name: settings.model_dump(mode="json") for name, settings in self._crawls().items()}

    def needed(self) -> bool:
        return bool(self._crawls())

    def plan(self) -> list[Split]:
        """A round's splits are known when the round before is over: `execute` plans."""
        return []

    def build(self, splits: beam.PCollection) -> beam.PCollection:
        return self._build(next(iter(self._crawls())), 0, splits)

    def graphs(self) -> list[tuple[str, Any]]:
        return [(_phase(name, 0), partial(self._build, name, 0)) for name in self._crawls()]

    def execute(self, run: Run) -> None:
        for name in self._crawls():
            self._crawl(name, run)
        self._check_not_in_vain()

    def finish(self) -> tuple[Tally, dict[str, Any]]:
        """Counts every URL the crawl came to know: what became of it, or that it was left for later."""
        tally = Tally()
        extra: dict[str, Any] = {}
        for name in self._crawls():
            crawl = self._directory(name)
            rounds = _rounds(crawl)
            unreachable = crawl.unreachable(len(rounds) - 1)
            fetched: set[str] = set()
            for state in crawl.states(len(rounds) - 1).values():
                _add_state(tally, state, unreachable)
                fetched |= _fetched_hosts(state)
            never = {host: reason for host, reason in unreachable.items() if host not in fetched}
            extra[name] = {
                "rounds": len(rounds),
                "known": rounds[-1]["known"] if rounds else 0,
                "unreachable_hosts": len(never),  # nothing was fetched from them
                "unreachable": dict(list(never.items())[:NAMED]),
                "advice": self._crawls()[name].dump_warnings(),
                **self._totals(name, len(rounds)),
            }
        return tally, extra

    def _crawls(self) -> dict[str, CrawlSettings]:
        return {source.name: source.crawl for source in self.recipe.sources if source.crawl is not None}

    def _directory(self, name: str) -> CrawlDirectory:
        return CrawlDirectory(storage.join(self.directory, name), self._crawls()[name])

    def _crawl(self, name: str, run: Run) -> None:
        crawl = self._directory(name)
        first = crawl.first_round()
        for number in range(first, first + crawl.settings.rounds):
            summary = crawl.summary(number)
            if summary is None:
                pieces = plan_round(crawl, number)
                if not pieces:
                    return
                splits = [Split.of(piece.shard, 0, asdict(piece)) for piece in pieces]
                run(_phase(name, number), partial(self._build, name, number), splits)
                summary = finish_round(crawl, number, pieces)
            if not summary["outcomes"] and not summary["struck"]:
                return  # no host could be asked for a page: the next round would find them no readier

    def _check_not_in_vain(self) -> None:
        """Raises ``ValueError`` when nothing was fetched and hosts could not be reached; the next run tries again."""
        unreachable: dict[str, str] = {}
        rounds = {name: len(_rounds(self._directory(name))) for name in self._crawls()}
        for name, number in rounds.items():
            crawl = self._directory(name)
            if any(_fetched_hosts(state) for state in crawl.states(number - 1).values()):
                return
            unreachable |= crawl.unreachable(number - 1)
        if not unreachable:
            return
        for name, number in rounds.items():
            self._directory(name).begin_again(number)
        host, reason = next(iter(unreachable.items()))
        others = f", and {len(unreachable) - 1} other hosts" if len(unreachable) > 1 else ""
        raise ValueError(
            f"crawl: nothing could be fetched: {host} cannot be reached ({reason}){others}; "
            "run the same command again to try again"
        )

    def _build(self, name: str, number: int, splits: beam.PCollection) -> beam.PCollection:
        information = {
            "isPartOf": f"{self.recipe.name}-{name}",
            "recipeFingerprint": fingerprint(self.settings()),
        }
        directories = {source: self._directory(source) for source in self._crawls()}
        before = tuple(directories.values())[: list(directories).index(name)]
        task = CrawlShard(directories[name], before, name, number, information, self.segment_pages)
        return splits | f"crawl/{_phase(name, number)}" >> Each(_phase(name, number), self.directory, task)

    def _totals(self, name: str, rounds: int) -> dict[str, Any]:
        totals: Counter[str] = Counter()
        gaps: dict[str, float] = {}
        for number in range(rounds):
            for receipt in self.receipts(_phase(name, number)):
                for key, value in receipt["extra"].items():
                    if not key.startswith("smallest_gap"):
                        totals[key] += value
                    elif value is not None:
                        gaps[key] = min(value, gaps.get(key, value))
        return {**totals, **gaps}


@dataclass(frozen=True)
class CrawlShard:
    """The task of one split: fetch one shard's frontier of one round. Picklable; everything else is on disk."""

    crawl: CrawlDirectory
    before: tuple[CrawlDirectory, ...]
    source: str
    round_number: int
    information: dict[str, str]
    segment_pages: int

    def __call__(self, split: Split, receipt: Receipt) -> dict[str, Any]:
        piece = Piece(**split.load())
        logging.getLogger("dataprep.crawl").setLevel(logging.INFO)  # who is waited for; the root shows only errors
        summary, rows = crawl_piece(
            self.crawl,
            self.round_number,
            piece,
            self.information,
            receipt.pulse,
            before=self.before,
            segment_pages=self.segment_pages,
        )
        last = {row["url"]: row for row in rows if row["kind"] == "page"}
        for row in last.values():
            if row["final"]:
                self._count(row, receipt)
        values = asdict(summary)
        receipt.extra.update({key: value for key, value in values.items() if value is not None})
        return asdict(piece)

    def _count(self, row: LogRow, receipt: Receipt) -> None:
        receipt.tally.take(1)
        outcome = row["outcome"]
        if outcome == "ok":
            receipt.tally.keep(1)
        elif outcome in QUARANTINED:
            error = row.get("error") or outcome
            receipt.quarantine(Quarantined(self.source, row["url"], "fetch", outcome, error, row["url"]))
        else:
            receipt.tally.remove(outcome)


def _phase(name: str, number: int) -> str:
    return f"{name}-{number:04d}"


def _rounds(crawl: CrawlDirectory) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while (summary := crawl.summary(len(found))) is not None:
        found.append(summary)
    return found


def _fetched_hosts(state: pa.Table) -> set[str]:
    return set(state.filter(pc.equal(state["status"], "fetched"))["host"].to_pylist())


def _add_state(tally: Tally, state: pa.Table, unreachable: Iterable[str]) -> None:
    waiting = pc.and_(
        pc.equal(state["status"], "unfetched"), pc.is_in(state["host"], pa.array(list(unreachable), pa.string()))
    )
    if lost := state.filter(waiting).num_rows:
        tally.take(lost)
        tally.remove("host_unreachable", lost)
    state = state.filter(pc.invert(waiting))
    for row in state.group_by(["status", "outcome"]).aggregate([([], "count_all")]).to_pylist():
        urls = row["count_all"]
        tally.take(urls)
        if row["status"] == "fetched":
            tally.keep(urls)
        elif row["status"] == "unfetched":
            tally.remove("not_fetched", urls)
        elif row["outcome"] in QUARANTINED:
            tally.quarantine(row["outcome"], urls)
        else:
            tally.remove(row["outcome"], urls)
