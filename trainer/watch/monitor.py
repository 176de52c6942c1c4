"""Which step stands out: by its loss, by its gradient norm, or because they are no numbers.

Decisions:
- A value is compared with the median of the steps before it, in units of their median absolute deviation · 1.4826,
  which is the standard deviation where values are normal: one spike in the window does not hide the next (Iglewicz &
  Hoaglin 1993). Of gradient norms the logarithm is taken, for they are skewed. Only what is too *large* stands out.
- Steps that stood out count among the last ones too: when the level really moved, a new mixture say, it is the level
  after half a window, and no run skips for ever.
- It judges numbers that all ranks agree on, so all judge alike; what it remembers is part of the checkpoint.
"""

import math
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np

from trainer.config import WatchConfig

NORMAL = 1.4826
"""1 / Φ⁻¹(3/4): the standard deviation of a normal variable over its median absolute deviation."""

LEAST_DEVIATION = 1e-3
"""In nats, and of the logarithm of the norm: where a loss hardly moves, rounding is no spike."""


@dataclass(frozen=True)
class Spike:
    """``kind``: ``loss``, ``gradient norm`` or ``not finite``; ``deviations`` from ``median``, None without numbers."""

    kind: str
    median: float | None = None
    deviations: float | None = None


def robust_deviations(value: float, before: list[float]) -> tuple[float, float]:
    """(median of the values before, how many robust standard deviations ``value`` is above it)."""
    median = float(np.median(before))
    spread = float(np.median(np.abs(np.array(before) - median)))
    return median, (value - median) / max(NORMAL * spread, LEAST_DEVIATION)


class Monitor:
    """Remembers the last ``window`` losses and gradient norms that were numbers."""

    def __init__(self, config: WatchConfig) -> None:
        self.config = config
        self._losses: deque[float] = deque(maxlen=config.window)
        self._norms: deque[float] = deque(maxlen=config.window)

    def judge(self, loss: float, norm: float) -> Spike | None:
        """Whether this step stands out from those before it; it is one of them from now on."""
        if not (math.isfinite(loss) and math.isfinite(norm)):
            return Spike("not finite")
        found = None
        if len(self._losses) >= self.config.window // 2:
            middle, above = robust_deviations(loss, list(self._losses))
            if above > self.config.deviations:
                found = Spike("loss", middle, above)
            middle, above = robust_deviations(_log(norm), [_log(each) for each in self._norms])
            if found is None and above > self.config.deviations:
                found = Spike("gradient norm", math.exp(middle), above)
        self._losses.append(loss)
        self._norms.append(norm)
        return found

    def state(self) -> dict[str, Any]:
        """What ``restore`` takes; floats survive JSON to the last bit."""
        return {"losses": list(self._losses), "gradient_norms": list(self._norms)}

    def restore(self, state: dict[str, Any]) -> None:
        self._losses = deque(state["losses"], self.config.window)
        self._norms = deque(state["gradient_norms"], self.config.window)


def _log(norm: float) -> float:
    return math.log(max(norm, 1e-30))  # a step of padding has none
