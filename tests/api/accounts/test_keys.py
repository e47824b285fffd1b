"""Keys over HTTP: shown once, limited, replaced, ended; and what a request with a bad key gets."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from api.accounts.keys import find_key
from api.services.principal import Principal
from shared import tables
from shared.accounts import key_format, keys, users
from shared.accounts.roles import Level
from shared.clock import now
from shared.errors import Unavailable
from tests.api.accounts_box import AccountsBox, accounts_box
from tests.api.service import KEY
from tests.shared.interleaving import interleave


@pytest.fixture
def box(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccountsBox]:
    """Return an application over each kind of database."""
    with accounts_box(database_url, tmp_path_factory.mktemp("home")) as opened:
        yield opened


def _make(box: AccountsBox, caller: str, scope: Any = "submit", **changes: Any) -> Any:
    body = {"name": "laptop", "scopes": ["read"], **changes}
    return box.request(caller, scope, "POST", "/v1/keys", body)


def _status(box: AccountsBox, key: str, path: str = "/v1/me") -> int:
    box.app.state.services.authenticator._known.clear()
    return box.client.get(path, headers={"Authorization": f"Bearer {key}"}).status_code


def _update(box: AccountsBox, table: sa.Table, **values: Any) -> None:
    with box.database.write() as connection:
        connection.execute(sa.update(table).values(values))


def test_a_key_is_shown_once_and_stored_as_a_digest(box: AccountsBox) -> None:
    made = _make(box, "mia").json()
    assert made["key"].startswith(made["prefix"][:-1])
    assert key_format.id_of(made["key"]) == made["id"]
    (listed,) = [
        key
        for key in box.request("mia", "read", "GET", "/v1/keys").json()["data"]
        if key["id"] == made["id"]
    ]
    assert listed == {name: value for name, value in made.items() if name != "key"}
    stored = repr([box.rows(table) for table in (tables.keys, tables.audit, tables.sessions)])
    assert made["key"] not in stored
    assert made["key"].rpartition("_")[2] not in stored
    assert _status(box, made["key"]) == 200


def test_each_way_a_key_can_be_wrong_is_a_401(box: AccountsBox) -> None:
    key = _make(box, "mia").json()["key"]
    other = key_format.new_key().text
    body = f"{key[:14]}{'0' * key_format.SECRET_LENGTH}"
    same_id = body + key_format.checksum(body)
    for wrong in (
        key[:-1],
        key[:-1] + ("0" if key[-1] != "0" else "1"),
        key.swapcase(),
        other,
        same_id,
        f"{key}x",
        f"{key} x",
        "ts_",
        "\xfc" * 30,
    ):
        headers = {"Authorization": f"Bearer {wrong}".encode("latin-1")}
        response = box.client.get("/v1/me", headers=headers)  # pyright: ignore[reportArgumentType]
        assert response.status_code == 401, wrong
        assert response.json()["detail"] == keys.INVALID
    assert box.client.get("/v1/me", params={"key": key, "access_token": key}).status_code == 401


def test_an_ended_key_says_why(box: AccountsBox) -> None:
    made = _make(box, "mia").json()
    _update(box, tables.keys, expires_at=now() - timedelta(seconds=1))
    assert _status(box, made["key"]) == 401
    _update(box, tables.keys, expires_at=now() + timedelta(days=1), revoked_at=now())
    assert _status(box, made["key"]) == 401
    _update(box, tables.keys, revoked_at=None)
    assert _status(box, made["key"]) == 200


def test_a_revocation_counts_within_the_age_of_the_cache(box: AccountsBox) -> None:
    made = _make(box, "mia").json()
    assert _status(box, made["key"]) == 200
    assert box.request("mia", "read", "DELETE", f"/v1/keys/{made['id']}").status_code == 200
    again = box.request("mia", "read", "DELETE", f"/v1/keys/{made['id']}")
    assert again.status_code == 200
    assert again.json()["revoked_at"] is not None
    assert _status(box, made["key"]) == 401


def test_a_key_allows_no_more_than_the_key_that_makes_it(box: AccountsBox) -> None:
    for caller, scope, scopes, expected in (
        ("vera", "read", ["read"], 201),
        ("vera", "read", ["submit"], 403),
        ("mia", "read", ["submit"], 403),
        ("mia", "submit", ["read", "submit"], 201),
        ("mia", "submit", ["admin"], 403),
        ("ada", "submit", ["admin"], 403),
        ("ada", "admin", ["admin"], 201),
    ):
        response = _make(box, caller, scope, scopes=scopes)
        assert response.status_code == expected, (caller, scope, scopes, response.text)
    assert _make(box, "mia", user="otto").status_code == 403
    assert _make(box, "ada", "admin", user="otto").json()["user"] == "otto"
    assert _make(box, "ada", "admin", user="vera", scopes=["submit"]).status_code == 422
    assert _make(box, "ada", "admin", user="nobody").status_code == 422


def test_a_key_with_fewer_scopes_ends_no_key_with_more(box: AccountsBox) -> None:
    strong = _make(box, "mia", scopes=["submit"]).json()["id"]
    for method, path in (("DELETE", ""), ("POST", "/rotate")):
        address = f"/v1/keys/{strong}{path}"
        assert box.request("mia", "read", method, address).status_code == 403
        assert box.request("otto", "submit", method, address).status_code == 404


def test_a_rotation_leaves_both_keys_valid_for_the_grace(box: AccountsBox) -> None:
    old = _make(box, "mia", scopes=["submit"], expires_in_days=30).json()
    address = f"/v1/keys/{old['id']}/rotate"
    new = box.request("mia", "submit", "POST", address, {"grace_seconds": 60}).json()
    assert new["scopes"] == old["scopes"]
    assert new["key"] != old["key"]
    assert (_status(box, old["key"]), _status(box, new["key"])) == (200, 200)
    body = {"grace_seconds": 0}
    assert box.request("mia", "submit", "POST", address, body).status_code == 201
    assert (_status(box, old["key"]), _status(box, new["key"])) == (401, 200)
    assert box.request("mia", "submit", "POST", address, body).status_code == 409


@pytest.mark.parametrize(
    ("changes", "pointers"),
    [
        ({"scopes": []}, {"/scopes"}),
        ({"scopes": ["root"], "expires_in_days": 366}, {"/scopes/0", "/expires_in_days"}),
        ({"name": "", "secret": "x"}, {"/name", "/secret"}),
        ({"name": "a\nb", "expires_in_days": True}, {"/name", "/expires_in_days"}),
        ({"user_id": "ada", "id": "key_0000000000"}, {"/user_id", "/id"}),
    ],
)
def test_every_fault_of_a_request_is_reported(
    box: AccountsBox, changes: dict[str, Any], pointers: set[str]
) -> None:
    before = len(box.rows(tables.keys))
    response = _make(box, "admin", **changes)
    assert response.status_code == 422
    assert {fault["pointer"] for fault in response.json()["errors"]} == pointers
    assert len(box.rows(tables.keys)) == before


def test_the_key_of_the_settings_is_the_user_admin(box: AccountsBox) -> None:
    me = box.client.get("/v1/me", headers={"Authorization": f"Bearer {KEY}"}).json()
    assert (me["name"], me["role"]) == ("admin", "admin")
    assert KEY not in repr([box.rows(table) for table in (tables.keys, tables.audit)])


def test_the_last_use_is_stored_to_the_minute(box: AccountsBox) -> None:
    made = _make(box, "mia").json()
    assert made["last_used_at"] is None
    assert _status(box, made["key"]) == 200
    first = {row["id"]: row["last_used_at"] for row in box.rows(tables.keys)}[made["id"]]
    assert _status(box, made["key"]) == 200
    second = {row["id"]: row["last_used_at"] for row in box.rows(tables.keys)}[made["id"]]
    assert first is not None
    assert first == second


def test_a_rotation_and_the_end_of_the_account_do_not_block_each_other(box: AccountsBox) -> None:
    key_id = _make(box, "mia").json()["id"]
    ada = Principal("ada", "admin", Level.ADMIN, key_id="")

    def rotate(connection: sa.Connection) -> None:
        row = find_key(connection, ada, key_id)
        users.get_user(connection, "mia", lock=True)
        keys.rotate_key(connection, row, timedelta(0))

    def disable(connection: sa.Connection) -> None:
        users.get_user(connection, "mia", lock=True)
        users.disable_user(connection, "mia")

    for first, second in ((rotate, disable), (disable, lambda c: find_key(c, ada, key_id))):
        errors = interleave(box.database, first, second)
        # A rotation of a key that has just ended is a conflict; a deadlock is neither's fault.
        assert not any(isinstance(error, Unavailable) for error in errors), errors
