"""The home page: what waits and why, what needs attention, what ended."""

import re
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from api.dashboard.api_client import ApiClient
from shared import tables
from shared.errors import Failure
from shared.jobs import attempts, liveness
from tests.api.queue.simulated import show_devices
from tests.api.service import Service


def _read_queue_again(service: Service) -> None:
    service.app.state.services.queue_order._read_at = float("-inf")


def _add_device(service: Service) -> None:
    device = {"name": "cpu:0", "model": "", "uuid": "cpu", "memory_mib": 0}
    with service.database.write() as connection:
        liveness.record_worker(connection, worker="w", host="h", pid=1, devices=[device])


def _fail(service: Service, **changes: Any) -> str:
    lease = service.start_job(**changes)
    failure = Failure(kind="out_of_memory", message="needs 9.2 GB", hint="Use batch_size 64.")
    with service.database.write() as connection:
        attempts.fail(connection, lease, failure)
    return lease.job_id


def _section(page: str, title: str) -> str:
    found = re.search(f"<h2[^>]*>{title}</h2>(.*?)</section>", page, re.DOTALL)
    return found[1] if found else ""


def test_waiting_jobs_are_in_the_order_of_their_start_with_reasons(
    service: Service, browser: httpx.Client
) -> None:
    _add_device(service)
    service.start_job(name="runs")
    for name, priority in (("second", "normal"), ("third", "low"), ("first", "high")):
        service.submit(name=name, priority=priority)
    _read_queue_again(service)
    page = browser.get("/").text
    assert "1 running · 3 waiting" in page
    waiting = _section(page, "Waiting")
    assert re.findall(r"<bdi>(\w+)</bdi></a>", waiting) == ["first", "second", "third"]
    assert "All devices that it could use are busy." in waiting
    assert waiting.count("Earlier jobs take what is free.") == 2


def test_the_oldest_of_many_waiting_jobs_is_the_first_row(
    service: Service, browser: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.dashboard.waiting.MAX_LISTED", 2)
    monkeypatch.setattr("api.dashboard.waiting.MAX_ROWS", 3)
    for number in range(5):
        service.submit(name=f"job-{number}")
    _read_queue_again(service)
    page = browser.get("/").text
    assert re.findall(r"<bdi>(job-\d)</bdi></a>", _section(page, "Waiting")) == [
        *("job-0", "job-1", "job-2")
    ]
    assert "0 running · 5 waiting" in page
    assert "And 2 more" in page
    assert _section(page, "Waiting").count("<bdi>digits</bdi>") == 3


def test_a_job_submitted_since_the_queue_was_read_is_listed(
    service: Service, browser: httpx.Client
) -> None:
    _read_queue_again(service)
    service.client.get("/v1/queue")
    service.app.state.services.queue_order._read_at = float("inf")  # this snapshot stays
    try:
        service.submit(name="late")
        page = browser.get("/").text
    finally:
        _read_queue_again(service)
    assert "0 running · 1 waiting" in page
    assert "<bdi>late</bdi>" in _section(page, "Waiting")


def test_the_page_of_a_waiting_job_explains_what_blocks_it(
    service: Service, browser: httpx.Client
) -> None:
    _add_device(service)
    running = service.start_job(name="runs").job_id
    ahead, job = service.submit(), service.submit()
    _read_queue_again(service)
    why = _section(browser.get(f"/jobs/{job}").text, "Why it waits")
    assert "1 job is ahead of it." in why
    assert f"/jobs/{running}" in why
    assert f"/jobs/{ahead}" in why


def test_a_waiting_job_shows_the_changes_with_which_it_would_start_now(
    service: Service, browser: httpx.Client
) -> None:
    _add_device(service)
    _, job = service.submit(), service.submit()
    _read_queue_again(service)
    why = _section(browser.get(f"/jobs/{job}").text, "Why it waits")
    assert "Starts now with</dt><dd><code>priority = high</code>" in why


def test_a_waiting_job_shows_the_fork_with_which_it_would_start_now(
    service: Service, browser: httpx.Client
) -> None:
    show_devices(service, {}, {})
    service.start_job()
    with service.database.write() as connection:
        connection.execute(sa.update(tables.live).values(worker="w", devices=["sim:0"]))
    job = service.submit(resources={"gpus": 2})
    _read_queue_again(service)
    why = _section(browser.get(f"/jobs/{job}").text, "Why it waits")
    link = f'<a href="/jobs/{job}/fork">fork</a> in place of this job'
    assert f"{link} with <code>resources.gpus = 1</code>" in why


def test_jobs_that_ended_are_listed_behind_many_that_wait(
    service: Service, browser: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.dashboard.home.PAGE", 2)
    ended = [_fail(service, name=f"ended-{number}") for number in range(3)]
    for _ in range(3):
        service.submit()
    page = browser.get("/").text
    assert re.findall(r"<bdi>(ended-\d)</bdi></a>", _section(page, "Recent")) == [
        *("ended-2", "ended-1")
    ]
    older = re.search(r'href="([^"]+)" rel="next"', page)
    assert older is not None
    page = browser.get(older[1]).text
    assert f"/jobs/{ended[0]}" in page
    assert 'rel="next"' not in page


def test_a_list_without_an_ended_job_says_so(service: Service, browser: httpx.Client) -> None:
    service.submit()
    page = browser.get("/").text
    assert "No job has ended yet." in page
    assert "No job matches" not in page


def test_a_failed_job_shows_its_cause_and_hint_at_the_top(
    service: Service, browser: httpx.Client
) -> None:
    job = _fail(service, name="too-large")
    for path in ("/", f"/jobs/{job}"):
        page = browser.get(path).text
        for text in ("out_of_memory", "needs 9.2 GB", "Use batch_size 64."):
            assert text in page
        assert f'action="/jobs/{job}/retry"' in page
    assert "too-large" in _section(browser.get("/").text, "Attention")


def test_a_failed_job_that_was_retried_needs_no_attention(
    service: Service, browser: httpx.Client
) -> None:
    job = _fail(service, name="too-large")
    lease_of_retry = service.post(f"/v1/jobs/{job}/retry").json()["id"]
    service.claim()
    page = browser.get("/").text
    assert _section(page, "Attention") == ""
    assert f"/jobs/{lease_of_retry}" in page


def test_jobs_of_others_that_failed_need_no_attention_of_mine(
    service: Service, browser: httpx.Client
) -> None:
    job = _fail(service)
    with service.database.write() as connection:
        of_job = sa.update(tables.jobs).where(tables.jobs.c.id == job)
        connection.execute(of_job.values(owner="ada"))
    page = browser.get("/").text
    assert _section(page, "Attention") == ""
    assert "out_of_memory" in _section(page, "Recent")


def test_a_job_that_starts_while_its_page_is_made_is_not_explained(
    service: Service, browser: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = service.submit()
    get = ApiClient.get

    async def start_before_explaining(self: ApiClient, path: str, **query: Any) -> Any:
        if path.endswith("/explain"):
            service.claim()
        return await get(self, path, **query)

    monkeypatch.setattr(ApiClient, "get", start_before_explaining)
    response = browser.get(f"/jobs/{job}")
    assert response.status_code == 200
    assert "Why it waits" not in response.text
