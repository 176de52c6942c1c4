"""What a person sees while a run trains: one line that is written over on a terminal, else a plain line every few
seconds.

Every other line of the run goes through ``say`` too, so that it never ends up in the middle of that one.
"""

import sys
import time
from collections.abc import Callable

PROGRESS_SECONDS = 5.0
LIVE_SECONDS = 0.2
CLEAR = "\r\033[K"


class Display:
    """``say(line)`` stays; ``show(line)``, where ``live``, is written over by what comes next; both to stdout."""

    def __init__(self) -> None:
        self.live = sys.stdout.isatty()

    def say(self, line: str) -> None:
        print(f"{CLEAR}{line}" if self.live else line, flush=True)

    def show(self, line: str) -> None:
        sys.stdout.write(f"{CLEAR}{line}")
        sys.stdout.flush()


class Progress:
    """Of a start's steps, of ``steps`` in all. ``live``: ``show`` writes over itself, so it may come more often.

    ``mfu``: the share of the devices' peak that one token a second is, None where the peak is not known.
    """

    def __init__(self, show: Callable[[str], None], steps: int, live: bool, mfu: float | None = None) -> None:
        self._show = show
        self._seconds = LIVE_SECONDS if live else PROGRESS_SECONDS
        self._steps = steps
        self._mfu = mfu
        self._made = 0
        self.began = self._last = time.perf_counter()
        self.tokens = self._tokens_at_last = 0

    def step(self, done: int, tokens: int, loss: float, rate: float) -> None:
        """After update ``done`` (counted from 1), which had so many tokens."""
        self.tokens += tokens
        self._made += 1
        now = time.perf_counter()
        if now - self._last < self._seconds and self._made > 1:
            return
        speed = (self.tokens - self._tokens_at_last) / (now - self._last)
        left = (self._steps - done) * (now - self.began) / self._made
        share = "" if self._mfu is None else f"  MFU {speed * self._mfu:.1%}"
        self._show(
            f"step {done:>6} of {self._steps}  loss {loss:.3f}  rate {rate:.1e}  "
            f"{speed:,.0f} tokens/s{share}  {clock(left)} left"
        )
        self._last, self._tokens_at_last = now, self.tokens

    def finished(self) -> str:
        """The last line."""
        wall = time.perf_counter() - self.began
        return (
            f"finished: {self._steps} steps; this start took {clock(wall)} for "
            f"{self.tokens:,} tokens, {self.tokens / wall:,.0f} a second"
        )


def clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}" if minutes >= 60 else f"{minutes}:{rest:02}"
