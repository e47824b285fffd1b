"""A job that cannot be read is passed by the queue, shown as unreadable, and can be cancelled."""

import json
import time
from typing import Any

import pytest
from structlog.testing import capture_logs

from shared.jobs import attempts, liveness, quarantine
from tests.api.service import SPEC, Service, metric_row
from tests.security.damage import Shell

#: Columns of a queued job with a value that this version cannot read, as SQL.
DAMAGES = {
    "a specification without a part": ("spec", "'{}'"),
    "a specification that is no object": ("spec", "'[3]'"),
    "tags that are no texts": ("tags", """'{"a": 3}'"""),
    "an unknown priority": ("priority", "55"),
    "an impossible attempt": ("attempt", "-7"),
    "warnings that are no list": ("warnings", "'{}'"),
}
EVERY_DAMAGE = pytest.mark.parametrize(("column", "value"), DAMAGES.values(), ids=DAMAGES)


def _newer(service: Service, job_id: str, **fields: Any) -> str:
    """Return the specification of a job with fields of a newer version, as SQL."""
    return f"'{json.dumps(service.job(job_id)['spec'] | fields)}'"


def _metric(service: Service, name: str) -> float:
    """Return a value of Prometheus' metrics."""
    lines = service.client.get("/metrics").text.splitlines()
    return float(next(line for line in lines if line.startswith(f"{name} ")).split()[-1])


@EVERY_DAMAGE
def test_worker_claims_the_next_job(
    service: Service, shell: Shell, column: str, value: str
) -> None:
    damaged, whole = service.submit(), service.submit()
    shell.set(damaged, column, value)

    assert service.claim().job_id == whole
    assert _metric(service, "trainshed_quarantined_jobs") == 1
    event = service.client.get(f"/v1/jobs/{damaged}/events").json()["data"][-1]
    assert (event["type"], list(event["data"]["faults"])) == ("quarantined", [column])


def test_job_of_a_newer_version_waits_and_shows_its_specification(
    service: Service, shell: Shell
) -> None:
    newer, whole = service.submit(), service.submit()
    shell.set(newer, "spec", _newer(service, newer, forecast="full"))

    assert service.claim().job_id == whole
    job = service.job(newer)
    assert (job["state"], job["spec"]["forecast"]) == ("queued", "full")
    (fault,) = job["unreadable"]
    assert fault["field"] == "spec"
    assert "/forecast" in fault["detail"]


@EVERY_DAMAGE
def test_queue_positions_pass_it(service: Service, shell: Shell, column: str, value: str) -> None:
    damaged, whole = service.submit(), service.submit()
    shell.set(damaged, column, value)

    listed = {job["id"]: job for job in service.client.get("/v1/jobs").json()["data"]}
    assert listed[damaged]["unreadable"][0]["field"] == column
    assert listed[damaged]["queue_position"] is None
    assert listed[whole]["unreadable"] is None
    service.app.state.services.queue_order._read_at = float("-inf")
    assert service.job(whole)["queue_position"] == 1
    assert (
        service.post("/v1/jobs/validate", {"dataset": "digits", "architecture": "mlp"}).json()[
            "queue_position"
        ]
        == 2
    )


@EVERY_DAMAGE
def test_cancel_ends_it(service: Service, shell: Shell, column: str, value: str) -> None:
    job_id = service.submit()
    shell.set(job_id, column, value)

    response = service.post(f"/v1/jobs/{job_id}/cancel")
    assert (response.status_code, response.json()["state"]) == (202, "cancelled")
    assert service.job(job_id)["ending"] == "cancelled"
    assert service.post(f"/v1/jobs/{job_id}/cancel").status_code == 202


def test_cancel_ends_a_job_in_a_state_of_a_newer_version(service: Service, shell: Shell) -> None:
    job_id = service.submit()
    shell.set(job_id, "state", "'resting'")

    assert service.job(job_id)["state"] is None
    assert 'trainshed_jobs{state="unknown"} 1.0' in service.client.get("/metrics").text
    assert service.post(f"/v1/jobs/{job_id}/cancel").json()["state"] == "cancelled"
    assert service.job(job_id)["unreadable"] is None


def test_retry_of_it_is_refused_with_a_reason(service: Service, shell: Shell) -> None:
    job_id = service.submit()
    service.post(f"/v1/jobs/{job_id}/cancel")
    shell.set(job_id, "spec", "'{}'")

    response = service.post(f"/v1/jobs/{job_id}/retry")
    assert response.status_code == 409
    assert response.json()["type"] == "urn:trainshed:problem:row-unreadable"
    assert "administrator" in response.json()["detail"]


@pytest.mark.parametrize("column", ["tags", "spec", "metrics", "best"])
def test_what_it_recorded_is_still_returned(service: Service, shell: Shell, column: str) -> None:
    lease = service.start_job()
    service.record(lease, metrics=[metric_row("val_loss", 10, 0.5)])
    shell.set(lease.job_id, column, "'[3]'")

    job = f"/v1/jobs/{lease.job_id}"
    assert service.client.get(job).json()[column] is None
    assert service.client.get(f"{job}/metrics").json()["data"][0]["points"][0]["value"] == 0.5
    assert service.client.get(f"{job}/events").json()["data"]


def test_wait_for_it_ends_with_its_state(service: Service, shell: Shell) -> None:
    lease = service.start_job()
    shell.set(lease.job_id, "tags", "'[3]'")
    service.succeed(lease)
    response = service.client.get(f"/v1/jobs/{lease.job_id}?wait=60")
    assert response.json()["state"] == "succeeded"
    headers = {"If-None-Match": response.headers["etag"]}
    assert service.client.get(f"/v1/jobs/{lease.job_id}", headers=headers).status_code == 304


def test_wait_for_a_job_in_an_unknown_state_lasts(service: Service, shell: Shell) -> None:
    """A client that waits in a loop must not send one request after the other."""
    job_id = service.submit()
    shell.set(job_id, "state", "'resting'")
    service.job(job_id)
    began = time.monotonic()
    service.client.get(f"/v1/jobs/{job_id}?wait=0.5").raise_for_status()
    assert time.monotonic() - began >= 0.5


def test_reading_it_again_writes_nothing(service: Service, shell: Shell) -> None:
    job_id = service.submit()
    shell.set(job_id, "spec", "'{}'")
    with capture_logs() as lines:
        for _ in range(3):
            service.client.get(f"/v1/jobs/{job_id}").raise_for_status()
            service.client.get("/v1/jobs").raise_for_status()
    events = service.client.get(f"/v1/jobs/{job_id}/events").json()["data"]
    assert [event["type"] for event in events] == ["state", "quarantined"]
    assert len([line for line in lines if "table" in line]) == 1


@pytest.mark.parametrize("value", ["3", "{}", '{"ok": true}', '{"ok": 1, "faults": 2}'])
def test_damaged_response_of_the_sidecar_is_requested_again(
    service: Service, shell: Shell, value: str
) -> None:
    service.submit()
    shell.run(f"UPDATE sidecar_responses SET response = '{value}'")  # noqa: S608
    service.app.state.services.sidecar._cache.cache_clear()
    before = len(service.sidecar.requests)

    service.submit()
    assert len(service.sidecar.requests) == before + 1


def test_fine_tuning_from_it_is_checked_as_from_any_job(service: Service, shell: Shell) -> None:
    job_id = service.submit()
    shell.set(job_id, "tags", "'[3]'")
    spec = {**SPEC, "fine_tuning": {"weights": {"job": job_id}, "stages": [{"name": "a"}]}}
    response = service.post("/v1/jobs", spec)
    assert response.status_code == 422
    pointers = {fault["pointer"] for fault in response.json()["errors"]}
    assert "/fine_tuning/weights/job" not in pointers


def test_filters_find_it(service: Service, shell: Shell) -> None:
    job_id = service.submit(name="broken", tags={"a": "b"})
    shell.set(job_id, "spec", "'{}'")
    for query in ("state=queued", "tag=a:b", "named=broken", "owner=admin", "dataset=digits"):
        (job,) = service.client.get(f"/v1/jobs?{query}").json()["data"]
        assert (job["id"], job["name"]) == (job_id, "broken")
    assert service.client.get("/v1/jobs?state=failed").json()["data"] == []


def test_repaired_job_starts_in_its_order(service: Service, shell: Shell) -> None:
    damaged, whole = service.submit(), service.submit()
    spec = _newer(service, damaged)
    shell.set(damaged, "spec", "'{}'")
    service.client.get("/v1/jobs")
    with service.database.write() as connection:
        assert quarantine.release_readable(connection) == []
    shell.set(damaged, "spec", spec)

    with service.database.write() as connection:
        assert quarantine.release_readable(connection) == [damaged]
    assert [service.claim().job_id, service.claim().job_id] == [damaged, whole]


def test_event_that_cannot_be_read_keeps_its_number(service: Service, shell: Shell) -> None:
    lease = service.start_job()
    shell.run("UPDATE events SET data = '[3]' WHERE number = 1")
    service.succeed(lease)

    job = f"/v1/jobs/{lease.job_id}"
    events = service.client.get(f"{job}/events").json()["data"]
    assert [event["id"] for event in events] == [1, 2, 3]
    assert (events[0]["type"], events[0]["data"]) == ("unreadable", {})
    accept = {"Accept": "text/event-stream"}
    stream = service.client.get(f"{job}/events", headers=accept).text  # which ends
    assert stream.count("event: ") == 3


def test_damaged_heartbeat_never_names_a_process_to_kill(service: Service, shell: Shell) -> None:
    lease = service.start_job()
    with service.database.write() as connection:
        liveness.record_heartbeat(connection, lease, pid=1234, progress=None)
    for pid in (0, 1, -1):
        shell.run(f"UPDATE live SET pid = {pid}, devices = '3'")  # noqa: S608
        with service.database.read() as connection:
            (beat,) = liveness.list_heartbeats(connection)
        assert (beat.pid, beat.devices) == (None, [])
    with service.database.write() as connection:
        assert attempts.stop(connection, lease, "worker_lost") == "queued"


def test_upload_that_cannot_be_read_is_left_out_and_can_be_deleted(
    service: Service, shell: Shell
) -> None:
    ids = [f"weights_{number:026d}" for number in range(3)]
    for weights_id in ids:
        values = f"'{weights_id}', 'admin', '', 3, '{'0' * 64}', 1, 1, '2026-01-01 00:00:00'"
        shell.run(f"INSERT INTO weights VALUES ({values})")  # noqa: S608
    shell.run(f"UPDATE weights SET bytes = -1 WHERE id = '{ids[1]}'")  # noqa: S608

    page = service.client.get("/v1/weights?limit=2").json()
    assert ([entry["id"] for entry in page["data"]], page["has_more"]) == ([ids[2]], True)
    assert service.client.get(f"/v1/weights/{ids[1]}").status_code == 409
    assert service.client.delete(f"/v1/weights/{ids[1]}").status_code == 200
    assert service.client.get(f"/v1/weights/{ids[1]}").status_code == 404
