"""Faults on Fashion-MNIST and synthetic images, faults of data, and further healthy networks."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from benchmarks.diagnostics.cases import Fault, Spec
from worker.diagnostics.demos import on_digits
from worker.training.experiment import Split, Splits

FASHION = {"name": "fashion-mnist", "train": 5000, "validation": 2000, "test": 2000}


def on_fashion(**parts: Any) -> Spec:
    """Return a small convolutional network on a part of Fashion-MNIST, with other parts."""
    training = {"epochs": 5, **parts.pop("training", {})}
    base: Spec = {"dataset": dict(FASHION), "architecture": {"name": "vgg_small"}}
    return {**base, **parts, "training": training}


def _vgg(**parameters: Any) -> Spec:
    return {"name": "vgg_small", **parameters}


FURTHER_FAULTS: dict[str, Fault] = {
    "F14": Fault(
        on_fashion(
            architecture=_vgg(activation="relu", batch_norm=False),
            optimizer={"name": "sgd", "learning_rate": 0.1},
        ),
        "learning_rate_too_high",
        ("exploding_tensor", "dead_relu", "oscillating_loss"),
    ),
    "F15": Fault(
        on_fashion(
            architecture=_vgg(activation="sigmoid", batch_norm=False, widths=[16, 16, 32, 32]),
            initializer="xavier_uniform",
        ),
        "vanishing_gradient",
        ("poor_weight_initialization",),
    ),
    "F16": Fault(
        on_fashion(
            dataset={**FASHION, "train": 200},
            architecture=_vgg(batch_norm=False, dropout=0.0),
            training={"epochs": 60},
        ),
        "overfit",
        ("too_few_examples", "overtraining", "overconfident"),
    ),
    "F17": Fault(
        on_fashion(
            augmentation={
                "rotation": {"degrees": 180.0},
                "shear": {"degrees": 60.0},
                "zoom": {"amount": 0.9},
                "channel_shift": {"amount": 200.0},
            }
        ),
        "too_much_augmentation",
    ),
    "F18": Fault(
        on_fashion(optimizer={"name": "sgd", "learning_rate": 0.0001}, training={"epochs": 1}),
        "stopped_too_early",
        ("learning_rate_too_low",),
    ),
    "F21": Fault(
        {
            "dataset": {"name": "synthetic", "train": 3000, "image_size": 32},
            "architecture": _vgg(batch_norm_momentum=0.999),
            "training": {"epochs": 2},
        },
        "train_eval_mismatch",
        ("oscillating_loss",),
    ),
    "F24": Fault(on_digits(), "duplicate_across_splits"),
    "F25": Fault(on_digits(), "class_imbalance", ("confused_classes",)),
    "F26": Fault(on_digits(), "split_drift", ("input_scale",)),
    "F27": Fault(on_digits(), "constant_input", ("conflicting_labels", "duplicate_across_splits")),
}


def _duplicated(splits: Splits, generator: torch.Generator) -> Splits:
    """Put training images in the place of 30 % of the validation images."""
    train, validation = splits.train, splits.validation
    count = int(0.3 * len(validation.labels))
    chosen = torch.randperm(len(train.labels), generator=generator)[:count]
    images, labels = validation.images[:], validation.labels.clone()
    images[:count], labels[:count] = train.images[chosen], train.labels[chosen]
    return replace(splits, validation=Split(images, labels, validation.indices))


def _imbalanced(splits: Splits, generator: torch.Generator) -> Splits:
    """Keep every fiftieth image of class 0."""
    del generator
    train = splits.train
    of_class = torch.nonzero(train.labels == 0).flatten()
    kept = torch.ones(len(train.labels), dtype=torch.bool)
    kept[of_class] = False
    kept[of_class[::50]] = True
    part = Split(train.images[kept], train.labels[kept], train.indices[kept])
    return replace(splits, train=part)


def _shifted(splits: Splits, generator: torch.Generator) -> Splits:
    """Invert the test images."""
    del generator
    test = splits.test
    return replace(splits, test=Split(255 - test.images[:], test.labels, test.indices))


def _blank(splits: Splits, generator: torch.Generator) -> Splits:
    """Make a tenth of the training images black."""
    train = splits.train
    images = train.images[:].clone()
    chosen = torch.randperm(len(images), generator=generator)[: len(images) // 10]
    images[chosen] = 0
    return replace(splits, train=Split(images, train.labels, train.indices))


#: What is done to the data of a case, with a generator seeded by the seed of the case.
CHANGES: dict[str, Callable[[Splits, torch.Generator], Splits]] = {
    "F24": _duplicated,
    "F25": _imbalanced,
    "F26": _shifted,
    "F27": _blank,
}
#: Faults of data need not lower the accuracy, and no patch cures them.
OF_DATA = frozenset(CHANGES)

FURTHER_HEALTHY: dict[str, Spec] = {
    "H13": on_fashion(
        augmentation={"horizontal_flip": {}, "rotation": {"degrees": 10.0}},
        optimizer={"name": "adam", "learning_rate": 0.001},
    ),
    "H20": on_fashion(optimizer={"name": "adam", "learning_rate": 0.001}),
    "H21": on_fashion(architecture={"name": "mlp", "hidden_units": [128]}),
}
