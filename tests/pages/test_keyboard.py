"""A job from a preset to its comparison without a mouse, and a focus that updates do not take."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.api.service import metric_row
from tests.pages.conftest import Page, Seeded

pytestmark = pytest.mark.long

Open = Callable[..., Page]
MOST_TABS = 250
UPDATES = 50


def _tab_to(page: Any, selector: str, *, text: str = "") -> None:
    """Press Tab until a control has the focus."""
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        found = page.evaluate(
            "([selector, text]) => { const at = document.activeElement;"
            " return at.matches(selector) && at.textContent.includes(text); }",
            [selector, text],
        )
        if found:
            return
    raise AssertionError(f"Tab does not reach {selector} {text}")


def test_everything_is_reached_with_the_keyboard(seeded: Seeded, open_page: Open) -> None:
    opened = open_page()
    page = opened.page
    _tab_to(page, "a.skip")
    _tab_to(page, ".rail a", text="New job")
    page.keyboard.press("Enter")
    page.wait_for_url("**/jobs/new")
    _tab_to(page, "select[name=preset]")
    page.keyboard.type("overtraining")
    _tab_to(page, "button", text="Fill in")
    page.keyboard.press("Enter")
    page.wait_for_url("**/jobs/new?preset=*")
    _tab_to(page, '[name="/name"]')
    page.keyboard.press("Control+A")
    page.keyboard.type("by keyboard")
    _tab_to(page, ".panel button", text="Submit")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/jobs/job_"))
    assert page.inner_text("h1") == "by keyboard"
    _tab_to(page, ".switch a", text="logarithmic")
    page.keyboard.press("Enter")
    page.wait_for_url("**?y=log")
    _tab_to(page, "summary", text="Cancel")
    page.keyboard.press("Enter")
    _tab_to(page, "button.danger")
    page.keyboard.press("Enter")
    page.wait_for_selector(".job-head.cancelled")
    _tab_to(page, ".rail a", text="Queue")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{opened.base}/")
    for name in ("again", "succeeded"):
        _tab_to(page, f'input[type=checkbox][aria-label="Compare {name}"]')
        page.keyboard.press("Space")
    _tab_to(page, "button", text="Compare the ticked jobs")
    page.keyboard.press("Enter")
    page.wait_for_selector("h1:has-text('2 jobs differ in')")


def test_updates_leave_the_focus_where_it_is(seeded: Seeded, open_page: Open) -> None:
    service = seeded.service
    lease = service.start_job(name="in focus", priority="high")
    opened = open_page()
    page = opened.page
    opened.open(f"/jobs/{lease.job_id}")
    page.wait_for_selector("text=● live")
    page.focus(".switch a")
    page.evaluate("document.activeElement.dataset.mine = 'yes'")
    page.evaluate(
        """() => { window.swaps = 0; new MutationObserver(() => { window.swaps += 1; })
        .observe(document.getElementById("charts"), { childList: true }); }"""
    )
    for epoch in range(1, UPDATES + 1):
        row = metric_row("val_loss", 10 * epoch, 1 / epoch, epoch=epoch)
        service.record(lease, metrics=[row], latest={"val_loss": 1 / epoch})
        before = page.evaluate("window.swaps")
        service.wait_until(
            lambda before=before: page.evaluate("window.swaps") > before, f"update {epoch}"
        )
        assert page.evaluate("document.activeElement.dataset.mine") == "yes"
    service.succeed(lease)
