"""What stands out, and which batch an update sees after some were left out."""

import json
import math
import statistics
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.config import WatchConfig, load_config
from trainer.watch.ledger import Decision, Ledger, read_decisions
from trainer.watch.monitor import LEAST_DEVIATION, Monitor, robust_deviations

LOSSES = st.floats(0, 20, allow_nan=False)


@given(LOSSES, st.lists(LOSSES, min_size=1, max_size=40))
def test_robust_deviations_agree_with_the_definition(value: float, before: list[float]) -> None:
    median = statistics.median(before)
    spread = 1.4826 * statistics.median(abs(each - median) for each in before)
    found = robust_deviations(value, before)
    assert found == pytest.approx((median, (value - median) / max(spread, LEAST_DEVIATION)), rel=1e-9, abs=1e-6)


def watching(losses: list[float], norms: list[float] | None = None, window: int = 16) -> list[str | None]:
    monitor = Monitor(WatchConfig(window=window))
    pairs = zip(losses, norms or [1.0] * len(losses), strict=True)
    found = (monitor.judge(loss, norm) for loss, norm in pairs)
    return [None if spike is None else spike.kind for spike in found]


def wavy(count: int) -> list[float]:
    return [3 + 0.1 * math.sin(7 * step) for step in range(count)]


def test_a_spike_is_found_once_half_a_window_is_there_and_does_not_hide_the_next() -> None:
    assert watching([*wavy(7), 9.0]) == [None] * 8
    assert watching([*wavy(8), 9.0, *wavy(3), 9.0]) == [*[None] * 8, "loss", *[None] * 3, "loss"]


def test_a_gradient_norm_stands_out_by_its_ratio_and_only_upwards() -> None:
    norms = [2.0 ** math.sin(7 * step) for step in range(12)]
    assert watching(wavy(13), [*norms, 1_000.0])[-1] == "gradient norm"
    assert watching(wavy(13), [*norms, 1e-12])[-1] is None
    assert watching(wavy(13), [*norms, 0.0])[-1] is None


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_stands_out_from_the_first_step_and_is_not_remembered(value: float) -> None:
    assert watching([value, *wavy(12)]) == ["not finite", *[None] * 12]
    assert watching(wavy(2), [1.0, value]) == [None, "not finite"]
    monitor = Monitor(WatchConfig())
    monitor.judge(value, 1.0)
    monitor.judge(1.0, value)
    assert monitor.state() == {"losses": [], "gradient_norms": []}


def test_a_level_that_moved_for_good_stands_out_for_half_a_window_at_most() -> None:
    found = watching([*wavy(32), *(5 + loss for loss in wavy(32))])
    assert found[:32] == [None] * 32
    assert found[32] == "loss"
    assert 6 <= sum(kind is not None for kind in found) <= 9


def test_a_loss_that_hardly_moves_has_no_spikes_of_rounding() -> None:
    assert watching([2.0] * 12 + [2.0 + 1e-6]) == [None] * 13


def test_a_monitor_restored_from_json_judges_on_as_it_would_have() -> None:
    values = [*wavy(20), 3.4, *wavy(5), 9.0]
    whole = Monitor(WatchConfig(window=16))
    expected = [whole.judge(value, value) for value in values]
    for cut in (0, 3, 15, 21):
        first = Monitor(WatchConfig(window=16))
        found = [first.judge(value, value) for value in values[:cut]]
        second = Monitor(WatchConfig(window=16))
        second.restore(json.loads(json.dumps(first.state())))
        assert [*found, *(second.judge(value, value) for value in values[cut:])] == expected


def back(step: int, batch: int, passed_from: int) -> Decision:
    return Decision(step, batch, "loss", "rollback", 9.0, 1.0, 3.0, 60.0, passed_from, max(0, step - 2))


@given(back_from=st.lists(st.tuples(st.integers(0, 30), st.integers(1, 5)), max_size=6))
def test_an_update_sees_the_nth_batch_that_is_not_left_out(
    tmp_path_factory: pytest.TempPathFactory, back_from: list[tuple[int, int]]
) -> None:
    folder = tmp_path_factory.mktemp("run")
    ledger, left = Ledger(folder), list(range(100))
    for update, batches in back_from:
        first, passed_from = ledger.passing_over(update, batches)
        ledger.add(back(update + 1, ledger.batch(update), passed_from), write=False)
        del left[first : update + 1]
        assert [ledger.batch(each) for each in range(40)] == left[:40]
    restored = Ledger(folder, json.loads(json.dumps(ledger.state())))
    assert [restored.batch(each) for each in range(40)] == left[:40]


def test_going_back_twice_leaves_out_what_the_first_time_left_out_too(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    assert ledger.passing_over(10, 3) == (8, 8)
    ledger.add(back(11, 10, 8), write=True)
    assert ledger.passing_over(9, 4) == (6, 6)  # updates 6 … 9 saw batches 6, 7, 11, 12
    ledger.add(back(10, 12, 6), write=True)
    assert [ledger.batch(update) for update in (5, 6, 7)] == [5, 13, 14]
    assert Ledger(tmp_path).passed == [(6, 13)]
    assert [one.batch for one in read_decisions(tmp_path)] == [10, 12]


def test_a_run_goes_back_so_often_in_a_window_and_then_through(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    for step, batch in ((11, 10), (12, 14), (40, 50)):
        ledger.add(back(step, batch, batch - 1), write=False)
    assert ledger.rollbacks(20, 16) == 2
    assert ledger.rollbacks(30, 16) == 0
    assert ledger.rollbacks(9, 16) == 0


def test_settings_that_do_not_fit_are_one_line() -> None:
    with pytest.raises(ValueError, match=r"watch\.pass_over is 300: allowed is at most .*\(200\)"):
        load_config(assignments=["watch.spike=rollback", "watch.pass_over=300"])
    with pytest.raises(ValueError, match=r"canaries\.length is 255: allowed is at most model\.context - 2 \(254\)"):
        load_config(assignments=["canaries.count=1", "canaries.length=255"])
    with pytest.raises(ValueError, match=r"canaries\.count is 5: allowed is at most every \(4\)"):
        load_config(assignments=["canaries.count=5", "canaries.every=4"])
    with pytest.raises(ValueError, match=r"watch\.spike is 'stop'"):
        load_config(assignments=["watch.spike=stop"])
