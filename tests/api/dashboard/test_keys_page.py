"""The page of keys and sessions."""

import re

import httpx
import pytest

from shared.accounts import users
from tests.api.service import KEY, Service

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(autouse=True)
def _mia(accounts: Service) -> None:
    """Add a member."""
    with accounts.database.write() as connection:
        users.add_user(connection, "mia", "member", weight=1.0, limits={})


def _make(browser: httpx.Client, **changes: str) -> httpx.Response:
    return browser.post("/keys", data={"name": "laptop", "scope": "read", "days": "30", **changes})


def _rows(service: Service) -> list[dict]:
    return service.client.get("/v1/keys").json()["data"]


def _status(service: Service, key: str) -> int:
    service.app.state.services.authenticator._known.clear()
    headers = {"Authorization": f"Bearer {key}"}
    return service.client.get("/v1/me", headers=headers).status_code


def _key_of(page: httpx.Response) -> str:
    [key] = re.findall(r'readonly value="([^"]+)"', page.text)
    return key


def test_a_new_key_is_shown_once_and_not_kept_by_the_browser(
    service: Service, browser: httpx.Client
) -> None:
    page = _make(browser)
    assert (page.status_code, page.headers["cache-control"]) == (201, "no-store")
    key = _key_of(page)
    assert _status(service, key) == 200
    listed = browser.get("/keys").text
    assert key not in listed
    assert "<bdi>laptop</bdi>" in listed
    [row] = _rows(service)
    assert (row["scopes"], row["name"]) == (["read"], "laptop")


def test_faults_are_shown_at_their_fields_and_what_was_typed_stays(
    service: Service, browser: httpx.Client
) -> None:
    page = _make(browser, name="", days="many")
    assert page.status_code == 422
    assert len(re.findall(r'aria-invalid="true"', page.text)) == 2
    assert 'value="many"' in page.text
    page = _make(browser, user="nobody")
    assert "there is no such user" in page.text
    page = _make(browser, user="mia", scope="admin")
    assert "exceed the role of mia" in page.text
    assert _rows(service) == []


def test_a_key_is_replaced_and_revoked(service: Service, browser: httpx.Client) -> None:
    old = _key_of(_make(browser))
    [row] = _rows(service)
    page = browser.post(f"/keys/{row['id']}/rotate", data={"grace": "0"})
    new = _key_of(page)
    assert (page.status_code, "ends at once" in page.text) == (201, True)
    assert (_status(service, old), _status(service, new)) == (401, 200)
    key_id = _rows(service)[0]["id"]
    assert browser.post(f"/keys/{key_id}/revoke").headers["location"] == "/keys"
    assert _status(service, new) == 401
    page = browser.get("/keys").text
    assert "revoked" in page
    assert "/rotate" not in page
    answer = browser.post(f"/keys/{key_id}/rotate", data={"grace": "0"})
    assert (answer.status_code, "has ended" in answer.text) == (409, True)
    assert browser.post("/keys/key_0000000000/revoke").status_code == 404


def test_another_browser_is_logged_out(service: Service, browser: httpx.Client) -> None:
    address = str(service.client.base_url).rstrip("/")
    with httpx.Client(base_url=address, headers=dict(browser.headers), timeout=60) as other:
        assert other.post("/login", data={"key": KEY}).status_code == 303
        page = browser.get("/keys").text
        assert page.count(">this session<") == 1
        sessions = re.findall(r'action="/sessions/(ses_\w+)/end"', page)
        assert len(sessions) == 2
        own = browser.cookies["trainshed"].partition(".")[0]
        [theirs] = set(sessions) - {own}
        response = browser.post(f"/sessions/{theirs}/end")
        assert response.headers["location"] == "/keys#sessions"
        service.app.state.services.authenticator._known.clear()
        assert other.get("/").headers["location"].startswith("/login")
        assert browser.get("/keys").status_code == 200


def test_a_member_sees_and_makes_only_own_keys(
    service: Service, browser: httpx.Client, stranger: httpx.Client
) -> None:
    _make(browser, name="of the admin")
    key = _key_of(_make(browser, user="mia", name="mia's", scope="submit"))
    with httpx.Client(
        base_url=stranger.base_url, headers=dict(stranger.headers), timeout=60
    ) as mia:
        assert mia.post("/login", data={"key": key}).status_code == 303
        page = mia.get("/keys?user=*").text
        assert "of the admin" not in page
        assert "mia&#39;s" in page
        assert 'value="admin"' not in mia.get("/keys").text
        assert 'href="/users"' not in page
        assert "Only admins" in _make(mia, user="admin").text
        assert mia.get("/users").status_code in {403, 404}


def test_names_are_text(service: Service, browser: httpx.Client) -> None:
    assert _make(browser, name=HOSTILE).status_code == 201
    page = browser.get("/keys").text
    assert "<img" not in page
    assert "&lt;img" in page


def test_keys_come_in_pages(
    service: Service, browser: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.dashboard.accounts.keys.PAGE", 2)
    for number in range(3):
        _make(browser, name=f"key-{number}")
    page = browser.get("/keys").text
    [older] = re.findall(r'href="([^"]+)" rel="next"', page)
    assert "key-0" not in page
    assert "key-0" in browser.get(older.replace("&amp;", "&")).text
