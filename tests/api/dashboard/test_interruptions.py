"""Sessions that end half-way, refused cookies, stale pages, and actions that two tabs make."""

import re
from html import unescape

import httpx
import pytest

from api.dashboard.saved_form import ADDRESS, FIELD
from tests.api.service import KEY, Service

FORM = {
    "/name": "kept & <safe>",
    "/dataset/name": "digits",
    "/architecture/name": "mlp",
    "once": "a1",
    "action": "submit",
}


def _hidden(page: str) -> dict[str, str]:
    found = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page)
    return {name: unescape(value) for name, value in found}


def test_a_form_sent_after_the_end_of_the_session_is_kept_through_the_login(
    service: Service, browser: httpx.Client
) -> None:
    browser.cookies.clear()
    response = browser.post("/jobs/new", data=FORM)
    assert response.status_code == 401
    assert "Your session has ended" in response.text
    login = _hidden(response.text)
    assert login[ADDRESS] == "/jobs/new"
    assert login[f"{FIELD}/name"] == FORM["/name"]
    # A wrong key loses nothing either.
    wrong = browser.post("/login", data={**login, "key": "wrong"})
    assert _hidden(wrong.text)[f"{FIELD}/name"] == FORM["/name"]
    page = browser.post("/login", data={**login, "key": KEY}).text
    assert 'action="/jobs/new"' in page
    assert _hidden(page) == FORM
    assert service.client.get("/v1/jobs").json()["data"] == []  # nothing is sent without a click
    response = browser.post("/jobs/new", data=_hidden(page))
    job = response.headers["location"].removeprefix("/jobs/")
    assert service.job(job)["name"] == FORM["/name"]


@pytest.mark.parametrize("origin", ["http://evil.example", None])
def test_a_form_of_a_foreign_page_is_not_kept(stranger: httpx.Client, origin: str | None) -> None:
    del stranger.headers["Origin"]
    headers = {} if origin is None else {"Origin": origin}
    response = stranger.post("/jobs/new", data=FORM, headers=headers)
    assert response.headers["location"] == "/login?next=%2F"


def test_an_address_of_another_host_is_not_kept(stranger: httpx.Client) -> None:
    data = {ADDRESS: "//evil.example/x", f"{FIELD}a": "b", "key": KEY}
    response = stranger.post("/login", data=data)
    assert (response.status_code, response.headers["location"]) == (303, "/")


def test_an_upload_after_the_end_of_the_session_leads_back_to_its_page(
    service: Service, browser: httpx.Client
) -> None:
    job = service.submit()
    browser.cookies.clear()
    response = browser.post(f"/jobs/{job}/predict", files={"files": ("a.png", b"x")})
    assert response.headers["location"] == f"/login?next=%2Fjobs%2F{job}%2Fpredict"


def test_the_login_says_that_a_browser_refuses_cookies(stranger: httpx.Client) -> None:
    assert stranger.post("/login", data={"key": KEY}).status_code == 303
    stranger.cookies.clear()
    address = str(stranger.base_url).rstrip("/")
    page = stranger.get("/login?next=%2F", headers={"Referer": f"{address}/login"}).text
    assert "Allow cookies" in page
    page = stranger.get("/login?next=%2F", headers={"Referer": f"{address}/jobs/x"}).text
    assert "Allow cookies" not in page


def test_a_stale_page_leads_back_to_the_job(service: Service, browser: httpx.Client) -> None:
    job = service.submit()
    browser.post(f"/jobs/{job}/cancel")
    response = browser.post(f"/jobs/{job}/pause")
    assert response.status_code == 409
    assert f'href="/jobs/{job}"' in response.text
    missing = browser.post("/jobs/job_01m8e6zqev0498hnd3hxnarj1q/pause")
    assert (missing.status_code, "Show the job" in missing.text) == (404, False)


@pytest.mark.parametrize("verb", ["cancel", "pause"])
def test_two_tabs_that_act_at_once_get_the_same_answer(
    service: Service, browser: httpx.Client, verb: str
) -> None:
    job = service.submit()
    answers = [browser.post(f"/jobs/{job}/{verb}", data={"back": "/"}) for _ in range(2)]
    assert [each.headers["location"] for each in answers] == ["/", "/"]


def test_a_form_that_is_sent_twice_makes_one_job(service: Service, browser: httpx.Client) -> None:
    answers = [browser.post("/jobs/new", data=FORM) for _ in range(2)]
    assert len({each.headers["location"] for each in answers}) == 1
    assert len(service.client.get("/v1/jobs").json()["data"]) == 1


def test_a_retry_by_two_tabs_is_one_job(service: Service, browser: httpx.Client) -> None:
    job = service.submit()
    browser.post(f"/jobs/{job}/cancel")
    answers = [browser.post(f"/jobs/{job}/retry") for _ in range(2)]
    assert len({each.headers["location"] for each in answers}) == 1


def test_every_fault_of_a_form_stands_at_its_field(browser: httpx.Client) -> None:
    wrong = {
        "/dataset/name": "no-such",
        "/optimizer/learning_rate": "-1",
        "/training/epochs": "0",
        "/training/batch_size": "many",
        "/seed": "1.5",
    }
    sent = browser.post("/jobs/new", data={**FORM, **wrong})
    assert sent.status_code == 303
    page = browser.get(sent.headers["location"])
    for pointer, value in wrong.items():
        [field] = re.findall(f'<(?:input|select)[^>]* name="{pointer}"[^>]*>', page.text)
        assert 'aria-invalid="true"' in field, pointer
        assert value in page.text  # what was typed stays


def test_a_job_that_is_gone_is_a_page_that_says_so(service: Service, browser: httpx.Client) -> None:
    job = service.submit(name="secret")
    browser.post(f"/jobs/{job}/cancel")
    assert service.client.delete(f"/v1/jobs/{job}").status_code == 200
    for path in ("", "/results", "/predict", "/log", "/spec", "/fork"):
        response = browser.get(f"/jobs/{job}{path}")
        assert response.status_code == 404
        assert "Show the queue" in response.text
