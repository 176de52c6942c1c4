"""Planned in tokens, dealt by arithmetic, and no source disturbs another."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.data.mixture import UNITS, Mixture, Size, check_epochs, counts, deal, table

shares = st.lists(st.integers(0, 1_000), min_size=1, max_size=9).filter(any)


@given(shares, st.integers(0, 10**12), st.integers(0, 300))
def test_what_is_dealt_is_what_is_counted_from_any_window_on(units: list[int], start: int, length: int) -> None:
    dealt = deal(units, start, start + length)
    before, after = counts(units, start), counts(units, start + length)
    assert np.bincount(dealt, minlength=len(units)).tolist() == [b - a for a, b in zip(before, after, strict=True)]
    middle = start + length // 2
    assert np.array_equal(deal(units, middle, start + length), dealt[length // 2 :])


@given(shares, st.integers(0, 10**12))
def test_every_source_has_its_share_to_within_a_window_or_two_at_all_times(units: list[int], windows: int) -> None:
    dealt = counts(units, windows)
    assert sum(dealt) == windows
    for n, unit in zip(dealt, units, strict=True):
        exact = Fraction(windows * unit, sum(units))
        assert abs(n - exact) <= (1 + math.log2(len(units))) / 2
        assert unit or not n


def mixture(*phases: tuple[int, dict[str, float]], windows_per_step: int = 8, **sources: Size) -> Mixture:
    return Mixture(phases, sources or {"a": Size(100, 1_600), "b": Size(50, 790), "c": Size(9, 130)}, windows_per_step)


def seen(mix: Mixture, steps: range) -> dict[str, list[int]]:
    """For each source, which of its windows come in these steps, in order."""
    out: dict[str, list[int]] = {name: [] for name in mix.sources}
    for step in steps:
        dealt, before = mix.step(step)
        for number, name in enumerate(mix.sources):
            out[name] += [before[number] + i for i in range(np.count_nonzero(dealt == number))]
    return out


@pytest.mark.parametrize("other", [{"a": 1, "b": 9}, {"a": 1}, {"c": 1}])
def test_weights_may_change_at_a_step_and_every_source_goes_on_where_it_was(other: dict[str, float]) -> None:
    mix = mixture((0, {"a": 3, "b": 1}), (5, other), (9, {"a": 1, "b": 1, "c": 1}))
    for windows in seen(mix, range(20)).values():
        assert windows == list(range(len(windows)))
    same = mixture((0, {"a": 3, "b": 1}))
    assert seen(mix, range(5)) == seen(same, range(5))
    assert seen(mix, range(5, 9)).keys() - other.keys() == {n for n, w in seen(mix, range(5, 9)).items() if not w}


def test_step_t_needs_no_step_before_it_in_any_phase() -> None:
    phases = [(0, {"a": 3.0, "b": 1.0}), (1_000_000, {"b": 0.1, "c": 0.9})]
    walked, fresh = mixture(*phases), mixture(*phases)
    before = np.array(walked.windows_before(999_990))
    for step in range(999_990, 1_000_010):
        dealt, known = walked.step(step)
        assert known == before.tolist()
        before += np.bincount(dealt, minlength=3)
    dealt, _ = fresh.step(1_000_003)
    assert np.array_equal(dealt, walked.step(1_000_003)[0])


def test_document_weights_are_not_token_weights_windows_are_weighted_by_the_tokens_they_hold() -> None:
    """Ten sources of one window each hold a tenth of a window; the share of tokens is still the weight."""
    mix = mixture((0, {"long": 1, "short": 1}), long=Size(1_000, 1_000 * 2_048), short=Size(1_000, 1_000 * 205))
    plan = {plan.source: plan for plan in mix.plan(100_000)}
    for source in plan.values():
        assert source.share == pytest.approx(0.5, rel=1e-3)
    assert plan["short"].epochs == pytest.approx(10 * plan["long"].epochs, rel=0.01)


@given(
    st.lists(st.tuples(st.floats(0.01, 1), st.integers(100, 10**6), st.floats(0.5, 1)), min_size=1, max_size=6),
    st.integers(0, 1 << 30),
)
def test_the_planned_share_of_tokens_is_the_wanted_one_within_a_thousandth(
    sources: list[tuple[float, int, float]], seed: int
) -> None:
    sizes = {f"s{i}": Size(n, max(1, int(n * 64 * full))) for i, (_, n, full) in enumerate(sources)}
    weights = {f"s{i}": weight for i, (weight, _, _) in enumerate(sources)}
    switched = dict(zip(weights, np.random.default_rng(seed).permutation(list(weights.values())).tolist(), strict=True))
    mix = Mixture([(0, weights), (3_000, switched)], sizes, 256)
    assert all(sum(units) == UNITS for units in mix.units)
    for plan in Mixture([(0, weights)], sizes, 256).plan(10_000):
        assert plan.share == pytest.approx(plan.wanted_share, rel=1e-3)
    planned = mix.plan(3_000)
    for plan, weight in zip(planned, weights.values(), strict=True):
        assert plan.wanted_share == pytest.approx(weight / sum(weights.values()))
    assert [n * 256 for n in (1, 3_000, 7_000)] == [sum(mix.windows_before(n)) for n in (1, 3_000, 7_000)]


def test_more_epochs_than_allowed_is_an_error_with_the_source_the_numbers_and_the_way_out() -> None:
    plans = mixture((0, {"a": 1, "b": 1})).plan(100)
    check_epochs(plans, {"a": 5, "b": 9})
    with pytest.raises(ValueError, match=r"max_epochs\.b is 2: .* 8\.\d+ epochs of it, .* tokens of 790") as caught:
        check_epochs(plans, {"a": 5, "b": 2})
    allowed = float(str(caught.value).partition("a share of at most ")[2].partition(",")[0])
    (_, fits, _) = mixture((0, {"a": 1 - allowed * 0.99, "b": allowed * 0.99})).plan(100)
    assert 1.9 < fits.epochs < 2
    with pytest.raises(ValueError, match=r"max_epochs\.d: no such source; allowed are a, b, c"):
        check_epochs(plans, {"d": 1})


def test_a_source_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(ValueError, match=r"no source 'd' in these shards; allowed are a, b, c"):
        mixture((0, {"a": 1, "d": 1}))


def test_the_table_has_a_line_for_each_source_planned_and_achieved() -> None:
    plans = mixture((0, {"a": 3, "b": 1})).plan(10)
    lines = table(plans, {"a": 970, "b": 310})
    assert lines[0].split() == ["source", "tokens", "available", "epochs", "share", "wanted", "achieved", "share"]
    assert lines[1].split()[0] == "a"
    assert lines[1].split()[-2:] == ["970", "75.781%"]
    assert lines[3].split() == ["c", "0", "130", "0.00", "0.000%", "0.000%", "0", "0.000%"]
    assert len({len(line) for line in lines}) == 1
