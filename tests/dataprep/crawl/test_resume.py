"""Committed pages are never asked for again: retried shards, killed crawls, broken rounds."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataprep.crawl import segments
from dataprep.crawl.rounds import CrawlDirectory, crawl_piece, finish_round, plan_round
from dataprep.crawl.segments import Segments, ShardBusyError, read_log
from tests.dataprep.crawl.loopback import Request, Site, crawl_all, http, page, serve, settings_for

PAGES = 60


@pytest.fixture
def site() -> Iterator[Site]:
    def answer(request: Request) -> bytes:
        time.sleep(0.01)
        return page(*(f"/{i}" for i in range(PAGES)))

    with serve({f"/{i}": answer for i in range(PAGES)}) as running:
        yield running


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_shard_that_runs_twice_asks_once_and_leaves_the_same_bytes(site: Site, tmp_path: Path) -> None:
    crawl = CrawlDirectory(str(tmp_path), settings_for(site, seeds=[site.url(f"/{i}") for i in range(20)]))
    (piece,) = plan_round(crawl, 0)
    crawl_piece(crawl, 0, piece, {})
    asked, files = len(site.requests), snapshot(tmp_path)
    again, rows = crawl_piece(crawl, 0, piece, {})
    assert len(site.requests) == asked == 21
    assert snapshot(tmp_path) == files
    assert again.requests == 0
    assert again.fetched == 20
    finish_round(crawl, 0, [piece])
    after = snapshot(tmp_path)
    finish_round(crawl, 0, [piece])
    assert snapshot(tmp_path) == after
    assert len(rows) == 21


def test_planning_again_selects_the_same(site: Site, tmp_path: Path) -> None:
    crawl = CrawlDirectory(str(tmp_path), settings_for(site, "/0"))
    assert plan_round(crawl, 0) == plan_round(crawl, 0)
    files = snapshot(tmp_path)
    plan_round(crawl, 0)
    assert snapshot(tmp_path) == files


def test_two_processes_cannot_crawl_one_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "LOCK_SECONDS", 0.1)
    with Segments(str(tmp_path), 0, 1, {}), pytest.raises(ShardBusyError, match="another process"):
        Segments(str(tmp_path), 0, 1, {}).__enter__()


def test_an_interrupted_shard_commits_what_it_has(site: Site, tmp_path: Path) -> None:
    crawl = CrawlDirectory(str(tmp_path), settings_for(site, seeds=[site.url(f"/{i}") for i in range(20)]))
    (piece,) = plan_round(crawl, 0)

    def stop(done: int, pages: int) -> None:
        if pages == 7:
            raise KeyboardInterrupt

    with pytest.raises((KeyboardInterrupt, BaseExceptionGroup)):
        crawl_piece(crawl, 0, piece, {}, stop)
    summary, _ = crawl_piece(crawl, 0, piece, {})
    assert summary.fetched == 20
    assert max(site.counts().values()) == 1


def test_a_host_that_was_left_alone_stays_so_when_its_shard_runs_again(site: Site, tmp_path: Path) -> None:
    site.pages |= {f"/{i}": b"" for i in range(20)}
    crawl = CrawlDirectory(str(tmp_path), settings_for(site, seeds=[site.url(f"/{i}") for i in range(20)]))
    (piece,) = plan_round(crawl, 0)
    for _ in range(2):
        summary, _ = crawl_piece(crawl, 0, piece, {})
        assert (summary.failed, summary.deferred) == (5, 15)
        assert len(site.paths()) == 5


CRAWL = """
    import json, sys
    from dataprep.crawl.rounds import CrawlDirectory, crawl_piece, finish_round, plan_round
    from dataprep.crawl.settings import CrawlSettings

    crawl = CrawlDirectory(sys.argv[1], CrawlSettings(**json.loads(sys.argv[2])))
    for number in range(9):
        if crawl.summary(number) is None:
            pieces = plan_round(crawl, number)
            if not pieces:
                break
            for piece in pieces:
                crawl_piece(crawl, number, piece, {"isPartOf": "test"}, segment_pages=10)
            finish_round(crawl, number, pieces)
"""


def start(folder: Path, settings: str) -> "subprocess.Popen[bytes]":
    root = Path(__file__).parents[3]
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(CRAWL), str(folder), settings],
        env={**os.environ, "PYTHONPATH": str(root)},
    )


@pytest.mark.parametrize("after", [5, 33, 61])
def test_kill_minus_9_loses_at_most_one_segment_and_the_crawl_completes(site: Site, tmp_path: Path, after: int) -> None:
    settings = settings_for(site, "/0", shards=1).model_dump_json()
    process = start(tmp_path, settings)
    end = time.monotonic() + 60
    while len(site.requests) < after and time.monotonic() < end and process.poll() is None:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    committed = {row["url"] for log in tmp_path.rglob("*.log") for row in read_log(str(log)) if row["kind"] == "page"}
    assert start(tmp_path, settings).wait() == 0
    counts = Counter({site.url(path): n for path, n in site.counts().items()})
    assert len(counts) == PAGES
    assert all(counts[url] == 1 for url in committed)
    assert sum(counts.values()) - PAGES <= 10
    rows = [row for log in tmp_path.rglob("*.log") for row in read_log(str(log)) if row["kind"] == "page"]
    assert len(rows) == len({row["url"] for row in rows}) == PAGES
    assert not [p for p in tmp_path.rglob("*") if ".corpusmill-tmp-" in p.name]
    logged = {p.with_suffix("").name for p in tmp_path.rglob("seg-*.log")}
    assert {p.name.split(".")[0] for p in tmp_path.rglob("seg-*.warc.gz")} <= logged


def test_after_a_kill_every_host_is_first_left_alone_for_its_delay(site: Site, tmp_path: Path) -> None:
    settings = settings_for(site, "/0", own_hosts={"127.0.0.1": 0.4}, max_depth=0)
    crawl = CrawlDirectory(str(tmp_path), settings)
    (piece,) = plan_round(crawl, 0)
    (tmp_path / "round=0000" / "fetch" / f"shard={piece.shard:03d}").mkdir(parents=True)  # all that a kill has left
    started = time.monotonic()
    crawl_piece(crawl, 0, piece, {})
    assert site.requests[0].started - started >= 0.4


def test_the_pause_of_a_host_lasts_over_rounds(tmp_path: Path) -> None:
    with serve({"/0": page("/1"), "/1": http("words")}) as site:
        crawl_all(str(tmp_path), settings_for(site, "/0", own_hosts={"127.0.0.1": 0.5}))
        robots, first, second = site.requests
    assert first.started - robots.ended >= 0.5
    assert second.started - first.ended >= 0.5
