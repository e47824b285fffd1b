"""Polls for jobs that have not changed are answered without a query, and never with old facts."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from tests.api.service import Service


@pytest.fixture(autouse=True)
def _use_memory(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """With PostgreSQL, let no answer be old only because time passes."""
    version = service.app.state.services.responses.version
    monkeypatch.setattr(version, "postgresql_seconds", 1e6)


@pytest.fixture
def queries(service: Service) -> Iterator[list[str]]:
    """The statements with which the API reads whole jobs."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "jobs.spec" in statement:
            seen.append(statement)

    engine = service.app.state.services.database.engine
    sa.event.listen(engine, "before_cursor_execute", note)
    yield seen
    sa.event.remove(engine, "before_cursor_execute", note)


def test_unchanged_job_and_list_are_answered_without_a_query(
    service: Service, queries: list[str]
) -> None:
    lease = service.start_job()
    service.succeed(lease)
    for address in (f"/v1/jobs/{lease.job_id}", "/v1/jobs", "/v1/jobs?limit=5"):
        first = service.client.get(address)
        assert queries
        queries.clear()
        second = service.client.get(address)
        assert (second.content, second.status_code) == (first.content, 200)
        names = [{*each.headers} for each in (first, second)]
        assert names[0] == names[1]
        assert queries == []


def test_unchanged_etag_is_a_304_without_a_query(service: Service, queries: list[str]) -> None:
    lease = service.start_job()
    address = f"/v1/jobs/{lease.job_id}"
    etag = {"If-None-Match": service.client.get(address).headers["etag"]}
    service.submit()  # forgets what is remembered
    assert service.client.get(address, headers=etag).status_code == 304
    queries.clear()
    again = service.client.get(address, headers=etag)
    assert (again.status_code, again.content, again.headers["etag"]) == (
        304,
        b"",
        etag["If-None-Match"],
    )
    assert queries == []
    assert service.client.get(address, headers={"If-None-Match": '"other"'}).status_code == 200


def test_change_through_the_api_is_seen_at_once(service: Service) -> None:
    job_id = service.submit()
    address = f"/v1/jobs/{job_id}"
    for _ in range(2):
        assert service.client.get(address).json()["state"] == "queued"
        assert service.client.get("/v1/jobs").json()["data"][0]["state"] == "queued"
    service.post(f"{address}/cancel").raise_for_status()
    assert service.client.get(address).json()["state"] == "cancelled"
    assert service.client.get("/v1/jobs").json()["data"][0]["state"] == "cancelled"
    service.client.delete(address).raise_for_status()
    assert service.client.get(address).status_code == 404
    assert service.client.get("/v1/jobs").json()["data"] == []


def test_change_of_a_worker_is_seen(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """With SQLite at once; with PostgreSQL when the answer has its age."""
    version = service.app.state.services.responses.version
    monkeypatch.setattr(version, "postgresql_seconds", 0.2)
    lease = service.start_job()
    address = f"/v1/jobs/{lease.job_id}"
    for value in (0.5, 0.25):
        service.client.get(address)
        service.record(lease, latest={"train_loss": value})
        if not service.database.is_sqlite:
            time.sleep(0.25)
        assert service.client.get(address).json()["metrics"] == {"train_loss": value}


def test_position_in_the_queue_is_not_kept(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"/v1/jobs/{service.submit()}"
    found = service.client.get(address).json()
    assert found["queue_position"] == 1
    responses = service.app.state.services.responses
    name = address.rpartition("/")[2]
    assert responses.find(name) is not None
    at = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: at + 1.0)
    assert responses.find(name) is None
