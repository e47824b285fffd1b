"""An answer from memory needs the same rights as any other."""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa

from api.services.principal import Visibility
from shared import tables
from shared.clock import now
from shared.errors import LimitReached
from tests.api.accounts_box import AccountsBox, accounts_box

#: A key is remembered for a second.
REMEMBERED_SECONDS = 1.05


@pytest.fixture
def box(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccountsBox]:
    with accounts_box(database_url, tmp_path_factory.mktemp("home")) as opened:
        # With PostgreSQL, no answer is forgotten only because time passes
        opened.app.state.services.responses.version.postgresql_seconds = 1e6
        yield opened


def test_rights_are_checked_before_memory(box: AccountsBox) -> None:
    job_id = box.add_job("mia")
    address = f"/v1/jobs/{job_id}"
    expected = {"mia": 200, "otto": 404, "vera": 404, "ada": 200}
    for _ in range(2):
        for name, status in expected.items():
            scope = "admin" if name == "ada" else "read"
            assert box.request(name, scope, "GET", address).status_code == status, name
            listed = box.request(name, scope, "GET", "/v1/jobs").json()["data"]
            assert [job["id"] for job in listed] == ([job_id] if status == 200 else []), name
    assert box.client.get(address).status_code == 401
    two = [("Authorization", value) for value in box.headers("mia", "read").values()] * 2
    assert box.client.get(address, headers=two).status_code == 400


def _revoke(box: AccountsBox, key_id: str) -> None:
    box.request("admin", "admin", "DELETE", f"/v1/keys/{key_id}").raise_for_status()


def _expire(box: AccountsBox, key_id: str) -> None:
    of_key = sa.update(tables.keys).where(tables.keys.c.id == key_id)
    with box.database.write() as connection:
        connection.execute(of_key.values(expires_at=now() - timedelta(seconds=1)))


def _disable(box: AccountsBox, _: str) -> None:
    box.request("admin", "admin", "DELETE", "/v1/users/mia").raise_for_status()


@pytest.mark.parametrize("end", [_revoke, _expire, _disable])
def test_a_key_that_has_ended_gets_nothing_from_memory(
    box: AccountsBox, end: Callable[[AccountsBox, str], None]
) -> None:
    address = f"/v1/jobs/{box.add_job('mia')}"
    for _ in range(3):
        assert box.request("mia", "read", "GET", address).status_code == 200
    (row,) = [row for row in box.rows(tables.keys) if row["user"] == "mia"]
    end(box, row["id"])
    time.sleep(REMEMBERED_SECONDS)
    for path in (address, "/v1/jobs"):
        assert box.request("mia", "read", "GET", path).status_code == 401


def test_a_role_that_was_taken_away_reads_nothing_of_others_from_memory(box: AccountsBox) -> None:
    address = f"/v1/jobs/{box.add_job('mia')}"
    for _ in range(2):
        assert box.request("ada", "admin", "GET", address).status_code == 200
        assert box.request("ada", "admin", "GET", "/v1/jobs").json()["data"]
    changed = box.request("admin", "admin", "PATCH", "/v1/users/ada", {"role": "member"})
    changed.raise_for_status()
    time.sleep(REMEMBERED_SECONDS)
    assert box.request("ada", "admin", "GET", address).status_code == 404
    assert box.request("ada", "admin", "GET", "/v1/jobs").json()["data"] == []


def test_another_visibility_counts_for_answers_from_memory(box: AccountsBox) -> None:
    job_id = box.add_job("mia")
    cases: list[tuple[Visibility, int]] = [
        ("team", 200),
        ("queue", 404),
        ("team", 200),
        ("private", 404),
    ]
    for visibility, status in cases:
        box.set_visibility(visibility)
        for _ in range(2):
            assert box.request("otto", "read", "GET", f"/v1/jobs/{job_id}").status_code == status
            listed = box.request("otto", "read", "GET", "/v1/jobs").json()["data"]
            assert len(listed) == (status == 200)


def test_answers_from_memory_count_for_the_limit_of_requests(
    box: AccountsBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"/v1/jobs/{box.add_job('mia')}"
    for _ in range(2):
        assert box.request("mia", "read", "GET", address).status_code == 200

    async def refuse(_: str) -> None:
        raise LimitReached("one too many", retry_after_seconds=1.0)

    monkeypatch.setattr(box.app.state.services.request_rates, "count", refuse)
    assert box.request("mia", "read", "GET", address).status_code == 429
