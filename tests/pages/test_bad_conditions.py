"""What goes wrong around a page: no files of the pages, a broken upload, cookies, sessions."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.api.jobs.results.files import with_file
from tests.api.service import KEY, checkpoint_row
from tests.fakes.sidecar import accept_everything
from tests.pages.conftest import Page, Seeded

Open = Callable[..., Page]


def _forget(page: Page, *texts: str) -> None:
    """Drop the faults that the browser logs of what the test causes."""
    page.faults[:] = [each for each in page.faults if not any(text in each for text in texts)]


def test_pages_work_without_their_files(seeded: Seeded, open_page: Open) -> None:
    page = open_page()
    page.page.route("**/assets/**", lambda route: route.abort())
    page.open(f"/jobs/{seeded.jobs['running']}")
    assert page.page.locator("path.line").first.is_visible()
    assert page.page.locator("h1").inner_text() == "running"
    page.open("/jobs/new")
    page.page.fill('[name="/name"]', "without files")
    page.page.click('button[value="submit"] >> nth=0')
    page.page.wait_for_url(re.compile("/jobs/job_"))
    page.page.click("summary:text-is('Cancel')")
    page.page.click("text=Yes, cancel")
    page.page.wait_for_selector("text=cancelled")
    _forget(page, "ERR_FAILED")


def test_an_upload_that_breaks_off_says_so_and_keeps_the_form(
    seeded: Seeded, open_page: Open
) -> None:
    page = open_page()
    page.open("/datasets")
    page.page.route("**/v1/datasets?*", lambda route: route.abort("connectionreset"))
    page.page.fill("[data-upload] [name=name]", "flowers")
    file = {"name": "flowers.zip", "mimeType": "application/zip", "buffer": b"PK" * 500}
    page.page.set_input_files("[data-upload] [name=file]", [file])
    page.page.click("[data-upload] button")
    page.page.wait_for_selector("text=The connection broke off; nothing was stored.")
    assert page.page.input_value("[data-upload] [name=name]") == "flowers"
    assert page.page.is_enabled("[data-upload] button")
    _forget(page, "ERR_CONNECTION_RESET")


def test_the_login_explains_refused_cookies(seeded: Seeded, open_page: Open, chromium: Any) -> None:
    page = open_page()
    context = chromium.new_context()
    try:
        # A browser drops the cookies that a page may not set.
        context.route("**/*", lambda route: route.continue_(
            headers={k: v for k, v in route.request.headers.items() if k != "cookie"}
        ))  # fmt: skip
        other = context.new_page()
        other.goto(f"{page.base}/login")
        context.clear_cookies()
        other.fill("#key", KEY)
        other.evaluate("document.cookie = ''")
        other.click("button.primary")
        context.clear_cookies()
        other.goto(f"{page.base}/login?next=/", referer=f"{page.base}/login")
        assert "Allow cookies" in other.inner_text("main")
    finally:
        context.close()


def test_a_session_that_ends_half_way_loses_no_form(seeded: Seeded, open_page: Open) -> None:
    page = open_page()
    page.open("/jobs/new")
    page.page.fill('[name="/name"]', "typed for ten minutes")
    page.page.context.clear_cookies()
    page.page.click('button[value="submit"]:visible')
    page.page.wait_for_selector("text=Your session has ended")
    page.page.fill("#key", KEY)
    page.page.click("button.primary")
    page.page.click("text=Send it again")
    page.page.wait_for_url(re.compile("/jobs/job_"))
    assert page.page.locator("h1").inner_text() == "typed for ten minutes"
    _forget(page, "401")


def test_a_stale_page_says_what_became_of_the_job(seeded: Seeded, open_page: Open) -> None:
    page, service = open_page(has_script=False), seeded.service
    job = service.submit(name="stale")
    page.open(f"/jobs/{job}")
    service.post(f"/v1/jobs/{job}/cancel")
    page.page.click("button:text-is('Pause')")
    assert "cancelled" in page.page.inner_text("main")
    page.page.click("text=Show the job")
    page.page.wait_for_selector(".job-head.cancelled")
    _forget(page, "409")


def test_pictures_are_predicted_without_a_script(seeded: Seeded, open_page: Open) -> None:
    def respond(request: dict[str, Any]) -> dict[str, Any]:
        if request["operation"] != "predict":
            return accept_everything(request)
        fault = {"pointer": "/files/0", "detail": "a.png is no picture"}
        return {"ok": False, "faults": [fault]}

    page, service = open_page(has_script=False), seeded.service
    lease = service.start_job(name="predicts", priority="high")
    service.record(lease, checkpoints=[with_file(service, lease, checkpoint_row("last"))])
    page.open(f"/jobs/{lease.job_id}/predict")
    service.sidecar.respond = respond
    try:
        file = {"name": "a.png", "mimeType": "image/png", "buffer": b"no"}
        page.page.set_input_files("[name=files]", [file])
        page.page.click("main button.primary")
        page.page.wait_for_selector("#problem")
        assert "Not predicted" in page.page.inner_text("#problem")
    finally:
        service.sidecar.respond = accept_everything
    _forget(page, "422")


@pytest.mark.parametrize("path", ["/jobs/job_01m8e6zqev0498hnd3hxnarj1q", "/datasets/none"])
def test_what_is_gone_is_a_page_with_a_way_on(seeded: Seeded, open_page: Open, path: str) -> None:
    page = open_page()
    page.open(path)
    page.page.click("text=Show the queue")
    page.page.wait_for_url(f"{page.base}/")
    _forget(page, "404")
