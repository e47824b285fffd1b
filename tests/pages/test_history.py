"""Back, forward and reload of the browser, with and without scripts: what was typed stays."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.pages.conftest import Page, Seeded

Open = Callable[..., Page]
VALID, FAULT = "#result .succeeded", "text=1 fault"


def _value(page: Any, pointer: str) -> str:
    return page.input_value(f'[name="{pointer}"]')


@pytest.mark.parametrize("has_script", [pytest.param(True, marks=pytest.mark.long), False])
def test_back_and_reload_show_what_was_typed(
    seeded: Seeded, open_page: Open, has_script: bool
) -> None:
    opened = open_page(has_script=has_script)
    page = opened.page
    page.set_default_timeout(10_000)
    opened.open("/jobs/new")
    page.fill('[name="/name"]', "typed")
    page.fill('[name="/optimizer/learning_rate"]', "1e9")
    page.click('.panel button[value="submit"]')
    page.wait_for_selector(FAULT)
    page.reload()
    page.wait_for_selector(FAULT)
    assert (_value(page, "/name"), _value(page, "/optimizer/learning_rate")) == ("typed", "1e9")
    page.fill('[name="/optimizer/learning_rate"]', "0.5")
    page.click('.panel button[value="check"]')
    page.wait_for_selector(VALID)
    page.click('.panel button[value="submit"]')
    page.wait_for_url(re.compile("/jobs/job_"))
    submitted = page.url
    for shown, rate in ((VALID, "0.5"), (FAULT, None)):
        page.go_back()
        page.wait_for_selector(shown)
        assert _value(page, "/name") == "typed"
        assert rate is None or _value(page, "/optimizer/learning_rate") == rate
    page.go_back()
    page.wait_for_selector("h1:text-is('New job')")
    assert _value(page, "/name") == "typed"
    for _ in range(3):
        page.go_forward()
    page.wait_for_url(submitted)
    page.go_back()
    page.fill('[name="/seed"]', "5")
    page.click('.panel button[value="submit"]')
    page.wait_for_url(lambda url: "/jobs/job_" in url and url != submitted)


def test_a_chosen_method_shows_its_fields_where_the_person_is(
    seeded: Seeded, open_page: Open
) -> None:
    opened = open_page()
    page = opened.page
    opened.open(f"/jobs/{seeded.jobs['succeeded']}/fork")
    page.fill('[name="/seed"]', "77")
    page.select_option('[name="/optimizer/name"]', "adam")
    page.wait_for_selector('[name="/optimizer/beta1"]')
    assert page.url.endswith("#f-optimizer-name")
    assert _value(page, "/seed") == "77"
    top = page.locator('[name="/optimizer/name"]').bounding_box()["y"]
    assert 0 <= top < page.viewport_size["height"]
