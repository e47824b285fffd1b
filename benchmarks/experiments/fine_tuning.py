"""Batch norm while a pretrained body is trained further: its statistics kept, or replaced."""

from typing import Any

from benchmarks.boxes import Box
from benchmarks.experiments.plan import Column, Plan, Reader, on_test

WARM_UP_EPOCHS, FINE_TUNE_EPOCHS = 5, 5


def _spec(batch_norm: str, optimizer: str) -> dict[str, Any]:
    fine_tune = {
        "name": "fine_tune",
        "train": "all",
        "epochs": FINE_TUNE_EPOCHS,
        "optimizer": {"name": optimizer, "learning_rate": 1e-5},
        "batch_norm": batch_norm,
    }
    warm_up = {
        "name": "warm_up",
        "train": "head",
        "epochs": WARM_UP_EPOCHS,
        "optimizer": {"name": "rmsprop", "learning_rate": 1e-3},
    }
    return {
        "dataset": {
            "name": "fashion-mnist",
            "train": 2000,
            "validation": 1000,
            "test": 2000,
            "image_size": 96,
            "channels": 3,
        },
        "architecture": "efficientnet_lite0",
        "fine_tuning": {
            "weights": {"pretrained": "efficientnet_lite0"},
            "head": {"hidden_units": [256], "dropout": 0.3},
            "stages": [warm_up, fine_tune],
        },
        "checkpoints": [],
    }


def _after(epoch: int, name: str = "val_accuracy") -> Reader:
    """Return a reader of a metric after an epoch, counted over the whole job."""

    def read(box: Box, job: dict[str, Any]) -> float | None:
        points = [
            point
            for series in _series(box, job["id"], name)
            for point in series["points"]
            if point["epoch"] == epoch
        ]
        value = points[0]["value"] if points else None
        return value if isinstance(value, int | float) else None

    return read


def _series(box: Box, job_id: str, name: str) -> list[dict[str, Any]]:
    return box.http.get(f"/v1/jobs/{job_id}/metrics", params={"name": name}).json()["data"]


PLAN = Plan(
    name="fine_tuning",
    title="Fine-tuning all of a pretrained EfficientNet-Lite0: batch norm frozen or trained, 96 px, "
    "2,000 images",
    question=f"Validation accuracy (1,000 images) stage by stage: a new head is trained for "
    f"{WARM_UP_EPOCHS} epochs with rmsprop at 1e-3, then all layers for {FINE_TUNE_EPOCHS} epochs at "
    "1e-5 with the optimizer that is named. `frozen` keeps the statistics of the body's batch norm, "
    "`train` normalizes by the batch and updates them. Test accuracy on 2,000 images.",
    rows={
        f"{batch_norm}, {optimizer}": _spec(batch_norm, optimizer)
        for optimizer in ("sgd", "adam")
        for batch_norm in ("frozen", "train")
    },
    seeds=(0, 1, 2, 3, 4),
    columns=(
        Column("after warm_up", _after(WARM_UP_EPOCHS)),
        Column("after one epoch of fine_tune", _after(WARM_UP_EPOCHS + 1)),
        Column("after fine_tune", _after(WARM_UP_EPOCHS + FINE_TUNE_EPOCHS)),
        Column(
            "validation loss after fine_tune",
            _after(WARM_UP_EPOCHS + FINE_TUNE_EPOCHS, "val_loss"),
        ),
        Column("test accuracy", on_test("accuracy")),
    ),
)
