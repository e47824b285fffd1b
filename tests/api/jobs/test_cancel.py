"""`POST /v1/jobs/{id}/cancel`."""

from concurrent.futures import ThreadPoolExecutor

from tests.api.service import Service


def test_queued_job_is_cancelled_at_once(service: Service) -> None:
    job_id = service.submit()
    response = service.post(f"/v1/jobs/{job_id}/cancel")
    assert response.status_code == 202
    assert response.json()["state"] == "cancelled"
    assert response.json()["finished_at"]


def test_running_job_is_cancelled_once_its_process_has_ended(service: Service) -> None:
    lease = service.start_job()
    first = service.post(f"/v1/jobs/{lease.job_id}/cancel").json()
    assert (first["state"], first["phase"]) == ("running", "cancelling")
    assert first["cancel_requested_at"]
    again = service.post(f"/v1/jobs/{lease.job_id}/cancel")
    assert again.status_code == 202
    assert again.json()["cancel_requested_at"] == first["cancel_requested_at"]
    service.stop(lease)
    assert service.job(lease.job_id)["state"] == "cancelled"
    assert service.post(f"/v1/jobs/{lease.job_id}/cancel").status_code == 202


def test_hundred_concurrent_requests_cancel_once(service: Service) -> None:
    lease = service.start_job()
    address = f"/v1/jobs/{lease.job_id}/cancel"
    with ThreadPoolExecutor(32) as pool:
        statuses = set(pool.map(lambda _: service.post(address).status_code, range(100)))
    assert statuses == {202}
    events = service.client.get(f"/v1/jobs/{lease.job_id}/events").json()["data"]
    assert [event["type"] for event in events].count("cancel_requested") == 1


def test_finished_job_cannot_be_cancelled(service: Service) -> None:
    lease = service.start_job()
    service.succeed(lease)
    response = service.post(f"/v1/jobs/{lease.job_id}/cancel")
    assert response.status_code == 409
    assert response.json()["state"] == "succeeded"
    assert response.json()["allowed"] == ["queued", "running", "paused"]
