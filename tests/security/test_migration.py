"""Requests while the database is migrated, or belongs to another version."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from tests.api.service import SPEC, Service


@contextmanager
def exclusively_locked(service: Service) -> Iterator[None]:
    """Hold the lock that a migration takes."""
    is_sqlite = service.database.is_sqlite
    held, released = threading.Event(), threading.Event()

    def hold() -> None:
        with service.database.write() as connection:
            if not is_sqlite:
                connection.execute(sa.text("LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE"))
            held.set()
            released.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(60)
    try:
        yield
    finally:
        released.set()
        thread.join()


def test_submission_during_a_migration_is_refused_and_may_be_repeated(service: Service) -> None:
    headers = {"Idempotency-Key": "during-a-migration"}
    with exclusively_locked(service):
        response = service.client.post("/v1/jobs", json=SPEC, headers=headers)
        assert response.status_code == 503, response.text
        assert response.headers["retry-after"]
        assert response.headers["content-type"] == "application/problem+json"
    assert service.rows()["jobs"] == 0
    assert service.client.post("/v1/jobs", json=SPEC, headers=headers).status_code == 202
    assert service.rows()["jobs"] == 1


@pytest.mark.parametrize("path", ["/v1/jobs", "/readyz"])
def test_database_of_another_version_is_no_fault_of_the_client(service: Service, path: str) -> None:
    with service.database.write() as connection:
        connection.execute(sa.text("ALTER TABLE jobs RENAME TO jobs_of_another_version"))
    try:
        response = service.client.get(path)
        posted = service.client.post("/v1/jobs", json=SPEC)
    finally:
        with service.database.write() as connection:
            connection.execute(sa.text("ALTER TABLE jobs_of_another_version RENAME TO jobs"))
    assert response.status_code == 503, response.text
    assert posted.status_code == 503, posted.text
    assert "jobs_of" not in posted.text
    assert service.client.post("/v1/jobs", json=SPEC).status_code == 202
