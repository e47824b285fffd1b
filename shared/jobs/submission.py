"""A job comes into being. The queued row is the outbox: nothing else has to be written."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

import orjson
import sqlalchemy as sa

from shared import tables
from shared.clock import now
from shared.errors import IdempotencyMismatch
from shared.ids import new_id
from shared.jobs.events import EventRow
from shared.states import PRIORITIES


@dataclass(frozen=True, kw_only=True)
class Submission:
    """What a new job is made of; `spec` is filled in and checked."""

    owner: str
    spec: dict[str, Any]
    retry_of: str | None = None
    resume_from: str | None = None
    idempotency_key: str | None = None
    fingerprint: str = field(default="")


def submit(connection: sa.Connection, submission: Submission) -> tuple[str, bool]:
    """Write the job; return its id and whether it is new (False: the key was used before).

    Raises:
        IdempotencyMismatch: the key was used for another body.
    """
    if submission.idempotency_key is not None:
        known = _known(connection, submission)
        if known is not None:
            return known, False
    spec, job_id, at = submission.spec, new_id("job"), now()
    connection.execute(
        sa.insert(tables.jobs),
        {
            "id": job_id,
            "owner": submission.owner,
            "name": spec["name"],
            "state": "queued",
            "priority": PRIORITIES[spec["priority"]],
            "gpus": spec["resources"]["gpus"],
            "tags": spec["tags"],
            "notes": "",
            "spec": spec,
            "spec_sha256": sha256_of(spec),
            "dataset": spec["dataset"]["name"],
            "retry_of": submission.retry_of,
            "resume_from": submission.resume_from,
            "created_at": at,
            "attempt": 0,
            "deaths": 0,
            "revision": 1,
            "last_event": 1,
            "metrics": {},
            "best": {},
        },
    )
    data = {"state": "queued", "reason": "retry" if submission.retry_of else "submitted"}
    first = EventRow("state", data).values(job_id, 1, at)
    connection.execute(sa.insert(tables.events), first)
    if spec["tags"]:
        rows = [{"job_id": job_id, "key": k, "value": v} for k, v in spec["tags"].items()]
        connection.execute(sa.insert(tables.tags), rows)
    if submission.idempotency_key is not None:
        connection.execute(
            sa.insert(tables.idempotency),
            {
                "owner": submission.owner,
                "key": submission.idempotency_key,
                "fingerprint": submission.fingerprint,
                "job_id": job_id,
                "created_at": at,
            },
        )
    return job_id, True


def sha256_of(value: Any) -> str:
    """The digest of a JSON value, whatever the order of its keys."""
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _known(connection: sa.Connection, submission: Submission) -> str | None:
    """The job that this key made, if it did."""
    if connection.dialect.name == "postgresql":
        # Two requests with one key: the second waits here and then sees what the first made.
        lock = sa.func.hashtextextended(f"{submission.owner}/{submission.idempotency_key}", 0)
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(lock)))
    row = connection.execute(
        sa.select(tables.idempotency.c.fingerprint, tables.idempotency.c.job_id).where(
            tables.idempotency.c.owner == submission.owner,
            tables.idempotency.c.key == submission.idempotency_key,
        )
    ).one_or_none()
    if row is None:
        return None
    if row.fingerprint != submission.fingerprint:
        raise IdempotencyMismatch
    return row.job_id
