"""People over HTTP: added, changed, disabled; every change is in the audit, and nothing else is."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from shared import tables
from shared.accounts import sessions
from shared.accounts.roles import Scope
from shared.errors import Unauthorized
from tests.api.accounts_box import AccountsBox, accounts_box
from tests.api.service import KEY


@pytest.fixture
def box(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccountsBox]:
    """Return an application over each kind of database."""
    with accounts_box(database_url, tmp_path_factory.mktemp("home")) as opened:
        yield opened


def _admin(box: AccountsBox, method: str, path: str, body: Any = None) -> Any:
    return box.request("ada", "admin", method, path, body)


def test_a_person_is_added_changed_disabled_and_enabled_again(box: AccountsBox) -> None:
    added = _admin(box, "POST", "/v1/users", {"name": "eve", "limits": {"queued": 3}})
    assert added.status_code == 201
    assert added.headers["location"] == "/v1/users/eve"
    assert (added.json()["role"], added.json()["limits"]["queued"]) == ("member", 3)
    assert _admin(box, "POST", "/v1/users", {"name": "eve"}).status_code == 409
    patch = {"role": "viewer", "limits": {"running": 2, "queued": None}}
    changed = _admin(box, "PATCH", "/v1/users/eve", patch).json()
    assert changed["role"] == "viewer"
    assert (changed["limits"]["running"], changed["limits"]["queued"]) == (2, None)
    assert _admin(box, "DELETE", "/v1/users/eve").json()["disabled_at"] is not None
    assert _admin(box, "DELETE", "/v1/users/eve").status_code == 200
    enabled = _admin(box, "PATCH", "/v1/users/eve", {"disabled_at": None})
    assert enabled.json()["disabled_at"] is None


def test_a_disabled_person_s_keys_and_sessions_end_and_jobs_stay(box: AccountsBox) -> None:
    job = box.add_job("mia")
    authenticator = box.app.state.services.authenticator
    key = box.headers("mia", "submit")["Authorization"].partition(" ")[2]
    cookie = asyncio.run(authenticator.log_in(key))
    assert asyncio.run(authenticator.of_session(cookie)).name == "mia"
    assert _admin(box, "DELETE", "/v1/users/mia").status_code == 200
    authenticator._known.clear()
    assert box.request("mia", "submit", "GET", "/v1/me").status_code == 401
    with pytest.raises(Unauthorized):
        asyncio.run(authenticator.of_session(cookie))
    assert _admin(box, "GET", f"/v1/jobs/{job}").json()["state"] == "queued"
    body = {"name": "k", "scopes": ["read"], "user": "mia"}
    assert _admin(box, "POST", "/v1/keys", body).status_code == 409


def test_the_admin_of_the_settings_stays_an_admin(box: AccountsBox) -> None:
    assert _admin(box, "DELETE", "/v1/users/admin").status_code == 409
    assert _admin(box, "PATCH", "/v1/users/admin", {"role": "member"}).status_code == 409
    assert box.request("admin", "admin", "GET", "/v1/me").json()["role"] == "admin"


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, {"/name"}),
        ({"name": "me"}, {"/name"}),
        ({"name": "../x", "role": "root", "weight": 0}, {"/name", "/role", "/weight"}),
        ({"name": "Ada", "usage": 0}, {"/name", "/usage"}),
        (
            {"name": "a", "limits": {"queue": 1, "running": -1}},
            {"/limits/queue", "/limits/running"},
        ),
    ],
)
def test_every_fault_of_a_person_is_reported(
    box: AccountsBox, body: dict[str, Any], pointers: set[str]
) -> None:
    before = len(box.rows(tables.users))
    response = _admin(box, "POST", "/v1/users", body)
    assert response.status_code == 422, response.text
    assert {fault["pointer"] for fault in response.json()["errors"]} == pointers
    assert len(box.rows(tables.users)) == before


def test_each_change_is_in_the_audit_and_a_refused_change_is_not(box: AccountsBox) -> None:
    job = box.add_job("mia")
    path = f"/v1/jobs/{job}"
    for method, address, body, status in (
        ("POST", f"{path}/pause", None, 202),
        ("PATCH", path, {"notes": "x"}, 200),
        ("PATCH", path, {"priority": "x"}, 422),
        ("POST", f"{path}/cancel", None, 202),
        ("POST", f"{path}/pause", None, 409),
        ("GET", path, None, 200),
        ("DELETE", path, None, 200),
        ("DELETE", path, None, 404),
    ):
        assert box.request("mia", "submit", method, address, body).status_code == status, address
    assert box.audit() == [
        ("mia", action, job) for action in ("job.pause", "job.update", "job.cancel", "job.delete")
    ]
    shown = _admin(box, "GET", f"/v1/audit?object={job}&action=job.update").json()["data"]
    assert [(entry["user"], entry["changes"]) for entry in shown] == [("mia", {"notes": "x"})]
    assert shown[0]["request_id"].startswith("req_")


def test_everybody_reads_the_own_account_and_the_own_changes(box: AccountsBox) -> None:
    callers: list[tuple[str, Scope]] = [("mia", "submit"), ("otto", "read")]
    for caller, scope in callers:
        job = box.add_job(caller)
        assert box.request(caller, "submit", "POST", f"/v1/jobs/{job}/pause").status_code == 202
        own = box.request(caller, scope, "GET", f"/v1/users/{caller}")
        assert own.json() == box.request(caller, scope, "GET", "/v1/me").json()
        refused = box.request(caller, scope, "GET", "/v1/users/ada")
        assert refused.status_code == 403
        entries = box.request(caller, scope, "GET", "/v1/audit").json()["data"]
        assert {entry["user"] for entry in entries} == {caller}
        assert job in {entry["object"] for entry in entries}
    others = box.request("mia", "submit", "GET", "/v1/audit?user=otto").json()["data"]
    assert others == []
    everybody = box.request("ada", "admin", "GET", "/v1/audit").json()["data"]
    assert {"mia", "otto"} <= {entry["user"] for entry in everybody}


def test_a_change_and_its_audit_are_one_transaction(
    box: AccountsBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = box.add_job("mia")

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("the audit cannot be written")

    monkeypatch.setattr("shared.accounts.audit.record", fail)
    with pytest.raises(RuntimeError):
        box.request("mia", "submit", "POST", f"/v1/jobs/{job}/cancel")
    assert box.request("mia", "submit", "GET", f"/v1/jobs/{job}").json()["state"] == "queued"


def test_a_session_ends_with_its_key_and_when_it_is_idle(
    box: AccountsBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    authenticator = box.app.state.services.authenticator
    for key in (KEY, box.headers("mia", "submit")["Authorization"].partition(" ")[2]):
        cookie = asyncio.run(authenticator.log_in(key))
        assert cookie not in repr(box.rows(tables.sessions))
        assert asyncio.run(authenticator.of_session(cookie)).name in {"admin", "mia"}
        for wrong in (cookie[:-1], cookie.partition(".")[0], "x.y", cookie + "x"):
            with pytest.raises(Unauthorized):
                asyncio.run(authenticator.of_session(wrong))
        with monkeypatch.context() as patch:
            patch.setattr(sessions, "IDLE", sessions.IDLE * 0)
            authenticator._known.clear()
            with pytest.raises(Unauthorized):
                asyncio.run(authenticator.of_session(cookie))
        asyncio.run(authenticator.log_out(cookie))
        with pytest.raises(Unauthorized):
            asyncio.run(authenticator.of_session(cookie))
