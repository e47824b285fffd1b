"""What a person does in a browser, on a real box: from an upload to the fork of a finding."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.e2e.conftest import TIMEOUT_SECONDS, EmbeddedBox, started_box, wait_until
from tests.pages.pictures.box_with_jobs import SHAPES, shape, shapes

pytestmark = [pytest.mark.e2e, pytest.mark.long]


@pytest.fixture
def box(tmp_path: Path) -> Iterator[EmbeddedBox]:
    """Start a box of its own."""
    home = tmp_path / "home"
    home.mkdir()
    with started_box(home) as started:
        yield started


@pytest.fixture
def page(box: EmbeddedBox, chromium: Any) -> Iterator[Any]:
    """Open a browser that has logged in; its faults must be empty at the end."""
    context = chromium.new_context(
        base_url=f"http://127.0.0.1:{box.port}", viewport={"width": 1280, "height": 900}
    )
    context.set_default_timeout(1000 * TIMEOUT_SECONDS)
    page, faults = context.new_page(), []
    page.on("console", lambda each: faults.append(each.text) if each.type == "error" else None)
    page.on("pageerror", lambda each: faults.append(str(each)))
    page.goto("/login")
    page.fill("#key", (box.home / "key").read_text().strip())
    page.click("button.primary")
    page.wait_for_selector("h1")
    yield page
    context.close()
    assert faults == []


def submit(page: Any, **fields: str) -> str:
    """Submit a job by the form, wait for its page and return its address."""
    page.goto("/jobs/new")
    for pointer, value in {"/architecture/name": "mlp", **fields}.items():
        control = page.locator(f'[name="{pointer}"]')
        if control.evaluate("each => each.tagName") == "SELECT":
            control.select_option(value)
            page.wait_for_load_state()
        else:
            control.fill(value)
    page.click('button[value="submit"]:visible')
    page.wait_for_url(re.compile("/jobs/job_"))
    return page.url


def wait_for(page: Any, state: str) -> None:
    """Wait until the page of a job shows a state, without loading it again."""
    page.wait_for_selector(f".job-head.{state}")


def see_pictures_of_a_cell(page: Any, job: str) -> None:
    """Click a cell of the confusion matrix and wait for the pictures of its samples."""
    page.goto(f"{job}/results")
    page.locator(".confusion td a").first.click()
    picture = page.locator("#cell img")
    picture.scroll_into_view_if_needed()
    wait_until(lambda: picture.evaluate("each => each.naturalWidth"), "the pictures of the cell")


def predict_a_picture(page: Any, job: str) -> None:
    """Upload a picture and look at its most probable classes."""
    draw = np.random.default_rng(3)
    file = {"name": "new.png", "mimeType": "image/png", "buffer": shape("circle", draw)}
    page.goto(f"{job}/predict")
    page.set_input_files("[name=files]", [file])
    page.click("text=Predict >> nth=-1")
    page.wait_for_selector(".prediction")
    names = page.locator(".prediction td:first-child").all_inner_texts()
    assert names
    assert set(names) <= set(SHAPES)


def test_a_person_walks_through_the_pages(page: Any, tmp_path: Path) -> None:
    # A data set is uploaded and checked.
    archive = tmp_path / "shapes.zip"
    archive.write_bytes(shapes(count=30))
    page.goto("/datasets")
    page.fill("[data-upload] [name=name]", "shapes")
    page.set_input_files("[data-upload] [name=file]", archive)
    page.click("[data-upload] button")
    page.wait_for_url("**/datasets/shapes")
    page.wait_for_selector("text=4 classes, 121 images")

    # A job is submitted from the form, and its curve grows while the page stays open.
    digits = submit(page, **{
        "/name": "digits", "/dataset/name": "digits", "/training/epochs": "60",
    })  # fmt: skip
    curve = page.locator("path.line.validation").first
    curve.wait_for(state="attached")
    first = len(curve.get_attribute("d"))
    wait_until(lambda: len(curve.get_attribute("d")) > first, "a longer curve")

    # Another job is cancelled in the queue.
    submit(page, **{
        "/name": "unwanted", "/dataset/name": "digits", "/training/epochs": "5000",
    })  # fmt: skip
    unwanted = page.url
    page.goto("/")
    row = page.locator("tr", has_text="unwanted").first
    row.locator("summary").click()
    row.locator("button.danger").click()
    page.goto(unwanted)
    wait_for(page, "cancelled")

    # A network is trained on the uploaded pictures.
    of_shapes = submit(page, **{
        "/name": "on shapes", "/dataset/name": "shapes", "/training/epochs": "2",
        "/dataset/image_size": "32", "/dataset/channels": "3",
    })  # fmt: skip
    wait_for(page, "succeeded")
    page.goto(digits)
    wait_for(page, "succeeded")

    # Two jobs are compared.
    page.goto("/")
    for name in ("digits", "on shapes"):
        page.check(f'input[aria-label="Compare {name}"]')
    page.click("text=Compare the ticked jobs")
    page.wait_for_selector("h1:has-text('2 jobs differ in')")

    see_pictures_of_a_cell(page, of_shapes)
    predict_a_picture(page, of_shapes)

    # A training that fails has a finding, whose patch becomes a fork.
    failing = submit(page, **{
        "/name": "too fast", "/dataset/name": "digits", "/training/epochs": "20",
        "/optimizer/learning_rate": "900",
    })  # fmt: skip
    page.locator("text=Fork with this change").first.click()
    page.wait_for_url(lambda url: "/jobs/job_" in url and url != failing)
    assert failing.rpartition("/")[2] in page.inner_text("main")

    page.click(".menu summary")
    page.click("text=Log out")
    page.wait_for_url("**/login")
    page.goto(digits)
    page.wait_for_url("**/login?next=*")
