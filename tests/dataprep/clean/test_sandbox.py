"""A document that makes a step spin, grow, crash or raise costs that document; nothing else ever does."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataprep import steps
from dataprep.clean.sandbox import Sandbox
from dataprep.clean.settings import CleanSettings
from dataprep.document import BatchBuilder
from dataprep.steps import apply_steps

HOSTILE = "tests.dataprep.clean.hostile:Hostile"
SHOUT = "tests.dataprep.clean.hostile:Shout"
QUICK = CleanSettings(steps=[HOSTILE, SHOUT], document_seconds=0.3, memory=3 << 30)
REASONS = {
    "SPIN": ("time_limit", "more than 0.3"),
    "COMPILED": ("time_limit", "more than 0.3"),
    "GROW": ("memory_limit", "more than 3221225472 bytes"),
    "ABORT": ("crash", "the cleaning process was killed by SIGABRT"),
    "EXIT": ("SystemExit", "no way out"),
    "RAISE": ("ValueError", "cannot parse this"),
}


class Counted(Sandbox):
    """Counts the children it needed."""

    started = 0

    def _start(self):
        self.started += 1
        super()._start()


@pytest.fixture(scope="module")
def shared():
    with Counted(QUICK) as one:
        yield one


@pytest.fixture
def sandbox(shared):
    """One with a child that is already there."""
    shared.apply(batch_of(["first"]))
    shared.started = 0
    return shared


def batch_of(texts, first=0):
    builder = BatchBuilder("s")
    for i, text in enumerate(texts):
        builder.add(text, f"f#{first + i}", url=f"https://example.org/{first + i}")
    return builder.finish()


def check(texts, result, bad):
    """Exactly the hostile ones are quarantined; the others come out whole and in their order."""
    good = [(f"f#{i}", text) for i, text in enumerate(texts) if text not in REASONS]
    shouting = ["shout" in text for _, text in good]
    assert result["locator"].to_pylist() == [locator for locator, _ in good]
    assert result["text"].to_pylist() == [text.upper() if "shout" in text else text for _, text in good]
    assert result["hostile.length"].to_pylist() == [len(text) for _, text in good]
    assert result["shout.changed"].to_pylist() == shouting
    assert {row.locator: row.reason for row in bad} == {
        f"f#{i}": REASONS[text][0] for i, text in enumerate(texts) if text in REASONS
    }
    for row in bad:
        number = int(row.locator.removeprefix("f#"))
        assert (row.source, row.url, row.step) == ("s", f"https://example.org/{number}", "hostile")
        assert row.error.startswith(REASONS[texts[number]][1])
        assert "\n" not in row.error


def test_exactly_the_documents_that_misbehave_are_quarantined_each_with_its_reason(sandbox):
    texts = ["one", "SPIN", "shout", "COMPILED", "GROW", "two", "RAISE", "ABORT", "EXIT", "three shouts"]
    check(texts, *sandbox.apply(batch_of(texts)))


def test_how_documents_are_divided_into_batches_changes_nothing(sandbox):
    texts = ["one", "SPIN", "shout", "RAISE", "two", "RAISE", "three shouts"]
    parts, rows, first = [], [], 0
    for size in (1, 1, 4, 1):
        result, bad = sandbox.apply(batch_of(texts[first : first + size], first))
        parts += [result] if result.num_rows else []
        rows += bad
        first += size
    check(texts, pa.concat_batches(parts), rows)


def test_one_bad_document_among_thousands_costs_three_children(sandbox):
    texts = [f"text {i}" for i in range(4000)]
    texts[2345] = "SPIN"
    check(texts, *sandbox.apply(batch_of(texts)))
    assert sandbox.started == 3


def test_one_child_serves_many_batches_and_what_a_step_prints_does_no_harm(sandbox):
    for _ in range(20):
        texts = ["one", "PRINT", "RAISE", "two"]
        check(texts, *sandbox.apply(batch_of(texts)))
    assert sandbox.started == 0


def test_no_document_is_blamed_for_what_its_child_went_through_before(sandbox):
    result, bad = sandbox.apply(batch_of(["WORN"]))
    assert (result["text"].to_pylist(), bad) == (["WORN"], [])
    assert sandbox.started == 1


def test_a_machine_that_keeps_killing_the_child_ends_the_run_and_quarantines_nothing(sandbox):
    with pytest.raises(RuntimeError, match=r"one document of 13 bytes: .* fewer workers or a smaller clean\.memory"):
        sandbox.apply(batch_of(["OUT OF MEMORY"]))


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["RAISE"] * 20, "^step hostile fails for all of 20 documents: cannot parse this$"),
        (["a", "LOSE"], "^step hostile returned 1 rows for 2$"),
        (["a", "DISK"], "^step hostile: OSError: disk full$"),
    ],
)
def test_what_is_no_documents_fault_ends_the_run(sandbox, texts, message):
    with pytest.raises(RuntimeError, match=message):
        sandbox.apply(batch_of(texts))
    assert sandbox.apply(batch_of(["b"]))[0]["text"].to_pylist() == ["b"]


def test_a_step_that_ends_its_process_for_the_first_documents_of_all_is_broken_itself(sandbox, monkeypatch):
    monkeypatch.setattr(steps, "BROKEN_STEP_ROWS", 2)
    with pytest.raises(RuntimeError, match="step hostile fails for all of 2 documents: no way out"):
        sandbox.apply(batch_of(["EXIT"] * 50))
    assert sandbox.started == 2


def test_a_missing_library_is_named_before_any_document_is_touched():
    with (
        Sandbox(CleanSettings(steps=["tests.dataprep.clean.hostile:Needy"])) as sandbox,
        pytest.raises(RuntimeError, match=r"does not start: at needy, it ended with code 1: Mod.*'no_such_library'"),
    ):
        sandbox.apply(batch_of(["a"]))


def test_a_step_of_ones_own_is_found_where_this_process_finds_it(tmp_path, monkeypatch):
    (tmp_path / "my_own_steps.py").write_text(
        "import pyarrow as pa\n"
        "from tests.dataprep.clean.hostile import Hostile\n"
        "class Mine(Hostile):\n"
        "    more: int\n"
        "    def __call__(self, batch):\n"
        "        text = pa.array([str(self.more)] * len(batch), pa.large_string())\n"
        "        return super().__call__(batch.set_column(1, batch.schema.field(1), text))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with Sandbox(CleanSettings(steps=[{"my_own_steps:Mine": {"more": 7}}])) as sandbox:
        result, _ = sandbox.apply(batch_of(["a", "b"]))
    assert result["text"].to_pylist() == ["7", "7"]


@pytest.fixture(scope="module")
def everything():
    with Sandbox(CleanSettings()) as one:
        yield one


@settings(max_examples=25)
@given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=8))
def test_the_child_gives_what_the_steps_give_here(everything, texts):
    batch = batch_of(["some text", *texts])
    here, there = apply_steps(CleanSettings().resolved_steps(), batch), everything.apply(batch)
    assert there[0].equals(here[0], check_metadata=True)
    assert there[1] == here[1]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_no_child_outlives_its_parent_even_asleep(number):
    script = (
        "from tests.dataprep.clean.test_sandbox import QUICK, Sandbox, batch_of\n"
        "s = Sandbox(QUICK)\n"
        "s.apply(batch_of(['one']))\n"
        "print(s.process.pid, flush=True)\n"
        "s.apply(batch_of(['SLEEP']))\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=Path(__file__).parents[3],
    )
    child = psutil.Process(int(parent.stdout.readline()))
    while child.status() != psutil.STATUS_SLEEPING:
        time.sleep(0.01)
    os.kill(parent.pid, number)
    parent.wait(60)
    _, alive = psutil.wait_procs([child], 60)
    assert not [one for one in alive if one.status() != psutil.STATUS_ZOMBIE]
