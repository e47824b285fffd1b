"""Submission, validation, cancel, retry: the rules between the routes and the tables."""

from typing import Any

from api.jobs.admission import Admitted, admit
from api.jobs.origins import ask_of_weights
from api.services import Services
from api.strict_json import parse
from shared.errors import Unavailable
from shared.jobs import reading, requests
from shared.jobs.submission import Submission, sha256_of, submit
from shared.states import PRIORITIES

#: Finished jobs that are looked through for one like this.
LOOKED_THROUGH = 50


def check(services: Services, body: bytes) -> tuple[Any, Admitted, dict[str, Any]]:
    """The parsed body, what was admitted, and what the desk says of its network.

    Raises:
        BadRequest: the body is not JSON.
        InvalidSpec: the specification has faults.
        Unavailable: the desk does not answer.
    """
    raw = parse(body)
    admitted = admit(raw, services.methods, services.desk.ask)
    admitted.question.update(ask_of_weights(services, admitted.spec))
    return raw, admitted, services.desk.describe(admitted.question)


def create(services: Services, owner: str, body: bytes, key: str | None) -> str:
    """Check and record a job; return its id once it is durable."""
    raw, admitted, _ = check(services, body)
    submission = Submission(
        owner=owner,
        spec=admitted.spec,
        idempotency_key=key,
        fingerprint=sha256_of(raw) if key is not None else "",
    )
    with services.database.write() as connection:
        job_id, is_new = submit(connection, submission)
    if is_new:
        services.doorbell.ask()
    return job_id


def validate(services: Services, body: bytes) -> dict[str, Any]:
    """The same check without a job, with what can be said before it runs."""
    _, admitted, described = check(services, body)
    spec = admitted.spec
    try:
        memory = services.desk.describe(
            {
                **admitted.question,
                "batch_size": spec["training"]["batch_size"],
                "optimizer": spec["optimizer"]["name"],
                "precision": spec["training"]["precision"],
            }
        )["memory_mib"]
    except Unavailable:
        memory = None
    return {
        "object": "validation",
        "valid": True,
        "spec": spec,
        "parameter_count": described["parameter_count"],
        "device_memory_mib": memory,
        "seconds_per_epoch": _seconds_per_epoch(services, spec),
        "queue_position": _place(services, PRIORITIES[spec["priority"]]),
    }


def cancel(services: Services, job_id: str) -> None:
    """Ask that the job ends."""
    with services.database.write() as connection:
        requests.request_cancel(connection, job_id)


def retry(services: Services, owner: str, job_id: str) -> str:
    """Submit the job's specification anew, going on from its last checkpoint."""
    with services.database.write() as connection:
        spec, checkpoint = requests.origin_of_retry(connection, job_id)
        new_id, _ = submit(
            connection,
            Submission(owner=owner, spec=spec, retry_of=job_id, resume_from=checkpoint),
        )
    services.doorbell.ask()
    return new_id


def _seconds_per_epoch(services: Services, spec: dict[str, Any]) -> float | None:
    """What an epoch took in the newest finished job of the same work, or None."""
    with services.database.read() as connection:
        rows = reading.page(
            connection, limit=LOOKED_THROUGH, state="succeeded", dataset=spec["dataset"]["name"]
        )
    for row in rows:
        other = row["spec"]
        is_same_work = (
            other["architecture"] == spec["architecture"]
            and other["dataset"] == spec["dataset"]
            and other["training"]["batch_size"] == spec["training"]["batch_size"]
            and other["training"]["precision"] == spec["training"]["precision"]
        )
        if is_same_work and isinstance(row["metrics"].get("seconds"), float):
            return round(row["metrics"]["seconds"], 3)
    return None


def _place(services: Services, priority: int) -> int:
    """Where in the order a job of this priority would stand now, from 1."""
    with services.database.read() as connection:
        return 1 + reading.ahead_of(connection, priority)
