"""A browser with a session, on a service with jobs in every state; it records what must not be."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from shared.database import Database
from shared.errors import Failure
from shared.jobs import attempts
from tests.api.jobs.results.files import with_file
from tests.api.service import KEY, Service, checkpoint_row, metric_row, serve
from tests.databases import make_tables
from tests.fakes.sidecar import accept_everything

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
IS_COMPLETE = os.environ.get("TRAINSHED_TEST_PAGES") == "all"
HOSTILE = "<img src=x onerror=alert(1)> hx-get=/x onclick=alert(2) " + "long" * 30


@dataclass
class Seeded:
    """A service with jobs, by what they show."""

    service: Service
    jobs: dict[str, str] = field(default_factory=dict)


@dataclass
class Page:
    """A page of the browser, and what happened that must not."""

    page: Any
    base: str
    faults: list[str]

    def open(self, path: str) -> None:
        self.page.goto(self.base + path)


@pytest.fixture(scope="package")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seeded]:
    """Serve a database with jobs that run, wait, succeeded and failed."""
    home = tmp_path_factory.mktemp("pages")
    database = Database(f"sqlite:///{home / 'test.db'}", pool_size=1)
    make_tables(database)
    database.close()
    with serve(f"sqlite:///{home / 'test.db'}", home) as service:
        service.sidecar.respond = accept_everything
        seeded = Seeded(service)
        for name, seed in (("succeeded", 1), ("again", 2)):
            lease = service.start_job(name=name, seed=seed)
            _record(service, lease, seed)
            service.succeed(lease, epochs=30, steps=300, stages={"training": {"text": "done"}})
            seeded.jobs[name] = lease.job_id
        lease = service.start_job(name=HOSTILE, tags={"<b>x": HOSTILE})
        _record(service, lease, 3)
        failure = Failure(kind="diverged", message=HOSTILE, hint="Use a smaller learning_rate.")
        with service.database.write() as connection:
            attempts.fail(connection, lease, failure)
        seeded.jobs["failed"] = lease.job_id
        lease = service.start_job(name="running")
        _record(service, lease, 4)
        seeded.jobs["running"] = lease.job_id
        seeded.jobs["queued"] = service.submit(name="queued")
        row = with_file(service, lease, checkpoint_row("initial", 0, epoch=0))
        service.record(lease, checkpoints=[row])
        body = {"kind": "curvature", "checkpoint": "initial"}
        analysis = service.post(f"/v1/jobs/{lease.job_id}/analyses", body).json()
        seeded.jobs["analysis"] = analysis["id"]
        yield seeded


def _record(service: Service, lease: Any, seed: int) -> None:
    values = [(epoch, 1 / epoch + seed / 100) for epoch in range(1, 31)]
    rows = [metric_row("val_loss", 10 * epoch, value, epoch=epoch) for epoch, value in values]
    rows += [
        metric_row("train_loss", 10 * epoch, value * 0.8, epoch=epoch) for epoch, value in values
    ]
    rows += [
        metric_row("val_accuracy", 10 * epoch, 1 - value / 2, epoch=epoch)
        for epoch, value in values
    ]
    rows.append(metric_row("val_loss", 310, float("nan"), epoch=31))
    service.record(lease, metrics=rows, checkpoints=[checkpoint_row("last")])


@pytest.fixture(scope="package")
def chromium() -> Iterator[Any]:
    """Start Chromium; without it, tests of pages are skipped.

    Playwright leaves an event loop running in this thread until it is stopped, so it must not
    outlive these tests.
    """
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only where it is used

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(seeded: Seeded, chromium: Any) -> Iterator[Callable[..., Page]]:
    """Return a function that opens a page with a session; its faults must be empty at the end."""
    contexts: list[Any] = []
    opened: list[Page] = []
    base = str(seeded.service.client.base_url).rstrip("/")

    def open_(*, width: int = 1280, scheme: str = "light", has_script: bool = True) -> Page:
        context = chromium.new_context(
            viewport={"width": width, "height": 800},
            color_scheme=scheme,
            java_script_enabled=has_script,
        )
        context.set_default_timeout(60_000)
        contexts.append(context)
        page, faults = context.new_page(), []
        page.on("console", lambda each: _note(faults, each.type == "error", each.text))
        page.on("pageerror", lambda each: _note(faults, True, str(each)))
        page.on(
            "dialog", lambda each: (_note(faults, True, f"dialog {each.message}"), each.dismiss())
        )
        page.on("request", lambda each: _note(faults, not _is_own(each.url, base), each.url))
        page.goto(f"{base}/login")
        page.fill("#key", KEY)
        page.click("button.primary")
        page.wait_for_url(f"{base}/")
        opened.append(Page(page, base, faults))
        return opened[-1]

    yield open_
    for context in contexts:
        context.close()
    assert [fault for page in opened for fault in page.faults] == []


def _note(faults: list[str], is_fault: bool, text: str) -> None:
    if is_fault:
        faults.append(text)


def _is_own(url: str, base: str) -> bool:
    return url.startswith((base + "/", "data:", "blob:"))
