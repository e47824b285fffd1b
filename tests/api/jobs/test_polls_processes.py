"""Two applications over one database, as two processes of the API on a host have them.

What either has changed, both answer at once. The clock, which limits how old an answer may be that
a worker has changed, stands still.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from api.app import create_app
from shared import tables
from tests.api.accounts_box import AccountsBox, accounts_box

CHANGES = 40


@contextmanager
def _another(box: AccountsBox) -> Iterator[TestClient]:
    """Yield a client of another application with the same settings."""
    app = create_app(box.app.state.services.settings)
    try:
        yield TestClient(app, base_url="http://localhost")
    finally:
        app.state.services.close()


@pytest.fixture
def box(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccountsBox]:
    with accounts_box(database_url, tmp_path_factory.mktemp("home")) as opened:
        yield opened


@pytest.fixture
def clients(box: AccountsBox, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[TestClient]]:
    with _another(box) as other:
        found = [box.client, other]
        for client in found:
            app: Any = client.app
            version = app.state.services.responses.version
            monkeypatch.setattr(version, "postgresql_seconds", 1e6)
        yield found


def test_a_change_is_read_at_once_from_either_process(
    box: AccountsBox, clients: list[TestClient]
) -> None:
    job_id, headers = box.add_job("mia"), box.headers("mia", "submit")
    address, is_over = f"/v1/jobs/{job_id}", threading.Event()

    def poll(client: TestClient) -> None:
        """Let answers be remembered at any moment of a change."""
        while not is_over.is_set():
            client.get(address, headers=headers).raise_for_status()

    readers = [threading.Thread(target=poll, args=(client,)) for client in clients]
    for reader in readers:
        reader.start()
    try:
        for number in range(CHANGES):
            notes = f"number {number}"
            writer = clients[number % 2]
            changed = writer.patch(address, headers=headers, json={"notes": notes})
            assert changed.status_code == 200, changed.text
            for client in clients:
                found = client.get(address, headers=headers)
                assert (found.json()["notes"], found.headers["etag"]) == (
                    notes,
                    changed.headers["etag"],
                )
                (listed,) = client.get("/v1/jobs", headers=headers).json()["data"]
                assert listed["notes"] == notes
    finally:
        is_over.set()
        for reader in readers:
            reader.join()


def test_a_deleted_job_is_gone_from_either_process(
    box: AccountsBox, clients: list[TestClient]
) -> None:
    job_id, headers = box.add_job("mia"), box.headers("mia", "submit")
    address = f"/v1/jobs/{job_id}"
    clients[0].post(f"{address}/cancel", headers=headers).raise_for_status()
    for client in clients * 2:
        assert client.get(address, headers=headers).json()["state"] == "cancelled"
        assert len(client.get("/v1/jobs", headers=headers).json()["data"]) == 1
    clients[1].delete(address, headers=headers).raise_for_status()
    for client in clients:
        assert client.get(address, headers=headers).status_code == 404
        assert client.get("/v1/jobs", headers=headers).json()["data"] == []


def test_a_row_that_something_else_has_changed_is_read_after_a_moment(
    box: AccountsBox, clients: list[TestClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a restoration of the server's database, which may lower revisions."""
    job_id, headers = box.add_job("mia"), box.headers("mia", "read")
    address, jobs = f"/v1/jobs/{job_id}", tables.jobs.c
    for _ in range(2):
        assert clients[0].get(address, headers=headers).json()["notes"] == ""
    with box.database.write() as connection:
        earlier = {"notes": "restored", "revision": 1}
        connection.execute(sa.update(tables.jobs).where(jobs.id == job_id).values(**earlier))
    version = box.app.state.services.responses.version
    if not box.database.is_sqlite:
        assert clients[0].get(address, headers=headers).json()["notes"] == "", "the clock stands"
        monkeypatch.setattr(version, "postgresql_seconds", 1e-6)
    assert clients[0].get(address, headers=headers).json()["notes"] == "restored"
