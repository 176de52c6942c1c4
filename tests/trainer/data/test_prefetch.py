"""Threads ahead of the run deliver what it would have made itself, in order, and nothing more than asked."""

import threading
import time
from pathlib import Path

import pytest

from tests.trainer.conftest import exact, train_here
from trainer.data.prefetch import Prefetch
from trainer.saved.metrics import read_metrics

THREADS = [0, 1, 2, 4]


@pytest.mark.parametrize("threads", THREADS)
def test_results_come_in_order_from_the_first_to_the_last(threads: int) -> None:
    def make(step: int) -> int:
        time.sleep(0.002 * (step % 3))  # later ones are ready earlier
        return step

    with Prefetch(make, 5, 40, threads, 6) as steps:
        assert list(steps) == list(range(5, 40))


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_no_more_is_made_ahead_than_allowed(threads: int) -> None:
    made: list[int] = []
    with Prefetch(lambda step: made.append(step), 0, 100, threads, 3) as steps:
        for taken in range(1, 20):
            next(steps)
            assert len(made) <= taken + 3


@pytest.mark.parametrize("threads", THREADS)
def test_what_goes_wrong_is_raised_at_its_own_step(threads: int) -> None:
    def make(step: int) -> int:
        if step == 3:
            raise ValueError("step three")
        return step

    with Prefetch(make, 0, 10, threads, 8) as steps:
        assert [next(steps), next(steps), next(steps)] == [0, 1, 2]
        with pytest.raises(ValueError, match="step three"):
            next(steps)


@pytest.mark.parametrize("threads", [1, 3])
def test_leaving_early_ends_the_threads(threads: int) -> None:
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt), Prefetch(lambda step: time.sleep(0.01), 0, 10**9, threads, 8) as steps:
        next(steps)
        raise KeyboardInterrupt
    assert threading.active_count() == before


def test_a_run_takes_the_same_steps_with_any_number_of_threads(shards: Path, tmp_path: Path) -> None:
    rows = []
    for threads in (0, 2, 4):
        train_here(shards, tmp_path / str(threads), f"read.threads={threads}", "checkpoint_every=8")
        rows.append(list(exact(read_metrics(tmp_path / str(threads)))))
    assert rows[0] == rows[1] == rows[2]
