"""Charges of device time that counts half after a half-life."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.jobs.usage import Ledger, rate_of

DAY = 86_400.0
LEDGER = Ledger(1_000_000.0, DAY)
_time = st.floats(1_000_000.0, 1_000_000.0 + 100 * DAY)


def test_a_second_counts_half_after_the_half_life() -> None:
    begin = LEDGER.begins_at
    usage = LEDGER.charge(begin, begin + 1.0)
    assert LEDGER.decayed(usage, begin + 1.0) == pytest.approx(1.0, rel=1e-4)
    assert LEDGER.decayed(usage, begin + 1.0 + DAY) == pytest.approx(0.5, rel=1e-4)


def test_a_long_job_counts_at_most_a_half_life_over_ln_2() -> None:
    usage = LEDGER.charge(LEDGER.begins_at, LEDGER.begins_at + 60 * DAY)
    assert LEDGER.decayed(usage, LEDGER.begins_at + 60 * DAY) == pytest.approx(DAY / 0.693147, 1e-5)


@given(_time, _time, _time)
def test_the_charges_of_the_parts_add_up_to_the_whole(a: float, b: float, c: float) -> None:
    first, middle, last = sorted([a, b, c])
    parts = LEDGER.charge(first, middle) + LEDGER.charge(middle, last)
    assert parts == pytest.approx(LEDGER.charge(first, last), rel=1e-9, abs=1e-9)


@given(_time, _time, st.floats(0, 1e9), st.floats(0, 1e9))
def test_idle_time_does_not_change_who_used_less(a: float, b: float, x: float, y: float) -> None:
    shown = [(LEDGER.decayed(x, at), LEDGER.decayed(y, at)) for at in (a, b)]
    assert all((first < second) <= (x < y) for first, second in shown)


def test_a_rebase_is_due_long_before_numbers_overflow() -> None:
    assert not LEDGER.is_due(LEDGER.begins_at + 200 * DAY)
    assert LEDGER.is_due(LEDGER.begins_at + 300 * DAY)
    for at in (-1e12, 1e12):
        assert LEDGER.charge(at, at + DAY) < float("inf")


@pytest.mark.parametrize("half_life", [0.0, -1.0, float("nan")])
def test_a_half_life_that_would_turn_fairness_off_is_an_error(half_life: float) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        Ledger(0.0, half_life)


def test_high_priority_counts_twice_and_low_priority_half() -> None:
    assert [rate_of(priority) for priority in (10, 0, -10)] == [2.0, 1.0, 0.5]
