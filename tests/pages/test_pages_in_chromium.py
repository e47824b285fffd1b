"""What a person meets: clean pages at every width, without scripts, and a job from form to end."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.pages.conftest import IS_COMPLETE, ROOT, Page, Seeded

Open = Callable[..., Page]
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PATHS = (
    *("/", "/?dataset=nothing", "/jobs/{running}", "/jobs/{failed}", "/jobs/{succeeded}/results"),
    *("/jobs/{failed}/log", "/jobs/{failed}/spec", "/jobs/{failed}/fork", "/jobs/new"),
    *("/compare?jobs={succeeded},{again}", "/compare", "/leaderboard?dataset=digits"),
    "/leaderboard/left-out?dataset=digits",
    *("/datasets", "/datasets/synthetic", "/jobs/{running}/predict", "/jobs/{queued}"),
    *("/compare?jobs={succeeded},{again}&seeds=lines", "/jobs/job_01m8e6zqev0498hnd3hxnarj1q"),
    *("/catalog", "/catalog?q=nothing+like+it", "/catalog/architectures/mlp"),
    *("/jobs/{running}/analyses", "/jobs/{queued}/analyses", "/analyses/{analysis}"),
    *("/analyses", "/analyses?kind=curvature&state=failed"),
    *("/keys", "/keys?user=nobody", "/users", "/users/admin", "/audit", "/audit?user=nobody"),
)
MODES = [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")]
SAMPLE = [(1280, "light"), (390, "dark")]


@pytest.mark.parametrize(("width", "scheme"), MODES if IS_COMPLETE else SAMPLE)
def test_pages_fit_load_nothing_foreign_and_have_no_faults(
    seeded: Seeded, open_page: Open, width: int, scheme: str
) -> None:
    page = open_page(width=width, scheme=scheme)
    found: dict[str, Any] = {}
    for path in PATHS:
        page.open(path.format(**seeded.jobs))
        scroll = page.page.evaluate("document.documentElement.scrollWidth")
        if scroll > width:
            found[path] = f"{scroll} px wide"
    _forget_missing_page(page)
    assert found == {}


@pytest.mark.skipif(not AXE.is_file(), reason="axe-core is not installed (npm ci)")
@pytest.mark.parametrize(("width", "scheme"), MODES if IS_COMPLETE else SAMPLE[1:])
def test_pages_are_accessible(seeded: Seeded, open_page: Open, width: int, scheme: str) -> None:
    page = open_page(width=width, scheme=scheme)
    found: dict[str, Any] = {}
    for path in PATHS if IS_COMPLETE else PATHS[:5]:
        page.open(path.format(**seeded.jobs))
        page.page.evaluate(AXE.read_text())
        options = {"runOnly": TAGS}
        result = page.page.evaluate("options => axe.run(document, options)", options)
        wrong = [
            f"{each['id']}: {node['target']} {node['html'][:200]}"
            for each in result["violations"]
            for node in each["nodes"]
        ]
        if wrong:
            found[path] = wrong
    _forget_missing_page(page)
    assert found == {}


def _forget_missing_page(page: Page) -> None:
    """Drop what the browser logs of the page about a job that does not exist."""
    page.faults[:] = [each for each in page.faults if "404" not in each]


def test_everything_works_without_a_script(seeded: Seeded, open_page: Open) -> None:
    page = open_page(has_script=False)
    page.open(f"/jobs/{seeded.jobs['running']}")
    assert page.page.locator("path.line.validation").first.is_visible()
    page.open("/jobs/new")
    page.page.fill('[name="/name"]', "without a script")
    page.page.fill('[name="/training/epochs"]', "2")
    page.page.click('button[value="submit"]:visible')
    page.page.wait_for_url(re.compile("/jobs/job_"))
    page.page.click("summary:text-is('Cancel')")
    page.page.click("button.danger:visible")
    page.page.wait_for_selector(".job-head.cancelled")


def test_a_job_is_submitted_watched_and_cancelled(seeded: Seeded, open_page: Open) -> None:
    from tests.api.service import metric_row  # noqa: PLC0415

    page, service = open_page(), seeded.service
    page.open("/jobs/new")
    page.page.fill('[name="/name"]', "watched")
    page.page.select_option('[name="/priority"]', "high")
    page.page.select_option('[name="/optimizer/name"]', "adam")  # shows its parameters
    page.page.wait_for_selector('[name="/optimizer/beta1"]')
    page.page.fill('[name="/optimizer/beta1"]', "0.8")
    page.page.click('button[value="submit"]:visible')
    page.page.wait_for_url(re.compile("/jobs/job_"))
    job = page.page.url.rpartition("/")[2]
    lease = service.claim()
    assert lease.job_id == job
    page.page.wait_for_selector(".job-head.running")
    for epoch in (1, 2, 3):
        service.record(lease, metrics=[metric_row("val_loss", epoch, 1 / epoch, epoch=epoch)])
    page.page.wait_for_selector("path.line.validation", state="attached")
    page.page.click("summary:text-is('Cancel')")
    page.page.click("button.danger:visible")
    page.page.wait_for_selector("text=cancelling…")
    service.stop(lease)
    page.page.wait_for_selector(".job-head.cancelled")


def test_keys_and_analyses_need_no_script(seeded: Seeded, open_page: Open) -> None:
    page = open_page(has_script=False)
    page.page.click("summary.who")
    page.page.click("text=Keys and sessions")
    page.page.fill("#name", "of a browser")
    page.page.click("text=Make the key")
    assert page.page.locator("#key").input_value().startswith("ts_")
    page.page.click("text=Show all keys")
    row = page.page.locator("tr", has_text="of a browser")
    row.locator("summary:text-is('Revoke')").click()
    row.locator("button.danger").click()
    page.page.wait_for_selector("text=revoked")
    page.open(f"/jobs/{seeded.jobs['running']}/analyses?kind=loss_path&checkpoint=initial")
    page.page.fill("#samples", "100")
    page.page.click("button:text-is('Start')")
    page.page.wait_for_url(re.compile("/analyses/ana_"))
    page.page.click("summary:text-is('Cancel')")
    page.page.click("button.danger:visible")
    page.page.wait_for_selector(".job-head.cancelled")


def test_a_fork_shows_every_fault_at_its_field(seeded: Seeded, open_page: Open) -> None:
    page = open_page()
    page.open(f"/jobs/{seeded.jobs['succeeded']}/fork")
    page.page.fill('[name="/optimizer/learning_rate"]', "1e9")
    page.page.fill('[name="/training/epochs"]', "0")
    page.page.click('button[value="submit"]:visible')
    page.page.wait_for_selector("text=2 faults")
    assert page.page.locator('[aria-invalid="true"]').count() == 2
    page.faults[:] = [each for each in page.faults if "422" not in each]  # the browser logs it
