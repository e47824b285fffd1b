"""`GET /v1/jobs/{id}/explain`: why a job waits, or why it started when it did."""

from typing import Any

from fastapi import APIRouter, Security

from api.deps import JobId, PrincipalDep, ServicesDep, right
from api.http.responses import json_response
from api.jobs.lookup import read_job
from api.queue.explanation import explain_waiting
from api.queue.schemas import Explanation
from shared.clock import rfc3339
from shared.jobs.events import list_events

router = APIRouter(prefix="/v1", tags=["queue"])
#: Events of a job that are searched for its starts.
MAX_EVENTS = 1_000


@router.get(
    "/jobs/{job_id}/explain",
    dependencies=[Security(right("jobs:read"))],
    summary="Explain why a job waits",
    responses={200: {"model": Explanation}},
)
def explain_job(job_id: JobId, services: ServicesDep, principal: PrincipalDep) -> Any:
    """Return why a job waits: its place, what blocks each device, and what would change that.

    Of a job that has started, `history` says when and why each attempt started. Each change under
    `would_start_now_if` was checked by the planner that makes the claims.
    """
    row = read_job(services, job_id)
    with services.database.read() as connection:
        events = list_events(connection, job_id, limit=MAX_EVENTS)
    history = [
        {"at": rfc3339(event.at), "attempt": event.data.get("attempt")} | event.data["plan"]
        for event in events
        if event.type == "state" and isinstance(event.data.get("plan"), dict)
    ]
    explanation: dict[str, Any] = {
        "object": "explanation",
        "job": job_id,
        "state": row.state,
        "history": history,
    }
    if row.state == "queued":
        snapshot = services.queue_order.snapshot_with(job_id)
        explanation |= explain_waiting(snapshot, row, principal)
    return json_response(explanation)
