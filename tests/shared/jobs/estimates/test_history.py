"""Observations in the database: written once, read by index, without what is damaged."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from shared import tables
from shared.clock import now
from shared.database import Database
from shared.jobs.estimates import history
from shared.jobs.estimates.estimator import Estimator, predict
from shared.jobs.estimates.refresh import Refresher
from shared.jobs.submission import Submission, submit
from tests.shared.jobs.estimates.examples import CPU, cost, full_spec, observe, rows

SPEC = full_spec()


def _submit(database: Database, spec: dict[str, Any] = SPEC) -> str:
    with database.write() as connection:
        return submit(connection, Submission(owner="admin", spec=spec))[0]


def _column(database: Database, job_id: str, name: str) -> Any:
    jobs = tables.jobs.c
    with database.read() as connection:
        return connection.execute(sa.select(jobs[name]).where(jobs.id == job_id)).scalar_one()


def test_a_job_is_predicted_from_attempts_that_ended_before(database: Database) -> None:
    first = _submit(database)
    assert _column(database, first, "seconds_p50") is None
    assert _column(database, first, "cost_kind") == cost().kind
    observe(database, first, cost())
    observe(database, first, cost())  # the answer to the first was lost
    second = _submit(database)
    assert _column(database, second, "seconds_p50") == pytest.approx(41.0)
    assert _column(database, second, "estimate")["basis"] == "seen"
    observe(database, second, cost())
    (unknown, known) = rows(database)
    assert (unknown.basis, unknown.seconds) == (None, 41.0)
    assert (known.basis, known.predicted_p50) == ("seen", pytest.approx(41.0, rel=1e-3))


def test_the_time_of_a_job_is_that_of_all_its_attempts_without_negative_ones(
    database: Database,
) -> None:
    job = _submit(database)
    started, attempts = now(), []
    for number, seconds in enumerate((30.0, -1000.0)):  # a clock that was set back
        attempt = {"job_id": job, "number": number - 1, "worker": "w", "host": "h"}
        attempt |= {"device": "cpu:0", "started_at": started, "first_step": 0}
        attempts.append(attempt | {"ended_at": started + timedelta(seconds=seconds)})
    with database.write() as connection:
        connection.execute(sa.insert(tables.attempts), attempts)
    observe(database, job, cost())
    assert rows(database)[0].seconds == pytest.approx(71.0)


def test_an_attempt_that_was_stopped_shows_the_speed_but_not_the_time(database: Database) -> None:
    job = _submit(database)
    observe(database, job, cost(), is_last=False, overhead_seconds=None, fraction=None)
    assert rows(database)[0].seconds is None
    with database.read() as connection:
        found = predict(connection, SPEC).duration
    assert found is not None
    assert found.p50 == pytest.approx(40.0)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("pass_seconds", "'text'"),
        ("pass_seconds", "-1"),
        ("pass_seconds", "9e999"),
        ("overhead_seconds", "x'00'"),
        ("size", "0"),
        ("kind", "x'ff'"),
        ("fraction", "1e300"),
        ("sharers", "-5"),
        ("seconds", "'a'"),
        ("predicted_sigma", "0"),
        ("peak_memory_mib", "'1'"),
    ],
)
def test_a_damaged_row_is_left_out(sqlite_database: Database, column: str, value: str) -> None:
    database = sqlite_database
    for _ in range(3):
        observe(database, _submit(database), cost())
    damage = f"UPDATE observations SET {column} = {value} WHERE id = 3"  # noqa: S608
    with database.write() as connection:
        connection.execute(sa.text(damage))
    with database.read() as connection:
        found = predict(connection, SPEC).duration
        history.read_z90(connection)
    assert found is not None
    assert found.p50 == pytest.approx(41.0, rel=1e-3)
    database.close()


def test_waiting_jobs_are_predicted_again_when_one_of_their_kind_has_ended(
    database: Database,
) -> None:
    refresher = Refresher(database)
    assert refresher.refresh() == 0
    first, second = _submit(database), _submit(database)
    other = _submit(database, full_spec(architecture={"name": "vgg16"}))
    observe(database, first, cost())
    assert refresher.refresh() == 2  # `first` waits as well
    assert _column(database, second, "seconds_p50") == pytest.approx(41.0)
    assert _column(database, other, "seconds_p50") is None
    assert refresher.refresh() == 0


def test_a_job_that_starts_from_a_checkpoint_is_predicted_from_there(database: Database) -> None:
    first = _submit(database)
    checkpoint = {"id": "ckpt_7", "job_id": first, "kind": "last", "stage": "training", "epoch": 7}
    checkpoint |= {"attempt": 1, "step": 70, "directory": "none", "bytes": 3, "sha256": "0" * 64}
    with database.write() as connection:
        connection.execute(sa.insert(tables.checkpoints), checkpoint | {"created_at": now()})
    refresher = Refresher(database)
    refresher.refresh()
    observe(database, first, cost())
    resumed = Submission(owner="admin", spec=SPEC, retry_of=first, resume_from="ckpt_7")
    with database.write() as connection:
        retry = submit(connection, resumed)[0]
    assert _column(database, retry, "seconds_p50") == pytest.approx(3 * 4.0 + 1.0)
    assert refresher.refresh() == 2
    assert _column(database, retry, "seconds_p50") == pytest.approx(3 * 4.0 + 1.0)


def test_the_estimator_reads_what_it_knows_only_once(database: Database) -> None:
    observe(database, _submit(database), cost())
    estimator, read = Estimator(database), []
    with database.read() as connection:
        expected = predict(connection, SPEC)
    assert estimator.predict(SPEC) == expected
    event.listen(database.engine, "before_cursor_execute", lambda *_: read.append(1))
    assert estimator.predict(SPEC) == expected
    assert read == []
    assert rows(database)[0].device_model == CPU


def test_each_query_uses_an_index(database: Database) -> None:
    """Check the plans with many rows: none reads or sorts the whole table."""
    kinds = [f"kind{number % 10}" for number in range(20_000)]
    values = [
        {"job_id": f"job_{number}", "attempt": 1, "kind": kind, "family": kind, "size": 1.0}
        | {"device_model": CPU, "ended_at": now(), "pass_seconds": 1.0, "basis": "seen"}
        for number, kind in enumerate(kinds)
    ]
    with database.write() as connection:
        connection.execute(sa.insert(tables.observations), values)
        if not database.is_sqlite:
            connection.execute(sa.text("ANALYZE observations"))
    explain = "EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN "
    plans: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "FROM observations" in statement and "EXPLAIN" not in statement:
            other = connection.connection.cursor()
            other.execute(explain + statement, parameters)
            plans.append("\n".join(str(row) for row in other.fetchall()))
            other.close()

    event.listen(database.engine, "before_cursor_execute", note)
    with database.read() as connection:
        history.read_seen(connection, "kind7")
        history.read_architecture(connection, "kind7")
        history.read_cold(connection)
        history.read_z90(connection)
    assert len(plans) == 6
    for text in plans:
        assert "TEMP B-TREE" not in text
        assert "Sort" not in text
        assert "Seq Scan" not in text
        assert "INDEX" in text or "Index" in text or "SCAN observations" in text
