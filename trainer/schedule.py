"""Step to learning rate: pure functions, so there is no schedule state to save."""

import math

from trainer.config import ScheduleConfig


def learning_rate(step: int, steps: int, peak: float, schedule: ScheduleConfig) -> float:
    """The rate of update ``step`` (0 … steps - 1).

    Warmup is linear and its first update already moves (peak / warmup). ``cosine`` (Loshchilov & Hutter 2017) falls
    from there to ``final_fraction`` at the last update; ``wsd`` (Hu et al. 2024) stays at the peak and falls linearly
    over the last ``decay_fraction`` of the run.
    """
    warmup = round(schedule.warmup_fraction * steps)
    if step < warmup:
        return peak * (step + 1) / warmup
    last = steps - 1
    if schedule.shape == "cosine":
        done = (step - warmup) / max(1, last - warmup)
        share = 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
    else:
        decay = round(schedule.decay_fraction * steps)
        share = min(1.0, (last - step) / decay) if decay else 1.0
    return peak * (schedule.final_fraction + (1 - schedule.final_fraction) * share)
