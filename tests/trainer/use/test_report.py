"""What a person sees of a run, while it goes on and afterwards."""

import io
import sys
import time

import pytest

from trainer.display import CLEAR, Display, Progress
from trainer.use.report import POINTS, _chart, _thinned


def test_a_curve_of_many_points_keeps_its_spikes() -> None:
    curve = [(float(step), 2.0) for step in range(100_000)]
    curve[54_321] = (54_321.0, 9.0)
    curve[77_777] = (77_777.0, 0.5)
    thinned = _thinned(curve)
    assert len(thinned) <= POINTS
    assert {curve[54_321], curve[77_777]} <= set(thinned)
    assert thinned == sorted(thinned)
    assert _thinned(curve[:POINTS]) == curve[:POINTS]


def test_a_chart_of_nothing_is_nothing_and_one_of_a_single_point_is_drawn() -> None:
    assert _chart("Loss", {"loss": []}, ()) == ""
    assert "<polyline" in _chart("Loss", {"loss": [(1.0, 2.0)]}, (1,))
    assert "&lt;b&gt;" in _chart("<b>", {"<b>": [(1.0, 2.0), (2.0, 2.0)]}, ())


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("stream", "live"), [(Terminal, True), (io.StringIO, False)])
def test_a_terminal_has_its_line_written_over_and_a_file_has_plain_lines(
    monkeypatch: pytest.MonkeyPatch, stream: type[io.StringIO], live: bool
) -> None:
    out = stream()
    monkeypatch.setattr(sys, "stdout", out)
    display = Display()
    assert display.live is live
    progress = Progress(display.show if live else display.say, 4, live, mfu=1e-9)
    progress.step(1, 100, 2.5, 1e-3)
    progress.step(2, 100, 2.5, 1e-3)  # too soon after the first
    display.say("step 2: something")
    text = out.getvalue()
    assert text.count("loss 2.500") == 1
    assert "tokens/s  MFU " in text
    assert "left" in text
    assert (text.count("\n"), text.count(CLEAR)) == ((1, 2) if live else (2, 0))
    assert progress.finished().startswith("finished: 4 steps")
    assert progress.tokens == 200
    assert progress.began <= time.perf_counter()
