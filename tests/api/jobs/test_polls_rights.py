"""An answer from memory needs the same rights as any other."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared import tables
from shared.errors import LimitReached
from tests.api.accounts_box import AccountsBox, accounts_box


@pytest.fixture
def box(tmp_path: Path) -> Iterator[AccountsBox]:
    with accounts_box(f"sqlite:///{tmp_path / 'box.db'}", tmp_path) as opened:
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


def test_revoked_key_gets_nothing_from_memory(box: AccountsBox) -> None:
    address = f"/v1/jobs/{box.add_job('mia')}"
    for _ in range(3):
        assert box.request("mia", "read", "GET", address).status_code == 200
    (row,) = [row for row in box.rows(tables.keys) if row["user"] == "mia"]
    box.request("admin", "admin", "DELETE", f"/v1/keys/{row['id']}").raise_for_status()
    # A key is remembered for a second.
    time.sleep(1.05)
    for path in (address, "/v1/jobs"):
        assert box.request("mia", "read", "GET", path).status_code == 401


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
