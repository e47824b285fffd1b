"""Changes of an existing job: its priority, tags, notes, time limit and devices."""

from typing import Any

import sqlalchemy as sa

from shared import tables
from shared.clock import now
from shared.errors import Conflict, NotFound
from shared.jobs.estimates.estimator import predict
from shared.jobs.events import NewEvent, append_events
from shared.jobs.quarantine import select_job
from shared.jobs.rows import JobRow
from shared.jobs.submission import sha256_of_json
from shared.states import FINAL, PRIORITIES, PRIORITY_NAMES

#: The fields that can still be changed once a job has ended.
FIELDS_OF_FINAL_JOBS = ("tags", "notes")


def lock_job(connection: sa.Connection, job_id: str) -> JobRow:
    """Lock a job until the end of the transaction, and return it.

    Raises:
        NotFound: no such job.
        RowUnreadable: its row cannot be read.
    """
    query = select_job.where(tables.jobs.c.id == job_id).with_for_update(of=tables.jobs)
    columns = connection.execute(query).mappings().one_or_none()
    if columns is None:
        raise NotFound(f"There is no job {job_id}.")
    return JobRow.read(columns)


def changeable_fields(row: JobRow) -> dict[str, Any]:
    """Return the values of the fields that can be changed."""
    resources = row.spec.get("resources") or {}
    return {
        "priority": PRIORITY_NAMES[row.priority],
        "tags": row.tags,
        "notes": row.notes,
        "max_runtime_seconds": resources.get("max_runtime_seconds"),
        "allow_inexact": resources.get("allow_inexact") is True,
    }


def change(connection: sa.Connection, row: JobRow, values: dict[str, Any]) -> None:
    """Change a locked job; its specification shows the new values, and so do its retries.

    Args:
        connection: in the transaction that locked the job.
        row: the job.
        values: new values of the fields of `changeable_fields`, or of some of them.

    Raises:
        Conflict: the job has ended, and a field can no longer be changed.
    """
    late = [name for name in values if name not in FIELDS_OF_FINAL_JOBS]
    if row.state in FINAL and late:
        raise Conflict(
            f"The job is {row.state}; {' and '.join(late)} can no longer be changed. "
            f"{' and '.join(FIELDS_OF_FINAL_JOBS)} can.",
            state=row.state,
            allowed=list(FIELDS_OF_FINAL_JOBS),
        )
    before = changeable_fields(row)
    changed = {name: value for name, value in values.items() if value != before[name]}
    if not changed:
        return
    new = before | changed
    spec = {**row.spec, "priority": new["priority"], "tags": new["tags"]}
    resources = {name: new[name] for name in ("max_runtime_seconds", "allow_inexact")}
    spec["resources"] = {**(row.spec.get("resources") or {}), **resources}
    jobs, predicted = tables.jobs.c, dict[str, Any]()
    if "max_runtime_seconds" in changed:  # by which the next claim plans
        columns = predict(connection, spec, epoch_limit=row.epoch_limit).columns()
        predicted = {name: columns[name] for name in ("seconds_p50", "seconds_p90")}
    connection.execute(
        sa.update(tables.jobs)
        .where(jobs.id == row.id)
        .values(
            **predicted,
            priority=PRIORITIES[new["priority"]],
            tags=new["tags"],
            notes=new["notes"],
            allow_inexact=new["allow_inexact"],
            spec=spec,
            spec_sha256=sha256_of_json(spec),
        )
    )
    if "tags" in changed:
        _replace_tags(connection, row.id, new["tags"])
    append_events(connection, row.id, now(), NewEvent("changed", changed))


def _replace_tags(connection: sa.Connection, job_id: str, new: dict[str, str]) -> None:
    connection.execute(sa.delete(tables.tags).where(tables.tags.c.job_id == job_id))
    if new:
        rows = [{"job_id": job_id, "key": key, "value": value} for key, value in new.items()]
        connection.execute(sa.insert(tables.tags), rows)
