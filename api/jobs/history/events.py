"""The events of a job: a page, or a live stream of server-sent events."""

from typing import Annotated, Any, Literal

import structlog
from fastapi import APIRouter, Header, Query, Request, Security
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field
from sse_starlette.sse import EventSourceResponse, SendTimeoutError
from starlette.types import Receive, Scope, Send

from api.deps import JobId, PrincipalDep, ServicesDep, right
from api.http.accept import prefers
from api.http.requests import LastEventId, Limit
from api.http.responses import json_response, list_page
from api.http.schemas import Count, Timestamp, content, list_of
from api.jobs.lookup import read_job
from api.services.container import Services
from api.services.event_feed import event_json
from shared.errors import BadRequest
from shared.jobs import events as stored_events
from shared.jobs.partial_rows import UnreadableJobRow
from shared.jobs.rows import EventRow

log = structlog.get_logger()

router = APIRouter()

#: Between two comments, which keep an idle connection open.
PING_SECONDS = 15
#: A client that takes in nothing for so long is dropped; it may resume after its last event.
SEND_TIMEOUT_SECONDS = 30


class _EventStream(EventSourceResponse):
    """A stream that drops a client which takes in nothing."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream; returning early makes the server close the connection."""
        try:
            await super().__call__(scope, receive, send)
        except SendTimeoutError:
            log.info("a slow follower is dropped", path=scope["path"])


class Event(BaseModel):
    """Something that happened to a job. `id` is its number among the job's events, from 1."""

    id: Count
    object: Literal["event"]
    type: str = Field(description="`unreadable` for an event whose stored record is damaged")
    at: Timestamp
    data: dict[str, Any]


@router.get(
    "/events",
    dependencies=[Security(right("jobs:read"))],
    summary="List or follow the events of a job",
    responses={200: {"model": list_of(Event), **content("text/event-stream", is_binary=False)}},
)
async def list_events(
    job_id: JobId,
    request: Request,
    services: ServicesDep,
    principal: PrincipalDep,
    limit: Limit = 20,
    after: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    last_event_id: Annotated[LastEventId | None, Header()] = None,
) -> Any:
    """Return a page of events in order, or follow them live with `Accept: text/event-stream`.

    A stream continues after `Last-Event-ID` and closes after the last event of a finished job. It
    writes at most twice a second. A client that takes in nothing for 30 s is dropped.
    """
    start = after if last_event_id is None else _event_number(last_event_id)
    row = await run_in_threadpool(read_job, services, job_id)
    if prefers(request, "text/event-stream"):
        if start > row.last_event and not isinstance(row, UnreadableJobRow):
            raise BadRequest(
                f"The job has no event {start}: it has {row.last_event} events so far. "
                "Leave out the number to receive all events."
            )
        return _EventStream(
            services.event_feeds.follow(job_id, start, principal),
            ping=PING_SECONDS,
            send_timeout=SEND_TIMEOUT_SECONDS,
        )
    rows = await run_in_threadpool(_read, services, job_id, after, limit + 1)
    page = [event_json(row) for row in rows[:limit]]
    return json_response(list_page(page, has_more=len(rows) > limit))


def _read(services: Services, job_id: str, after: int, limit: int) -> list[EventRow]:
    with services.database.read() as connection:
        return stored_events.list_events(connection, job_id, after=after, limit=limit)


def _event_number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise BadRequest("Last-Event-ID must be the number of an event, at most 9 digits.")
    return int(text)
