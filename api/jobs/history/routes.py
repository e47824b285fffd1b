"""What happened to a job: events (a page, or live), metrics, logs."""

import os
import re
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import PlainTextResponse, StreamingResponse
from sse_starlette.sse import EventSourceResponse

from api.deps import JobId, ServicesDep
from api.http.requests import Text
from api.http.responses import json_answer, list_of
from api.http.schemas import ListOf, content
from api.jobs import rendering
from api.jobs.history import series
from api.jobs.schemas import Event, Series
from api.services import Services
from api.services.change_watcher import WORK, Version
from shared.errors import BadRequest, NotFound
from shared.jobs import events as happened
from shared.jobs import queries
from shared.jobs.rows import EventRow, JobRow
from shared.states import FINAL

router = APIRouter(prefix="/v1/jobs/{job_id}", tags=["jobs"])

COMMENT_SECONDS = 15
PROGRESS_SECONDS = 0.5
PAGE = 500
MOST_LOG_BYTES = 1_000_000
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@router.get(
    "/events",
    summary="What happened, in order; as text/event-stream it follows live",
    responses={200: {"model": ListOf[Event], **content("text/event-stream", is_binary=False)}},
)
async def events(
    job_id: JobId,
    request: Request,
    services: ServicesDep,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    last_event_id: Annotated[str | None, Header()] = None,
) -> Any:
    """A stream goes on after `Last-Event-ID` and closes after the last event of an ended job."""
    row = await run_in_threadpool(_job, services, job_id)
    if "text/event-stream" in request.headers.get("accept", ""):
        first = after if last_event_id is None else _number(last_event_id)
        if first > row.last_event:
            raise BadRequest(
                f"The job has {row.last_event} events so far, so none has the number {first}; "
                "whoever begins there would miss some. Without a number all of them come."
            )
        return EventSourceResponse(_follow(services, job_id, first), ping=COMMENT_SECONDS)
    rows = await run_in_threadpool(_events, services, job_id, after, limit + 1)
    shown = [rendering.event(row) for row in rows[:limit]]
    return json_answer(list_of(shown, has_more=len(rows) > limit))


async def _follow(services: Services, job_id: str, after: int) -> AsyncIterator[dict[str, Any]]:
    """Every event once, and between them how far the job is."""
    progress: Any = None
    while True:
        row = await run_in_threadpool(_job, services, job_id)
        found = await run_in_threadpool(_events, services, job_id, after, PAGE)
        for one in found:
            after = one.number
            data = orjson.dumps(rendering.event(one)).decode()
            yield {"id": str(after), "event": one.type, "data": data}
        if row.state in FINAL and after >= row.last_event:
            return
        if row.progress != progress and row.state == "running":
            progress = row.progress
            yield {"event": "progress", "data": orjson.dumps(progress).decode()}
        if len(found) < PAGE:
            await services.watcher.changed(
                job_id, Version.of(row), timeout_seconds=PROGRESS_SECONDS * 10, parts=WORK
            )


@router.get(
    "/metrics",
    summary="The job's metrics as series, JSON or CSV",
    responses={200: {"model": ListOf[Series], **content("text/csv", is_binary=False)}},
)
def metrics(
    job_id: JobId,
    request: Request,
    services: ServicesDep,
    name: Annotated[Text | None, Query(max_length=64)] = None,
    split: Literal["train", "validation", "test"] | None = None,
    stage: Annotated[Text | None, Query(max_length=64)] = None,
    after_step: Annotated[int | None, Query(ge=0, le=2**53)] = None,
    points: Annotated[
        int | None,
        Query(
            ge=2,
            le=100_000,
            description="at most so many a series, evenly spaced, with the first and the last; "
            "all of them unless given",
        ),
    ] = None,
    format: Annotated[Literal["json", "csv"] | None, Query()] = None,  # noqa: A002
) -> Response:
    """A value that is not finite is "nan", "inf" or "-inf". A long answer is sent as it is read."""
    _job(services, job_id)
    found, is_long = series.find(
        services.database,
        job_id,
        most=points,
        name=name,
        split=split,
        stage=stage,
        after_step=after_step,
    )
    is_csv = format == "csv" or (format is None and "text/csv" in request.headers.get("accept", ""))
    pieces = series.as_csv(found) if is_csv else series.as_json(found)
    media_type = "text/csv; charset=utf-8" if is_csv else "application/json"
    if is_long:
        return StreamingResponse(pieces, media_type=media_type)
    return Response(b"".join(pieces), media_type=media_type)


@router.get("/logs", summary="What the training printed", response_class=PlainTextResponse)
def logs(
    job_id: JobId,
    services: ServicesDep,
    attempt: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    tail: Annotated[int, Query(ge=1, le=MOST_LOG_BYTES, description="bytes")] = 65_536,
) -> Response:
    """The end of an attempt's log (the newest unless asked); control characters are escaped."""
    row = _job(services, job_id)
    number = row.attempt if attempt is None else attempt
    if number > row.attempt:
        raise NotFound(f"The job has {row.attempt} attempts.")
    path = services.storage.log(job_id, number)
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - tail))
            text = file.read(tail).decode("utf-8", "replace")
    except FileNotFoundError:
        text = ""
    safe = CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text)
    return PlainTextResponse(safe)


def _job(services: Services, job_id: str) -> JobRow:
    with services.database.read() as connection:
        row = queries.get_job(connection, job_id)
    if row is None:
        raise NotFound(f"There is no job {job_id}.")
    return row


def _events(services: Services, job_id: str, after: int, limit: int) -> list[EventRow]:
    with services.database.read() as connection:
        return happened.list_events(connection, job_id, after=after, limit=limit)


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise BadRequest("Last-Event-ID is the number of an event.")
    return int(text)
