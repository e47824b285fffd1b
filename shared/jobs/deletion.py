"""Deletion of ended jobs: first the rows, in one transaction, then the files.

The transaction also records that the files are to be deleted. What an interrupted deletion leaves
on the disk is removed later by the leading reaper.
"""

import shutil
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from shared import tables
from shared.clock import now
from shared.database import Database
from shared.errors import Conflict, InUse, NotFound
from shared.ids import is_id
from shared.jobs.owned_ids import OwnedIds
from shared.jobs.sources import list_jobs_in_need
from shared.states import FINAL
from shared.storage import Storage, exclusive_bytes

#: The time that the process which deleted the rows has to delete the files.
INTERRUPTED_AFTER = timedelta(seconds=60)
MAX_LISTED = 20


def delete_job(connection: sa.Connection, job_id: str, *, only_owner: str | None) -> list[str]:
    """Delete an ended job, its analyses and verifications; return the ids that have files.

    Args:
        connection: in a transaction.
        job_id: of the job.
        only_owner: the only person whose jobs an error names; None for all.

    Raises:
        NotFound: no such job.
        Conflict: the job has not ended.
        InUse: a job that has not ended needs one of its checkpoints.
    """
    jobs = tables.jobs.c
    state = connection.execute(
        sa.select(jobs.state).where(jobs.id == job_id).with_for_update()
    ).scalar_one_or_none()
    if state is None:
        raise NotFound(f"There is no job {job_id}.")
    if state not in FINAL:
        raise Conflict(
            f"The job is {state}; only a job that has ended can be deleted. Cancel it first.",
            state=state,
            allowed=sorted(FINAL),
        )
    verifies = sa.and_(jobs.forked_from == job_id, jobs.kind == "verification")
    verifications = connection.execute(sa.select(jobs.id).where(verifies)).scalars().all()
    deleted = [job_id, *verifications]
    needs = (list_jobs_in_need(connection, each) for each in deleted)
    needed_by = OwnedIds(pair for each in needs for pair in each)
    if needed_by:
        shown = needed_by.shown(only_owner, limit=MAX_LISTED)
        raise InUse(
            f"The job is needed by {needed_by.text(only_owner, limit=MAX_LISTED)}. "
            "Wait for them or cancel them.",
            jobs=shown,
            count=len(needed_by),
        )
    analyses = tables.analyses.c
    of_jobs = sa.select(analyses.id).where(analyses.subject_id.in_(deleted))
    deleted += connection.execute(of_jobs).scalars()
    at = now()
    connection.execute(
        sa.insert(tables.deletions), [{"job_id": each, "deleted_at": at} for each in deleted]
    )
    connection.execute(sa.delete(tables.jobs).where(jobs.id.in_(deleted)))
    return deleted


def delete_files(database: Database, storage: Storage, job_ids: Iterable[str]) -> int:
    """Delete the files of deleted jobs; return the bytes freed.

    Files that another job shares by a hard link are not counted. What cannot be deleted is tried
    again by the reaper.
    """
    freed_bytes, done = 0, list[str]()
    for job_id in job_ids:
        directory = storage.job(job_id)
        before = exclusive_bytes(directory)
        shutil.rmtree(directory, ignore_errors=True)
        freed_bytes += before - exclusive_bytes(directory)
        if not directory.exists():
            done.append(job_id)
    if done:
        with database.write() as connection:
            recorded = tables.deletions.c.job_id
            connection.execute(sa.delete(tables.deletions).where(recorded.in_(done)))
    return freed_bytes


def list_largest(
    connection: sa.Connection, *, limit: int, only_owner: str | None
) -> list[dict[str, Any]]:
    """Return the ended jobs with the largest weights: `id`, `name` and `weights_bytes` of each."""
    jobs, checkpoints = tables.jobs.c, tables.checkpoints.c
    # Checkpoints of several roles share a directory.
    stored = sa.select(checkpoints.job_id, checkpoints.directory, checkpoints.bytes).distinct()
    stored = stored.subquery()
    size = sa.func.sum(stored.c.bytes)
    query = (
        sa.select(jobs.id, jobs.name, size.label("weights_bytes"))
        .select_from(tables.jobs.join(stored, stored.c.job_id == jobs.id))
        .where(jobs.state.in_(FINAL), sa.true() if only_owner is None else jobs.owner == only_owner)
        .group_by(jobs.id, jobs.name)
        .order_by(size.desc(), jobs.id)
        .limit(limit)
    )
    rows = connection.execute(query)
    return [
        {"id": row.id, "name": row.name, "weights_bytes": int(row.weights_bytes)} for row in rows
    ]


def list_interrupted(connection: sa.Connection) -> list[str]:
    """Return the deleted jobs whose files should have been deleted a while ago.

    A damaged id is left out: it would name another directory.
    """
    deletions = tables.deletions.c
    query = sa.select(deletions.job_id).where(deletions.deleted_at < now() - INTERRUPTED_AFTER)
    ids = connection.execute(query.limit(100)).scalars()
    return [each for each in ids if is_id("job", each) or is_id("ana", each)]
