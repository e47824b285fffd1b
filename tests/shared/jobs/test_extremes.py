"""The lowest and highest values of metrics: kept at the end of a job, recorded before."""

import math

import pytest
import sqlalchemy as sa

from shared import tables
from shared.database import Database
from shared.errors import Failure
from shared.jobs import attempts
from shared.jobs.attempts import Lease
from shared.jobs.best_values import rank_jobs
from shared.jobs.extremes import Extreme, list_extremes
from shared.jobs.recording import Batch, NewMetric, record
from shared.migrations import downgrade, upgrade
from tests.worker.jobs import RECORDED_AT, claimed

VALUES = (0.5, math.nan, 0.25, math.inf, 0.75, 0.25, -math.inf, 0.75)


def _train(database: Database, *values: float, name: str = "val_loss") -> Lease:
    lease = claimed(database)
    rows = [
        NewMetric(
            name=name,
            split="validation",
            stage="training",
            step=10 * epoch,
            epoch=epoch,
            value=value,
            at=RECORDED_AT,
        )
        for epoch, value in enumerate(values, start=1)
    ]
    with database.write() as connection:
        record(connection, lease, Batch(metrics=rows))
    return lease


def _fail(database: Database, lease: Lease) -> None:
    with database.write() as connection:
        attempts.fail(connection, lease, Failure(kind="diverged", message="m", hint="h"))


def _succeed(database: Database, lease: Lease) -> None:
    with database.write() as connection:
        attempts.succeed(connection, lease, {})


def _extremes(database: Database, lease: Lease) -> set[Extreme]:
    with database.read() as connection:
        found = list_extremes(connection, [lease.job_id])
        assert list_extremes(connection, [lease.job_id], name="val_loss") == found
    assert len(found) == len(set(found))
    return set(found)


def _count_kept(database: Database) -> int:
    with database.read() as connection:
        query = sa.select(sa.func.count()).select_from(tables.extremes)
        return connection.execute(query).scalar_one()


def test_extremes_are_the_same_before_and_after_the_end(database: Database) -> None:
    lease = _train(database, *VALUES)
    lowest = Extreme(lease.job_id, "val_loss", 0.25, 30, 3)
    highest = Extreme(lease.job_id, "val_loss", 0.75, 50, 5)
    assert _count_kept(database) == 0
    assert _extremes(database, lease) == {lowest, highest}
    _fail(database, lease)
    assert _count_kept(database) == 1
    assert _extremes(database, lease) == {lowest, highest}


def test_a_job_that_is_queued_again_keeps_nothing(database: Database) -> None:
    lease = _train(database, *VALUES)
    with database.write() as connection:
        attempts.stop(connection, lease, "worker_lost")
    assert _count_kept(database) == 0


@pytest.mark.parametrize("values", [(), (math.nan, math.inf)])
def test_a_job_without_finite_values_ends_without_extremes(
    database: Database, values: tuple[float, ...]
) -> None:
    lease = _train(database, *values)
    _fail(database, lease)
    assert _extremes(database, lease) == set()


def test_ended_and_running_jobs_are_ranked_together(database: Database) -> None:
    ended, other = _train(database, 0.5, 0.3), _train(database, 0.9, 0.1)
    _succeed(database, ended)
    _succeed(database, other)
    failed, endless = _train(database, 1.0, 0.0), _train(database, math.nan)
    _fail(database, failed)
    running = _train(database, 0.2, math.nan)
    without = _train(database, 0.0, name="val_data_loss")
    dataset = _dataset_of(database, running)
    with database.read() as connection:
        ranked, left_failed, left_without = rank_jobs(
            connection, dataset=dataset, metric="val_loss", direction="lower", only_owner=None
        )
        assert left_failed == [failed.job_id]
        assert {endless.job_id, without.job_id} <= {*left_without}
        assert [each.job_id for each in ranked] == [other.job_id, running.job_id, ended.job_id]
        ranked, *_ = rank_jobs(
            connection, dataset=dataset, metric="val_loss", direction="higher", only_owner=None
        )
        assert [each.job_id for each in ranked] == [other.job_id, ended.job_id, running.job_id]


def _dataset_of(database: Database, lease: Lease) -> str:
    """Return the data set of a job."""
    with database.read() as connection:
        query = sa.select(tables.jobs.c.dataset).where(tables.jobs.c.id == lease.job_id)
        return connection.execute(query).scalar_one()


def test_the_migration_keeps_the_extremes_of_jobs_that_have_ended(
    empty_database_url: str,
) -> None:
    database = Database(empty_database_url, pool_size=2)
    upgrade(database)
    lease, running = _train(database, *VALUES), _train(database, 1.0)
    _fail(database, lease)
    before = _extremes(database, lease)
    downgrade(database, "0023")
    upgrade(database)
    assert _count_kept(database) == 1
    assert _extremes(database, lease) == before
    assert len(_extremes(database, running)) == 1
    database.close()
