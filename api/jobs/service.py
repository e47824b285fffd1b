"""Submitting, validating, cancelling, pausing and retrying jobs: the rules behind the routes."""

from dataclasses import replace
from functools import partial
from typing import Any

import sqlalchemy as sa

from api.http.strict_json import parse
from api.jobs import device_memory, disk_space, forks
from api.jobs.admission import checks
from api.jobs.admission.draft import Context, Draft
from api.jobs.estimates import (
    basis_json,
    duration_of,
    epoch_seconds_of_work,
    memory_json,
    range_json,
)
from api.jobs.patch_faults import faults_in_patch
from api.jobs.retries import check_readable
from api.services.container import Services
from api.services.principal import Principal
from shared.jobs import control, deletion, liveness
from shared.jobs.estimates.history import read_epochs_before
from shared.jobs.submission import (
    Submission,
    Submitted,
    find_by_key,
    retry_fingerprint,
    sha256_of_json,
    submit,
)
from shared.states import PRIORITIES


def check(services: Services, principal: Principal, raw: Any) -> Draft:
    """Check a specification with the parts of this service.

    Raises:
        InvalidSpec: with every fault.
        Unavailable: the sidecar does not answer.
    """
    parts = (services.methods, services.sidecar, services.database, services.storage)
    largest_worker = partial(liveness.largest_worker, services.database)
    largest_mib = partial(device_memory.largest_device_mib, services)
    return checks.check(raw, Context(*parts, principal, largest_worker, largest_mib))


def create(services: Services, principal: Principal, body: bytes, key: str | None) -> Submitted:
    """Check and record a job, and return it once it is durable.

    Args:
        services: the parts of this service.
        principal: who submits it and becomes its owner.
        body: the specification as JSON.
        key: the request's Idempotency-Key.
    """
    raw = parse(body)
    fingerprint = sha256_of_json(raw) if key is not None else ""
    # Before the check: a known key gives its job even if the specification is no longer valid.
    existing = _job_of_key(services, principal, key, fingerprint)
    if existing is not None:
        return existing
    draft = check(services, principal, raw)
    check_disk_space(services, principal, draft)
    return _submit(
        services,
        principal,
        Submission(
            owner=principal.name,
            spec=draft.filled,
            warnings=draft.warnings_json(),
            idempotency_key=key,
            fingerprint=fingerprint,
        ),
        draft,
    )


def fork(
    services: Services,
    principal: Principal,
    job_id: str,
    body: bytes,
    key: str | None,
    *,
    is_bare: bool,
) -> Submitted:
    """Submit the specification of a job with a patch on it; return the new job.

    Args:
        services: the parts of this service.
        principal: who submits it and becomes its owner.
        job_id: the job whose specification is changed.
        body: the request as JSON.
        key: the request's Idempotency-Key.
        is_bare: whether the body is the patch itself.
    """
    raw = parse(body)
    fingerprint = sha256_of_json(["fork", job_id, raw]) if key is not None else ""
    existing = _job_of_key(services, principal, key, fingerprint)
    if existing is not None:
        return existing
    prepared = forks.prepare(services, job_id, raw, owner=principal.name, is_bare=is_bare)
    with faults_in_patch(prepared.operations, prepared.at):
        draft = check(services, principal, prepared.spec)
    check_disk_space(services, principal, draft)
    return _submit(
        services,
        principal,
        Submission(
            owner=principal.name,
            spec=draft.filled,
            warnings=draft.warnings_json(),
            forked_from=job_id,
            resume_from=prepared.resume_from,
            idempotency_key=key,
            fingerprint=fingerprint,
        ),
        draft,
    )


def check_disk_space(services: Services, principal: Principal, draft: Draft) -> None:
    """Refuse a job whose checkpoints do not fit on the disk."""
    parameters = draft.description["parameter_count"]["with_statistics"]
    disk_space.check(services, principal, draft.filled, parameters)


def _submit(
    services: Services, principal: Principal, submission: Submission, draft: Draft
) -> Submitted:
    """Record a job, notify the workers, and return it."""
    before = 0
    if submission.resume_from is not None:
        with services.database.read() as connection:
            before = read_epochs_before(connection, submission.resume_from)
    planned = device_memory.plan_memory(services, draft, epochs_before=before)
    predicted = replace(submission, prediction=planned.prediction, memory_mib=planned.memory_mib)
    with services.database.write() as connection:
        check = services.limits.for_job(principal, submission.spec)
        submitted = submit(connection, predicted, check=check)
        if submitted.row is not None:
            services.record(connection, principal, "job.submit", submitted.job_id)
    if submitted.row is not None:
        services.doorbell.notify()
    return submitted


def validate(services: Services, principal: Principal, body: bytes) -> dict[str, Any]:
    """Check a specification without a job, and estimate what it takes."""
    draft = check(services, principal, parse(body))
    spec = draft.filled
    step = device_memory.step_of(services, draft)
    memory_mib = step.get("memory_mib")
    prediction = services.estimator.predict(spec, network_mib=memory_mib)
    epoch_seconds = prediction.epoch_seconds
    if epoch_seconds is None:
        epoch_seconds = epoch_seconds_of_work(services, spec, step.get("work"))
    duration = duration_of(prediction, epoch_seconds)
    return {
        "object": "validation",
        "valid": True,
        "spec": spec,
        "parameter_count": draft.description["parameter_count"],
        "device_memory_mib": memory_mib,
        "seconds_per_epoch": None if epoch_seconds is None else round(epoch_seconds, 3),
        "seconds": range_json(duration),
        "basis": basis_json(duration),
        "memory": memory_json(prediction),
        "queue_position": services.queue_order.next_position(
            principal.name, PRIORITIES[spec["priority"]]
        ),
        "warnings": draft.warnings_json(),
    }


def cancel(services: Services, principal: Principal, job_id: str) -> None:
    """Request that a job ends."""
    with services.change(principal, "job.cancel", job_id) as connection:
        control.request_cancel(connection, job_id)


def pause(services: Services, principal: Principal, job_id: str) -> None:
    """Request that a job stops with a checkpoint and waits until it is resumed."""
    with services.change(principal, "job.pause", job_id) as connection:
        control.request_pause(connection, job_id)


def resume(services: Services, principal: Principal, job_id: str) -> None:
    """Queue a paused job, or withdraw a request to pause."""
    with services.change(principal, "job.resume", job_id) as connection:
        check = partial(_check_queued, services, principal)
        is_queued = control.resume(connection, job_id, check=check)
    if is_queued:
        services.doorbell.notify()


def _check_queued(
    services: Services, principal: Principal, connection: sa.Connection, owner: str
) -> None:
    if owner == principal.name:  # an admin may resume the job of somebody else
        services.limits.check_queued(connection, owner)


def delete(services: Services, principal: Principal, job_id: str) -> int:
    """Delete an ended job, its analyses and their files; return the bytes freed."""
    with services.change(principal, "job.delete", job_id) as connection:
        deleted = deletion.delete_job(connection, job_id, only_owner=principal.only_owner)
    return deletion.delete_files(services.database, services.storage, deleted)


def retry(services: Services, principal: Principal, job_id: str, key: str | None) -> Submitted:
    """Submit a job's specification again, to resume from its last checkpoint.

    The same key gives the same job. Without a key, a retry that has not ended is returned.
    """
    fingerprint = retry_fingerprint(job_id)
    existing = _job_of_key(services, principal, key, fingerprint)
    if existing is not None:
        return existing
    disk_space.check(services, principal)
    # Before the transaction: what is predicted of an ended job does not change meanwhile.
    with services.database.read() as connection:
        origin = control.get_retry_origin(connection, job_id, lock=False)
    prediction = services.estimator.predict(origin.spec, epochs_before=origin.epochs_before)
    with services.database.write() as connection:
        origin = control.get_retry_origin(connection, job_id)
        check_readable(connection, principal, job_id, origin)
        existing = (
            control.find_open_retry(connection, principal.name, job_id) if key is None else None
        )
        if existing is not None:
            return Submitted(existing, None)
        submission = Submission(
            owner=principal.name,
            spec=origin.spec,
            warnings=origin.warnings,
            retry_of=job_id,
            resume_from=origin.checkpoint,
            prediction=prediction,
            idempotency_key=key,
            fingerprint=fingerprint,
        )
        check = services.limits.for_job(principal, submission.spec)
        submitted = submit(connection, submission, check=check)
        if submitted.row is not None:
            services.record(connection, principal, "job.submit", submitted.job_id, retry_of=job_id)
    if submitted.row is not None:
        services.doorbell.notify()
    return submitted


def _job_of_key(
    services: Services, principal: Principal, key: str | None, fingerprint: str
) -> Submitted | None:
    """Return the job that an Idempotency-Key made, if there is one."""
    if key is None:
        return None
    with services.database.read() as connection:
        existing = find_by_key(connection, principal.name, key, fingerprint)
    return None if existing is None else Submitted(existing, None)
