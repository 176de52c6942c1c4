"""Shapes of the learning rate."""

from itertools import pairwise

import pytest

from trainer.config import ScheduleConfig
from trainer.schedule import learning_rate


def rates(steps: int, **fields: object) -> list[float]:
    schedule = ScheduleConfig.model_validate(fields)
    return [learning_rate(step, steps, 1.0, schedule) for step in range(steps)]


@pytest.mark.parametrize("shape", ["cosine", "wsd"])
def test_warmup_is_linear_moves_at_once_and_ends_at_the_peak(shape: str) -> None:
    curve = rates(100, shape=shape, warmup_fraction=0.1)
    assert curve[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert max(curve) == curve[9] == 1.0


def test_cosine_is_halfway_in_the_middle_falls_without_rest_and_ends_at_its_final_fraction() -> None:
    curve = rates(101, warmup_fraction=0, final_fraction=0.2)
    assert curve[0] == 1
    assert curve[50] == pytest.approx(0.6)
    assert curve[-1] == pytest.approx(0.2)
    assert all(a > b for a, b in pairwise(curve))


def test_wsd_is_stable_then_falls_in_a_straight_line_to_its_final_fraction() -> None:
    curve = rates(100, shape="wsd", warmup_fraction=0.1, decay_fraction=0.2, final_fraction=0.1)
    assert set(curve[9:80]) == {1.0}
    falls = [a - b for a, b in pairwise(curve[79:])]
    assert falls == pytest.approx([0.9 / 20] * len(falls))
    assert curve[-1] == pytest.approx(0.1)


def test_wsd_without_decay_stays_at_the_peak() -> None:
    assert set(rates(50, shape="wsd", warmup_fraction=0, decay_fraction=0)) == {1.0}


@pytest.mark.parametrize("shape", ["cosine", "wsd"])
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_the_shortest_runs_have_a_rate_too(shape: str, steps: int) -> None:
    assert all(0 < rate <= 1 for rate in rates(steps, shape=shape))
