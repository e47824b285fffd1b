"""Sessions of browsers: how they begin and end, and what a foreign page cannot do."""

import time

import httpx
import pytest
import sqlalchemy as sa

from api.services import login_codes
from api.services.principal import Principal
from shared import tables
from shared.accounts import sessions
from shared.accounts.roles import Level
from shared.clock import now
from tests.api.dashboard.conftest import HTML
from tests.api.service import KEY, Service

PERSON = Principal("admin", "admin", Level.ADMIN, key_id="admin")
FOREIGN = ("http://evil.example", "http://127.0.0.1:1", "null", "https://127.0.0.1")


@pytest.mark.parametrize("path", ["/", "/jobs/job_x?y=log", "/jobs/new"])
def test_a_page_without_a_session_leads_to_the_login_and_back(
    stranger: httpx.Client, path: str
) -> None:
    response = stranger.get(path)
    assert response.status_code == 303
    login = stranger.get(response.headers["location"])
    assert 'name="key"' in login.text
    response = stranger.post("/login", data={"key": KEY, "next": _hidden(login.text, "next")})
    assert (response.status_code, response.headers["location"]) == (303, path)


def _hidden(page: str, name: str) -> str:
    return page.partition(f'name="{name}" value="')[2].partition('"')[0]


def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites(stranger: httpx.Client) -> None:
    cookie = stranger.post("/login", data={"key": KEY}).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Path=/" in cookie
    assert KEY not in cookie


def test_a_wrong_key_is_refused_with_what_to_do(stranger: httpx.Client) -> None:
    response = stranger.post("/login", data={"key": "wrong"})
    assert response.status_code == 401
    assert "not a valid key" in response.text
    assert "set-cookie" not in response.headers


@pytest.mark.parametrize("destination", ["//evil.example", "/\\evil.example", "http://evil", "x"])
def test_the_login_leads_to_no_other_site(stranger: httpx.Client, destination: str) -> None:
    response = stranger.post("/login", data={"key": KEY, "next": destination})
    assert response.headers["location"] == "/"


def test_logging_out_ends_the_session_also_for_a_copy_of_its_cookie(browser: httpx.Client) -> None:
    token = browser.cookies["trainshed"]
    assert browser.get("/").status_code == 200
    assert browser.post("/logout").headers["location"] == "/login"
    assert browser.get("/", headers={"Cookie": f"trainshed={token}"}).status_code == 303


def test_a_session_ends_when_it_is_not_used(
    service: Service, browser: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.app.state.services.authenticator._known.clear()
    later = now() + sessions.IDLE
    monkeypatch.setattr(sessions, "now", lambda: later)
    assert browser.get("/").status_code == 303


def test_a_session_reads_the_api_with_the_rights_of_its_key(browser: httpx.Client) -> None:
    assert browser.get("/v1/jobs").status_code == 200
    browser.cookies.clear()
    assert browser.get("/v1/jobs").status_code == 401


@pytest.mark.parametrize("origin", FOREIGN)
def test_a_page_of_another_address_changes_nothing(
    service: Service, browser: httpx.Client, origin: str
) -> None:
    job = service.submit()
    for path in (f"/jobs/{job}/cancel", f"/v1/jobs/{job}/cancel", "/logout"):
        assert browser.post(path, headers={"Origin": origin}).status_code == 403
    assert service.job(job)["state"] == "queued"
    assert browser.post("/login", data={"key": KEY}, headers={"Origin": origin}).status_code == 403


def test_a_change_with_a_cookie_needs_an_origin(service: Service, browser: httpx.Client) -> None:
    job = service.submit()
    del browser.headers["Origin"]
    for path in (f"/jobs/{job}/cancel", f"/v1/jobs/{job}/cancel", "/logout", "/login"):
        assert browser.post(path).status_code == 403
    assert service.job(job)["state"] == "queued"


def test_another_port_of_this_host_is_another_site(service: Service, browser: httpx.Client) -> None:
    job = service.submit()
    response = browser.post(f"/jobs/{job}/cancel", headers={"Sec-Fetch-Site": "same-site"})
    assert response.status_code == 403


def test_a_key_needs_no_origin(service: Service) -> None:
    job = service.submit()
    assert service.post(f"/v1/jobs/{job}/cancel").status_code == 202


def test_a_link_from_elsewhere_finds_the_session_by_loading_the_page_again(
    browser: httpx.Client,
) -> None:
    token = browser.cookies.pop("trainshed")
    page = browser.get("/login?next=/jobs/x", headers={"Sec-Fetch-Site": "cross-site"})
    address = page.text.partition('content="0;url=')[2].partition('"')[0].replace("&amp;", "&")
    browser.cookies["trainshed"] = token
    assert browser.get(address).headers["location"] == "/jobs/x"
    browser.cookies.clear()
    assert "http-equiv" not in browser.get(address).text


def test_a_login_code_works_once(service: Service, stranger: httpx.Client) -> None:
    code = service.app.state.services.login_codes.issue(PERSON)
    page = stranger.get(f"/login?code={code}")
    assert "set-cookie" not in page.headers
    data = {"code": _hidden(page.text, "code")}
    assert stranger.post("/login", data=data).status_code == 303
    assert stranger.get("/").status_code == 200
    response = stranger.post("/login", data=data)
    assert (response.status_code, "was used before" in response.text) == (401, True)


def test_an_old_login_code_is_refused(
    service: Service, stranger: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = service.app.state.services.login_codes.issue(PERSON)
    later = time.monotonic() + login_codes.CODE_SECONDS + 1
    monkeypatch.setattr(login_codes.time, "monotonic", lambda: later)
    assert stranger.post("/login", data={"code": code}).status_code == 401


def test_the_number_of_login_codes_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login_codes, "MAX_CODES", 2)
    kept = login_codes.LoginCodes()
    first, *others = (kept.issue(PERSON) for _ in range(3))
    assert [kept.redeem(code) for code in (first, *others)] == [None, PERSON, PERSON]


def test_the_number_of_sessions_of_a_key_is_bounded(
    service: Service, stranger: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "MAX_SESSIONS", 2)
    for _ in range(4):
        stranger.cookies.clear()
        assert stranger.post("/login", data={"key": KEY}).status_code == 303
    with service.database.read() as connection:
        count = sa.select(sa.func.count()).select_from(tables.sessions)
        assert connection.execute(count).scalar_one() == 2


def test_only_the_login_and_its_style_are_public(stranger: httpx.Client) -> None:
    page = stranger.get("/login", headers=HTML).text
    style = page.partition('rel="stylesheet" href="')[2].partition('"')[0]
    response = stranger.get(style)
    assert response.status_code == 200
    assert "immutable" in response.headers["cache-control"]
    for path in ("/jobs/x", "/jobs/x/log", "/jobs/x/spec", "/jobs/x/results"):
        assert stranger.get(path).headers["location"].startswith("/login?next=")
