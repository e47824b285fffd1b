"""`GET /v1/queue`: what waits, in the order in which it starts, and why."""

from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, Security

from api.deps import PrincipalDep, ServicesDep, right
from api.http.requests import JobIdText, Limit
from api.http.responses import json_response, list_page
from api.queue.rendering import entry_json, policy_json, shares_json
from api.queue.schemas import Queue
from shared import tables

router = APIRouter(prefix="/v1", tags=["queue"])


@router.get(
    "/queue",
    dependencies=[Security(right("box:read"))],
    summary="Show the queue",
    responses={200: {"model": Queue}},
)
def show_queue(
    services: ServicesDep,
    principal: PrincipalDep,
    limit: Limit = 100,
    after: JobIdText | None = None,
) -> Any:
    """Return the jobs that wait, in the order in which they start.

    The list has the first 1,000 jobs; `waiting` counts all. `after` is the id of the last job of
    the page before. The response is at most one second old.
    """
    snapshot = services.queue_order.snapshot()
    entries = snapshot.plan.entries
    begin = snapshot.positions.get(after, 0) if after is not None else 0
    # The id of a job that the caller may not read is as unknown as any other.
    if begin and not principal.may_read(entries[begin - 1].job.owner):
        begin = 0
    page = entries[begin : begin + limit]
    jobs = tables.jobs.c
    names = sa.select(jobs.id, jobs.name).where(jobs.id.in_([entry.job.id for entry in page]))
    with services.database.read() as connection:
        name_of = {row.id: row.name for row in connection.execute(names)}
    rows = [entry_json(snapshot, entry, name_of.get(entry.job.id), principal) for entry in page]
    return json_response(
        {
            **list_page(rows, has_more=begin + limit < len(entries)),
            "shares": shares_json(snapshot, principal),
            "policy": policy_json(snapshot.box.policy),
            "waiting": snapshot.waiting,
        }
    )
