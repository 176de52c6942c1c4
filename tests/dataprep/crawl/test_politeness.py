"""How long a host is left in peace."""

from email.utils import formatdate

import pytest

from dataprep.crawl.politeness import BACKOFF_CAP, RETRY_CAP, Patience, is_exhausted, retry_after

NOW = 1_800_000_000.0


def test_the_gap_is_the_longest_of_recipe_robots_and_five_response_times() -> None:
    assert Patience(5.0).gap(0.1) == 5.0
    assert Patience(5.0, robots_delay=12.0).gap(0.1) == 12.0
    assert Patience(5.0).gap(2.0) == 10.0
    assert Patience(5.0).gap(60.0) == 30.0
    assert Patience(5.0, robots_delay=3600.0).gap(60.0) == 3600.0


def test_an_own_host_may_be_asked_without_a_pause_but_its_robots_delay_holds() -> None:
    assert Patience(0.0, own=True).gap(3.0) == 0.0
    assert Patience(0.0, own=True, robots_delay=1.0).gap(3.0) == 1.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        (formatdate(NOW + 90, usegmt=True), 90.0),
        (formatdate(NOW - 90, usegmt=True), 0.0),
        ("99999999", RETRY_CAP),
        ("soon", None),
        ("-5", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_read_as_seconds_or_date_and_capped_at_a_day(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, NOW) == seconds


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_obeyed_and_never_shortens_the_delay(status: int) -> None:
    patience = Patience(5.0)
    patience.answered(status, 0.1, "60", NOW)
    assert patience.ready == NOW + 60
    patience.answered(status, 0.1, "1", NOW)
    assert patience.ready == NOW + 5


def test_without_retry_after_the_pause_doubles_up_to_an_hour_and_a_success_halves_it() -> None:
    patience = Patience(5.0)
    pauses = []
    for _ in range(12):
        patience.answered(503, 0.1, None, NOW)
        pauses.append(patience.ready - NOW)
    assert pauses[:4] == [10.0, 20.0, 40.0, 80.0]
    assert pauses[-1] == BACKOFF_CAP
    before = patience.penalty
    patience.answered(200, 0.1, None, NOW)
    assert patience.penalty == before // 2
    assert patience.ready > NOW + 5


def test_fast_errors_do_not_speed_us_up() -> None:
    patience = Patience(5.0)
    patience.answered(500, 0.001, None, NOW)
    assert patience.ready >= NOW + 5
    patience.failed(0.001, NOW)
    assert patience.ready >= NOW + 5


def test_five_failures_in_a_row_end_the_round_for_a_host_and_three_for_tls() -> None:
    patience = Patience(5.0)
    for _ in range(4):
        patience.failed(0.1, NOW)
    assert not is_exhausted(patience.failures, "timeout")
    assert is_exhausted(patience.failures, "tls")
    patience.failed(0.1, NOW)
    assert is_exhausted(patience.failures, "connect")
    patience.answered(200, 0.1, None, NOW)
    assert not is_exhausted(patience.failures, "tls")
