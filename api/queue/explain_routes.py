"""`GET /v1/jobs/{id}/explain`: why a job waits, or why it started when it did."""

from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter, Security

from api.deps import JobId, PrincipalDep, ServicesDep, right
from api.http.responses import json_response
from api.jobs.estimates import basis_json, memory_json, range_json
from api.jobs.lookup import read_job
from api.queue.counterfactuals import Change, judge, patches_of
from api.queue.explanation import YIELDING, explain_running, explain_waiting
from api.queue.schemas import Explanation
from api.queue.smaller_forks import smaller_forks
from api.services.container import Services
from api.services.principal import Principal
from api.services.queue_order import Snapshot
from shared.clock import rfc3339
from shared.errors import LimitReached
from shared.jobs.estimates.history import read_epochs_before
from shared.jobs.events import list_events
from shared.jobs.planning.plan import Entry
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
        entry = next((e for e in snapshot.plan.entries if e.job.id == job_id), None)
        explanation |= explain_waiting(snapshot, entry, row, principal)
        if entry is not None:
            changes = _changes(services, principal, snapshot, entry, row)
            explanation |= judge(snapshot, entry, changes)
    elif row.state == "running":
        explanation |= explain_running(services.queue_order.snapshot(), row)
        if row.phase == "yielding":
            explanation["summary"] = YIELDING
    return json_response(explanation)


def _changes(
    services: Services, principal: Principal, snapshot: Snapshot, entry: Entry, row: JobRow
) -> Iterator[Change]:
    """Yield changes that may start a job earlier; none if it starts now."""
    if entry.reason is None:
        return
    yield from patches_of(entry.job, may_be_high=_may_be_high(services, principal, row))
    if row.kind == "training" and principal.may_change(row.owner):
        yield from smaller_forks(services, principal, snapshot, entry, row)


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
