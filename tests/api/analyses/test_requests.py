"""Requests for analyses: what is queued, and when an earlier analysis is returned."""

import sqlalchemy as sa

from shared import tables
from shared.errors import Failure
from shared.jobs import attempts
from shared.jobs.attempts import Lease
from tests.api.analyses.requests import REQUEST, read, request
from tests.api.jobs.results.files import with_file
from tests.api.service import Service, checkpoint_row


def test_a_request_is_queued_with_its_defaults_filled_in(service: Service, lease: Lease) -> None:
    response = service.post(f"/v1/jobs/{lease.job_id}/analyses", {**REQUEST, "samples": 100})
    assert response.status_code == 202
    analysis = response.json()
    assert analysis["id"].startswith("ana_")
    assert (analysis["object"], analysis["job"]) == ("analysis", lease.job_id)
    assert (analysis["state"], analysis["checkpoint_name"]) == ("queued", "last")
    assert analysis["parameters"]["samples"] == 100
    assert analysis["parameters"]["iterations"] == 80
    assert analysis["predicted_memory_mib"] == 12.6, "12.5 of the network, and its images"
    assert analysis["artifacts"] == []
    assert read(service, analysis["id"])["checkpoint"] == analysis["checkpoint"]


def test_the_sidecar_predicts_with_the_parameters_and_the_file(
    service: Service, lease: Lease
) -> None:
    request(service, lease, checkpoint="initial")
    sent = service.sidecar.requests[-1]
    assert (sent["operation"], sent["kind"]) == ("analysis", "curvature")
    assert sent["weights"].endswith("step-0/weights.safetensors")
    assert sent["parameters"]["probes"] == 10
    assert (sent["first"], sent["batch_size"]) == (None, 32)
    assert sent["train_samples"] == service.job(lease.job_id)["spec"]["dataset"]["train"]


def test_the_same_request_gives_the_same_analysis(service: Service, lease: Lease) -> None:
    first = request(service, lease)
    again = service.post(f"/v1/jobs/{lease.job_id}/analyses", {**REQUEST, "checkpoint": "last"})
    assert (again.status_code, again.json()["id"]) == (200, first["id"])
    others = [request(service, lease, seed=1), request(service, lease, checkpoint="initial")]
    assert len({first["id"], *(other["id"] for other in others)}) == 2, "both files are the same"


def test_the_same_request_with_another_time_limit_gives_the_same_analysis(
    service: Service, lease: Lease
) -> None:
    first = request(service, lease, max_runtime_seconds=60)
    again = request(service, lease, max_runtime_seconds=30)
    assert (again["id"], again["max_runtime_seconds"]) == (first["id"], 60)


def test_concurrent_checkpoints_of_equal_weights_share_an_analysis(
    service: Service, lease: Lease
) -> None:
    first = request(service, lease)
    row = with_file(service, lease, checkpoint_row("last", 20))
    service.record(lease, checkpoints=[row])
    assert request(service, lease)["id"] == first["id"]


def test_an_analysis_that_failed_or_was_cancelled_is_not_returned_again(
    service: Service, lease: Lease
) -> None:
    first = request(service, lease)
    service.post(f"/v1/analyses/{first['id']}/cancel")
    second = request(service, lease)
    assert second["id"] != first["id"]
    own = service.claim()
    assert own.job_id == second["id"]
    failure = Failure(kind="internal", message="m", hint="h")
    with service.database.write() as connection:
        attempts.fail(connection, own, failure)
    assert read(service, second["id"])["failure"] == {
        "kind": "internal",
        "message": "m",
        "hint": "h",
    }
    assert request(service, lease)["id"] not in {first["id"], second["id"]}


def test_the_time_limit_is_that_of_the_request_or_of_the_job(service: Service) -> None:
    lease = service.start_job(resources={"max_runtime_seconds": 600})
    service.record(lease, checkpoints=[with_file(service, lease, checkpoint_row("last"))])
    assert request(service, lease)["max_runtime_seconds"] == 600
    own = request(service, lease, seed=1, max_runtime_seconds=30)
    assert own["max_runtime_seconds"] == 30
    with service.database.read() as connection:
        specs = dict(connection.execute(sa.select(tables.jobs.c.id, tables.jobs.c.spec)).all())
    assert specs[own["id"]]["resources"]["max_runtime_seconds"] == 30, "what the runner reads"
    assert specs[lease.job_id]["resources"]["max_runtime_seconds"] == 600


def test_a_worker_claims_it_before_trainings_of_the_same_priority(
    service: Service, lease: Lease
) -> None:
    training = service.submit()
    urgent = service.submit(priority="high")
    analysis = request(service, lease)
    claimed = [service.claim().job_id for _ in range(3)]
    assert claimed == [urgent, analysis["id"], training]
