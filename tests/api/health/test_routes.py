"""Liveness and readiness."""

from datetime import timedelta

import httpx
import sqlalchemy as sa

from shared import tables
from shared.clock import now
from shared.jobs import liveness
from tests.api.service import Service


def _see_worker(service: Service) -> None:
    with service.database.write() as connection:
        devices = [{"name": "cpu:0"}, {"name": "cpu:1"}]
        liveness.record_worker(connection, worker="w", host="h", pid=1, devices=devices)


def _readiness(service: Service, parts: dict[str, bool]) -> httpx.Response | None:
    """Return the response if it reports these parts."""
    response = service.client.get("/readyz")
    return response if response.json()["parts"] == parts else None


def test_health_check(service: Service) -> None:
    assert service.client.get("/healthz").json() == {"status": "alive"}


def test_readiness_names_the_parts_that_do_not_respond(service: Service) -> None:
    parts = {"database": True, "broker": False, "sidecar": True, "worker": False}
    response = service.wait_until(
        lambda: _readiness(service, parts), "a response of the sidecar within 1 s"
    )
    assert response.status_code == 503
    assert response.headers["retry-after"]
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert (problem["status"], problem["instance"]) == (503, "/readyz")
    assert problem["detail"] == "Not ready: no response from broker, worker."
    _see_worker(service)
    assert service.client.get("/readyz").json()["parts"]["worker"] is True


def test_worker_that_was_not_seen_recently_does_not_count(service: Service) -> None:
    _see_worker(service)
    with service.database.write() as connection:
        connection.execute(sa.update(tables.workers).values(seen_at=now() - timedelta(seconds=60)))
    assert service.client.get("/readyz").json()["parts"]["worker"] is False
