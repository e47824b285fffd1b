"""A clock that is set back or forward by a day while the service runs."""

import time
from datetime import timedelta
from itertools import pairwise

import pytest

from api.health import workers
from shared import clock, ids
from shared.jobs import attempts, control, liveness, submission
from tests.api.service import Service

DAY_SECONDS = 86_400.0


def set_clock(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Move the clock of the calendar; the monotonic clock runs on."""
    now, time_ns = clock.now, time.time_ns
    shift = timedelta(seconds=seconds)
    for module in (attempts, control, liveness, submission, workers):
        monkeypatch.setattr(module, "now", lambda: now() + shift)
    monkeypatch.setattr(ids.time, "time_ns", lambda: time_ns() + int(seconds * 1e9))


@pytest.mark.parametrize("seconds", [-DAY_SECONDS, DAY_SECONDS])
def test_jobs_keep_the_order_of_their_submission(
    service: Service, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    submitted = [service.submit() for _ in range(3)]
    set_clock(monkeypatch, seconds)
    submitted += [service.submit() for _ in range(3)]
    monkeypatch.undo()
    submitted += [service.submit() for _ in range(3)]
    assert all(earlier < later for earlier, later in pairwise(submitted))
    listed = service.client.get("/v1/jobs", params={"limit": 9}).json()["data"]
    assert [job["id"] for job in listed] == submitted[::-1]
    assert [service.claim().job_id for _ in submitted] == submitted


@pytest.mark.parametrize("seconds", [-DAY_SECONDS, DAY_SECONDS])
def test_running_job_ends_as_usual(
    service: Service, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    lease = service.start_job()
    set_clock(monkeypatch, seconds)
    service.record(lease)
    service.succeed(lease)
    job = service.client.get(f"/v1/jobs/{lease.job_id}").json()
    assert job["state"] == "succeeded"
    assert job["created_at"][:4] == job["finished_at"][:4] or abs(seconds) == DAY_SECONDS


@pytest.mark.parametrize("seconds", [-DAY_SECONDS, DAY_SECONDS])
def test_worker_that_is_gone_is_never_present(
    service: Service, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    with service.database.write() as connection:
        liveness.record_worker(connection, worker="w", host="h", pid=1, devices=[])
    assert workers.present_workers(service.app.state.services)
    set_clock(monkeypatch, seconds)
    assert not workers.present_workers(service.app.state.services)
    with service.database.write() as connection:
        liveness.record_worker(connection, worker="w", host="h", pid=1, devices=[])
    assert workers.present_workers(service.app.state.services), "after its next sign of life"
