"""`POST /v1/jobs/{id}/pause` and `POST /v1/jobs/{id}/resume`."""

from concurrent.futures import ThreadPoolExecutor

from shared.ids import new_id
from tests.api.service import Service


def test_queued_job_is_paused_at_once_and_keeps_its_place(service: Service) -> None:
    first, second = service.submit(), service.submit()
    response = service.post(f"/v1/jobs/{first}/pause")
    assert response.status_code == 202
    assert (response.json()["state"], response.json()["queue_position"]) == ("paused", None)
    assert response.json()["pause_requested_at"]
    again = service.post(f"/v1/jobs/{first}/pause")
    assert (again.status_code, again.json()) == (202, response.json())

    resumed = service.post(f"/v1/jobs/{first}/resume")
    assert resumed.status_code == 202
    assert (resumed.json()["state"], resumed.json()["pause_requested_at"]) == ("queued", None)
    assert [service.claim().job_id, service.claim().job_id] == [first, second]


def test_running_job_is_paused_once_its_process_has_ended(service: Service) -> None:
    lease = service.start_job()
    address = f"/v1/jobs/{lease.job_id}"
    pausing = service.post(f"{address}/pause").json()
    assert (pausing["state"], pausing["phase"]) == ("running", "pausing")
    service.stop(lease)
    assert service.job(lease.job_id)["state"] == "paused"
    listed = service.client.get("/v1/jobs", params={"state": "paused"}).json()["data"]
    assert [job["id"] for job in listed] == [lease.job_id]
    assert service.post(f"{address}/resume").json()["state"] == "queued"


def test_pause_is_withdrawn_while_the_job_still_runs(service: Service) -> None:
    lease = service.start_job()
    address = f"/v1/jobs/{lease.job_id}"
    service.post(f"{address}/pause")
    resumed = service.post(f"{address}/resume").json()
    assert (resumed["state"], resumed["phase"]) == ("running", "preflight")
    service.succeed(lease)
    assert service.job(lease.job_id)["state"] == "succeeded"


def test_hundred_concurrent_requests_pause_once(service: Service) -> None:
    lease = service.start_job()
    address = f"/v1/jobs/{lease.job_id}"
    with ThreadPoolExecutor(32) as pool:
        answers = pool.map(lambda _: service.post(f"{address}/pause").status_code, range(100))
        assert set(answers) == {202}
    events = service.client.get(f"{address}/events").json()["data"]
    assert [event["type"] for event in events].count("pause_requested") == 1


def test_finished_job_is_refused_with_the_states_that_are_allowed(service: Service) -> None:
    lease = service.start_job()
    service.succeed(lease)
    for action, allowed in (("pause", ["queued", "running"]), ("resume", ["paused"])):
        response = service.post(f"/v1/jobs/{lease.job_id}/{action}")
        assert response.status_code == 409
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["state"] == "succeeded"
        assert response.json()["allowed"] == allowed


def test_job_that_is_being_cancelled_cannot_be_paused(service: Service) -> None:
    lease = service.start_job()
    service.post(f"/v1/jobs/{lease.job_id}/cancel")
    response = service.post(f"/v1/jobs/{lease.job_id}/pause")
    assert response.status_code == 409
    assert "being cancelled" in response.json()["detail"]


def test_neither_an_unknown_job_nor_an_analysis_can_be_paused(service: Service) -> None:
    for job_id in (new_id("job"), new_id("ana"), "job_1"):
        for action in ("pause", "resume"):
            assert service.post(f"/v1/jobs/{job_id}/{action}").status_code == 404
