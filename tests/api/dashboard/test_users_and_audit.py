"""The pages of people and of the audit, for admins; and what others get there."""

import re
from urllib.parse import quote

import httpx
import pytest

from tests.api.service import Service

pytestmark = pytest.mark.usefixtures("accounts")


def _add(browser: httpx.Client, name: str = "mia", **changes: str) -> httpx.Response:
    return browser.post("/users", data={"name": name, "role": "member", "weight": "1", **changes})


def _user(service: Service, name: str = "mia") -> dict:
    return service.client.get(f"/v1/users/{name}").json()


def test_a_person_is_added_changed_disabled_and_enabled(
    service: Service, browser: httpx.Client
) -> None:
    assert _add(browser).headers["location"] == "/users/mia"
    assert 'href="/users/mia"' in browser.get("/users").text
    changes = {"role": "viewer", "weight": "2.5", "limits:running": "3", "limits:queued": ""}
    assert browser.post("/users/mia", data=changes).headers["location"] == "/users/mia"
    person = _user(service)
    assert (person["role"], person["weight"], person["limits"]["running"]) == ("viewer", 2.5, 3)
    assert person["limits"]["queued"] is None
    assert 'placeholder="now 3"' in browser.get("/users/mia").text
    assert browser.post("/users/mia/reset-limits").status_code == 303
    assert _user(service)["limits"]["running"] is None
    assert browser.post("/users/mia/disable").status_code == 303
    assert "no key of this person is valid" in browser.get("/users/mia").text
    assert browser.post("/users/mia/enable").status_code == 303
    assert _user(service)["disabled_at"] is None


def test_faults_are_shown_at_their_fields(service: Service, browser: httpx.Client) -> None:
    page = _add(browser, "Mia!", weight="0")
    assert (page.status_code, page.text.count('aria-invalid="true"')) == (422, 2)
    assert 'value="Mia!"' in page.text
    _add(browser)
    page = _add(browser)
    assert (page.status_code, "mia" in page.text) == (422, True)
    page = browser.post("/users/mia", data={"limits:running": "-1", "weight": "heavy"})
    assert (page.status_code, page.text.count('aria-invalid="true"')) == (422, 2)
    assert _user(service)["limits"]["running"] is None
    assert browser.get("/users/nobody").status_code == 404
    assert browser.post("/users/admin/disable").status_code == 409


def test_the_audit_lists_changes_and_filters_them(
    service: Service, browser: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "user.create" not in browser.get("/audit").text
    job = service.submit()
    service.post(f"/v1/jobs/{job}/cancel")
    _add(browser)
    page = browser.get("/audit").text
    for text in (f'href="/jobs/{job}"', "job.cancel", 'href="/users/mia"', "member"):
        assert text in page
    page = browser.get("/audit?action=job.cancel").text
    assert "user.create" not in page
    assert "job.cancel" in page
    assert "No change matches" in browser.get("/audit?user=nobody").text
    monkeypatch.setattr("api.dashboard.accounts.audit.PAGE", 1)
    page = browser.get(f"/audit?object={job}").text
    [older] = re.findall(r'href="([^"]+)" rel="next"', page)
    assert "job.submit" in browser.get(older.replace("&amp;", "&")).text


def test_what_was_changed_is_text(service: Service, browser: httpx.Client) -> None:
    name = "<img src=x onerror=alert(1)>"
    browser.post("/keys", data={"name": name, "scope": "read", "days": "1"})
    job = service.submit(name=name)
    service.client.patch(
        f"/v1/jobs/{job}",
        json={"notes": name},
        headers={"Content-Type": "application/merge-patch+json"},
    )
    page = browser.get("/audit").text
    assert "<img" not in page
    assert browser.get(f"/audit?object={quote(name)}").status_code == 200


def test_a_member_reads_their_own_pages_and_why_others_are_closed(
    service: Service, browser: httpx.Client, stranger: httpx.Client
) -> None:
    _add(browser)
    body = {"name": "k", "scopes": ["submit"], "user": "mia"}
    key = service.post("/v1/keys", body).json()["key"]
    headers = dict(stranger.headers)
    with httpx.Client(base_url=stranger.base_url, headers=headers, timeout=60) as mia:
        assert mia.post("/login", data={"key": key}).status_code == 303
        for path in ("/users", "/users/admin"):
            response = mia.get(path)
            assert (response.status_code, "this needs the role admin" in response.text) == (
                403,
                True,
            )
        assert mia.post("/users/mia/disable").status_code == 403
        for link in ('href="/users/mia"', 'href="/audit">My changes'):
            assert link in mia.get("/").text
        assert 'href="/audit">Audit' in browser.get("/").text
        page = mia.get("/users/mia").text
        assert "member; 0 jobs running" in page
        assert 'action="/users/' not in page, "a member changes nothing there"
        page = mia.get("/audit").text
        assert "user.create" not in page, "a change of the admin"
        assert "What you changed" in page
