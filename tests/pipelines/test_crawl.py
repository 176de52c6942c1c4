"""The crawl stage as a run sees it: rounds as pipelines, counts that add up, pages that are never fetched twice."""

import itertools
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dataprep import storage
from dataprep.crawl import gate, politeness, trouble
from dataprep.crawl.links import MAX_TAGS
from dataprep.crawl.rounds import CrawlDirectory
from dataprep.crawl.segments import read_log
from dataprep.recipe import RecipeError, parse_recipe
from pipelines.crawl import CrawlStage
from pipelines.job import Job
from pipelines.local import in_process_runner
from pipelines.portability import check_stage
from pipelines.run import Driver, StageError
from pipelines.stage import read_manifest
from tests.dataprep.crawl.loopback import Request, Site, http, page, serve

PAGES = 40


@pytest.fixture
def site() -> Iterator[Site]:
    pages: dict[str, Any] = {f"/{i}": page(*(f"/{j}" for j in range(i, PAGES)), "/none", "/bad") for i in range(PAGES)}
    pages |= {
        "/robots.txt": http("User-agent: *\nDisallow: /7\n"),
        "/5": http("", "301 Moved", Location="/moved"),
        "/moved": http("words"),
        "/bad": http(b"\x1f\x8b\x08\x00" + b"\xff" * 50, Content_Encoding="gzip"),
    }
    with serve(pages) as running:
        yield running


def recipe(site: Site, **values: Any) -> dict[str, Any]:
    crawl = {"seeds": [site.url("/0")], "own_hosts": {"127.0.0.1": 0.0}, "shards": 4, **values}
    return {"name": "test", "sources": [{"name": "web", "crawl": crawl}]}


def drive(value: dict[str, Any], out: Path, workers: int = 0, runner: Any = None) -> list[tuple[str, Any]]:
    events: list[tuple[str, Any]] = []
    logs = str(out / "_logs")
    os.makedirs(logs, exist_ok=True)
    driver = Driver(Job(recipe=value, out=str(out), until="crawl", workers=workers, logs=logs), runner)
    driver.emit = lambda event, **values: events.append((event, values.get("phase")))  # type: ignore[method-assign]
    driver.run()
    return events


def counts(out: Path) -> dict[str, Any]:
    manifest = read_manifest(str(out / "crawl"))
    assert manifest is not None
    value: dict[str, Any] = manifest["counts"]
    return value


def test_every_url_the_crawl_knows_is_counted_once_with_what_became_of_it(site: Site, tmp_path: Path) -> None:
    drive(recipe(site), tmp_path)
    found = counts(tmp_path)
    assert found["kept"] == PAGES - 2 + 1
    assert {reason: n for reason, (n, _) in found["removed"].items()} == {"http_404": 1, "redirect": 1, "robots": 1}
    assert found["quarantined"] == {"malformed": 1}
    assert found["documents_in"] == PAGES + 3
    rows = [f.path for f in storage.list_files(str(tmp_path / "crawl" / "quarantine"))]
    assert len(rows) == 1
    assert max(site.counts().values()) == 1


def test_what_the_budget_leaves_out_is_counted_as_not_fetched(site: Site, tmp_path: Path) -> None:
    drive(recipe(site, max_pages=10), tmp_path)
    assert len(site.paths()) == 10
    assert counts(tmp_path)["removed"]["not_fetched"][0] > 0


def test_a_second_run_asks_for_nothing(site: Site, tmp_path: Path) -> None:
    drive(recipe(site), tmp_path)
    asked = len(site.requests)
    assert drive(recipe(site), tmp_path) == [("skip", None)]
    assert len(site.requests) == asked


def test_worker_processes_fetch_each_page_once(site: Site, tmp_path: Path) -> None:
    drive(recipe(site), tmp_path, workers=2)
    assert max(site.counts().values()) == 1
    assert counts(tmp_path)["kept"] == PAGES - 1


def test_bundles_that_run_twice_fetch_once(site: Site, tmp_path: Path) -> None:
    drive(recipe(site), tmp_path, runner=in_process_runner(bundle_repeat=2))
    assert max(site.counts().values()) == 1


def test_a_lost_receipt_does_not_fetch_again(site: Site, tmp_path: Path) -> None:
    drive(recipe(site), tmp_path)
    manifest = read_manifest(str(tmp_path / "crawl"))
    assert manifest is not None
    storage.remove_tree(str(tmp_path / "crawl" / "_receipts"))
    for name in list((tmp_path / "crawl" / "web").rglob("_round.json")):
        name.unlink()
    (tmp_path / "crawl" / "_stage.json").unlink()
    storage.write_json(str(tmp_path / "crawl" / "_running.json"), {"fingerprint": manifest["fingerprint"]})
    asked = len(site.requests)
    drive(recipe(site), tmp_path)
    assert len(site.requests) == asked
    again = read_manifest(str(tmp_path / "crawl"))
    assert again is not None
    assert (again["counts"], again["outputs"]) == (manifest["counts"], manifest["outputs"])


def test_fetched_pages_are_not_thrown_away_for_other_settings(site: Site, tmp_path: Path) -> None:
    drive(recipe(site, max_pages=5), tmp_path)
    with pytest.raises(StageError, match="not deleted by itself"):
        drive(recipe(site, max_pages=6), tmp_path)


def test_a_site_that_forbids_everything_is_an_error_that_says_so(site: Site, tmp_path: Path) -> None:
    site.pages["/robots.txt"] = http("User-agent: *\nDisallow: /\n")
    with pytest.raises(StageError, match="robots 1"):
        drive(recipe(site), tmp_path)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trouble, "BACKOFF_SECONDS", 0.0)
    monkeypatch.setattr(gate, "RETRY_SECONDS", 0.0)
    monkeypatch.setattr(politeness, "BACKOFF_CAP", 0.0)


@pytest.mark.usefixtures("impatient")
def test_a_crawl_in_vain_is_an_error_and_the_next_run_tries_again(site: Site, tmp_path: Path) -> None:
    rules = site.pages["/robots.txt"]
    site.pages["/robots.txt"] = http("later", "503 Service Unavailable")
    wanted = r"127\.0\.0\.1 cannot be reached \(robots\.txt: answered 503\); run the same command again"
    for attempt in (1, 2):  # the second as fully as the first
        with pytest.raises(ValueError, match=wanted) as error:
            drive(recipe(site), tmp_path)
        assert "\n" not in str(error.value)
        assert read_manifest(str(tmp_path / "crawl")) is None
        assert len(site.requests) == 5 * attempt
        assert site.paths() == []
    site.pages["/robots.txt"] = rules
    drive(recipe(site), tmp_path)
    assert counts(tmp_path)["kept"] == PAGES - 1


@pytest.mark.usefixtures("impatient")
def test_hosts_that_were_never_reached_are_named_and_their_urls_counted_apart(site: Site, tmp_path: Path) -> None:
    nobody = "127.0.0.2"  # where the site does not listen
    seeds = [site.url("/0"), site.url("/a", nobody), site.url("/b", nobody)]
    drive(recipe(site, seeds=seeds, own_hosts={"127.0.0.1": 0.0, nobody: 0.0}), tmp_path)
    manifest = read_manifest(str(tmp_path / "crawl"))
    assert manifest is not None
    assert manifest["counts"]["removed"]["host_unreachable"][0] == 2
    assert manifest["extra"]["web"]["unreachable_hosts"] == 1
    assert "ClientConnectorError" in manifest["extra"]["web"]["unreachable"][nobody]


def test_pages_whose_links_were_not_all_read_are_counted(site: Site, tmp_path: Path) -> None:
    site.pages["/3"] = http("<b>" * MAX_TAGS + "words<a href=/lost>x</a>")
    drive(recipe(site), tmp_path)
    manifest = read_manifest(str(tmp_path / "crawl"))
    assert manifest is not None
    assert manifest["extra"]["web"]["links_cut"] == 1
    assert "/lost" not in site.counts()


def test_a_recipe_without_contact_is_refused_in_one_line() -> None:
    crawl = {"seeds": ["https://www.a.example/"]}
    with pytest.raises(RecipeError) as error:
        parse_recipe({"name": "x", "sources": [{"name": "web", "crawl": crawl}]})
    assert str(error.value).count("\n") == 0
    assert "sources.web.crawl" in str(error.value)
    assert "contact_url and contact_mail" in str(error.value)


def test_two_sources_on_one_host_keep_its_pause_between_them(tmp_path: Path) -> None:
    with serve({"/0": http("words"), "/1": http("words")}) as site:
        value = recipe(site, own_hosts={"127.0.0.1": 0.7})
        other = {**value["sources"][0]["crawl"], "seeds": [site.url("/1")]}
        value["sources"].append({"name": "other", "crawl": other})
        drive(value, tmp_path)
    for earlier, later in itertools.pairwise(site.requests):
        assert later.started - earlier.ended >= 0.7


def test_a_seed_outside_the_include_patterns_is_still_asked_for(site: Site, tmp_path: Path) -> None:
    drive(recipe(site, include=["/1"]), tmp_path)
    assert set(site.counts()) == {"/0", "/1", *(f"/{i}" for i in range(10, 20))}


def test_excluding_every_seed_is_an_error_that_says_so(site: Site, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="matches every seed"):
        drive(recipe(site, exclude=["/0$"]), tmp_path)


def test_the_job_graph_can_leave_this_machine(site: Site, tmp_path: Path) -> None:
    value = recipe(site)
    value["sources"].append({"name": "other", "crawl": value["sources"][0]["crawl"]})
    stage = CrawlStage(parse_recipe(value), str(tmp_path))
    assert len(stage.graphs()) == 2
    assert check_stage(stage).problems == []
    assert site.requests == []


RUN = """
    import json, sys
    from pipelines.crawl import CrawlStage
    from pipelines.job import Job
    from pipelines.run import Driver

    CrawlStage.segment_pages = 5
    out = sys.argv[1]
    Driver(Job(json.loads(sys.argv[2]), out=out, until="crawl", workers=1, logs=out)).run()
"""


def committed(out: Path) -> set[str]:
    """The URLs of all committed segments."""
    logs = (out / "crawl").rglob("seg-*.log")
    return {row["url"] for log in logs for row in read_log(str(log)) if row["kind"] == "page"}


def found(out: Path, value: dict[str, Any]) -> dict[str, str]:
    """URL → status after the last round."""
    crawl = CrawlDirectory(str(out / "crawl" / "web"), parse_recipe(value).sources[0].crawl)  # type: ignore[arg-type]
    last = max(n for n in range(20) if crawl.summary(n) is not None)
    return {row["url"]: row["status"] for state in crawl.states(last).values() for row in state.to_pylist()}


def test_a_killed_run_resumes_and_asks_for_no_committed_page_again(site: Site, tmp_path: Path) -> None:
    value = recipe(site, shards=1)
    out, whole = tmp_path / "out", tmp_path / "whole"
    drive(value, whole)
    site.requests.clear()

    def slow(request: Request) -> bytes:
        time.sleep(0.05)
        return page(*(f"/{j}" for j in range(PAGES)), "/none", "/bad")

    site.pages |= {f"/{i}": slow for i in range(PAGES) if i != 5}
    out.mkdir()
    command = [sys.executable, "-c", textwrap.dedent(RUN), str(out), json.dumps(value)]
    first = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
    end = time.monotonic() + 60
    while len(committed(out)) < 11 and time.monotonic() < end and first.poll() is None:
        time.sleep(0.01)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    kept, asked = {url for url in committed(out) if not url.endswith("/7")}, len(site.requests)
    rounds = out / "crawl" / "web"
    assert (rounds / "round=0000" / "_round.json").exists()
    assert list((rounds / "round=0001" / "fetch").rglob("seg-*.log"))
    assert not (rounds / "round=0001" / "_round.json").exists()
    assert 10 <= len(kept) < PAGES
    assert kept <= {site.url(request.path) for request in site.requests}

    subprocess.run(command, stdout=subprocess.DEVNULL, check=True, timeout=120)
    again = {site.url(request.path) for request in site.requests[asked:]}
    assert again
    assert not again & kept
    assert found(out, value) == found(whole, value)
    assert counts(out)["kept"] == PAGES - 1
