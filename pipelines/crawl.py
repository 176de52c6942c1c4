"""First stage: sites → ``crawl/<source>/round=NNNN/…``, in rounds; each round is one Beam pipeline over shards.

Between rounds the driver selects what is asked next and merges what was found (`dataprep.crawl.rounds`); workers fetch.
A shard is one element and holds whole registered domains, so that all politeness towards a site is in one place.
Fetched pages are precious: a run with other crawl settings refuses to touch them. The code is not part of the stage's
fingerprint for the same reason: what was fetched stays what was fetched.
"""

from collections import Counter
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import apache_beam as beam

from dataprep import storage
from dataprep.crawl.rounds import CrawlDirectory, Piece, crawl_piece, finish_round, plan_round
from dataprep.crawl.segments import LogRow
from dataprep.crawl.settings import CrawlSettings
from dataprep.parts import Quarantined
from dataprep.tally import Tally
from pipelines.batches import Split
from pipelines.receipts import Receipt
from pipelines.shuffle import Each
from pipelines.stage import Run, Stage, fingerprint

QUARANTINED = frozenset({"malformed"})  # an answer that is not HTTP, or a body that cannot be decoded


class CrawlStage(Stage):
    name = "crawl"
    title = "crawl"
    code = ()
    phases = ("fetch",)
    precious = True

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

    def finish(self) -> tuple[Tally, dict[str, Any]]:
        """Counts every URL the crawl came to know: what became of it, or that it was left for later."""
        tally = Tally()
        extra: dict[str, Any] = {}
        for name in self._crawls():
            crawl = self._directory(name)
            rounds = _rounds(crawl)
            for state in crawl.states(len(rounds) - 1).values():
                _add_state(tally, state)
            extra[name] = {
                "rounds": len(rounds),
                "known": rounds[-1]["known"] if rounds else 0,
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
        for number in range(crawl.settings.rounds):
            summary = crawl.summary(number)
            if summary is None:
                pieces = plan_round(crawl, number)
                if not pieces:
                    return
                splits = [Split.of(piece.shard, 0, asdict(piece)) for piece in pieces]
                run(_phase(name, number), partial(self._build, name, number), splits)
                summary = finish_round(crawl, number, pieces)
            if not summary["outcomes"]:
                return  # no host could be asked for a page: the next round would find them no readier

    def _build(self, name: str, number: int, splits: beam.PCollection) -> beam.PCollection:
        information = {
            "isPartOf": f"{self.recipe.name}-{name}",
            "recipeFingerprint": fingerprint(self.settings()),
        }
        directories = {source: self._directory(source) for source in self._crawls()}
        before = tuple(directories.values())[: list(directories).index(name)]
        task = CrawlShard(directories[name], before, name, number, information)
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

    def __call__(self, split: Split, receipt: Receipt) -> dict[str, Any]:
        piece = Piece(**split.load())
        summary, rows = crawl_piece(
            self.crawl, self.round_number, piece, self.information, receipt.pulse, before=self.before
        )
        last = {row["url"]: row for row in rows if row["kind"] == "page"}
        for row in last.values():
            if row["final"]:
                self._count(row, receipt)
        receipt.extra.update({key: value for key, value in asdict(summary).items() if value is not None})
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


def _add_state(tally: Tally, state: Any) -> None:
    if state.num_rows == 0:
        return
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
