"""Regularizers on a small VGG with few images."""

from typing import Any

from benchmarks.experiments.plan import Column, Plan, metric, on_test

FASHION = {"name": "fashion-mnist", "train": 5000, "validation": 2000, "test": 10_000}
#: Without the architecture's own dropout and batch norm, which are separate rows.
PLAIN: dict[str, Any] = {
    "dataset": FASHION,
    "architecture": {
        "name": "vgg_small",
        "dropout": 0.0,
        "head_dropout": 0.0,
        "batch_norm": False,
    },
    # A rate of 0.01 diverges with this momentum and without batch norm.
    "optimizer": {"name": "sgd", "learning_rate": 0.003, "momentum": 0.9},
    "training": {"epochs": 20, "batch_size": 32},
}
AUGMENTATION = {
    "rotation": 10,
    "width_shift": 0.1,
    "height_shift": 0.1,
    "zoom": 0.1,
    "horizontal_flip": True,
}


def _with(**regularizers: Any) -> dict[str, Any]:
    return {**PLAIN, "regularizers": regularizers}


PLAN = Plan(
    name="regularization",
    title="Regularizers on a small VGG, 5,000 images of Fashion-MNIST, 20 epochs",
    question="Accuracies after the last epoch. The gap is validation loss minus training loss, both "
    "in evaluation mode, without augmentation and label smoothing. The network has dropout and "
    "batch norm only in the rows that name them. Training accuracy is measured during training: "
    "with dropout and augmentation active, and with mixup against the label of the larger share.",
    rows={
        "plain": PLAIN,
        "L2, λ = 0.0005": _with(l2=0.0005),
        "dropout 0.25": _with(dropout=0.25),
        "batch norm": _with(batch_norm=True),
        "augmentation": {**PLAIN, "augmentation": AUGMENTATION},
        "label smoothing, α = 0.1": _with(label_smoothing=0.1),
        "mixup, α = 0.2": _with(mixup=0.2),
        "VAT, ε = 2": _with(vat={"epsilon": 2.0}),
    },
    seeds=(0, 1),
    columns=(
        Column("training accuracy", metric("train_accuracy", "train_mixed_accuracy")),
        Column("validation accuracy", metric("val_accuracy")),
        Column("gap", metric("generalization_gap")),
        Column("test accuracy", on_test("accuracy")),
    ),
)
