"""What is charged when the clock is set forward or back."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from shared import tables
from shared.clock import now
from shared.database import Database
from shared.jobs import ledger, used_days
from shared.jobs import read_box as read_box_module
from shared.jobs.planning.box import Policy
from shared.jobs.read_box import read_box
from shared.jobs.submission import Submission, submit
from shared.jobs.usage import Ledger
from tests.shared.claiming import claim
from tests.shared.specs import filled_in

DAY = 86_400.0
YEARS = 40 * 365 * DAY


def test_a_charge_is_finite_and_bounded_however_far_the_clock_was_set_forward() -> None:
    for half_life in (60.0, DAY):
        kept = Ledger(1_000_000.0, half_life)
        for seconds in (20 * DAY, YEARS):
            end = kept.begins_at + seconds
            shown = kept.decayed(kept.charge(kept.begins_at, end), end)
            assert 0 < shown <= half_life / 0.693


def test_use_is_the_same_while_the_clock_is_before_the_beginning_and_then_decays_again() -> None:
    ahead = Ledger(YEARS, DAY)
    assert ahead.decayed(100.0, YEARS - 10 * DAY) == 100.0
    assert ahead.charge(0.0, 60.0) == pytest.approx(60, rel=1e-3)
    assert ahead.is_due(YEARS - 10 * DAY)
    assert not ahead.is_due(YEARS - 60)


def test_a_clock_that_was_a_year_ahead_costs_at_most_a_day_and_stops_no_claim(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    year = timedelta(days=365)
    with database.write() as connection:
        connection.execute(sa.update(tables.ledger).values(half_life_seconds=60.0))
        submit(connection, Submission(owner="admin", spec=filled_in()))
        claimed = claim(connection)
    assert claimed is not None
    lease, right = claimed.lease, now
    for module in (used_days, read_box_module, ledger):
        monkeypatch.setattr(module, "now", lambda: right() + year)
    with database.read() as connection:
        assert read_box(connection, Policy()).owners["admin"].usage < DAY
    with database.write() as connection:
        ledger.charge(connection, lease.job_id, lease.attempt, right() + year)
    with database.read() as connection:
        assert used_days.read_week(connection)["admin"].device_seconds <= DAY
    monkeypatch.undo()
    with database.read() as connection:
        assert used_days.read_week(connection) == {}, "a day to come is not of this week"
    with database.write() as connection:
        ledger.charge(connection, lease.job_id, lease.attempt, right())
        submit(connection, Submission(owner="admin", spec=filled_in()))
        assert claim(connection) is not None
