"""Follows a job's events over server-sent events, without gap or repeat when connections break."""

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx

from trainshed.errors import ApiError, Unreachable

FINAL = frozenset({"succeeded", "failed", "cancelled"})
PATIENCE_SECONDS = 60.0
SILENCE_SECONDS = 45.0


def follow(http: httpx.Client, job_id: str, after: int) -> Iterator[dict[str, Any]]:
    """Yield each event once, in order, until the job has ended.

    Raises:
        ApiError: the service refuses.
        Unreachable: it has not answered for a minute.
    """
    last, lost_at = after, None
    while True:
        try:
            for event in _connect(http, job_id, last):
                lost_at = None
                if "id" in event:
                    last = event["id"]
                yield event
                if event["type"] == "state" and event["data"]["state"] in FINAL:
                    return
        except httpx.TransportError as error:
            now = time.monotonic()
            lost_at = lost_at or now
            if now - lost_at > PATIENCE_SECONDS:
                raise Unreachable(
                    f"the service has not answered for {PATIENCE_SECONDS:.0f} s"
                ) from error
        time.sleep(0.5)


def _connect(http: httpx.Client, job_id: str, last: int) -> Iterator[dict[str, Any]]:
    headers = {"Accept": "text/event-stream", "Last-Event-ID": str(last)}
    timeout = httpx.Timeout(SILENCE_SECONDS, connect=5.0)
    path = f"/v1/jobs/{job_id}/events"
    with http.stream("GET", path, headers=headers, timeout=timeout) as answer:
        if answer.is_error:
            answer.read()
            if answer.status_code == 503:
                raise httpx.ConnectError("not ready")
            try:
                raise ApiError(answer.json())
            except ValueError:
                raise ApiError({"status": answer.status_code, "detail": answer.text}) from None
        kind, data = "message", ""
        for line in answer.iter_lines():
            if line.startswith("event:"):
                kind = line[6:].strip()
            elif line.startswith("data:"):
                data += line[5:].strip()
            elif not line and data:
                value = json.loads(data)
                yield {"type": kind, "data": value} if kind == "progress" else value
                kind, data = "message", ""
