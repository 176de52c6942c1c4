"""How much of which source, planned before a step is taken, and which source each window of a run comes from.

Decisions:
- Weights are shares of *tokens*. A source's windows may be short (the end of its stream, padding), so its share of the
  windows is its weight over its mean tokens a window.
- The order in which sources take turns is arithmetic: sources are halved again and again, and at each halving the first
  n windows hold round(n · share) of the left half. Any window's source follows from its number in O(log sources)
  integer operations, and after any number of windows a source of k has its share to within (1 + log2 k) / 2 windows.
- A source's own order knows only how many of its windows came before. So weights that change at a step, or another
  source, leave it as it is.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

UNITS = 1 << 32
"""Shares are whole numbers of these parts: below a billionth off, and products stay in 64 bits."""


@dataclass(frozen=True)
class Size:
    """What there is of a source in one epoch."""

    windows: int
    tokens: int


@dataclass(frozen=True)
class SourcePlan:
    """``tokens``: targets from this source in the whole run, of ``available`` in an epoch. Shares are of all tokens."""

    source: str
    available: int
    tokens: int
    epochs: float
    share: float
    wanted_share: float


class Mixture:
    """Phases of weights over sources; ``phases`` are (first step, weight of each source), the first from step 0.

    Raises ``ValueError`` for a source that is not there.
    """

    def __init__(
        self, phases: Sequence[tuple[int, Mapping[str, float]]], sources: Mapping[str, Size], windows_per_step: int
    ) -> None:
        self.sources = dict(sources)
        self.windows_per_step = windows_per_step
        self.from_steps = [first for first, _ in phases]
        self.weights = [_normalised(weights, self.sources) for _, weights in phases]
        self.units = [_window_units(weights, self.sources) for weights in self.weights]
        self.before = [[0] * len(self.sources)]  # windows of each source before each phase
        for phase, units in enumerate(self.units[:-1]):
            length = (self.from_steps[phase + 1] - self.from_steps[phase]) * windows_per_step
            self.before.append([a + b for a, b in zip(self.before[-1], counts(units, length), strict=True)])

    def step(self, step: int) -> tuple[NDArray[np.int64], list[int]]:
        """(source of each window of a step, int64 [windows_per_step]; windows of each source before it)."""
        phase = bisect_right(self.from_steps, step) - 1
        start = (step - self.from_steps[phase]) * self.windows_per_step
        return deal(self.units[phase], start, start + self.windows_per_step), self.windows_before(step)

    def windows_before(self, step: int) -> list[int]:
        """Windows of each source in the steps before ``step``."""
        phase = bisect_right(self.from_steps, step) - 1
        within = counts(self.units[phase], (step - self.from_steps[phase]) * self.windows_per_step)
        return [a + b for a, b in zip(self.before[phase], within, strict=True)]

    def plan(self, steps: int) -> list[SourcePlan]:
        """What a run of ``steps`` steps takes from each source."""
        windows = self.windows_before(steps)
        tokens = [
            n * Fraction(size.tokens, size.windows) for n, size in zip(windows, self.sources.values(), strict=True)
        ]
        total = sum(tokens)
        wanted = [Fraction(0)] * len(self.sources)
        for phase, first in enumerate(self.from_steps):
            last = self.from_steps[phase + 1] if phase + 1 < len(self.from_steps) else steps
            for i, weight in enumerate(self.weights[phase]):
                wanted[i] += weight * max(min(last, steps) - first, 0) / steps
        return [
            SourcePlan(name, size.tokens, round(n), float(n / size.tokens), float(n / total), float(share))
            for (name, size), n, share in zip(self.sources.items(), tokens, wanted, strict=True)
        ]


def check_epochs(plans: Sequence[SourcePlan], max_epochs: Mapping[str, float]) -> None:
    """Raise ``ValueError`` when a plan repeats a source more often than allowed, with what would be allowed."""
    planned = {plan.source: plan for plan in plans}
    for name, most in max_epochs.items():
        if name not in planned:
            raise ValueError(f"data.max_epochs.{name}: no such source; allowed are {', '.join(sorted(planned))}")
        plan = planned[name]
        if plan.epochs > most:
            raise ValueError(
                f"data.max_epochs.{name} is {most:g}: the run takes {plan.epochs:.3g} epochs of it, {plan.tokens:,} "
                f"tokens of {plan.available:,}, a share of {plan.share:.4g}; allowed are a share of at most "
                f"{plan.share * most / plan.epochs:.4g}, fewer steps, or more epochs"
            )


def table(plans: Sequence[SourcePlan], achieved: Mapping[str, int] | None = None) -> list[str]:
    """Plans as lines of aligned columns, a heading first; with what was achieved, targets by source, beside them."""
    heading = ["source", "tokens", "available", "epochs", "share", "wanted"]
    rows = [
        [
            plan.source,
            f"{plan.tokens:,}",
            f"{plan.available:,}",
            f"{plan.epochs:.2f}",
            f"{plan.share:.3%}",
            f"{plan.wanted_share:.3%}",
        ]
        for plan in plans
    ]
    if achieved is not None:
        heading += ["achieved", "share"]
        total = sum(achieved.values()) or 1
        for row, plan in zip(rows, plans, strict=True):
            tokens = achieved.get(plan.source, 0)
            row += [f"{tokens:,}", f"{tokens / total:.3%}"]
    widths = [max(map(len, column)) for column in zip(heading, *rows, strict=True)]
    return [
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(n) for cell, n in zip(row[1:], widths[1:], strict=True))])
        for row in (heading, *rows)
    ]


def deal(units: Sequence[int], start: int, stop: int) -> NDArray[np.int64]:
    """The source of each of the windows ``start`` … ``stop`` - 1, int64; ``units`` are the sources' shares."""
    if len(units) == 1:
        return np.zeros(stop - start, np.int64)
    half = len(units) // 2
    left, total = sum(units[:half]), sum(units)
    dealt = np.empty(stop - start, np.int64)
    if total == 0:
        return dealt  # of no windows
    begun, rest = divmod(2 * start * left + total, 2 * total)
    ended = (rest + 2 * left * np.arange(stop - start + 1)) // (2 * total)
    goes_left = np.diff(ended) > 0
    before, after = begun, begun + int(ended[-1])
    dealt[goes_left] = deal(units[:half], before, after)
    dealt[~goes_left] = half + deal(units[half:], start - before, stop - after)
    return dealt


def counts(units: Sequence[int], windows: int) -> list[int]:
    """How many of the first ``windows`` windows ``deal`` gives each source."""
    if len(units) == 1:
        return [windows]
    half = len(units) // 2
    left, total = sum(units[:half]), sum(units)
    to_left = (2 * windows * left + total) // (2 * total) if total else 0
    return [*counts(units[:half], to_left), *counts(units[half:], windows - to_left)]


def _normalised(weights: Mapping[str, float], sources: Mapping[str, Size]) -> list[Fraction]:
    for name in weights:
        if name not in sources:
            raise ValueError(
                f"data.mixture: no source {name!r} in these shards; allowed are {', '.join(sorted(sources))}"
            )
    total = sum(map(Fraction, weights.values()))
    return [Fraction(weights.get(name, 0)) / total for name in sources]


def _window_units(weights: Sequence[Fraction], sources: Mapping[str, Size]) -> list[int]:
    """Shares of windows in ``UNITS`` parts, by largest remainder."""
    windows = [w * size.windows / size.tokens for w, size in zip(weights, sources.values(), strict=True)]
    exact = [share * UNITS / sum(windows) for share in windows]
    units = [int(share) for share in exact]
    by_remainder = sorted(range(len(units)), key=lambda i: units[i] - exact[i])
    for i in by_remainder[: UNITS - sum(units)]:
        units[i] += 1
    return units
