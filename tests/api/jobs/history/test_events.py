"""The events of a job, as a page and as a stream."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from shared.jobs import liveness
from shared.jobs.events import NewEvent
from tests.api.service import TIMEOUT_SECONDS, Service

PROGRESS: dict[str, Any] = {"stage": "training", "epoch": 1, "epochs": 2, "step": 7, "steps": 9}
PROGRESS |= {"fraction": 0.5, "images_per_second": None, "eta_seconds": None}
STREAM = {"Accept": "text/event-stream"}


def _page(service: Service, job_id: str, **params: int) -> dict[str, Any]:
    return service.client.get(f"/v1/jobs/{job_id}/events", params=params).json()


def _frames(response: httpx.Response) -> Iterator[dict[str, str]]:
    """Yield the events of a stream, without its comments."""
    frame: dict[str, str] = {}
    for line in response.iter_lines():
        if not line:
            if frame:
                yield frame
            frame = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(": ")
            frame[name] = value


def _stream(service: Service, job_id: str, **headers: str) -> list[dict[str, str]]:
    """Follow the events until the stream closes."""
    with service.client.stream(
        "GET", f"/v1/jobs/{job_id}/events", headers={**STREAM, **headers}
    ) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        return list(_frames(response))


def _notes(count: int) -> list[NewEvent]:
    return [NewEvent("note", {"text": f"{n}"}) for n in range(count)]


def test_pages_have_every_event_once(service: Service) -> None:
    lease = service.start_job()
    service.record(lease, events=_notes(5))
    first = _page(service, lease.job_id, limit=4)
    rest = _page(service, lease.job_id, after=first["data"][-1]["id"])
    assert first["has_more"]
    assert not rest["has_more"]
    assert [event["id"] for event in [*first["data"], *rest["data"]]] == list(range(1, 8))
    assert first["data"][0]["type"] == "state"
    assert first["data"][0]["data"] == {"state": "queued", "reason": "submitted"}


def test_stream_of_a_finished_job_has_every_event_and_closes(service: Service) -> None:
    lease = service.start_job()
    service.record(lease, events=_notes(600))  # more than are read at once
    service.succeed(lease)
    frames = _stream(service, lease.job_id)
    assert [int(frame["id"]) for frame in frames] == list(range(1, 604))
    assert json.loads(frames[-1]["data"])["data"]["state"] == "succeeded"
    assert [frame["event"] for frame in frames[:3]] == ["state", "state", "note"]


def test_stream_continues_after_the_last_event_id(service: Service) -> None:
    lease = service.start_job()
    service.record(lease, events=_notes(5))
    service.succeed(lease)
    frames = _stream(service, lease.job_id, **{"Last-Event-ID": "4"})
    assert [int(frame["id"]) for frame in frames] == [5, 6, 7, 8]
    assert _stream(service, lease.job_id, **{"Last-Event-ID": "8"}) == []


def test_stream_follows_live_with_progress(service: Service) -> None:
    lease = service.start_job()
    frames: list[dict[str, str]] = []
    thread = threading.Thread(target=lambda: frames.extend(_stream(service, lease.job_id)))
    thread.start()
    with service.database.write() as connection:
        liveness.record_heartbeat(connection, lease, pid=1, progress=PROGRESS)
    service.record(lease, events=_notes(2))
    service.wait_until(lambda: service.job(lease.job_id)["progress"], "progress")
    service.record(lease, events=_notes(1))
    service.succeed(lease)
    thread.join(TIMEOUT_SECONDS)
    assert not thread.is_alive(), "the stream did not close"
    numbered = [frame for frame in frames if "id" in frame]
    assert [int(frame["id"]) for frame in numbered] == [1, 2, 3, 4, 5, 6]
    for frame in frames:
        if frame["event"] == "progress":
            assert json.loads(frame["data"]) == PROGRESS


@pytest.mark.parametrize("event_id", ["x", "-1", "1.5", "9" * 30, "¹"])
def test_last_event_id_that_is_not_a_number_is_refused(service: Service, event_id: str) -> None:
    job_id = service.submit()
    headers = {**STREAM, "Last-Event-ID": event_id.encode()}
    response = service.client.get(f"/v1/jobs/{job_id}/events", headers=headers)
    assert response.status_code == 400


def test_stream_does_not_start_after_an_event_that_does_not_exist(service: Service) -> None:
    lease = service.start_job()  # two events
    address = f"/v1/jobs/{lease.job_id}/events"
    by_header = service.client.get(address, headers={**STREAM, "Last-Event-ID": "3"})
    by_parameter = service.client.get(address, headers=STREAM, params={"after": 3})
    for response in (by_header, by_parameter):
        assert response.status_code == 400
        assert "The job has no event 3: it has 2 events so far" in response.json()["detail"]
