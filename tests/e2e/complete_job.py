"""The check of a complete job, from its submission to its results, on any kind of box."""

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.e2e.conftest import wait_until
from trainshed import ApiError, Client
from worker.data import digits

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


def check_complete_job(client: Client, tmp_path: Path) -> dict[str, Any]:
    """Submit a job, follow it and check everything it produces; return the job."""
    validated = client.validate(SPEC)
    assert validated["parameter_count"]["trainable"] > 0
    assert validated["device_memory_mib"] > 0
    job = client.submit(SPEC)
    events = list(client.follow(job["id"]))
    _check_events(events)
    job = client.get(job["id"])
    assert job["state"] == "succeeded", job["failure"]
    _check_metrics(client, job)
    _check_results(client, job)
    _check_predictions(client, job, tmp_path)
    _check_files(client, job, tmp_path)
    _wait_for_mlflow(client, job)
    _check_refusals(client)
    return job


def _check_events(events: list[dict[str, Any]]) -> None:
    stored = [event for event in events if "id" in event]
    assert [event["id"] for event in stored] == list(range(1, len(stored) + 1))
    states = [event["data"]["state"] for event in stored if event["type"] == "state"]
    assert states == ["queued", "running", "succeeded"]
    assert sum(event["type"] == "epoch" for event in stored) == SPEC["training"]["epochs"]


def _check_metrics(client: Client, job: dict[str, Any]) -> None:
    points = {series["name"]: series["points"] for series in client.metrics(job["id"])}
    assert [point["epoch"] for point in points["train_loss"]] == [1, 2, 3, 4]
    assert points["train_loss"][-1]["value"] < points["train_loss"][0]["value"]
    assert points["val_accuracy"][-1]["value"] > 0.8, "digits are learned in four epochs"
    sums = zip(points["train_data_loss"], points["train_penalty"], strict=True)
    for (data, penalty), whole in zip(sums, points["train_loss"], strict=True):
        assert data["value"] + penalty["value"] == pytest.approx(whole["value"])


def _check_results(client: Client, job: dict[str, Any]) -> None:
    answer = client.top_k(job["id"], limit=5)
    names = {checkpoint["name"] for checkpoint in answer["checkpoints"]}
    assert names == {"best_val_loss", "best_val_accuracy", "last"}
    best = answer["checkpoints"][0]
    assert best["top_k"]["1"] == best["accuracy"]
    assert best["top_k"]["1"] <= best["top_k"]["5"]
    sample = answer["samples"]["data"][0]
    assert sample["classes"][0]["probability"] >= sample["classes"][4]["probability"]
    matrix = client.confusion(job["id"])["matrix"]
    correct = sum(matrix[label][label] for label in range(10))
    assert correct / sum(map(sum, matrix)) == pytest.approx(best["accuracy"])
    assert '"begin"' in client.logs(job["id"])
    artifacts = client.http.get(f"/v1/jobs/{job['id']}/artifacts").json()["data"]
    names = [artifact["name"] for artifact in artifacts]
    assert {"predictions-best_val_loss.csv", "confusion-best_val_loss.csv"} <= set(names)
    table = client.http.get(artifacts[names.index("predictions-best_val_loss.csv")]["download"])
    assert len(table.text.splitlines()) == 1 + job["spec"]["dataset"]["test"]


def _check_predictions(client: Client, job: dict[str, Any], tmp_path: Path) -> None:
    """Predict pictures of the test split: as the job's own test does."""
    samples = client.top_k(job["id"], limit=100)["samples"]["data"]
    folder = tmp_path / "pictures"
    folder.mkdir()
    [originals_NCHW] = digits.read().blocks
    for sample in samples:
        picture = Image.fromarray(originals_NCHW[sample["sample"], 0])
        picture.save(folder / f"{sample['sample']:04}.png")
    predicted = {row["name"]: row["top_k"] for row in client.predict(job["id"], [folder])}
    assert len(predicted) == len(samples) > 64, "more than one request"
    for sample in samples:
        top_k = predicted[f"{sample['sample']:04}.png"]
        assert [c["class"] for c in top_k] == [c["name"] for c in sample["classes"]]
        expected = [c["probability"] for c in sample["classes"]]
        assert [c["probability"] for c in top_k] == pytest.approx(expected, abs=1e-6)
    notes = tmp_path / "notes.png"
    notes.write_text("no picture")
    with pytest.raises(ApiError, match=r"notes\.png is not a picture"):
        client.predict(job["id"], [notes])


def _check_files(client: Client, job: dict[str, Any], tmp_path: Path) -> None:
    checkpoints = client.checkpoints(job["id"])
    names = {checkpoint["name"] for checkpoint in checkpoints}
    assert names == {"last", "initial", "best_val_loss", "best_val_accuracy", "epoch_2", "epoch_4"}
    path = client.download(job["id"], "best_val_accuracy", tmp_path)
    row = next(row for row in checkpoints if row["name"] == "best_val_accuracy")
    content = path.read_bytes()
    assert hashlib.sha256(content).hexdigest() == row["sha256"]
    (length,) = struct.unpack("<Q", content[:8])
    tensors = json.loads(content[8 : 8 + length])
    assert any(name.startswith("head.") for name in tensors)
    address = row["download"]
    part = client.http.get(address, headers={"Range": "bytes=8-15"})
    assert (part.status_code, part.content) == (206, content[8:16])


def _wait_for_mlflow(client: Client, job: dict[str, Any]) -> None:
    wait_until(lambda: client.get(job["id"])["mlflow_run_id"], "MLflow's run of the job")


def _check_refusals(client: Client) -> None:
    """Check that all faults of a specification are reported at once and that no job is recorded."""
    newest = next(client.jobs(limit=1))["id"]
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
    assert next(client.jobs(limit=1))["id"] == newest
