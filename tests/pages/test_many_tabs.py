"""Many pages in one browser, which has six connections to a host for all of them."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.pages.conftest import Page, Seeded

pytestmark = pytest.mark.long

Open = Callable[..., Page]
TABS, MOST_STREAMS = 8, 5
HIDE = """(isHidden) => {
  Object.defineProperty(document, "hidden", { get: () => isHidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def _waiting(seeded: Seeded) -> int:
    """Return how many requests wait at the server for a change of a job."""
    return seeded.service.app.state.services.watcher.count_waiting()


def _tabs(page: Page, path: str) -> list[Any]:
    """Open a page in further tabs of the same browser; each must be live."""
    tabs = [page.page, *(page.page.context.new_page() for _ in range(TABS - 1))]
    for tab in tabs:
        tab.goto(page.base + path)
        tab.wait_for_selector("text=● live")
    return tabs


def test_eight_tabs_are_live_with_at_most_five_streams(seeded: Seeded, open_page: Open) -> None:
    page, service = open_page(), seeded.service
    lease = service.start_job(name="watched by eight", priority="high")
    tabs = _tabs(page, f"/jobs/{lease.job_id}")
    most = 0
    for _ in range(40):
        page.page.wait_for_timeout(50)
        most = max(most, _waiting(seeded))
    assert 1 <= most <= MOST_STREAMS
    service.succeed(lease)
    for tab in tabs:
        tab.wait_for_selector(".job-head.succeeded", state="attached")


def test_a_hidden_tab_ends_its_stream_and_is_current_when_it_is_shown_again(
    seeded: Seeded, open_page: Open
) -> None:
    page, service = open_page(), seeded.service
    lease = service.start_job(name="hidden", priority="high")
    page.open(f"/jobs/{lease.job_id}")
    page.page.wait_for_selector("text=● live")
    service.wait_until(lambda: _waiting(seeded) == 1, "the stream of the page")
    page.page.evaluate(HIDE, True)
    page.page.wait_for_selector("text=○ paused")
    service.wait_until(lambda: _waiting(seeded) == 0, "the end of the stream")
    service.succeed(lease)
    page.page.wait_for_timeout(500)
    assert page.page.locator(".job-head.running").count() == 1
    page.page.evaluate(HIDE, False)
    page.page.wait_for_selector(".job-head.succeeded", state="attached")
