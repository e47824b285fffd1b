"""`GET /v1/queue`: what waits, in the order in which it starts, and why."""

from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Header, Security

from api.deps import PrincipalDep, ServicesDep, right
from api.http.requests import Limit, QueueCursor
from api.http.responses import list_page, versioned_response
from api.http.schemas import ETAG, NOT_MODIFIED
from api.queue.cursor import count_before
from api.queue.rendering import entry_json, policy_json, shares_json
from api.queue.schemas import Queue
from shared import tables

router = APIRouter(prefix="/v1", tags=["queue"])


@router.get(
    "/queue",
    dependencies=[Security(right("box:read"))],
    summary="Show the queue",
    responses={200: {"model": Queue, **ETAG}, **NOT_MODIFIED},
)
def show_queue(
    services: ServicesDep,
    principal: PrincipalDep,
    limit: Limit = 100,
    after: QueueCursor | None = None,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Any:
    """Return the jobs that wait, in the order in which they start.

    The list has the first 1,000 jobs; `waiting` counts all. `after` is the `cursor` of the last
    entry of the page before, or the id of a waiting job that the caller may read. If the entry no
    longer waits, the page continues at its former position. The response is at most one second old.
    """
    snapshot = services.queue_order.snapshot()
    entries = snapshot.plan.entries
    begin = count_before(snapshot, after, principal)
    page = entries[begin : begin + limit]
    jobs = tables.jobs.c
    names = sa.select(jobs.id, jobs.name).where(jobs.id.in_([entry.job.id for entry in page]))
    with services.database.read() as connection:
        name_of = {row.id: row.name for row in connection.execute(names)}
    rows = [entry_json(snapshot, entry, name_of.get(entry.job.id), principal) for entry in page]
    return versioned_response(
        {
            **list_page(rows, has_more=begin + limit < len(entries)),
            "shares": shares_json(snapshot, principal),
            "policy": policy_json(snapshot.box.policy),
            "waiting": snapshot.waiting,
        },
        if_none_match,
    )
