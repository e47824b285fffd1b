"""Compare, leaderboard and data sets as pages, and login links."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from shared import tables
from tests.api.service import Service, metric_row


def _finished(service: Service, name: str, values: list[float], **changes: Any) -> str:
    lease = service.start_job(name=name, **changes)
    rows = [
        metric_row("val_accuracy", 10 * epoch, value, epoch=epoch)
        for epoch, value in enumerate(values, start=1)
    ]
    service.record(lease, metrics=rows)
    service.succeed(lease)
    return lease.job_id


@pytest.fixture
def two(service: Service) -> list[str]:
    """Two finished jobs, of which the first is better."""
    good = _finished(service, "good", [0.5, 0.9, 0.8])
    return [good, _finished(service, "bad", [0.4, 0.6], seed=7)]


def test_two_jobs_are_compared_with_their_differences_and_curves(
    browser: httpx.Client, two: list[str]
) -> None:
    page = browser.get(f"/compare?jobs={','.join(two)}").text
    assert "2 jobs differ in 1 field<" in page
    assert "<code>seed</code>" in page
    assert re.search(r'is-best">90\.00 %<span class="hidden"> best</span>', page)
    assert len(re.findall(r'class="line c1 raw" d="M', page)) == 2
    assert "AB: mean of 2 seeds, lowest to highest" in page
    assert page.count('class="area c1" d="M') == 1
    assert re.search(r"75\.00 %<span class=\"sub\">± 15\.00 %", page)
    lines = browser.get(f"/compare?jobs={','.join(two)}&seeds=lines").text
    assert len(re.findall(r'class="line c[12]" d="M', lines)) == 2
    assert 'class="area' not in lines


def test_jobs_with_other_differences_are_lines_of_their_own(
    service: Service, browser: httpx.Client, two: list[str]
) -> None:
    other = _finished(service, "other", [0.1, 0.2], optimizer={"name": "adam"}, seed=9)
    page = browser.get(f"/compare?jobs={two[0]},{other}").text
    assert len(re.findall(r'class="line c[12]" d="M', page)) == 2
    assert "a line each" not in page


def test_values_on_different_data_have_no_best(
    service: Service, browser: httpx.Client, two: list[str]
) -> None:
    other = _finished(service, "other", [0.1, 0.2], dataset="synthetic")
    page = browser.get(f"/compare?jobs={two[0]},{other}").text
    assert "These jobs use different data" in page
    assert "is-best" not in page


def test_the_page_of_tables_says_where_they_are(browser: httpx.Client) -> None:
    page = browser.get("/datasets/table").text
    assert "<code>data/table</code>; a job names one" in page


def test_ticked_jobs_lead_to_their_comparison(browser: httpx.Client, two: list[str]) -> None:
    response = browser.get("/compare", params={"job": two})
    assert response.headers["location"] == f"/compare?jobs={','.join(two)}"
    page = browser.get(f"/compare?jobs={two[0]}").text
    assert re.search(f'value="{two[0]}"[^>]* checked', page)


def test_a_wrong_comparison_says_what_is_wrong(browser: httpx.Client, two: list[str]) -> None:
    response = browser.get(f"/compare?jobs={two[0]},job_x")
    assert response.status_code == 422
    assert "no id of a job" in response.text


def test_the_leaderboard_ranks_by_the_best_value(browser: httpx.Client, two: list[str]) -> None:
    page = browser.get("/leaderboard?dataset=digits").text
    assert page.index("<bdi>good</bdi>") < page.index("<bdi>bad</bdi>")
    assert "90.00 %" in page
    assert "<code>seed</code> 7" in page
    assert "no metric" in browser.get("/leaderboard?dataset=digits&metric=unknown").text
    assert browser.get("/leaderboard").status_code == 200
    assert "left out" not in page


def test_the_leaderboard_draws_the_value_against_the_run_time_and_links_what_is_left_out(
    service: Service, browser: httpx.Client, two: list[str]
) -> None:
    for seconds, job in zip((300, 60), two, strict=True):
        begin = datetime(2026, 1, 1, tzinfo=UTC)
        with service.database.write() as connection:
            connection.execute(
                sa.update(tables.attempts)
                .where(tables.attempts.c.job_id == job)
                .values(started_at=begin, ended_at=begin + timedelta(seconds=seconds))
            )
    waiting = service.submit()
    page = browser.get("/leaderboard?dataset=digits").text
    assert page.count('class="spot is-front"') == 2, "the worse job was faster"
    assert 'aria-label="1. good: 90.00 % in 5 m 00 s"' in page
    assert "run time in minutes" in page
    assert "5 times as long as the shortest" in page
    assert "1 left out</a>: 1 has no value of val_accuracy." in page
    [address] = re.findall('href="(/leaderboard/left-out[^"]*)"', page)
    listed = browser.get(unescape(address)).text
    assert f'href="/jobs/{waiting}"' in listed
    assert "has not started" in listed
    assert f"mlp on digits …{waiting[-6:]}" in listed


def test_data_sets_are_listed_with_their_classes_and_jobs(
    browser: httpx.Client, two: list[str]
) -> None:
    assert 'href="/datasets/digits"' in browser.get("/datasets").text
    page = browser.get("/datasets/digits").text
    assert "10 classes, 1,797 images of 8×8 pixels" in page
    assert "<bdi>good</bdi>" in page
    assert browser.get("/datasets/unknown").status_code == 404


def test_a_built_in_data_set_cannot_be_deleted(browser: httpx.Client) -> None:
    response = browser.post("/datasets/digits/delete")
    assert response.status_code == 409
    assert "built-in" in response.text


def test_a_login_link_needs_a_key_and_opens_a_session(
    service: Service, stranger: httpx.Client
) -> None:
    assert stranger.post("/v1/login-links").status_code == 401
    link = service.post("/v1/login-links").json()
    page = stranger.get(link["path"] + "&next=%2Fdatasets").text
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page))
    assert stranger.post("/login", data=fields).headers["location"] == "/datasets"
    assert link["expires_in_seconds"] == 600
