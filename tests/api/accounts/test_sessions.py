"""The sessions of a person over HTTP: listed, and ended from another browser."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from shared import tables
from shared.accounts import sessions
from tests.api.accounts_box import AccountsBox, accounts_box


@pytest.fixture
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccountsBox]:
    home = tmp_path_factory.mktemp("home")
    with accounts_box(f"sqlite:///{home / 'test.db'}", home) as opened:
        yield opened


def _log_in(box: AccountsBox, person: str) -> str:
    """Open a session of a person and return its cookie."""
    key = box.headers(person, "submit")["Authorization"].removeprefix("Bearer ")
    headers = {"Origin": "http://localhost"}
    response = box.client.post("/login", data={"key": key}, headers=headers, follow_redirects=False)
    assert response.status_code == 303
    box.client.cookies.clear()
    return response.cookies["trainshed"]


def _with_cookie(box: AccountsBox, cookie: str, method: str, path: str) -> tuple[int, dict]:
    headers = {"Cookie": f"trainshed={cookie}", "Origin": "http://localhost"}
    box.app.state.services.authenticator._known.clear()
    response = box.client.request(method, path, headers=headers)
    return response.status_code, response.json()


def test_a_person_ends_a_session_in_another_browser(box: AccountsBox) -> None:
    first, second = _log_in(box, "mia"), _log_in(box, "mia")
    other = _log_in(box, "otto").partition(".")[0]
    _, listed = _with_cookie(box, first, "GET", "/v1/sessions")
    found = {each["id"]: each["is_current"] for each in listed["data"]}
    ids = [cookie.partition(".")[0] for cookie in (second, first)]
    assert found == dict(zip(ids, [False, True], strict=True))
    assert list(found) == ids
    status, ended = _with_cookie(box, first, "DELETE", f"/v1/sessions/{ids[0]}")
    assert (status, ended["id"]) == (200, ids[0])
    assert _with_cookie(box, second, "GET", "/v1/me")[0] == 401
    assert _with_cookie(box, first, "GET", "/v1/me")[0] == 200
    for absent in (ids[0], other, "ses_x"):
        assert _with_cookie(box, first, "DELETE", f"/v1/sessions/{absent}")[0] == 404
    assert box.audit()[-1] == ("mia", "session.end", ids[0])


def test_no_secret_is_listed_and_sessions_that_have_ended_are_not(box: AccountsBox) -> None:
    cookie = _log_in(box, "mia")
    _, listed = _with_cookie(box, cookie, "GET", "/v1/sessions")
    assert cookie.partition(".")[2] not in str(listed)
    [row] = box.rows(tables.sessions)
    with box.database.write() as connection:
        old = {"last_used_at": row["last_used_at"] - sessions.IDLE}
        connection.execute(sa.update(tables.sessions).values(old))
    assert box.request("mia", "read", "GET", "/v1/sessions").json()["data"] == []


def test_sessions_of_the_key_of_the_settings_belong_to_the_admin(box: AccountsBox) -> None:
    cookie = _log_in(box, "admin")
    for path in ("/v1/sessions", "/v1/sessions?limit=1"):
        [session] = box.request("admin", "admin", "GET", path).json()["data"]
        assert (session["id"], session["key"]) == (cookie.partition(".")[0], "admin")
    assert box.request("ada", "admin", "GET", "/v1/sessions").json()["data"] == []
