"""The benefit of ImageNet weights on a few thousand photographs of clothes."""

from typing import Any

from benchmarks.experiments.plan import Column, Plan, on_test


def _spec(weights: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "dataset": {
            "name": "fashion-mnist",
            "train": 2000,
            "validation": 200,
            "test": 5000,
            "image_size": 96,
            "channels": 3,
        },
        "architecture": "efficientnet_lite0",
        "optimizer": {"name": "adam", "learning_rate": 0.001},
        "fine_tuning": {
            "weights": weights,
            "head": {"hidden_units": [], "dropout": 0.0},
            "stages": [{"name": "head", "train": "head", "epochs": 20}],
        },
        "checkpoints": [],
    }


PLAN = Plan(
    name="transfer",
    title="Transfer learning: a linear head on a frozen EfficientNet-Lite0, 96 px, 2,000 images",
    question="Test accuracy on 5,000 images. Only the head is trained, for 20 epochs, on top of weights "
    "trained on ImageNet (from a Python package) and on top of random weights.",
    rows={
        "ImageNet": _spec({"pretrained": "efficientnet_lite0"}),
        "random": _spec(None),
    },
    seeds=(0, 1, 2, 3, 4),
    columns=(
        Column("test accuracy", on_test("accuracy")),
        Column("test loss", on_test("loss")),
    ),
)
