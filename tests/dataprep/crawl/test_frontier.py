"""Between rounds: select and merge are pure functions of their tables."""

import random
from typing import Any

import numpy as np
import pyarrow as pa

from dataprep.crawl.frontier import LINKS, STATE, is_known, known_ids, link_batch, merge, select, used
from dataprep.crawl.settings import CrawlSettings
from dataprep.urls import registered_domain, url_id

CONTACT = {"contact_url": "https://me.example/bot", "contact_mail": "me@me.example"}


def settings(**values: Any) -> CrawlSettings:
    return CrawlSettings(**{"seeds": ["https://a.com/"], "scope": "any", "shards": 1, **CONTACT, **values})


def state_of(links: list[tuple[str, int]], s: CrawlSettings) -> pa.Table:
    return merge(STATE.empty_table(), [], link_batch(((u, d, None) for u, d in links), s), -1, s)


def row(url: str, outcome: str = "ok", final: bool = True, **values: Any) -> Any:
    return {"kind": "page", "url": url, "outcome": outcome, "final": final, "depth": 0, "hops": 0, **values}


def test_ids_are_found_by_searching_a_sorted_array() -> None:
    urls = [f"http://a.com/{i}" for i in range(1000)]
    state = state_of([(url, 0) for url in urls[:500]], settings())
    wanted = np.array([url_id(url) for url in urls], dtype="S16")
    assert is_known(known_ids(state), wanted).tolist() == [True] * 500 + [False] * 500
    assert not is_known(known_ids(STATE.empty_table()), wanted).any()


def test_a_link_adds_a_row_only_if_there_is_none_and_the_least_depth_wins() -> None:
    s = settings()
    state = state_of([("http://a.com/x", 3), ("http://a.com/x", 1), ("http://a.com/y", 2)], s)
    assert {r["url"]: r["depth"] for r in state.to_pylist()} == {"http://a.com/x": 1, "http://a.com/y": 2}
    links = link_batch([("http://a.com/x", 0, "p"), ("http://a.com/z", 5, "p")], s)
    again = merge(state, [], links, 0, s)
    assert {r["url"]: r["depth"] for r in again.to_pylist()} == {
        "http://a.com/x": 1,
        "http://a.com/y": 2,
        "http://a.com/z": 5,
    }


def test_links_below_the_depth_limit_are_not_taken_up() -> None:
    s = settings(max_depth=2)
    assert state_of([("http://a.com/2", 2), ("http://a.com/3", 3)], s)["url"].to_pylist() == ["http://a.com/2"]


def test_merge_does_not_depend_on_the_order_of_links() -> None:
    s = settings()
    links = [(f"http://h{i % 7}.com/{i % 50}", i % 5, f"http://p.com/{i}") for i in range(500)]
    states = []
    for seed in range(3):
        random.Random(seed).shuffle(links)
        states.append(
            merge(
                STATE.empty_table(),
                [],
                pa.concat_tables([link_batch(links[:200], s), link_batch(links[200:], s)]),
                0,
                s,
            )
        )
    assert states[0].equals(states[1])
    assert states[0].equals(states[2])
    keys = states[0]["key"].to_pylist()
    assert keys == sorted(keys)


def test_a_fetch_changes_its_row_and_a_followed_redirect_gets_one() -> None:
    s = settings()
    state = state_of([("http://a.com/x", 1), ("http://a.com/y", 1)], s)
    log = [
        row("http://a.com/x", "redirect", location="http://a.com/t"),
        row("http://a.com/t", "ok", redirect_from="http://a.com/x", digest="sha1:A", hops=1),
    ]
    rows = {r["url"]: r for r in merge(state, log, LINKS.empty_table(), 4, s).to_pylist()}
    assert [rows[f"http://a.com/{p}"]["status"] for p in "xyt"] == ["redirect", "unfetched", "fetched"]
    assert rows["http://a.com/t"]["digest"] == "sha1:A"
    assert rows["http://a.com/t"]["round"] == 4
    assert rows["http://a.com/x"]["requests"] == 1
    assert rows["http://a.com/y"]["requests"] == 0


def test_three_failed_tries_make_a_url_gone_and_404_needs_one() -> None:
    s = settings()
    state = state_of([("http://a.com/x", 0), ("http://a.com/y", 0)], s)
    for number, status in enumerate(["unfetched", "unfetched", "gone"]):
        log = [row("http://a.com/x", "timeout", final=False)]
        if number == 0:
            log.append(row("http://a.com/y", "http_404"))
        state = merge(state, log, LINKS.empty_table(), number, s)
        found = {r["url"]: r["status"] for r in state.to_pylist()}
        assert found == {"http://a.com/x": status, "http://a.com/y": "gone"}


def test_the_failures_that_close_a_host_cost_its_urls_nothing() -> None:
    s = settings()
    state = state_of([(f"http://a.com/{i}", 0) for i in range(9)], s)
    log = [row("http://a.com/0", "timeout", final=False, failures=1), row("http://a.com/1", status=200, failures=0)]
    log += [row(f"http://a.com/{i}", "timeout", final=False, failures=i - 1) for i in range(2, 7)]
    found = merge(state, log, LINKS.empty_table(), 0, s).to_pylist()
    assert {r["url"] for r in found if r["retries"]} == {"http://a.com/0"}
    assert sum(r["status"] == "unfetched" for r in found) == 8


def test_a_url_that_failed_lets_those_never_tried_go_first() -> None:
    s = settings(max_pages=4, round_seconds=10)
    state = state_of([(f"http://a.com/{i}", i) for i in range(4)], s)
    log = [row("http://a.com/0", "timeout", final=False, failures=1)]
    state = merge(state, log, LINKS.empty_table(), 0, s)
    assert chosen({0: state}, s) == ["http://a.com/1", "http://a.com/2"]


def test_no_url_of_a_host_that_was_given_up_is_selected() -> None:
    s = settings()
    state = state_of([("http://a.com/", 0), ("http://b.com/", 0)], s)
    tables = select({0: state}, {}, s, {"a.com"})
    assert [url for table in tables.values() for url in table["url"].to_pylist()] == ["http://b.com/"]


def test_refusals_cost_no_budget() -> None:
    s = settings()
    state = merge(state_of([("http://a.com/x", 0)], s), [row("http://a.com/x", "robots")], LINKS.empty_table(), 0, s)
    assert used([state])[0]["a.com"] == 0


def chosen(states: dict[int, pa.Table], s: CrawlSettings, delays: dict[str, float] | None = None) -> list[str]:
    return [url for table in select(states, delays or {}, s).values() for url in table["url"].to_pylist()]


def test_budgets_of_host_domain_and_crawl_hold_over_rounds() -> None:
    links = [(f"http://{host}.a.com/{i}", 1) for host in ("x", "y", "z") for i in range(10)]
    links += [(f"http://b.com/{i}", 1) for i in range(10)]
    s = settings(max_pages_per_host=4, max_pages_per_domain=9, max_pages=12)
    state = state_of(links, s)
    total: list[str] = []
    for number in range(4):
        urls = chosen({0: state}, s)
        total += urls
        state = merge(state, [row(url) for url in urls], LINKS.empty_table(), number, s)
    hosts = [url.split("/")[2] for url in total]
    assert len(total) == len(set(total)) == 12
    assert max(hosts.count(host) for host in set(hosts)) <= 4
    assert sum(registered_domain(host) == "a.com" for host in hosts) <= 9


def test_shallow_urls_come_first() -> None:
    s = settings(max_pages=3)
    state = state_of([(f"http://a.com/{d}/{i}", d) for d in (2, 0, 1) for i in range(2)], s)
    assert sorted(url.split("/")[3] for url in chosen({0: state}, s)) == ["0", "0", "1"]


def test_a_host_is_given_no_more_than_the_round_has_time_for() -> None:
    s = settings(round_seconds=60)
    state = state_of([(f"http://{host}/{i}", 0) for host in ("slow.com", "plain.com") for i in range(30)], s)
    urls = chosen({0: state}, s, {"slow.com": 30.0})
    assert sum("slow.com" in url for url in urls) == 2
    assert sum("plain.com" in url for url in urls) == 12
