"""A job as a response, with its attempts and its position in the queue."""

from fastapi import Response

from api.http.responses import json_response
from api.jobs import rendering
from api.jobs.lookup import read_job
from api.services.container import Services
from shared.jobs import queries
from shared.jobs.rows import AttemptRow, JobRow
from shared.jobs.submission import Submitted


def submitted_response(services: Services, submitted: Submitted) -> Response:
    """Return a job that a request has submitted, or submitted before with the same key.

    A new job is not read again: nothing else has written its row before its commit.
    """
    row = submitted.row
    if row is None:
        return job_response(services, submitted.job_id)
    position = services.queue_order.position_of_new(row.id, row.owner, row.priority)
    return _job_response(row, position, [])


def job_response(services: Services, job_id: str, *, status: int = 202) -> Response:
    """Return a job that a request has changed."""
    # A changed job is not worth an extra read of the queue.
    row, queue_position = read_with_position(services, job_id, allow_extra_read=False)
    attempts = read_attempts(services, job_id)
    return _job_response(row, queue_position, attempts, status=status)


def _job_response(
    row: JobRow, queue_position: int | None, attempts: list[AttemptRow], *, status: int = 202
) -> Response:
    return json_response(
        rendering.job_json(row, queue_position=queue_position, attempts=attempts),
        status=status,
        headers={
            "Location": f"/v1/jobs/{row.id}",
            "ETag": rendering.etag(row, queue_position),
        },
    )


def read_with_position(
    services: Services, job_id: str, *, allow_extra_read: bool = True
) -> tuple[JobRow, int | None]:
    """Return a job's row and its position in the queue."""
    row = read_job(services, job_id)
    if services.quarantine.report([row]):
        row = read_job(services, job_id)  # with the event of the quarantine
    return row, queue_position_of(services, row, allow_extra_read=allow_extra_read)


def read_attempts(services: Services, job_id: str) -> list[AttemptRow]:
    """Return the attempts of a job."""
    with services.database.read() as connection:
        return queries.list_attempts(connection, job_id)


def queue_position_of(
    services: Services, row: JobRow, *, allow_extra_read: bool = True
) -> int | None:
    """Return the position of a job in the queue; None if it does not wait there."""
    if row.state != "queued":
        return None
    return services.queue_order.position(row.id, allow_extra_read=allow_extra_read)
