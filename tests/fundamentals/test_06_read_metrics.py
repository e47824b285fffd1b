"""6. Read the metrics of a job as series, as JSON or CSV."""

import csv

from tests.fundamentals.conftest import Box


def test_metrics_are_series_with_one_point_per_epoch(box: Box) -> None:
    job = box.submit({"dataset": "digits", "architecture": "mlp", "training": {"epochs": 3}})
    box.wait(job["id"])
    address = f"/v1/jobs/{job['id']}/metrics"

    (series,) = box.http.get(address, params={"name": "val_loss"}).json()["data"]
    assert series["split"] == "validation"
    assert [point["epoch"] for point in series["points"]] == [1, 2, 3]
    assert series["points"][0]["value"] > series["points"][-1]["value"]

    table = box.http.get(address, params={"split": "train"}, headers={"Accept": "text/csv"})
    rows = list(csv.DictReader(table.text.splitlines()))
    assert {"train_loss", "train_accuracy"} <= {row["name"] for row in rows}

    declared = box.http.get("/v1/catalog").json()["metrics"]
    assert declared["val_loss"]["direction"] == "lower"
    assert declared["val_accuracy"]["direction"] == "higher"
