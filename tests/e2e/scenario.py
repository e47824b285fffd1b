"""One job from an HTTP request to a trained network and back, whatever the box is made of."""

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import until
from trainshed import ApiError, Client

SPEC: dict[str, Any] = {
    "name": "e2e",
    "seed": 3,
    "tags": {"suite": "e2e"},
    "dataset": {"name": "digits", "image_size": 16},
    "architecture": {"name": "vgg_small", "widths": [8, 16], "hidden_units": [32]},
    "regularizers": {"l2": 0.0001, "label_smoothing": 0.1},
    "optimizer": {"name": "sgd", "learning_rate": 0.05, "nesterov": True},
    "training": {"epochs": 4, "batch_size": 32},
    "checkpoints": [
        {"monitor": "val_loss", "mode": "min"},
        {"monitor": "val_accuracy", "mode": "max"},
        {"epoch": 0},
        {"every_epochs": 2},
    ],
}


def one_job(client: Client, tmp_path: Path) -> dict[str, Any]:
    """Submit, follow, look at everything; return the finished job."""
    checked = client.validate(SPEC)
    assert checked["parameter_count"]["trainable"] > 0
    assert checked["device_memory_mib"] > 0
    job = client.submit(SPEC)
    events = list(client.follow(job["id"]))
    _look_at_events(events)
    job = client.get(job["id"])
    assert job["state"] == "succeeded", job["failure"]
    _look_at_metrics(client, job)
    _look_at_results(client, job)
    _look_at_files(client, job, tmp_path)
    _wait_for_mlflow(client, job)
    _refused(client)
    return job


def _look_at_events(events: list[dict[str, Any]]) -> None:
    kept = [event for event in events if "id" in event]
    assert [event["id"] for event in kept] == list(range(1, len(kept) + 1))
    states = [event["data"]["state"] for event in kept if event["type"] == "state"]
    assert states == ["queued", "running", "succeeded"]
    assert sum(event["type"] == "epoch" for event in kept) == SPEC["training"]["epochs"]


def _look_at_metrics(client: Client, job: dict[str, Any]) -> None:
    series = {one["name"]: one["points"] for one in client.metrics(job["id"])}
    assert [point["epoch"] for point in series["train_loss"]] == [1, 2, 3, 4]
    assert series["train_loss"][-1]["value"] < series["train_loss"][0]["value"]
    assert series["val_accuracy"][-1]["value"] > 0.8, "digits are learned in four epochs"
    sums = zip(series["train_data_loss"], series["train_penalty"], strict=True)
    for (data, penalty), whole in zip(sums, series["train_loss"], strict=True):
        assert data["value"] + penalty["value"] == pytest.approx(whole["value"])


def _look_at_results(client: Client, job: dict[str, Any]) -> None:
    answer = client.top_k(job["id"], limit=5)
    names = {one["name"] for one in answer["checkpoints"]}
    assert names == {"best_val_loss", "best_val_accuracy", "last"}
    best = answer["checkpoints"][0]
    assert best["top_k"]["1"] == best["accuracy"]
    assert best["top_k"]["1"] <= best["top_k"]["5"]
    sample = answer["samples"]["data"][0]
    assert sample["classes"][0]["probability"] >= sample["classes"][4]["probability"]
    matrix = client.confusion(job["id"])["matrix"]
    right = sum(matrix[label][label] for label in range(10))
    assert right / sum(map(sum, matrix)) == pytest.approx(best["accuracy"])
    assert '"begin"' in client.logs(job["id"])
    artifacts = client.http.get(f"/v1/jobs/{job['id']}/artifacts").json()["data"]
    names = [one["name"] for one in artifacts]
    assert {"predictions-best_val_loss.csv", "confusion-best_val_loss.csv"} <= set(names)
    table = client.http.get(artifacts[names.index("predictions-best_val_loss.csv")]["download"])
    assert len(table.text.splitlines()) == 1 + job["spec"]["dataset"]["test"]


def _look_at_files(client: Client, job: dict[str, Any], tmp_path: Path) -> None:
    kept = client.checkpoints(job["id"])
    names = {one["name"] for one in kept}
    assert names == {"last", "initial", "best_val_loss", "best_val_accuracy", "epoch_2", "epoch_4"}
    path = client.download(job["id"], "best_val_accuracy", tmp_path)
    row = next(one for one in kept if one["name"] == "best_val_accuracy")
    content = path.read_bytes()
    assert hashlib.sha256(content).hexdigest() == row["sha256"]
    (length,) = struct.unpack("<Q", content[:8])
    tensors = json.loads(content[8 : 8 + length])
    assert any(name.startswith("head.") for name in tensors)
    address = row["download"]
    part = client.http.get(address, headers={"Range": "bytes=8-15"})
    assert (part.status_code, part.content) == (206, content[8:16])


def _wait_for_mlflow(client: Client, job: dict[str, Any]) -> None:
    until(lambda: client.get(job["id"])["mlflow_run_id"], "MLflow's run of the job")


def _refused(client: Client) -> None:
    """Every fault of a specification at once, and nothing is written."""
    before = next(client.jobs(limit=1))["id"]
    wrong = {
        **SPEC,
        "dataset": {"name": "digitz"},
        "architecture": {"name": "vgg_smal"},
        "training": {"epochs": 0},
        "colour": "red",
    }
    with pytest.raises(ApiError) as caught:
        client.submit(wrong)
    pointers = {fault["pointer"] for fault in caught.value.faults}
    assert pointers == {"/dataset/name", "/architecture/name", "/training/epochs", "/colour"}
    assert "vgg_small" in str(caught.value)
    assert "digits" in str(caught.value)
    with pytest.raises(ApiError, match="pixels"):
        client.validate({**SPEC, "architecture": {"name": "vgg_small", "widths": [8] * 6}})
    assert next(client.jobs(limit=1))["id"] == before
