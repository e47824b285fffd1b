"""`GET /v1/jobs/{id}/explain`: why a job waits, or why it started when it did."""

from typing import Any

from fastapi import APIRouter, Security

from api.deps import JobId, PrincipalDep, ServicesDep, right
from api.http.responses import json_response
from api.jobs.estimates import basis_json, memory_json, range_json
from api.jobs.lookup import read_job
from api.queue.explanation import YIELDING, explain_running, explain_waiting
from api.queue.schemas import Explanation
from api.services.container import Services
from api.services.principal import Principal
from shared.clock import rfc3339
from shared.errors import LimitReached
from shared.jobs.estimates.history import read_epochs_before
from shared.jobs.events import list_events
from shared.jobs.rows import EventRow, JobRow
from shared.states import FINAL

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

    `seconds` is what the whole job is predicted to take, and `basis` which jobs say so. Of a job
    that has started, `history` says when and why each attempt started, and when it gave way to a
    waiting job. Each change under
    `would_start_now_if` was checked by the planner that makes the claims.
    """
    row = read_job(services, job_id)
    with services.database.read() as connection:
        events = list_events(connection, job_id, limit=MAX_EVENTS)
        before = read_epochs_before(connection, row.resume_from)
    history = [entry for event in events if (entry := _history_entry(event)) is not None]
    explanation: dict[str, Any] = {
        "object": "explanation",
        "job": job_id,
        "state": row.state,
        "history": history,
    }
    if row.state not in FINAL:
        prediction = services.estimator.predict(
            row.spec, epoch_limit=row.epoch_limit, epochs_before=before
        )
        explanation |= {
            "seconds": range_json(prediction.duration),
            "basis": basis_json(prediction.duration),
            "memory": memory_json(prediction),
        }
    if row.state == "queued":
        snapshot = services.queue_order.snapshot_with(job_id)
        may_be_high = _may_be_high(services, principal, row)
        explanation |= explain_waiting(snapshot, row, principal, may_be_high=may_be_high)
    elif row.state == "running":
        explanation |= explain_running(services.queue_order.snapshot(), row)
        if row.phase == "yielding":
            explanation["summary"] = YIELDING
    return json_response(explanation)


def _may_be_high(services: Services, principal: Principal, row: JobRow) -> bool:
    """Return whether a change to high priority would be accepted."""
    with services.database.read() as connection:
        try:
            services.limits.check_high(connection, principal, row.spec, job_id=row.id)
        except LimitReached:
            return False
    return True


def _history_entry(event: EventRow) -> dict[str, Any] | None:
    """Return why an attempt started, or that it gave way; None for another event."""
    entry = {"at": rfc3339(event.at), "attempt": event.data.get("attempt")}
    if event.type == "yield_requested":
        return entry | {"yields_to_rank": event.data.get("to_rank")}
    if event.type == "state" and event.data.get("reason") == "yielded":
        return entry | {"ended": "yielded"}
    if event.type == "state" and isinstance(event.data.get("plan"), dict):
        return entry | event.data["plan"]
    return None
