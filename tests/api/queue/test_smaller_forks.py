"""Forks that `explain` names, once submitted in place of the job, start at the next claim."""

from typing import Any

import pytest
import sqlalchemy as sa

from shared import tables
from tests.api.queue.simulated import explain, show_devices
from tests.api.service import Service
from tests.fakes.sidecar import accept_everything

#: Of the network for each sample of a batch.
MIB_PER_SAMPLE = 200.0


def _memory_grows_with_the_batch(request: dict[str, Any]) -> dict[str, Any]:
    response = accept_everything(request)
    if "batch_size" in request:
        response["memory_mib"] = MIB_PER_SAMPLE * request["batch_size"]
    return response


def _stay_silent(request: dict[str, Any]) -> dict[str, Any]:
    raise ConnectionError(request["operation"])


def _forks(found: dict[str, Any], pointer: str) -> list[dict[str, Any]]:
    changes = [each for each in found["would_start_now_if"] if each["via"] == "fork"]
    return [each for each in changes if each["patch"][0]["path"] == pointer]


def _apply(service: Service, job: str, change: dict[str, Any]) -> str:
    """Fork a job, cancel it, and return the fork."""
    fork = service.post(f"/v1/jobs/{job}/fork", {"patch": change["patch"]})
    assert fork.status_code == 202, fork.text
    service.post(f"/v1/jobs/{change['cancel']}/cancel").raise_for_status()
    return fork.json()["id"]


def _planned_mib(service: Service, job: str) -> float:
    query = sa.select(tables.jobs.c.memory_mib).where(tables.jobs.c.id == job)
    with service.database.read() as connection:
        return connection.execute(query).scalar_one()


@pytest.mark.parametrize("free_mib", [5_000.0, 9_000.0])
def test_the_largest_batch_whose_memory_is_free_starts(service: Service, free_mib: float) -> None:
    service.sidecar.respond = _memory_grows_with_the_batch
    show_devices(service, {"free_mib": free_mib, "foreign": [{"pid": 9, "memory_mib": 1}]})
    job = service.submit(training={"batch_size": 64})
    found = explain(service, job)
    assert found["reason"] is not None
    (change,) = _forks(found, "/training/batch_size")
    assert change["memory_mib"] <= free_mib
    fork = _apply(service, job, change)
    assert explain(service, fork)["summary"] == "It starts now."
    assert _planned_mib(service, fork) == change["memory_mib"]
    twice = service.submit(training={"batch_size": 2 * change["patch"][0]["value"]})
    service.post(f"/v1/jobs/{fork}/cancel").raise_for_status()
    assert explain(service, twice)["reason"] is not None, "the largest was proposed"


def test_no_smaller_batch_is_proposed_where_memory_does_not_decide(service: Service) -> None:
    service.sidecar.respond = _memory_grows_with_the_batch
    show_devices(service, {"state": "quarantined"})
    quarantined = explain(service, service.submit(training={"batch_size": 64}))
    assert quarantined["reason"] == "quarantined"
    assert not _forks(quarantined, "/training/batch_size")


def test_without_the_sidecar_no_batch_is_guessed(service: Service) -> None:
    service.sidecar.respond = _memory_grows_with_the_batch
    show_devices(service, {"free_mib": 5_000.0})
    job = service.submit(training={"batch_size": 64})
    service.sidecar.respond = _stay_silent
    found = explain(service, job)
    assert found["reason"] == "foreign_process"
    assert not _forks(found, "/training/batch_size")


def test_a_limit_that_the_owner_set_does_not_change_with_the_batch(service: Service) -> None:
    service.sidecar.respond = _memory_grows_with_the_batch
    show_devices(service, {"free_mib": 5_000.0})
    limited = {"gpu_memory_mib": 9_000}
    job = service.submit(training={"batch_size": 64}, resources=limited)
    assert not _forks(explain(service, job), "/training/batch_size")


def test_fewer_devices_start_a_job_that_waits_for_several(service: Service) -> None:
    show_devices(service, {}, {}, {})
    service.start_job()
    with service.database.write() as connection:
        live = {"worker": "w", "devices": ["sim:0"], "progress": {"eta_seconds": 9e4, "epoch": 5}}
        connection.execute(sa.update(tables.live).values(live))
    job = service.submit(resources={"gpus": 3})
    found = explain(service, job)
    assert found["reason"] == "devices"
    (change,) = _forks(found, "/resources/gpus")
    assert change["patch"][0]["value"] == 1
    assert explain(service, _apply(service, job, change))["summary"] == "It starts now."


def test_somebody_who_may_not_change_the_job_gets_no_fork(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.sidecar.respond = _memory_grows_with_the_batch
    show_devices(service, {"free_mib": 5_000.0})
    job = service.submit(training={"batch_size": 64})
    assert _forks(explain(service, job), "/training/batch_size")
    authenticator = service.app.state.services.authenticator
    monkeypatch.setattr(authenticator, "visibility", "team")
    assert service.post("/v1/users", {"name": "eve"}).status_code == 201
    body = {"name": "k", "scopes": ["submit"], "user": "eve"}
    key = service.post("/v1/keys", body).json()["key"]
    headers = {"Authorization": f"Bearer {key}"}
    answer = service.client.get(f"/v1/jobs/{job}/explain", headers=headers)
    assert not _forks(answer.raise_for_status().json(), "/training/batch_size")
    assert service.post(f"/v1/jobs/{job}/cancel", **headers).status_code == 403
