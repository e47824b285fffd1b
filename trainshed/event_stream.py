"""A job's events over server-sent events, without gap or repeat when connections break."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from trainshed.errors import ApiError, Unreachable, problem_of

FINAL_STATES = frozenset({"succeeded", "failed", "cancelled"})
RECONNECT_TIMEOUT_SECONDS = 60.0
#: The service sends comments more often.
READ_TIMEOUT_SECONDS = 45.0
RETRY_SECONDS = 0.5

Json = dict[str, Any]


def follow(http: httpx.Client, job_id: str, after: int) -> Iterator[Json]:
    """Yield each event after `after` once, in order, until the job has ended.

    Raises:
        ApiError: the service refuses the request.
        Unreachable: the service has not answered for a minute.
    """
    last_id, lost_at, has_ended = after, None, False
    while True:
        try:
            with _open_stream(http, job_id, last_id) as events:
                lost_at = None  # it answers, even if it has no event yet: a job may wait long
                for event in events:
                    last_id = event.get("id", last_id)
                    yield event
                    if event["type"] == "state" and event["data"]["state"] in FINAL_STATES:
                        return
            if has_ended:
                return
            # The stream ended without a final event, which may have come before `after`.
            has_ended = _has_ended(http, job_id)
            if not has_ended:
                time.sleep(RETRY_SECONDS)
        except httpx.TransportError as error:
            now = time.monotonic()
            lost_at = lost_at or now
            if now - lost_at > RECONNECT_TIMEOUT_SECONDS:
                raise Unreachable(
                    f"The service has not answered for {RECONNECT_TIMEOUT_SECONDS:.0f} s."
                ) from error
            time.sleep(RETRY_SECONDS)


@contextmanager
def _open_stream(http: httpx.Client, job_id: str, last_id: int) -> Iterator[Iterator[Json]]:
    """Yield the events after `last_id`, once the service has begun its response."""
    headers = {"Accept": "text/event-stream", "Last-Event-ID": str(last_id)}
    timeout = httpx.Timeout(READ_TIMEOUT_SECONDS, connect=5.0)
    path = f"/v1/jobs/{job_id}/events"
    with http.stream("GET", path, headers=headers, timeout=timeout) as response:
        if response.is_error:
            response.read()
            raise _error_of(response)
        yield _events(response)


def _events(response: httpx.Response) -> Iterator[Json]:
    kind, data = "message", ""
    for line in _lines(response):
        if line.startswith("event:"):
            kind = line[6:].strip()
        elif line.startswith("data:"):
            data += line[5:].strip()
        elif not line and data:
            value = json.loads(data)
            yield {"type": kind, "data": value} if kind == "progress" else value
            kind, data = "message", ""


def _lines(response: httpx.Response) -> Iterator[str]:
    """Yield the lines of a stream; httpx would also break at line separators inside of JSON."""
    rest = b""
    for chunk in response.iter_bytes():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line.rstrip(b"\r").decode()


def _has_ended(http: httpx.Client, job_id: str) -> bool:
    response = http.get(f"/v1/jobs/{job_id}")
    if response.is_error:
        raise _error_of(response)
    return response.json()["state"] in FINAL_STATES


def _error_of(response: httpx.Response) -> ApiError | httpx.ConnectError:
    """Return the error of a response; a passing trouble counts as a broken connection."""
    if response.status_code in {502, 503, 504}:
        return httpx.ConnectError("not ready")
    return problem_of(response)
