"""The events of a job: a page, or a live stream of server-sent events."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Header, Query, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field
from sse_starlette.sse import EventSourceResponse

from api.deps import JobId, ServicesDep
from api.http.requests import Limit
from api.http.responses import json_response, list_page
from api.http.schemas import Count, Timestamp, content, list_of
from api.jobs.lookup import read_job
from api.services.change_watcher import Change, Version
from api.services.container import Services
from shared.clock import rfc3339
from shared.errors import BadRequest
from shared.jobs import events as stored_events
from shared.jobs.partial_rows import UnreadableJobRow
from shared.jobs.rows import EventRow
from shared.states import FINAL

router = APIRouter()

#: Between two comments, which keep an idle connection open.
PING_SECONDS = 15
#: After so long without a change the stream reads the job again.
MAX_WAIT_SECONDS = 5.0
#: Events that a stream reads at once.
PAGE = 500


class Event(BaseModel):
    """Something that happened to a job. `id` is its number among the job's events, from 1."""

    id: Count
    object: Literal["event"]
    type: str = Field(description="`unreadable` for an event whose stored record is damaged")
    at: Timestamp
    data: dict[str, Any]


@router.get(
    "/events",
    summary="List or follow the events of a job",
    responses={200: {"model": list_of(Event), **content("text/event-stream", is_binary=False)}},
)
async def list_events(
    job_id: JobId,
    request: Request,
    services: ServicesDep,
    limit: Limit = 20,
    after: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    last_event_id: Annotated[str | None, Header()] = None,
) -> Any:
    """Return a page of events in order, or follow them live with `Accept: text/event-stream`.

    A stream continues after `Last-Event-ID` and closes after the last event of a finished job.
    """
    row = await run_in_threadpool(read_job, services, job_id)
    if "text/event-stream" in request.headers.get("accept", ""):
        start = after if last_event_id is None else _event_number(last_event_id)
        if start > row.last_event and not isinstance(row, UnreadableJobRow):
            raise BadRequest(
                f"The job has no event {start}: it has {row.last_event} events so far. "
                "Leave out the number to receive all events."
            )
        return EventSourceResponse(_follow(services, job_id, start), ping=PING_SECONDS)
    rows = await run_in_threadpool(_read, services, job_id, after, limit + 1)
    page = [event_json(row) for row in rows[:limit]]
    return json_response(list_page(page, has_more=len(rows) > limit))


async def _follow(services: Services, job_id: str, after: int) -> AsyncIterator[dict[str, Any]]:
    """Yield every event once, and the job's progress in between."""
    progress: Any = None
    while True:
        job = await run_in_threadpool(read_job, services, job_id)
        events = await run_in_threadpool(_read, services, job_id, after, PAGE)
        for event in events:
            after = event.number
            data = orjson.dumps(event_json(event)).decode()
            yield {"id": str(after), "event": event.type, "data": data}
        if job.state in FINAL and len(events) < PAGE:
            return  # all events are recorded before a job becomes final
        if job.progress != progress and job.state == "running":
            progress = job.progress
            yield {"event": "progress", "data": orjson.dumps(progress).decode()}
        if len(events) < PAGE:
            await services.watcher.wait_for_change(
                job_id, Version.of(job), timeout_seconds=MAX_WAIT_SECONDS, change=Change.RECORD
            )


def event_json(row: EventRow) -> dict[str, Any]:
    """Return an event as the API shows it."""
    return {
        "id": row.number,
        "object": "event",
        "type": row.type,
        "at": rfc3339(row.at),
        "data": row.data,
    }


def _read(services: Services, job_id: str, after: int, limit: int) -> list[EventRow]:
    with services.database.read() as connection:
        return stored_events.list_events(connection, job_id, after=after, limit=limit)


def _event_number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise BadRequest("Last-Event-ID must be the number of an event, at most 9 digits.")
    return int(text)
