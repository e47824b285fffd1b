"""`GET /v1/queue`, `/v1/devices` and `/v1/jobs/{id}/explain`."""

from typing import Any

import sqlalchemy as sa
from pydantic import TypeAdapter

from api.devices.schemas import Device
from api.queue.schemas import Explanation, Queue
from shared import tables
from shared.clock import now
from shared.jobs import attempts, liveness, time_sharing
from shared.jobs.planning.box import Rank
from shared.jobs.planning.yielding import Yield
from tests.api.service import Service


def _get(service: Service, path: str) -> Any:
    service.app.state.services.queue_order._read_at = float("-inf")
    return service.client.get(path).raise_for_status().json()


def _show_worker(service: Service, **state: Any) -> None:
    gpu = {"name": "cpu:0", "model": "CPU", "uuid": "", "memory_mib": 64_000, **state}
    with service.database.write() as connection:
        liveness.record_worker(connection, worker="w", host="h", pid=1, devices=[gpu])


def test_devices_that_have_gone_are_said_and_have_no_free_memory(service: Service) -> None:
    _show_worker(service, name="sim:0", state="away", has_own_memory=True, free_mib=60_000.0)
    job = service.submit()
    found = _get(service, f"/v1/jobs/{job}/explain")
    assert found["reason"] == "no_worker"
    assert "its devices have gone" in found["summary"]
    (device,) = _get(service, "/v1/devices")["data"]
    assert device["state"] == "away"
    assert (device["memory_mib"]["total"], device["memory_mib"]["free"]) == (64_000, None)


def test_the_queue_has_the_jobs_in_the_order_in_which_they_are_claimed(service: Service) -> None:
    ids = [service.submit(priority=level) for level in ("low", "normal", "high")]
    queue = _get(service, "/v1/queue")
    TypeAdapter(Queue).validate_python(queue)
    assert [row["job"] for row in queue["data"]] == ids[::-1]
    assert [row["position"] for row in queue["data"]] == [1, 2, 3]
    assert [row["rank"] for row in queue["data"]] == ["high", "normal", "low"]
    assert {row["reason"] for row in queue["data"]} == {"no_worker"}
    assert queue["shares"][0]["owner"] == "admin"
    claimed = [service.claim().job_id for _ in ids]
    assert claimed == [row["job"] for row in queue["data"]]


def test_what_the_client_has_is_not_sent_again(service: Service) -> None:
    _show_worker(service)
    service.submit()
    _get(service, "/v1/queue")
    for path in ("/v1/queue", "/v1/devices"):
        first = service.client.get(path)
        known = {"If-None-Match": first.headers["etag"]}
        again = service.client.get(path, headers=known)
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
        service.submit()
        service.start_job()
        service.app.state.services.queue_order._read_at = float("-inf")
        assert service.client.get(path, headers=known).status_code == 200


def test_pages_of_the_queue_have_every_job_once(service: Service) -> None:
    ids = [service.submit() for _ in range(5)]
    first = _get(service, "/v1/queue?limit=2")
    second = _get(service, f"/v1/queue?limit=3&after={first['data'][-1]['job']}")
    assert [row["job"] for row in first["data"] + second["data"]] == ids
    assert (first["has_more"], second["has_more"], first["waiting"]) == (True, False, 5)


def test_a_cursor_that_no_job_or_device_can_have_is_refused(service: Service) -> None:
    service.app.state.services.queue_order._read_at = float("-inf")
    for path in ("/v1/queue?after=x", "/v1/devices?after=x"):
        response = service.client.get(path)
        assert response.status_code == 400, path
        assert "`after` is `x`" in response.json()["detail"]


def test_jobs_of_a_limited_person_say_so(service: Service) -> None:
    users = tables.users
    job = service.submit()
    for values, text in (
        ({"limits": {"running": 0}}, "As many jobs"),
        ({"limits": {}, "disabled_at": now()}, "is disabled"),
    ):
        with service.database.write() as connection:
            update = sa.update(users).where(users.c.name == "admin")
            connection.execute(update.values(**values))
        try:
            (row,) = _get(service, "/v1/queue")["data"]
            explanation = _get(service, f"/v1/jobs/{job}/explain")
        finally:
            with service.database.write() as connection:
                connection.execute(update.values(limits={}, disabled_at=None))
        assert (row["reason"], row["rank"], row["starts"]["p50"]) == ("limit", "normal", None)
        assert explanation["reason"] == "limit"
        assert text in explanation["summary"]


def test_devices_show_their_state_and_their_jobs(service: Service) -> None:
    _show_worker(service)
    job = service.start_job()
    (device,) = _get(service, "/v1/devices")["data"]
    TypeAdapter(Device).validate_python(device)
    assert (device["id"], device["state"]) == ("w/cpu:0", "full")
    assert [row["job"] for row in device["jobs"]] == [job.job_id]
    service.succeed(job)
    assert _get(service, "/v1/devices")["data"][0]["state"] == "free"
    _show_worker(service, state="quarantined")
    assert _get(service, "/v1/devices")["data"][0]["state"] == "quarantined"


def test_devices_come_in_pages(service: Service) -> None:
    devices = [{"name": f"cpu:{number}", "model": "CPU", "uuid": ""} for number in range(3)]
    with service.database.write() as connection:
        liveness.record_worker(connection, worker="w", host="h", pid=1, devices=devices)
    first = _get(service, "/v1/devices?limit=2")
    second = _get(service, f"/v1/devices?limit=2&after={first['data'][-1]['id']}")
    assert [row["id"] for row in first["data"] + second["data"]] == [
        "w/cpu:0",
        "w/cpu:1",
        "w/cpu:2",
    ]
    assert (first["has_more"], second["has_more"]) == (True, False)


def test_a_device_with_memory_shows_who_uses_it(service: Service) -> None:
    foreign = [{"pid": 42, "memory_mib": 4_000.0}, {"pid": "damaged"}]
    memory = {"name": "cuda:0", "uuid": "GPU-1", "memory_mib": 24_000, "free_mib": 19_000.0}
    _show_worker(service, **memory, foreign=foreign, utilization_fraction=0.5)
    job = service.start_job()
    live = {"memory_mib": 6_000.0, "used_mib": 1_000.0, "devices": ["cuda:0"], "worker": "w"}
    with service.database.write() as connection:
        connection.execute(sa.update(tables.live).values(live))
        connection.execute(sa.update(tables.jobs).values(memory_mib=6_000.0))
    (device,) = _get(service, "/v1/devices")["data"]
    TypeAdapter(Device).validate_python(device)
    assert device["memory_mib"] == {
        "total": 24_000, "jobs": 6_000, "foreign": 4_000, "reserved": 512, "free": 13_488,
    }  # fmt: skip
    assert device["foreign"] == foreign[:1]
    assert device["jobs"][0]["job"] == job.job_id
    assert device["jobs"][0]["memory_mib"] == {"cap": 6_000, "used": 1_000}


def test_a_job_that_waits_is_explained(service: Service) -> None:
    _show_worker(service)
    running, ahead = service.start_job(), service.submit()
    waiting = service.submit()
    found = _get(service, f"/v1/jobs/{waiting}/explain")
    TypeAdapter(Explanation).validate_python(found)
    assert (found["position"], found["reason"]) == (2, "order")
    assert [row["job"] for row in found["order"]["ahead"]] == [ahead]
    (device,) = found["devices"]
    assert [row["job"] for row in device["blockers"]] == [running.job_id]
    first = _get(service, f"/v1/jobs/{ahead}/explain")
    assert first["reason"] == "devices"


def test_the_device_on_which_a_job_starts_now_is_not_kept_for_a_later_job(
    service: Service,
) -> None:
    _show_worker(service)
    first, _ = service.submit(), service.submit()
    found = _get(service, f"/v1/jobs/{first}/explain")
    assert found["summary"] == "It starts now."
    assert found["devices"] == [{"device": "w/cpu:0", "fits": True}]


def test_a_change_that_would_start_a_job_now_does(service: Service) -> None:
    _show_worker(service)
    ahead, job = service.submit(), service.submit()
    found = _get(service, f"/v1/jobs/{job}/explain")
    assert found["reason"] == "order"
    patches = [row["patch"] for row in found["would_start_now_if"]]
    assert {"priority": "high"} in patches
    changed = service.client.patch(
        f"/v1/jobs/{job}",
        json={"priority": "high"},
        headers={"Content-Type": "application/merge-patch+json"},
    )
    assert changed.status_code == 200, changed.text
    assert service.claim().job_id == job != ahead


def test_a_job_that_has_started_says_why(service: Service) -> None:
    lease = service.start_job(priority="high")
    found = _get(service, f"/v1/jobs/{lease.job_id}/explain")
    assert found["state"] == "running"
    assert found["history"][0] | {"rank": "high", "backfilled": False} == found["history"][0]
    service.succeed(lease)
    assert _get(service, f"/v1/jobs/{lease.job_id}/explain")["state"] == "succeeded"


def test_a_job_that_gives_way_is_shown_on_its_device_in_its_json_and_explained(
    service: Service,
) -> None:
    _show_worker(service)
    lease, waiting = service.start_job(), service.submit()
    (device,) = _get(service, "/v1/devices")["data"]
    (running,) = device["jobs"]
    assert running["since"] < running["yields_after"]
    found = Yield(lease.job_id, lease.attempt, waiting, Rank.NORMAL)
    with service.database.write() as connection:
        assert time_sharing.request_yield(connection, found)
    job = service.job(lease.job_id)
    assert (job["state"], job["phase"], job["pause_requested_at"]) == ("running", "yielding", None)
    assert "gives way" in _get(service, f"/v1/jobs/{lease.job_id}/explain")["summary"]
    assert "giving way to it" in _get(service, f"/v1/jobs/{waiting}/explain")["summary"]
    with service.database.write() as connection:
        attempts.stop(connection, lease, "yielded", exit_code=16)
    job = service.job(lease.job_id)
    assert (job["state"], job["reason"]) == ("queued", "yielded")
    assert [attempt["outcome"] for attempt in job["attempts"]] == ["yielded"]
    explained = _get(service, f"/v1/jobs/{lease.job_id}/explain")
    TypeAdapter(Explanation).validate_python(explained)
    assert explained["summary"].startswith("It gave way to a waiting job")
    assert [entry.get("ended") for entry in explained["history"]] == [None, None, "yielded"]


def test_a_job_of_high_priority_gives_way_to_nobody_who_is_not_overdue(service: Service) -> None:
    _show_worker(service)
    service.start_job(priority="high")
    (device,) = _get(service, "/v1/devices")["data"]
    assert device["jobs"][0]["yields_after"] is None


def test_a_job_that_does_not_exist_is_not_explained(service: Service) -> None:
    response = service.client.get("/v1/jobs/job_01JABCDEFGHJKMNPQRSTVWXYZ0/explain")
    assert response.status_code == 404
