"""Memory of devices in the API: what a job gets, what is refused, and what is explained."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from shared import tables
from shared.clock import now
from shared.jobs.memory_need import CONTEXT_MIB
from tests.api.queue.simulated import TOTAL, explain, show_devices
from tests.api.service import SPEC, Service

RESERVED = 512


def _planned_mib(service: Service, job_id: str) -> float:
    with service.database.read() as connection:
        jobs = tables.jobs.c
        return connection.execute(sa.select(jobs.memory_mib).where(jobs.id == job_id)).scalar_one()


def test_a_job_gets_the_predicted_memory_where_devices_have_memory(service: Service) -> None:
    assert _planned_mib(service, service.submit()) == 0, "no device is known"
    show_devices(service, {})
    job = service.submit()
    assert CONTEXT_MIB < _planned_mib(service, job) < TOTAL
    assert _planned_mib(service, service.submit(resources={"gpu_memory_mib": 7_000})) == 7_000


def test_a_retry_and_a_cpu_box_predict_nothing(service: Service) -> None:
    show_devices(service, {"has_own_memory": False})
    assert _planned_mib(service, service.submit()) == 0
    show_devices(service, {})
    lease = service.start_job(resources={})
    with service.database.write() as connection:
        connection.execute(sa.update(tables.jobs).values(memory_mib=5_000.0))
    service.client.post(f"/v1/jobs/{lease.job_id}/cancel")
    service.stop(lease)
    retried = service.post(f"/v1/jobs/{lease.job_id}/retry").json()["id"]
    assert _planned_mib(service, retried) == 5_000


def test_more_memory_than_any_device_has_is_refused_with_what_exists(service: Service) -> None:
    show_devices(service, {"memory_mib": 8_000}, {})
    limit = TOTAL - RESERVED
    assert _planned_mib(service, service.submit(resources={"gpu_memory_mib": limit})) == limit
    for path in ("/v1/jobs", "/v1/jobs/validate"):
        refused = service.post(path, {**SPEC, "resources": {"gpu_memory_mib": limit + 1}})
        assert refused.status_code == 422
        (fault,) = refused.json()["errors"]
        assert fault["pointer"] == "/resources/gpu_memory_mib"
        assert f"it must be at most {limit}" in fault["detail"]


def test_a_job_that_never_fits_is_said_at_once(service: Service) -> None:
    show_devices(service, {})
    job = service.submit()
    with service.database.write() as connection:
        connection.execute(sa.update(tables.jobs).values(memory_mib=90_000.0))
    found = explain(service, job)
    assert found["reason"] == "memory"
    assert "the largest device has 22.9 GiB for jobs: it never starts as it is" in found["summary"]
    assert found["devices"][0]["missing_mib"] == 90_000 - (TOTAL - RESERVED)


def test_a_job_that_never_fits_is_said_at_once_behind_jobs_that_wait_too(service: Service) -> None:
    show_devices(service, {})
    service.start_job(resources={"gpu_memory_mib": 20_000})
    service.submit(resources={"gpu_memory_mib": 20_000})
    job = service.submit()
    with service.database.write() as connection:
        is_large = tables.jobs.c.id == job
        connection.execute(sa.update(tables.jobs).where(is_large).values(memory_mib=90_000.0))
    found = explain(service, job)
    assert (found["reason"], found["position"]) == ("memory", 2)
    assert "it never starts as it is" in found["summary"]


def test_the_sentence_names_what_is_free_and_who_ends_when(service: Service) -> None:
    show_devices(service, {})
    service.start_job(resources={"gpu_memory_mib": 20_000})
    with service.database.write() as connection:
        live = {"worker": "w", "devices": ["sim:0"], "progress": {"eta_seconds": 600.0}}
        connection.execute(sa.update(tables.live).values(live))
    job = service.submit(resources={"gpu_memory_mib": 5_000})
    found = explain(service, job)
    ends = [now() + timedelta(seconds=seconds) for seconds in (595, 600, 605)]
    assert any(
        f"sim:0 has 3.4 of 23.4 GiB free and this job needs 4.9; admin's job ends at about "
        f"{at:%H:%M} UTC" in found["summary"]
        for at in ends
    ), found["summary"]
    (device,) = found["devices"]
    assert (device["reason"], device["missing_mib"]) == ("memory", 5_000 - 3_488)
    assert device["blockers"][0]["frees_mib"] == 20_000


def test_foreign_processes_are_named(service: Service) -> None:
    show_devices(service, {"free_mib": 4_000.0, "foreign": [{"pid": 42, "memory_mib": 20_000}]})
    job = service.submit(resources={"gpu_memory_mib": 5_000})
    found = explain(service, job)
    assert found["reason"] == "foreign_process"
    assert "processes that are no jobs take 19.5 GiB" in found["summary"]
    assert found["devices"][0] == {
        "device": "w/sim:0", "fits": False, "reason": "foreign_process",
        "missing_mib": pytest.approx(5_000 - 4_000 + RESERVED),
    }  # fmt: skip
