"""Results of 1,000 classes, and curves of 100,000 epochs that are exact when they are zoomed."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from shared import predictions, tables
from shared.jobs.recording import NewEvaluation
from shared.predictions import Prediction
from tests.api.jobs.results.files import evaluation_data
from tests.api.service import RECORDED_AT, Service, checkpoint_row
from tests.pages.conftest import Page, Seeded

pytestmark = pytest.mark.long

Open = Callable[..., Page]
CLASSES, MOST_CELLS = 1000, 2500
EPOCHS, SPIKES = 100_000, range(5_000, 100_000, 8_000)
BEST_EPOCH = 54_321


@pytest.fixture(scope="module")
def of_many_classes(seeded: Seeded) -> str:
    """Record the test results of a network with 1,000 classes; return the id of the job."""
    service = seeded.service
    lease = service.start_job(name="many classes", priority="high")
    row = checkpoint_row("last")
    service.record(lease, checkpoints=[row])
    names = [f"class {number}" for number in range(CLASSES)]
    matrix = [[0] * CLASSES for _ in names]
    for label in range(CLASSES):
        matrix[label][label] = 40
        for further in range(1, 10):
            matrix[label][(label + 7 * further) % CLASSES] += 1
    matrix[123][456] = 33
    per_class = [
        {"label": label, "name": name, "count": sum(matrix[label]), "accuracy": 40 / 49}
        for label, name in enumerate(names)
    ]
    data = evaluation_data(classes=names, confusion=matrix, per_class=per_class)
    path = service.storage.results(lease.job_id) / "last.bin"
    path.parent.mkdir(parents=True, exist_ok=True)
    predictions.write(path, [Prediction(7, 123, (456, 123), (0.75, 0.25))])
    relative = service.storage.relative(path)
    evaluation = NewEvaluation(checkpoint_id=row.id, split="test", data=data, predictions=relative)
    service.record(lease, evaluations=[evaluation])
    service.succeed(lease)
    return lease.job_id


def test_the_confusions_of_a_thousand_classes_are_a_list(
    of_many_classes: str, open_page: Open
) -> None:
    page = open_page()
    page.page.route("**/confusion/**", lambda route: route.fulfill(status=200, body=""))
    page.open(f"/jobs/{of_many_classes}/results")
    assert page.page.locator("td").count() <= MOST_CELLS
    first = page.page.locator(".confusions tbody tr").first
    assert first.inner_text().split("\t")[:3] == ["class 123", "class 456", "33"]
    with page.page.expect_request(re.compile("/confusion/class%20123/class%20456[?]")):
        first.locator("a").click()
        page.page.locator("#cell img").scroll_into_view_if_needed()
    assert "class 123 taken for class 456: 33" in page.page.inner_text("#cell")


@pytest.fixture(scope="module")
def of_many_epochs(seeded: Seeded) -> str:
    """Record 100,000 epochs with a best epoch and spikes; return the id of the job."""
    service = seeded.service
    lease = service.start_job(name="many epochs", priority="high")
    shared: dict[str, Any] = {"job_id": lease.job_id, "stage": "training", "at": RECORDED_AT}
    with service.database.write() as connection:
        for start in range(1, EPOCHS + 1, 10_000):
            rows = [
                {**shared, "name": name, "split": split, "step": epoch, "epoch": epoch}
                | {"value": _value(epoch) * factor}
                for epoch in range(start, start + 10_000)
                for name, split, factor in (
                    ("val_loss", "validation", 1.0),
                    ("train_loss", "train", 0.9),
                )
            ]
            connection.execute(sa.insert(tables.metrics), rows)
    service.succeed(lease, epochs=EPOCHS, steps=EPOCHS, stages={"training": {"text": "done"}})
    return lease.job_id


def _value(epoch: int) -> float:
    if epoch == BEST_EPOCH:
        return 0.001
    return 5.0 if epoch in SPIKES else 1 / (1 + epoch / 1000) + epoch % 10 / 1000


def _points(service: Service, job: str, **query: int) -> dict[int, float]:
    response = service.client.get(
        f"/v1/jobs/{job}/metrics", params={"name": "val_loss", "points": 400, **query}
    )
    [found] = response.raise_for_status().json()["data"]
    return {point["epoch"]: point["value"] for point in found["points"]}


def test_a_curve_of_100_000_epochs_keeps_extremes_and_is_exact_when_zoomed(
    seeded: Seeded, of_many_epochs: str, open_page: Open
) -> None:
    whole = _points(seeded.service, of_many_epochs)
    assert len(whole) <= 400
    assert {1, BEST_EPOCH, EPOCHS, *SPIKES} <= whole.keys()
    window = range(BEST_EPOCH - 100, BEST_EPOCH + 101)
    zoomed = _points(seeded.service, of_many_epochs, from_epoch=window[0], to_epoch=window[-1])
    assert zoomed == {epoch: _value(epoch) for epoch in window}

    page = open_page()
    page.open(f"/jobs/{of_many_epochs}")
    chart = page.page.locator("#charts svg[data-epochs]").first
    box = chart.bounding_box()
    assert box is not None
    middle, height = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.page.mouse.move(middle, height)
    page.page.mouse.down()
    page.page.mouse.move(middle + box["width"] / 8, height)
    page.page.mouse.up()
    page.page.wait_for_url(re.compile("from_epoch="))
    assert chart.get_attribute("data-epochs") != f"0 {EPOCHS}"
    page.page.fill("[name=from_epoch]", str(window[0]))
    page.page.fill("[name=to_epoch]", str(window[-1]))
    page.page.click("text=Show")
    page.page.wait_for_url(re.compile(f"from_epoch={window[0]}&to_epoch={window[-1]}"))
    [path] = page.page.locator("path.line.validation").all()
    assert (path.get_attribute("d") or "").count(",") == len(window)
    page.page.click("text=All epochs")
    page.page.wait_for_url(lambda address: "from_epoch" not in address)
