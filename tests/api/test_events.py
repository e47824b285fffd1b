"""What happened, as a page and as a stream."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from shared.jobs import attempts
from shared.jobs.events import NewEvent
from tests.api.service import TIMEOUT_SECONDS, Service


def _page(service: Service, job_id: str, **params: int) -> dict[str, Any]:
    return service.client.get(f"/v1/jobs/{job_id}/events", params=params).json()


def _frames(answer: httpx.Response) -> Iterator[dict[str, str]]:
    """The events of a stream, comments left out."""
    frame: dict[str, str] = {}
    for line in answer.iter_lines():
        if not line:
            if frame:
                yield frame
            frame = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(": ")
            frame[name] = value


def _stream(service: Service, job_id: str, **headers: str) -> list[dict[str, str]]:
    """Follow until the stream closes."""
    given = {"Accept": "text/event-stream", **headers}
    with service.client.stream("GET", f"/v1/jobs/{job_id}/events", headers=given) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        return list(_frames(answer))


def _notes(count: int) -> list[NewEvent]:
    return [NewEvent("note", {"text": f"{n}"}) for n in range(count)]


def test_pages_join_without_gap_or_repeat(service: Service) -> None:
    lease = service.start_job()
    service.record(lease, events=_notes(5))
    first = _page(service, lease.job_id, limit=4)
    rest = _page(service, lease.job_id, after=first["data"][-1]["id"])
    assert first["has_more"]
    assert not rest["has_more"]
    assert [one["id"] for one in [*first["data"], *rest["data"]]] == list(range(1, 8))
    assert first["data"][0]["type"] == "state"
    assert first["data"][0]["data"] == {"state": "queued", "reason": "submitted"}


def test_a_stream_of_a_finished_job_has_everything_and_closes(service: Service) -> None:
    lease = service.start_job()
    service.record(lease, events=_notes(600))  # more than are read at once
    service.succeed(lease)
    frames = _stream(service, lease.job_id)
    assert [int(one["id"]) for one in frames] == list(range(1, 604))
    assert json.loads(frames[-1]["data"])["data"]["state"] == "succeeded"
    assert [one["event"] for one in frames[:3]] == ["state", "state", "note"]


def test_a_stream_goes_on_where_it_was_left(service: Service) -> None:
    lease = service.start_job()
    service.record(lease, events=_notes(5))
    service.succeed(lease)
    frames = _stream(service, lease.job_id, **{"Last-Event-ID": "4"})
    assert [int(one["id"]) for one in frames] == [5, 6, 7, 8]
    assert _stream(service, lease.job_id, **{"Last-Event-ID": "8"}) == []


def test_a_stream_follows_live_and_shows_progress(service: Service) -> None:
    lease = service.start_job()
    seen: list[dict[str, str]] = []
    thread = threading.Thread(target=lambda: seen.extend(_stream(service, lease.job_id)))
    thread.start()
    with service.database.write() as connection:
        attempts.record_heartbeat(connection, lease, pid=1, progress={"step": 7})
    service.record(lease, events=_notes(2))
    service.wait_until(lambda: service.job(lease.job_id)["progress"], "progress")
    service.record(lease, events=_notes(1))
    service.succeed(lease)
    thread.join(TIMEOUT_SECONDS)
    assert not thread.is_alive(), "the stream did not close"
    numbered = [one for one in seen if "id" in one]
    assert [int(one["id"]) for one in numbered] == [1, 2, 3, 4, 5, 6]
    for one in seen:
        if one["event"] == "progress":
            assert json.loads(one["data"]) == {"step": 7}


@pytest.mark.parametrize("given", ["x", "-1", "1.5", "9" * 30, "¹"])
def test_a_number_that_is_none_is_refused(service: Service, given: str) -> None:
    job_id = service.submit()
    headers = {"Accept": "text/event-stream", "Last-Event-ID": given.encode()}
    answer = service.client.get(f"/v1/jobs/{job_id}/events", headers=headers)
    assert answer.status_code == 400


def test_a_number_that_no_event_has_yet_is_refused_lest_some_be_missed(service: Service) -> None:
    lease = service.start_job()  # two events
    at = f"/v1/jobs/{lease.job_id}/events"
    stream = {"Accept": "text/event-stream"}
    asked = (
        {"headers": {**stream, "Last-Event-ID": "3"}},
        {"headers": stream, "params": {"after": 3}},
    )
    for given in asked:
        answer = service.client.get(at, **given)
        assert answer.status_code == 400
        assert "The job has 2 events so far" in answer.json()["detail"]
