"""The analyses of a job as pages: started from a checkpoint, followed, cancelled, and read."""

import re
from typing import Any

import httpx
import pytest

from api.dashboard.analyses import view
from shared.errors import Failure
from shared.jobs import attempts, liveness
from shared.jobs.attempts import Lease
from tests.api.jobs.results.files import CONTENT, artifact_of, with_file
from tests.api.service import Service, checkpoint_row

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def lease(service: Service) -> Lease:
    """Start a job with an initial and a last checkpoint."""
    lease = service.start_job(name=HOSTILE)
    rows = [checkpoint_row("initial", 0, epoch=0), checkpoint_row("last", 20, epoch=2)]
    service.record(lease, checkpoints=[with_file(service, lease, row) for row in rows])
    return lease


def _start(browser: httpx.Client, lease: Lease, **fields: str) -> str:
    """Start an analysis by the form and return its id."""
    data = {"kind": "curvature", "checkpoint": "last", **fields}
    response = browser.post(f"/jobs/{lease.job_id}/analyses", data=data)
    assert response.status_code == 303, response.text
    return response.headers["location"].removeprefix("/analyses/")


def _finish(service: Service, **result: Any) -> None:
    own = service.claim()
    service.record(own, artifacts=[artifact_of(service, own, "spectrum.png", "image/png")])
    service.succeed(own, **result)


def test_an_analysis_is_started_from_a_checkpoint_and_read(
    service: Service, browser: httpx.Client, lease: Lease
) -> None:
    page = browser.get(f"/jobs/{lease.job_id}").text
    assert f'href="/jobs/{lease.job_id}/analyses?checkpoint=initial"' in page
    page = browser.get(f"/jobs/{lease.job_id}/analyses?checkpoint=initial").text
    assert "<option selected>initial</option>" in page
    analysis = _start(browser, lease, checkpoint="initial", samples="16", tolerance="")
    assert "the queue; analyses start before" in browser.get(f"/analyses/{analysis}").text
    issues = [{"sample": 3, "label": HOSTILE, "suggested": "dog"}]
    lambda_max = {"value": 1.25, "interval": [1.0, 1.5]}
    summary = ["The point is a saddle.", HOSTILE]
    _finish(service, summary=summary, lambda_max=lambda_max, issues=issues, is_critical=True)
    page = browser.get(f"/analyses/{analysis}").text
    assert "The point is a saddle." in page
    assert re.search(
        r"<code>lambda_max.interval</code></th><td class=\"n\">1, 1.5", page.replace("1.500", "1.5")
    )
    assert '<code>is_critical</code></th><td class="n">yes' in page
    assert f'<img src="/analyses/{analysis}/pictures/spectrum.png"' in page
    picture = browser.get(f"/analyses/{analysis}/pictures/spectrum.png")
    assert (picture.headers["content-type"], picture.content) == ("image/png", CONTENT)
    assert picture.headers["x-content-type-options"] == "nosniff"
    assert browser.get(f"/analyses/{analysis}/pictures/other.png").status_code == 404
    assert "&lt;img src=x" in page
    assert "<img src=x" not in page
    assert " data-final" in page
    listed = browser.get(f"/jobs/{lease.job_id}/analyses").text
    assert "The point is a saddle." in listed


def test_progress_is_shown_and_an_analysis_is_cancelled(
    service: Service, browser: httpx.Client, lease: Lease
) -> None:
    analysis = _start(browser, lease)
    own = service.claim()
    progress = {"step": 3, "steps": 10, "fraction": 0.3, "eta_seconds": 7.0}
    with service.database.write() as connection:
        liveness.record_heartbeat(connection, own, pid=2**30, progress=progress)
    page = browser.get(f"/analyses/{analysis}").text
    assert "Step 3 of 10, 7.0 s to go" in page
    assert " data-final" not in page
    response = browser.post(f"/analyses/{analysis}/cancel")
    assert response.headers["location"] == f"/analyses/{analysis}"
    page = browser.get(f"/analyses/{analysis}").text
    assert "cancelling…" in page
    assert f'action="/analyses/{analysis}/cancel"' not in page


def test_a_failure_shows_its_cause_and_a_stale_page_what_is_possible(
    service: Service, browser: httpx.Client, lease: Lease
) -> None:
    analysis = _start(browser, lease)
    failure = Failure(kind="diverged", message="the loss is not finite", hint="Use an earlier one.")
    own = service.claim()
    with service.database.write() as connection:
        attempts.fail(connection, own, failure)
    page = browser.get(f"/analyses/{analysis}").text
    for text in ("diverged", "the loss is not finite", "Use an earlier one."):
        assert text in page
    response = browser.post(f"/analyses/{analysis}/cancel")
    assert (response.status_code, "only a queued or running" in response.text) == (409, True)


def test_faults_are_shown_at_their_fields(browser: httpx.Client, lease: Lease) -> None:
    data = {"kind": "curvature", "checkpoint": "last", "samples": "4", "iterations": "many"}
    page = browser.post(f"/jobs/{lease.job_id}/analyses", data=data)
    assert (page.status_code, page.text.count('aria-invalid="true"')) == (422, 2)
    assert 'value="many"' in page.text
    assert "2 faults" in page.text


def test_each_kind_has_a_form_with_its_parameters(browser: httpx.Client, lease: Lease) -> None:
    for kind, field in (("loss_path", "start_job"), ("loss_surface", "normalization")):
        page = browser.get(f"/jobs/{lease.job_id}/analyses?kind={kind}").text
        assert f'name="{field}"' in page
        assert f'name="kind" value="{kind}"' in page


def test_a_job_without_a_checkpoint_says_so(service: Service, browser: httpx.Client) -> None:
    page = browser.get(f"/jobs/{service.submit()}/analyses").text
    assert "no checkpoint yet" in page
    assert "not analysed yet" in page


def test_an_analysis_that_does_not_exist_is_a_page(browser: httpx.Client) -> None:
    for analysis in ("ana_x", "ana_" + "0" * 26):
        response = browser.get(f"/analyses/{analysis}")
        assert response.status_code == 404
        assert response.headers["content-type"].startswith("text/html")


def test_values_of_any_result_are_rows() -> None:
    result = {
        "a": {"b": "nan", "c": [1, 2]},
        "d": [[1, 2, 3]] * 2,
        "e": list(range(9)),
        "f": None,
        "g": "x",
    }
    assert view.values(result) == [
        ("a.b", "NaN"),
        ("a.c", "1, 2"),
        ("d", "2 × 3 values, in the files"),
        ("e", "9 values, in the files"),
        ("f", "–"),
        ("g", "x"),
    ]
    assert view.values(None) == view.tables(None) == []


def test_analyses_of_all_jobs_are_on_a_page_with_filters(
    service: Service, browser: httpx.Client, lease: Lease
) -> None:
    assert "Nothing was analysed yet" in browser.get("/analyses").text
    first, second = (_start(browser, lease, seed=str(seed)) for seed in (0, 1))
    _finish(service, summary=["The point is a saddle.", "Second."])
    page = browser.get("/analyses").text
    assert page.index(f"/analyses/{second}") < page.index(f"/analyses/{first}")
    assert "The point is a saddle." in page
    assert "Second." not in page
    assert f'<a href="/jobs/{lease.job_id}/analyses"><bdi>&lt;img src=x' in page
    waiting = browser.get("/analyses?state=queued&kind=curvature&owner=").text
    assert f"/analyses/{second}" in waiting
    assert f"/analyses/{first}" not in waiting
    assert "No analysis matches" in browser.get("/analyses?kind=loss_path").text
    wrong = browser.get("/analyses?kind=curvatur")
    assert (wrong.status_code, "Did you mean" in wrong.text) == (422, True)
