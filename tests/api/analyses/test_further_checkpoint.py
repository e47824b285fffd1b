"""The start of a path: of the same job, built again, or of another job."""

from shared.ids import new_id
from shared.jobs.attempts import Lease
from tests.api.analyses.requests import faults, request
from tests.api.jobs.results.files import with_file
from tests.api.service import Service, checkpoint_row

PATH = {"kind": "loss_path"}


def _ids(service: Service, job_id: str) -> dict[str, str]:
    listed = service.client.get(f"/v1/jobs/{job_id}/checkpoints").json()["data"]
    return {row["name"]: row["id"] for row in listed}


def test_a_name_becomes_the_id_that_it_has_now(service: Service, lease: Lease) -> None:
    parameters = request(service, lease, **PATH)["parameters"]
    assert parameters["start"] == _ids(service, lease.job_id)["initial"]
    by_id = request(service, lease, **PATH, start=parameters["start"])
    assert by_id["id"] == request(service, lease, **PATH)["id"]


def test_initial_weights_that_are_not_stored_are_built_again(service: Service) -> None:
    lease = service.start_job()
    row = with_file(service, lease, checkpoint_row("last", 20))
    service.record(lease, checkpoints=[row])
    assert request(service, lease, **PATH)["parameters"]["start"] == "initial"


def test_a_checkpoint_of_another_job_of_the_same_network(service: Service, lease: Lease) -> None:
    other = service.start_job(seed=1)
    row = with_file(service, other, checkpoint_row("last", 20))
    service.record(other, checkpoints=[row])
    found = request(service, lease, **PATH, start="last", start_job=other.job_id)
    assert found["parameters"]["start"] == _ids(service, other.job_id)["last"]


def test_an_unknown_start_is_a_fault_that_lists_the_names(service: Service, lease: Lease) -> None:
    found = faults(service, lease, {**PATH, "start": "best"})
    assert found == {"/start": "The job has no checkpoint 'best'; it has initial, last."}


def test_an_unknown_job_or_an_analysis_is_a_fault(service: Service, lease: Lease) -> None:
    for job_id in (new_id("job"), "mine"):
        found = faults(service, lease, {**PATH, "start_job": job_id})
        assert found["/start_job"] == f"is '{job_id}'; there is no such job. Give the id of a job"


def test_a_job_of_another_network_is_a_fault(service: Service, lease: Lease) -> None:
    other = service.submit(architecture="linear")
    response = service.post(
        f"/v1/jobs/{lease.job_id}/analyses", {**PATH, "start": "last", "start_job": other}
    )
    assert response.status_code == 422
    assert "`architecture` differs" in response.json()["errors"][0]["detail"]
