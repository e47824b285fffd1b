"""Follows a job's events over server-sent events, without gap or repeat when connections break."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from trainshed.errors import ApiError, Unreachable, problem_of

FINAL = frozenset({"succeeded", "failed", "cancelled"})
PATIENCE_SECONDS = 60.0
SILENCE_SECONDS = 45.0
PAUSE_SECONDS = 0.5

Json = dict[str, Any]


def follow(http: httpx.Client, job_id: str, after: int) -> Iterator[Json]:
    """Yield each event once, in order, until the job has ended.

    Raises:
        ApiError: the service refuses.
        Unreachable: it has not answered for a minute.
    """
    last, lost_at, has_ended = after, None, False
    while True:
        try:
            with _connected(http, job_id, last) as events:
                lost_at = None  # it answers, also if there is nothing to tell: a job may wait long
                for event in events:
                    last = event.get("id", last)
                    yield event
                    if event["type"] == "state" and event["data"]["state"] in FINAL:
                        return
            if has_ended:
                return
            # Closed without the last event: it may lie before `after`.
            has_ended = _has_ended(http, job_id)
            if not has_ended:
                time.sleep(PAUSE_SECONDS)
        except httpx.TransportError as error:
            now = time.monotonic()
            lost_at = lost_at or now
            if now - lost_at > PATIENCE_SECONDS:
                raise Unreachable(
                    f"the service has not answered for {PATIENCE_SECONDS:.0f} s"
                ) from error
            time.sleep(PAUSE_SECONDS)


@contextmanager
def _connected(http: httpx.Client, job_id: str, last: int) -> Iterator[Iterator[Json]]:
    """The events after `last`, once the service has said that it sends them."""
    headers = {"Accept": "text/event-stream", "Last-Event-ID": str(last)}
    timeout = httpx.Timeout(SILENCE_SECONDS, connect=5.0)
    path = f"/v1/jobs/{job_id}/events"
    with http.stream("GET", path, headers=headers, timeout=timeout) as answer:
        if answer.is_error:
            answer.read()
            raise _refusal(answer)
        yield _events(answer)


def _events(answer: httpx.Response) -> Iterator[Json]:
    kind, data = "message", ""
    for line in _lines(answer):
        if line.startswith("event:"):
            kind = line[6:].strip()
        elif line.startswith("data:"):
            data += line[5:].strip()
        elif not line and data:
            value = json.loads(data)
            yield {"type": kind, "data": value} if kind == "progress" else value
            kind, data = "message", ""


def _lines(answer: httpx.Response) -> Iterator[str]:
    """Lines as the format has them; httpx also breaks them at characters that JSON may hold."""
    rest = b""
    for chunk in answer.iter_bytes():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line.rstrip(b"\r").decode()


def _has_ended(http: httpx.Client, job_id: str) -> bool:
    answer = http.get(f"/v1/jobs/{job_id}")
    if answer.is_error:
        raise _refusal(answer)
    return answer.json()["state"] in FINAL


def _refusal(answer: httpx.Response) -> ApiError | httpx.ConnectError:
    """What is worth another try is like a connection that broke."""
    if answer.status_code in {502, 503, 504}:
        return httpx.ConnectError("not ready")
    return problem_of(answer)
