"""The point at which an attempt begins: what lies past it is deleted, to be recorded again."""

from typing import Any

import sqlalchemy as sa

from shared import tables
from shared.clock import now
from shared.jobs.attempts import Lease, lock_job
from shared.jobs.events import NewEvent, append_events
from shared.jobs.findings import forget_findings_past


def begin_attempt(
    connection: sa.Connection,
    lease: Lease,
    *,
    first_step: int,
    fingerprint: dict[str, Any],
    first_epoch: int | None = None,
) -> None:
    """Record where the attempt begins; delete what an earlier attempt recorded past that point.

    A second call does nothing, so the caller can repeat it when the answer was lost.

    Args:
        connection: in a transaction.
        lease: of the attempt.
        first_step: the number of steps taken before.
        fingerprint: versions, hardware and data.
        first_epoch: the number of epochs finished before. The last step of an epoch and the end of
            the epoch have the same step, but not the same epoch. None compares only steps.

    Raises:
        Fenced: the attempt no longer holds the job.
    """
    attempts, metrics, events = tables.attempts.c, tables.metrics.c, tables.events.c
    lock_job(connection, lease)
    begun = connection.execute(
        sa.update(tables.attempts)
        .where(attempts.job_id == lease.job_id, attempts.number == lease.attempt)
        .where(attempts.fingerprint.is_(sa.null()))
        .values(first_step=first_step, fingerprint=fingerprint)
    )
    if not begun.rowcount:
        return

    def is_past(
        step: sa.ColumnElement[int], epoch: sa.ColumnElement[int]
    ) -> sa.ColumnElement[bool]:
        later = step > first_step
        return later if first_epoch is None else sa.or_(later, epoch > first_epoch)

    connection.execute(
        sa.delete(tables.metrics).where(
            metrics.job_id == lease.job_id, is_past(metrics.step, metrics.epoch)
        )
    )
    checkpoints = tables.checkpoints.c
    _delete_checkpoints(connection, lease, is_past(checkpoints.step, checkpoints.epoch))
    forget_findings_past(connection, lease, step=first_step, epoch=first_epoch)
    # Clients have already read these events, so they stay and are counted as repeated.
    repeated = connection.execute(
        sa.select(sa.func.count()).where(
            events.job_id == lease.job_id,
            events.type == "epoch",
            is_past(events.step, events.data["epoch"].as_integer()),
        )
    ).scalar_one()
    data = {"attempt": lease.attempt, "step": first_step, "repeats_epochs": repeated}
    append_events(connection, lease.job_id, now(), NewEvent("attempt", data))


def _delete_checkpoints(
    connection: sa.Connection, lease: Lease, is_past: sa.ColumnElement[bool]
) -> None:
    """Delete the checkpoints past the first step: they are unreadable or will be repeated."""
    checkpoints = tables.checkpoints.c
    mine = checkpoints.job_id == lease.job_id
    connection.execute(sa.delete(tables.checkpoints).where(mine, is_past))
    has_last = sa.exists().where(mine, checkpoints.kind == "last").correlate(None)
    connection.execute(
        sa.update(tables.checkpoints)
        .where(mine, checkpoints.kind == "previous", sa.not_(has_last))
        .values(kind="last")
    )
