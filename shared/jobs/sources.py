"""The jobs from whose checkpoints a job starts, which cannot be deleted before it has ended."""

from typing import Any

import sqlalchemy as sa

from shared import tables
from shared.errors import Conflict, Fault, InvalidSpec
from shared.jobs.owned_ids import OwnedIds
from shared.states import FINAL, STATES

UNFINISHED = tuple(state for state in STATES if state not in FINAL)


def lock_sources(
    connection: sa.Connection, spec: dict[str, Any], *, continued: str | None = None
) -> None:
    """Lock the sources of a new job, so that none is deleted before the job is recorded.

    Args:
        connection: in the transaction that records the job.
        spec: of the new job.
        continued: the job from whose state it continues, if any.

    Raises:
        InvalidSpec: the job whose weights it starts from was deleted.
        Conflict: the job that it continues was deleted.
    """
    weights = source_of_weights(spec)
    if weights is not None and not _lock(connection, weights):
        text = f"is {weights}, which is deleted; use another job"
        raise InvalidSpec([Fault("/fine_tuning/weights/job", text)])
    if continued is not None and not _lock(connection, continued):
        raise Conflict(f"The job {continued}, whose checkpoint is to be continued, is deleted.")


def source_of_weights(spec: Any) -> str | None:
    """Return the job whose weights a specification starts from, if any."""
    fine_tuning = spec.get("fine_tuning") if isinstance(spec, dict) else None
    weights = fine_tuning.get("weights") if isinstance(fine_tuning, dict) else None
    job_id = weights.get("job") if isinstance(weights, dict) else None
    return job_id if isinstance(job_id, str) else None


def list_jobs_in_need(connection: sa.Connection, job_id: str) -> OwnedIds:
    """Return the unfinished jobs and analyses that need this job or a checkpoint of it."""
    jobs, analyses = tables.jobs.c, tables.analyses.c
    continues = sa.and_(
        sa.or_(jobs.retry_of == job_id, jobs.forked_from == job_id),
        jobs.resume_from.is_not(None),
    )
    verifies = sa.and_(jobs.forked_from == job_id, jobs.kind == "verification")
    analysed = sa.select(analyses.id).where(analyses.subject_id == job_id)
    needs = (continues, verifies, jobs.weights_job == job_id, jobs.id.in_(analysed))
    query = sa.select(jobs.id, jobs.owner).where(jobs.state.in_(UNFINISHED), sa.or_(*needs))
    return OwnedIds((row.id, row.owner) for row in connection.execute(query.order_by(jobs.id)))


def _lock(connection: sa.Connection, job_id: str) -> bool:
    """Keep a job from being deleted until the end of the transaction; False if it is deleted."""
    jobs = tables.jobs.c
    query = sa.select(jobs.id).where(jobs.id == job_id).with_for_update(read=True, key_share=True)
    return connection.execute(query).first() is not None
