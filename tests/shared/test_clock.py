"""The clock of a process follows the clock of the database's server."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from shared import clock
from shared.database import Database


@pytest.fixture(autouse=True)
def _own_correction(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "_correction", timedelta(0))


def _follow(seconds: float, *, answer_seconds: float = 0.0) -> float:
    """Measure a clock that is so many seconds ahead; return the correction in seconds."""
    asked_at = clock.local_now()
    answered_at = asked_at + timedelta(seconds=answer_seconds)
    middle = asked_at + (answered_at - asked_at) / 2
    reported = middle + timedelta(seconds=seconds)
    return clock.follow(reported, asked_at=asked_at, answered_at=answered_at).total_seconds()


def test_a_clock_that_is_wrong_is_corrected_and_a_small_difference_is_left() -> None:
    assert _follow(0.3) == 0
    assert _follow(-30) == pytest.approx(-30)
    assert _follow(-30.4) == pytest.approx(-30), "the order of times is worth more"
    assert (clock.now() - clock.local_now()).total_seconds() == pytest.approx(-30, abs=0.1)
    assert _follow(0) == pytest.approx(0), "the clock was set right"


def test_a_slow_answer_measures_nothing() -> None:
    assert _follow(2, answer_seconds=4) == 0


def test_a_connection_to_postgresql_corrects_a_clock_that_is_30_seconds_ahead(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    local_now = clock.local_now
    monkeypatch.setattr(clock, "local_now", lambda: local_now() + timedelta(seconds=30))
    database = Database(postgresql_url, pool_size=1)
    with database.read() as connection:
        reported = connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
    database.close()
    assert abs((clock.now() - reported).total_seconds()) < 5
