"""The page that predicts uploaded pictures with a job's network."""

from typing import Any

import httpx
import pytest

from shared.jobs.attempts import Lease
from tests.api.jobs.results.files import with_file
from tests.api.service import Service, checkpoint_row
from tests.fakes.sidecar import accept_everything

PNG = b"\x89PNG picture"
TOP_K = [{"class": "<b>cat", "probability": 0.75}, {"class": "dog", "probability": None}]
HOSTILE = "<img src=x onerror=alert(1)>.png"


@pytest.fixture
def lease(service: Service) -> Lease:
    """Start a job with two checkpoints, on a sidecar that predicts."""
    lease = service.start_job(name="job")
    rows = [
        checkpoint_row("best", 10, monitor="val_loss", mode="min", value=0.5),
        checkpoint_row("last", 20, epoch=2),
    ]
    service.record(lease, checkpoints=[with_file(service, lease, row) for row in rows])

    def respond(request: dict[str, Any]) -> dict[str, Any]:
        if request["operation"] != "predict":
            return accept_everything(request)
        names = [picture["name"] for picture in request["pictures"]]
        return {"ok": True, "predictions": [{"name": name, "top_k": TOP_K} for name in names]}

    service.sidecar.respond = respond
    return lease


def _predict(
    browser: httpx.Client, lease: Lease, *files: tuple[str, bytes], **query: str
) -> httpx.Response:
    parts = [("files", each) for each in files]
    return browser.post(f"/jobs/{lease.job_id}/predict", files=parts, params=query)


def test_pictures_are_shown_with_their_most_probable_classes(
    browser: httpx.Client, lease: Lease
) -> None:
    response = _predict(browser, lease, ("cat.png", PNG), (HOSTILE, b"II*\0 a TIFF"))
    assert response.status_code == 200, response.text
    page = response.text
    assert "Predictions of best_val_loss" in page
    assert page.count("&lt;b&gt;cat</bdi>") == 2
    assert "75.00 %" in page
    assert page.count("data:image/png;base64,") == 1  # a browser shows no TIFF
    assert "<img src=x" not in page


def test_the_checkpoint_is_part_of_the_address(browser: httpx.Client, lease: Lease) -> None:
    page = browser.get(f"/jobs/{lease.job_id}/predict?checkpoint=last").text
    assert f'action="/jobs/{lease.job_id}/predict?checkpoint=last"' in page
    page = _predict(browser, lease, ("cat.png", PNG), checkpoint="last").text
    assert "Predictions of last" in page
    response = _predict(browser, lease, ("cat.png", PNG), checkpoint="no-such")
    assert response.status_code == 404
    assert "best_val_loss" in response.text  # the names that exist


def test_an_upload_that_is_refused_says_why_next_to_the_form(
    service: Service, browser: httpx.Client, lease: Lease
) -> None:
    fault = {"pointer": "/files/0", "detail": "cat.png is truncated"}
    service.sidecar.respond = lambda _: {"ok": False, "faults": [fault]}
    response = _predict(browser, lease, ("cat.png", PNG))
    assert response.status_code == 422
    assert "cat.png is truncated" in response.text
    assert 'aria-describedby="problem"' in response.text
    response = browser.post(
        f"/jobs/{lease.job_id}/predict", content=b"x", headers={"Content-Type": "text/plain"}
    )
    assert response.status_code == 415
    assert "trained on images" in response.text


def test_pictures_beyond_the_limit_are_refused_with_a_page(
    browser: httpx.Client, lease: Lease
) -> None:
    response = _predict(browser, lease, ("large.png", bytes(33_000_000)))
    assert response.status_code == 413
    assert "33 MB; at most 32 MB" in response.text
    assert 'type="file"' in response.text


def test_a_job_without_a_checkpoint_says_when_it_predicts(
    service: Service, browser: httpx.Client
) -> None:
    job = service.submit()
    page = browser.get(f"/jobs/{job}/predict").text
    assert "after the first epoch" in page
    assert 'type="file"' not in page
    assert browser.get("/jobs/job_01m8e6zqev0498hnd3hxnarj1q/predict").status_code == 404
