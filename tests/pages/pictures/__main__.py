"""Starts a real box, trains small jobs, and writes a picture of every page to `docs/pictures/`."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import sync_playwright

from benchmarks.boxes import Box, exit_on_signals, started
from tests.pages.conftest import CHROMIUM, ROOT
from tests.pages.pictures import box_with_jobs as content
from tests.pages.pictures.camera import Camera, Shot

FOLDER = ROOT / "docs" / "pictures"
PHONE = 390


def main(folder: Path = FOLDER) -> int:
    """Take all pictures; return 1 where Chromium is missing."""
    if CHROMIUM is None:
        sys.stderr.write("Chromium is not installed; on Debian: apt-get install chromium\n")
        return 1
    exit_on_signals()
    folder.mkdir(parents=True, exist_ok=True)
    with (
        started(TRAINSHED_THREADS="1", TRAINSHED_CPU_SLOTS="1") as box,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        key = box.http.headers["Authorization"].removeprefix("Bearer ")
        camera = Camera(browser, str(box.http.base_url).rstrip("/"), key, folder)
        camera.take(empty_pages())
        content.upload(box, "shapes", content.shapes())
        content.upload(box, "leaves", content.broken_zip())
        jobs = content.train_digits(box) | {"shapes-vgg": content.train_shapes(box)}
        camera.take([*job_pages(box, jobs), *other_pages(jobs)])
        found = content.analyse(box, jobs["mlp-seed-1"])
        camera.take(analysis_pages(jobs["mlp-seed-1"], found))
        jobs |= content.start_long_jobs(box)
        camera.take(busy_pages(jobs))
        browser.close()
    total = sum(path.stat().st_size for path in folder.glob("*.png"))
    sys.stdout.write(f"{len(list(folder.glob('*.png')))} pictures, {total / 1e6:.2f} MB\n")
    return 0


def empty_pages() -> list[Shot]:
    """Return the pages of a box without jobs, and those without a session."""
    return [
        Shot("home-empty", "/"),
        Shot("compare-empty", "/compare", PHONE),
        Shot("leaderboard-empty", "/leaderboard?dataset=digits"),
        Shot("login", "/login", has_session=False),
        Shot("login-wrong-key", "/login", PHONE, "dark", _log_in_wrongly, has_session=False),
    ]


def job_pages(box: Box, jobs: dict[str, str]) -> list[Shot]:
    """Return the pages of finished jobs."""
    good, shapes = (f"/jobs/{jobs[name]}" for name in ("mlp-seed-1", "shapes-vgg"))
    failed, slow = (f"/jobs/{jobs[name]}" for name in ("mlp-too-fast", "mlp-small-steps"))
    cell = _largest_confusion(box, jobs["shapes-vgg"])
    return [
        Shot("job", good),
        Shot("job-dark", good, scheme="dark"),
        Shot("job-phone", good, PHONE),
        Shot("job-failed", failed),
        Shot("job-failed-phone", failed, PHONE, "dark"),
        Shot("job-finding", slow),
        Shot("results", f"{good}/results"),
        Shot("results-phone", f"{good}/results", PHONE, "dark"),
        Shot("confusion-cell", f"{shapes}/results?{cell}", scheme="dark"),
        Shot("predict", f"{shapes}/predict", action=_predict),
        Shot("predict-fault", f"{shapes}/predict", PHONE, action=_predict_text),
        Shot("specification", f"{good}/spec"),
        Shot("log", f"{good}/log", scheme="dark"),
        Shot("fork", f"{good}/fork", action=_check),
    ]


def other_pages(jobs: dict[str, str]) -> list[Shot]:
    """Return the pages about several jobs, data sets and what is missing."""
    seeds = ",".join(jobs[f"mlp-seed-{seed}"] for seed in (1, 2, 3))
    some = ",".join(jobs[name] for name in ("mlp-seed-1", "mlp-adam", "mlp-augmented"))
    return [
        Shot("compare", f"/compare?jobs={some}"),
        Shot("compare-seeds", f"/compare?jobs={seeds},{jobs['mlp-adam']}", scheme="dark"),
        Shot("compare-phone", f"/compare?jobs={some}", PHONE),
        Shot("leaderboard", "/leaderboard?dataset=digits"),
        Shot("leaderboard-phone", "/leaderboard?dataset=digits", PHONE, "dark"),
        Shot("datasets", "/datasets"),
        Shot("dataset", "/datasets/shapes"),
        Shot("dataset-phone", "/datasets/shapes", PHONE, "dark"),
        Shot("dataset-rejected", "/datasets/leaves"),
        Shot("submit", "/jobs/new?preset=small-vgg-plain"),
        Shot("submit-faults", "/jobs/new", scheme="dark", action=_submit_faults),
        Shot("submit-phone", "/jobs/new", PHONE),
        Shot("catalogue", "/catalog"),
        Shot("method", "/catalog/schedules/cosine", scheme="dark"),
        Shot("method-phone", "/catalog/optimizers/adam", PHONE),
        Shot("keys", "/keys"),
        Shot("people", "/users", scheme="dark"),
        Shot("audit", "/audit", PHONE),
        Shot("not-found", "/jobs/job_01m8e6zqev0498hnd3hxnarj1q"),
    ]


def analysis_pages(job: str, found: dict[str, str]) -> list[Shot]:
    """Return the pages of analyses, by their ids."""
    surface = f"/analyses/{found['loss_surface']}"
    return [
        Shot("analyses", "/analyses"),
        Shot("analyses-phone", "/analyses", PHONE, "dark"),
        Shot("analyses-of-job", f"/jobs/{job}/analyses?kind=loss_surface"),
        Shot("analysis-surface", surface),
        Shot("analysis-surface-phone", surface, PHONE, "dark"),
        Shot("analysis-curvature", f"/analyses/{found['curvature']}", scheme="dark"),
        Shot("analysis-path", f"/analyses/{found['loss_path']}"),
        Shot("analysis-estimate", f"/analyses/{found['loss_estimate']}"),
    ]


def busy_pages(jobs: dict[str, str]) -> list[Shot]:
    """Return the pages of a box at work."""
    return [
        Shot("home", "/"),
        Shot("home-dark", "/", scheme="dark"),
        Shot("home-phone", "/", PHONE),
        Shot("job-running", f"/jobs/{jobs['mlp-long']}"),
        Shot("job-running-phone", f"/jobs/{jobs['mlp-long']}", PHONE, "dark"),
        Shot("job-waiting", f"/jobs/{jobs['mlp-next']}"),
    ]


def _largest_confusion(box: Box, job: str) -> str:
    matrix = box.http.get(f"/v1/jobs/{job}/confusion").json()["matrix"]
    cells = [
        (count, true, predicted)
        for true, row in enumerate(matrix)
        for predicted, count in enumerate(row)
        if true != predicted
    ]
    _, true, predicted = max(cells)
    return f"true={true}&predicted={predicted}"


def _log_in_wrongly(page: Any) -> None:
    page.fill("#key", "not a key")
    page.click("button.primary")
    page.wait_for_selector("#fault")


def _predict(page: Any) -> None:
    draw = np.random.default_rng(7)
    files = [
        {"name": f"{name}.png", "mimeType": "image/png", "buffer": content.shape(name, draw)}
        for name in content.SHAPES
    ]
    page.set_input_files("input[name=files]", files)
    page.click("button.primary")
    page.wait_for_selector(".prediction")


def _predict_text(page: Any) -> None:
    file = {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"no picture"}
    page.set_input_files("input[name=files]", [file])
    page.click("button.primary")
    page.wait_for_selector("#problem")


def _check(page: Any) -> None:
    page.fill('[name="/name"]', "mlp-faster")
    page.fill('[name="/optimizer/learning_rate"]', "0.1")
    page.click('.panel button[value="check"]')
    page.wait_for_selector(".state.succeeded")


def _submit_faults(page: Any) -> None:
    page.fill('[name="/optimizer/learning_rate"]', "5000")
    page.fill('[name="/training/epochs"]', "many")
    page.click('button[value="submit"]:visible')
    page.wait_for_selector('[aria-invalid="true"]')


if __name__ == "__main__":
    sys.exit(main())
