"""The state of MLflow's copy of each job."""

from dataclasses import dataclass

import sqlalchemy as sa

from shared import tables
from shared.jobs.analyses import is_training
from shared.jobs.counts import next_revision


@dataclass(frozen=True)
class MlflowCopy:
    """The run of a job, and the last metric that was sent to it."""

    run_id: str | None
    last_metric_id: int


def list_incomplete(connection: sa.Connection) -> list[str]:
    """Return the started jobs whose copy is not complete, oldest first."""
    jobs, copies = tables.jobs.c, tables.tracking.c
    query = (
        sa.select(jobs.id)
        .select_from(tables.jobs.outerjoin(tables.tracking))
        .where(
            is_training(),
            jobs.started_at.is_not(None),
            sa.or_(copies.job_id.is_(None), copies.is_complete.is_(False)),
        )
        .order_by(jobs.id)
    )
    return list(connection.execute(query).scalars())


def list_without_run(connection: sa.Connection) -> list[str]:
    """Return the running jobs for which no run has been created, oldest first."""
    jobs = tables.jobs.c
    is_without = jobs.mlflow_run_id.is_(None)
    query = sa.select(jobs.id).where(is_training(), jobs.state == "running", is_without)
    return list(connection.execute(query.order_by(jobs.id)).scalars())


def get_copy(connection: sa.Connection, job_id: str) -> MlflowCopy:
    """Return the state of the copy of a job."""
    copies = tables.tracking.c
    row = connection.execute(
        sa.select(copies.run_id, copies.last_metric_id).where(copies.job_id == job_id)
    ).one_or_none()
    return MlflowCopy(None, 0) if row is None else MlflowCopy(row.run_id, row.last_metric_id)


def record_run(connection: sa.Connection, job_id: str, run_id: str) -> None:
    """Record the run that was created for the job."""
    jobs = tables.jobs
    _update(connection, job_id, run_id=run_id, last_metric_id=0)
    connection.execute(
        sa.update(jobs)
        .where(jobs.c.id == job_id)
        .values(mlflow_run_id=run_id, revision=next_revision())
    )


def record_sent(connection: sa.Connection, job_id: str, last_metric_id: int) -> None:
    """Record the id of the last metric that was sent."""
    _update(connection, job_id, last_metric_id=last_metric_id)


def record_completed(connection: sa.Connection, job_id: str) -> None:
    """Record that the copy of an ended job is complete."""
    _update(connection, job_id, is_complete=True, error=None)


def record_error(connection: sa.Connection, job_id: str, error: str) -> None:
    """Record why MLflow refused a part of the job."""
    _update(connection, job_id, error=error)


def forget_run(connection: sa.Connection, job_id: str) -> None:
    """Forget a run that MLflow no longer has, so that the copy starts again."""
    _update(connection, job_id, run_id=None, last_metric_id=0)


def _update(connection: sa.Connection, job_id: str, **values: object) -> None:
    copies = tables.tracking
    updated = connection.execute(
        sa.update(copies).where(copies.c.job_id == job_id).values(**values)
    )
    # A job that was deleted meanwhile has no copy any more; the run stays in MLflow.
    jobs = tables.jobs.c
    query = sa.select(jobs.id).where(jobs.id == job_id).with_for_update(read=True, key_share=True)
    if not updated.rowcount and connection.execute(query).first() is not None:
        defaults = {"job_id": job_id, "last_metric_id": 0, "is_complete": False}
        connection.execute(sa.insert(copies), defaults | values)
