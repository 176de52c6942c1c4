"""Hostile pages end as named failures, and the pages after them still come."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from dataprep.child.parent import borrowed
from dataprep.html.others.sandbox import Extracted, Failed, Sandbox
from dataprep.html.settings import ExtractSettings

ENGINE = "tests.dataprep.html.engines:hostile"
QUICK = ExtractSettings(page_seconds=0.3, page_memory=1 << 30)


@pytest.fixture
def sandbox():
    with Sandbox(QUICK, ENGINE) as one:
        yield one


def pages(*texts):
    return [(text.encode(), "utf-8") for text in texts]


@pytest.mark.parametrize(
    ("word", "reason", "said"),
    [
        ("SPIN", "time_limit", "0.3 s of CPU time"),
        ("SEGFAULT", "crash", "SIGSEGV"),
        ("LEAVE", "crash", "ended with code 3: leaving"),
        ("RAISE", "extractor_error", "ValueError: no such page really"),
        ("GROW", "memory_limit", "more than 1073741824 bytes"),
        ("RECURSE", "extractor_error", "RecursionError"),
    ],
)
def test_a_hostile_page_is_a_named_failure_and_the_next_pages_still_come(sandbox, word, reason, said):
    first, bad, *rest = sandbox.extract(pages("one", word, "two", word, "three"))
    assert isinstance(bad, Failed)
    assert bad.reason == reason
    assert said in bad.error
    assert "\n" not in bad.error
    assert rest[1] == bad
    assert [r.text for r in (first, rest[0], rest[2]) if isinstance(r, Extracted)] == [
        "text of one",
        "text of two",
        "text of three",
    ]


@pytest.mark.parametrize("word", ["HOARD", "WORN SEGV", "WORN KILL"])
def test_no_page_is_blamed_for_what_its_child_went_through_before(sandbox, word):
    texts = ["one", *(f"{word} {i}" for i in range(4)), "last"]
    assert [r.text for r in sandbox.extract(pages(*texts))] == [f"text of {text}" for text in texts]


def test_a_machine_that_keeps_killing_the_child_ends_the_run_and_quarantines_nothing(sandbox):
    with pytest.raises(RuntimeError, match=r"out of memory; use fewer workers or .* extract\.page_memory"):
        sandbox.extract(pages("one", "OUT OF MEMORY", "two"))
    assert [r.text for r in sandbox.extract(pages("two"))] == ["text of two"]


def test_one_child_serves_many_pages_and_what_a_library_prints_does_no_harm(sandbox):
    sandbox.extract(pages("first"))
    child = sandbox.process.pid
    results = sandbox.extract(pages(*("PRINT" if i % 50 == 0 else str(i) for i in range(300))))
    assert [r.text for r in results][:3] == ["text of PRINT", "text of 1", "text of 2"]
    assert len(results) == 300
    assert sandbox.process.pid == child


def test_no_surrogate_and_no_nul_comes_out(sandbox):
    (result,) = sandbox.extract(pages("SURROGATE"))
    assert result.text == "a\ufffdbc"


def test_a_page_above_the_limit_is_not_even_sent():
    with Sandbox(ExtractSettings(page_bytes=1000), ENGINE) as sandbox:
        page = bytes(100 << 20)
        failed, fine = sandbox.extract([(page, None), (b"ok", None)])
    assert failed == Failed("too_large", "the page has 104857600 bytes, the limit is 1000")
    assert fine.text == "text of ok"


@pytest.mark.parametrize("engine", ["resiliparse", "trafilatura"])
def test_a_page_nested_fifty_thousand_deep_is_quarantined_and_the_next_is_not(engine):
    deep = b"<html><body>" + b"<div>" * 50_000 + b"text" + b"</div>" * 50_000
    plain = b"<html><title>T</title><body>" + b"<p>An ordinary sentence about nothing at all.</p>" * 30
    with Sandbox(ExtractSettings(engine=engine)) as sandbox:
        failed, fine = sandbox.extract([(deep, None), (plain, None)])
    assert failed.reason == "nested_too_deep"
    assert "An ordinary sentence about nothing at all." in fine.text
    assert fine.title == "T"


def test_a_child_killed_from_outside_between_pages_is_replaced(sandbox):
    sandbox.extract(pages("one"))
    os.kill(sandbox.process.pid, signal.SIGKILL)
    sandbox.process.wait()
    assert [r.text for r in sandbox.extract(pages("two"))] == ["text of two"]


def test_sandboxes_work_in_threads():
    found = {}

    def work(name):
        with borrowed(Sandbox(ExtractSettings(engine="resiliparse"))) as sandbox:
            found[name] = sandbox.extract([(f"<p>thread {name} says hello to you</p>".encode(), None)] * 20)

    threads = [threading.Thread(target=work, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {name: {r.text for r in results} for name, results in found.items()} == {
        name: {f"thread {name} says hello to you"} for name in "ab"
    }


def test_no_child_outlives_its_parent():
    script = (
        "from dataprep.html.others.sandbox import Sandbox\n"
        "from dataprep.html.settings import ExtractSettings\n"
        f"s = Sandbox(ExtractSettings(page_seconds=1.0), {ENGINE!r})\n"
        "s.extract([(b'one', None)])\n"
        "print(s.process.pid, flush=True)\n"
        "s.extract([(b'SPIN', None)] * 100)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    for _ in range(200):
        if not _alive(child):
            break
        time.sleep(0.1)
    assert not _alive(child)


def _alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").exists() and ") Z" not in Path(f"/proc/{pid}/stat").read_text()


def test_an_engine_that_cannot_be_loaded_says_so():
    with (
        Sandbox(QUICK, "no.such.module:engine") as sandbox,
        pytest.raises(RuntimeError, match=r"does not start: it ended with code 1: ModuleNotFoundError: .*'no'"),
    ):
        sandbox.extract(pages("one"))
