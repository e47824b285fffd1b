"""Requests for analyses that are refused, with every fault at its field."""

from dataclasses import replace
from typing import Any

import pytest

from shared.ids import new_id
from shared.jobs import liveness
from shared.jobs.attempts import Lease
from tests.api.analyses.requests import REQUEST, faults
from tests.api.jobs.results.files import with_file
from tests.api.service import Service, checkpoint_row


@pytest.mark.parametrize(
    ("body", "pointer", "detail"),
    [
        ({}, "/kind", "is required. Available: "),
        ({"kind": "curvatur"}, "/kind", "`curvatur` is not an analysis. Did you mean `curv"),
        ({"kind": 3}, "/kind", "is 3; it must be the name of an analysis"),
        ({**REQUEST, "checkpoint": 3}, "/checkpoint", "is 3; it must be a checkpoint's id"),
        ({**REQUEST, "checkpoint": "best"}, "/checkpoint", "The job has no checkpoint 'best'"),
        ({**REQUEST, "samples": 7}, "/samples", "is 7; it must be at least 8"),
        ({**REQUEST, "samples": "all"}, "/samples", 'is "all"; it must be an integer'),
        ({**REQUEST, "iterations": 1001}, "/iterations", "is 1001; it must be at most 1000"),
        ({**REQUEST, "iteration": 5}, "/iteration", "`iteration` is not a parameter of curv"),
        ({**REQUEST, "job": "x"}, "/job", "`job` is not a parameter of curvature."),
        ([], "", "is []; it must be an object with `kind`"),
    ],
)
def test_each_fault_names_its_field(
    service: Service, lease: Lease, body: Any, pointer: str, detail: str
) -> None:
    found = faults(service, lease, body)
    assert [*found] == [pointer]
    assert found[pointer].startswith(detail)


def test_all_faults_come_at_once(service: Service, lease: Lease) -> None:
    body = {**REQUEST, "checkpoint": "best", "samples": 0, "colour": 1, "seed": 1.5}
    body["max_runtime_seconds"] = 0
    found = faults(service, lease, body)
    assert [*found] == ["/checkpoint", "/colour", "/max_runtime_seconds", "/samples", "/seed"]


@pytest.mark.parametrize("limit", [0, -1, True, "60", 1.5, 31_536_001])
def test_a_time_limit_is_a_number_of_seconds(service: Service, lease: Lease, limit: Any) -> None:
    found = faults(service, lease, {**REQUEST, "max_runtime_seconds": limit})
    assert "it must be an integer from 1 to 31536000" in found["/max_runtime_seconds"]


@pytest.mark.parametrize("name", ["cuda:0", "cpu:0"])
def test_a_network_too_large_for_every_device_is_refused_with_both_numbers(
    service: Service, lease: Lease, name: str
) -> None:
    devices = [{"name": name, "memory_mib": 12}]
    with service.database.write() as connection:
        liveness.record_worker(connection, worker="w", host="h", pid=7, devices=devices)
    detail = faults(service, lease, REQUEST)["/kind"]
    assert "needs about 12 MiB" in detail
    assert "the largest device has 12 MiB" in detail
    assert service.sidecar.requests[-1]["is_on_gpu"] == (name == "cuda:0")


def test_a_job_without_a_checkpoint_is_a_conflict(service: Service) -> None:
    response = service.post(f"/v1/jobs/{service.submit()}/analyses", REQUEST)
    assert response.status_code == 409
    assert response.json()["detail"].startswith("The job has no checkpoint to analyse.")


def test_a_checkpoint_whose_file_was_deleted_is_a_conflict(service: Service, lease: Lease) -> None:
    row = replace(checkpoint_row("last", 30), directory="gone")
    service.record(lease, checkpoints=[row])
    response = service.post(f"/v1/jobs/{lease.job_id}/analyses", REQUEST)
    assert response.status_code == 409
    assert response.json()["detail"].startswith("The file of the checkpoint last no longer")


def test_a_job_that_does_not_exist_is_not_found(service: Service) -> None:
    assert service.post(f"/v1/jobs/{new_id('job')}/analyses", REQUEST).status_code == 404


def test_a_body_that_is_not_json_is_refused(service: Service, lease: Lease) -> None:
    path = f"/v1/jobs/{lease.job_id}/analyses"
    assert service.post(path, b"{").status_code == 400
    typed = service.post(path, REQUEST, **{"Content-Type": "text/plain"})
    assert typed.status_code == 415


def test_label_errors_of_a_regression_are_refused(service: Service) -> None:
    fields = {"dataset": {"name": "digits", "target": "rotation"}, "loss": "l2"}
    lease = service.start_job(**fields, checkpoints=[])
    service.record(lease, checkpoints=[with_file(service, lease, checkpoint_row("last"))])
    found = faults(service, lease, {"kind": "label_errors"})
    assert found["/kind"] == (
        "is label_errors, which needs classes, but the job predicts a number; choose another kind"
    )
