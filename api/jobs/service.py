"""Submission, validation, cancel, retry: the rules between the routes and the tables."""

from typing import Any

from api.catalog.methods import Faults
from api.http.strict_json import parse
from api.jobs.admission.checks import Admitted, examine, in_order
from api.jobs.admission.fine_tuning import optimizers_with_parameters
from api.jobs.admission.weights import ask_of_weights
from api.jobs.estimates import seconds_per_epoch
from api.services import Services
from shared.errors import InvalidSpec, Unavailable
from shared.jobs import control, queries
from shared.jobs.submission import Submission, known, of_retry, sha256_of, submit
from shared.states import PRIORITIES


def check(services: Services, raw: Any) -> tuple[Admitted, dict[str, Any]]:
    """What is admitted of a parsed body, and what the sidecar says of its network.

    Raises:
        InvalidSpec: the specification has faults; all of them, the sidecar's too.
        Unavailable: the sidecar does not answer.
    """
    found = examine(raw, services.methods, services.sidecar.ask)
    faults, described, question = found.faults, {}, found.question or {}
    if found.question is not None:
        question |= ask_of_weights(services, found.spec, faults)
        described = _described(services, question, faults)
    if faults or found.question is None:
        raise InvalidSpec(in_order(faults))
    return Admitted(found.spec, question), described


def _described(services: Services, question: dict[str, Any], faults: Faults) -> dict[str, Any]:
    """What the sidecar says of the network; what it finds wrong is added to the faults."""
    try:
        return services.sidecar.describe(question)
    except InvalidSpec as refused:
        faults += refused.faults
    except Unavailable:
        if not faults:  # else there is enough to be told without it
            raise
    return {}


def create(services: Services, owner: str, body: bytes, key: str | None) -> str:
    """Check and record a job; return its id once it is durable."""
    raw = parse(body)
    fingerprint = sha256_of(raw) if key is not None else ""
    # What a known key made is there, also where it would not be admitted any more.
    before = _made(services, owner, key, fingerprint)
    if before is not None:
        return before
    admitted, _ = check(services, raw)
    submission = Submission(
        owner=owner, spec=admitted.spec, idempotency_key=key, fingerprint=fingerprint
    )
    with services.database.write() as connection:
        job_id, is_new = submit(connection, submission)
    if is_new:
        services.doorbell.ask()
    return job_id


def _made(services: Services, owner: str, key: str | None, fingerprint: str) -> str | None:
    """The job that this key made, if there is a key and it did."""
    if key is None:
        return None
    with services.database.read() as connection:
        return known(connection, owner, key, fingerprint)


def validate(services: Services, body: bytes) -> dict[str, Any]:
    """The same check without a job, with what can be said before it runs."""
    admitted, described = check(services, parse(body))
    spec = admitted.spec
    try:
        memory = services.sidecar.describe(
            {
                **admitted.question,
                "batch_size": min(spec["training"]["batch_size"], spec["dataset"]["train"]),
                "optimizers": optimizers_with_parameters(spec),
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
        "seconds_per_epoch": seconds_per_epoch(services, spec),
        "queue_position": _place(services, PRIORITIES[spec["priority"]]),
    }


def cancel(services: Services, job_id: str) -> None:
    """Ask that the job ends."""
    with services.database.write() as connection:
        control.request_cancel(connection, job_id)


def retry(services: Services, owner: str, job_id: str, key: str | None) -> str:
    """Submit the job's specification anew, going on from its last checkpoint.

    The same key gives the same job; without one, a retry that has not ended is the answer.
    """
    fingerprint = of_retry(job_id)
    before = _made(services, owner, key, fingerprint)
    if before is not None:
        return before
    with services.database.write() as connection:
        spec, checkpoint = control.origin_of_retry(connection, job_id)
        before = control.open_retry(connection, owner, job_id) if key is None else None
        if before is not None:
            return before
        submission = Submission(
            owner=owner,
            spec=spec,
            retry_of=job_id,
            resume_from=checkpoint,
            idempotency_key=key,
            fingerprint=fingerprint,
        )
        new_id, is_new = submit(connection, submission)
    if is_new:
        services.doorbell.ask()
    return new_id


def _place(services: Services, priority: int) -> int:
    """Where in the order a job of this priority would stand now, from 1."""
    with services.database.read() as connection:
        return 1 + queries.ahead_of(connection, priority)
