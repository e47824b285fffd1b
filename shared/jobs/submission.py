"""Submission of jobs. The queued row is the outbox: nothing else has to be written."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from datetime import datetime
from math import isfinite
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa

from shared import tables
from shared.clock import now
from shared.errors import IdempotencyMismatch
from shared.ids import new_id
from shared.jobs.estimates.estimator import Prediction, predict
from shared.jobs.estimates.history import read_epochs_before
from shared.jobs.events import NewEvent
from shared.jobs.partial_rows import read_in_part
from shared.jobs.rows import JobRow
from shared.jobs.sources import lock_sources, source_of_weights
from shared.states import PRIORITIES, Kind

#: Checks limits in the transaction that adds to what is limited.
LimitCheck = Callable[[sa.Connection], None]

#: Made once: SQLAlchemy finds its compiled form without looking at the table.
_INSERT_JOB = sa.insert(tables.jobs)
_INSERT_EVENT = sa.insert(tables.events)
#: What a row has besides the columns of a new job.
_ABSENT = dict.fromkeys(column.name for column in fields(JobRow))


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A new job. `spec` has passed admission and has every default filled in."""

    owner: str
    spec: dict[str, Any]
    #: What admission found odd in it: `{pointer, detail, suggestion}`.
    warnings: list[dict[str, Any]] = field(default_factory=list)
    retry_of: str | None = None
    forked_from: str | None = None
    kind: Kind = "training"
    #: The epoch after which a verification ends.
    epoch_limit: int | None = None
    resume_from: str | None = None
    #: What it is predicted to take; None to predict it in the transaction.
    prediction: Prediction | None = None
    #: The memory of its device that it may use; None for what its specification says, or for that
    #: of the job that it repeats or checks.
    memory_mib: float | None = None
    idempotency_key: str | None = None
    fingerprint: str = field(default="")


class Submitted(NamedTuple):
    """What a submission has led to."""

    job_id: str
    #: Of the new job; None if the key was already used for the job.
    row: JobRow | None


def submit(
    connection: sa.Connection, submission: Submission, *, check: LimitCheck | None = None
) -> Submitted:
    """Record the job, unless a job was already recorded with its key.

    Args:
        connection: in the transaction of the submission.
        submission: the job.
        check: called right before a new job is recorded; it may raise.

    Raises:
        IdempotencyMismatch: the key was used for another body.
        InvalidSpec: the job whose weights the specification starts from was deleted meanwhile.
        Conflict: the job that the new job continues was deleted meanwhile.
    """
    owner, key = submission.owner, submission.idempotency_key
    if key is not None:
        _lock_key(connection, owner, key)
        existing = find_by_key(connection, owner, key, submission.fingerprint)
        if existing is not None:
            return Submitted(existing, None)
    continued = submission.resume_from and (submission.retry_of or submission.forked_from)
    lock_sources(connection, submission.spec, continued=continued)
    if check is not None:
        check(connection)
    spec, job_id, at = submission.spec, new_id("job"), now()
    prediction = submission.prediction
    if prediction is None:
        prediction = predict(
            connection,
            spec,
            epoch_limit=submission.epoch_limit,
            epochs_before=read_epochs_before(connection, submission.resume_from),
        )
    row = _columns(connection, submission, prediction, job_id, at)
    connection.execute(_INSERT_JOB, row)
    data = {"state": "queued", "reason": "retry" if submission.retry_of else "submitted"}
    first = NewEvent("state", data).values(job_id, 1, at)
    connection.execute(_INSERT_EVENT, first)
    if spec["tags"]:
        rows = [{"job_id": job_id, "key": k, "value": v} for k, v in spec["tags"].items()]
        connection.execute(sa.insert(tables.tags), rows)
    if key is not None:
        connection.execute(
            sa.insert(tables.idempotency),
            {
                "owner": owner,
                "key": key,
                "fingerprint": submission.fingerprint,
                "job_id": job_id,
                "created_at": at,
            },
        )
    return Submitted(job_id, read_in_part(_ABSENT | row))


def _columns(
    connection: sa.Connection,
    submission: Submission,
    prediction: Prediction,
    job_id: str,
    at: datetime,
) -> dict[str, Any]:
    """Return the columns of a new job; the others are null."""
    spec = submission.spec
    return {
        "id": job_id,
        "kind": submission.kind,
        "owner": submission.owner,
        "name": spec["name"],
        "state": "queued",
        "priority": PRIORITIES[spec["priority"]],
        "gpus": spec["resources"]["gpus"],
        "memory_mib": _memory_mib(connection, submission),
        "allow_inexact": spec["resources"].get("allow_inexact") is True,
        **prediction.columns(),
        "tags": spec["tags"],
        "notes": "",
        "spec": spec,
        "spec_sha256": sha256_of_json(spec),
        "warnings": submission.warnings,
        "findings": dict.fromkeys(("error", "warning", "info"), 0),
        "dataset": spec["dataset"]["name"],
        "retry_of": submission.retry_of,
        "forked_from": submission.forked_from,
        "weights_job": source_of_weights(spec),
        "resume_from": submission.resume_from,
        "epoch_limit": submission.epoch_limit,
        "awaits_verification": awaits_verification(spec),
        "created_at": at,
        "attempt": 0,
        "deaths": 0,
        "revision": 1,
        "last_event": 1,
        "metrics": {},
        "best": {},
    }


def _memory_mib(connection: sa.Connection, submission: Submission) -> float:
    """Return the planned memory; 0 for a whole device."""
    given = submission.spec["resources"].get("gpu_memory_mib")
    if given:
        return float(given)
    if submission.memory_mib is not None:
        return submission.memory_mib
    origin = submission.retry_of or submission.forked_from
    if origin is None:
        return 0.0
    jobs = tables.jobs.c
    query = sa.select(jobs.memory_mib).where(jobs.id == origin)
    planned = connection.execute(query).scalar_one_or_none()
    if isinstance(planned, float) and isfinite(planned) and planned > 0:
        return planned
    return 0.0


def awaits_verification(spec: dict[str, Any]) -> bool:
    """Return whether a patch is to be checked at the end; never in a job of an earlier version."""
    return (spec.get("diagnostics") or {}).get("verify") == "auto"


def sha256_of_json(value: Any) -> str:
    """Return the digest of a JSON value, independent of the order of its keys."""
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()


def find_by_key(connection: sa.Connection, owner: str, key: str, fingerprint: str) -> str | None:
    """Return the job that was submitted with this key, or None.

    Args:
        connection: for reading.
        owner: the user who sent the key.
        key: the Idempotency-Key.
        fingerprint: of the request: `sha256_of_json` of a body, or `retry_fingerprint`.

    Raises:
        IdempotencyMismatch: the key was used for another request.
    """
    columns = tables.idempotency.c
    row = connection.execute(
        sa.select(columns.fingerprint, columns.job_id).where(
            columns.owner == owner, columns.key == key
        )
    ).one_or_none()
    if row is None:
        return None
    if row.fingerprint != fingerprint:
        raise IdempotencyMismatch
    return row.job_id


def retry_fingerprint(job_id: str) -> str:
    """Return the fingerprint of a retry of this job. No body has the same."""
    return f"retry:{job_id}"


def _lock_key(connection: sa.Connection, owner: str, key: str) -> None:
    """Let the second of two requests with the same key wait until the first has committed."""
    if connection.dialect.name == "postgresql":
        lock = sa.func.hashtextextended(f"{owner}/{key}", 0)
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(lock)))
