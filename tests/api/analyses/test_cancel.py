"""Cancelling analyses that wait, run or have ended."""

from shared.ids import new_id
from shared.jobs.attempts import Lease
from tests.api.analyses.requests import read, request
from tests.api.service import Service


def test_a_waiting_analysis_ends_at_once_and_again_changes_nothing(
    service: Service, lease: Lease
) -> None:
    analysis = request(service, lease)
    for _ in range(2):
        response = service.post(f"/v1/analyses/{analysis['id']}/cancel")
        assert (response.status_code, response.json()["state"]) == (202, "cancelled")


def test_a_waiting_analysis_that_has_begun_leaves_no_partial_results(
    service: Service, lease: Lease
) -> None:
    analysis = request(service, lease)
    own = service.claim()
    path = service.storage.attempt(own.job_id, own.attempt) / "partial-0.safetensors"
    path.parent.mkdir(parents=True)
    path.touch()
    service.stop(own)
    assert service.post(f"/v1/analyses/{analysis['id']}/cancel").json()["state"] == "cancelled"
    assert not path.exists()


def test_a_running_analysis_ends_with_its_process(service: Service, lease: Lease) -> None:
    analysis = request(service, lease)
    own = service.claim()
    response = service.post(f"/v1/analyses/{analysis['id']}/cancel")
    assert response.json()["state"] == "running"
    assert response.json()["cancel_requested_at"] is not None
    service.stop(own)
    assert read(service, analysis["id"])["state"] == "cancelled"


def test_a_finished_analysis_is_a_conflict(service: Service, lease: Lease) -> None:
    analysis = request(service, lease)
    service.succeed(service.claim())
    response = service.post(f"/v1/analyses/{analysis['id']}/cancel")
    assert response.status_code == 409
    assert response.json()["detail"] == (
        "The analysis is succeeded; only a queued or running analysis can be cancelled."
    )


def test_an_analysis_that_does_not_exist_is_not_found(service: Service) -> None:
    for path in (new_id("ana"), "ana_1", new_id("job")):
        assert service.post(f"/v1/analyses/{path}/cancel").status_code == 404
        assert service.client.get(f"/v1/analyses/{path}").status_code == 404
