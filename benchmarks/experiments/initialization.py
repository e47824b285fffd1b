"""Initializers in a deep network: gradients at the first step, and how well it learns."""

from typing import Any

from benchmarks.boxes import Box
from benchmarks.experiments.plan import Column, Plan, metric

INITIALIZERS = (
    *("xavier_normal", "xavier_uniform", "he_glorot", "he_normal", "he_uniform"),
    *("lecun_normal", "lecun_uniform", "normal", "uniform", "orthogonal", "zeros"),
)
LAYERS = 10


def _spec(activation: str, initializer: str) -> dict[str, Any]:
    return {
        "dataset": {"name": "fashion-mnist", "train": 5000, "validation": 1000, "test": 1000},
        "architecture": {
            "name": "mlp",
            "hidden_units": [128] * LAYERS,
            "activation": activation,
        },
        "initializer": initializer,
        "optimizer": {"name": "sgd", "learning_rate": 0.01, "momentum": 0.9},
        "training": {"epochs": 2, "batch_size": 32},
    }


def _gradient(layer: str) -> Any:
    """Return a reader of the norm of a layer's gradient at the first step."""

    def read(box: Box, job: dict[str, Any]) -> float | None:
        first = next(e for e in box.events(job["id"]) if e["type"] == "first_step")
        value = first["data"]["gradient_norms"][layer]
        return value if isinstance(value, int | float) else None

    return read


PLAN = Plan(
    name="initialization",
    title=f"Initializers in a fully connected network of {LAYERS} hidden layers",
    question="The norm of the gradient in the first and the last layer at the first step, and the "
    "loss after 2 epochs of 5,000 images of Fashion-MNIST; the loss at chance is 2.303.",
    rows={
        f"{activation}, {name}": _spec(activation, name)
        for activation in ("sigmoid", "relu")
        for name in INITIALIZERS
    },
    seeds=(0, 1, 2),
    columns=(
        Column("first layer", _gradient("body.hidden1.weight"), ".2e"),
        Column("last layer", _gradient("head.output.weight"), ".2e"),
        Column("training loss", metric("train_loss"), ".3f"),
        Column("validation accuracy", metric("val_accuracy"), ".3f"),
    ),
)
