"""Faults on Fashion-MNIST and synthetic images, faults of data, and further healthy networks.

Sizes are the published sizes, unless a comment says otherwise.
"""

from typing import Any

from benchmarks.diagnostics.cases import Fault, Spec
from worker.diagnostics.demos import mlp, on_digits

FASHION = {"name": "fashion-mnist", "train": 5000, "validation": 2000, "test": 2000}

SYNTHETIC = {"name": "synthetic", "train": 3000}


def on_fashion(**parts: Any) -> Spec:
    """Return a small convolutional network on a part of Fashion-MNIST, with other parts."""
    training = {"epochs": 5, **parts.pop("training", {})}
    base: Spec = {"dataset": dict(FASHION), "architecture": {"name": "vgg_small"}}
    return {**base, **parts, "training": training}


def _vgg(**parameters: Any) -> Spec:
    return {"name": "vgg_small", **parameters}


def transfer(dataset: Spec, *stages: Spec, hidden_units: tuple[int, ...] = ()) -> Spec:
    """Return an EfficientNet-Lite0 with weights of ImageNet and a new head, trained in stages."""
    return {
        "dataset": dataset,
        "architecture": "efficientnet_lite0",
        "fine_tuning": {
            "weights": {"pretrained": "efficientnet_lite0"},
            "head": {"hidden_units": [*hidden_units], "dropout": 0.3 if hidden_units else 0.0},
            "stages": [*stages],
        },
    }


def _stage(train: str, epochs: int, name: str, learning_rate: float) -> Spec:
    optimizer = {"name": name, "learning_rate": learning_rate}
    return {"name": f"train_{train}", "train": train, "epochs": epochs, "optimizer": optimizer}


FURTHER_FAULTS: dict[str, Fault] = {
    "F14": Fault(
        on_fashion(
            architecture=_vgg(activation="relu", batch_norm=False),
            optimizer={"name": "sgd", "learning_rate": 0.1},
        ),
        "learning_rate_too_high",
        ("exploding_tensor", "dead_relu", "oscillating_loss"),
        twin="H20",
    ),
    "F15": Fault(
        on_fashion(
            architecture=_vgg(activation="sigmoid", batch_norm=False, widths=[16, 16, 32, 32]),
            initializer="xavier_uniform",
        ),
        "vanishing_gradient",
        ("poor_weight_initialization",),
        twin="H20",
    ),
    "F16": Fault(
        on_fashion(
            dataset={**FASHION, "train": 200},
            architecture=_vgg(batch_norm=False, dropout=0.0),
            training={"epochs": 60},
        ),
        "overfit",
        ("too_few_examples", "overtraining", "overconfident"),
        twin="H20",
    ),
    "F17": Fault(
        on_fashion(
            augmentation={
                "rotation": {"degrees": 180.0},
                "shear": {"degrees": 60.0},
                "zoom": {"fraction": 0.9},
                "channel_shift": {"most": 200.0},
            }
        ),
        "too_much_augmentation",
        twin="H20",
    ),
    "F18": Fault(
        on_fashion(optimizer={"name": "sgd", "learning_rate": 0.0001}, training={"epochs": 1}),
        "stopped_too_early",
        ("learning_rate_too_low",),
        twin="H20",
    ),
    # Of the list's rules for batches only the mode `full` measures the noise of the gradient.
    "F19": Fault(
        on_fashion(
            optimizer={"name": "sgd", "learning_rate": 0.01},
            training={"batch_size": 5000},
            diagnostics="full",
        ),
        "gradient_noise",
        ("stopped_too_early", "train_eval_mismatch"),
        twin="H20",
    ),
    # 500 images, and only the head is trained.
    "F20": Fault(
        transfer(
            {**SYNTHETIC, "train": 500, "image_size": 64, "channels": 3, "normalization": "unit"},
            _stage("head", 3, "adam", 0.001),
        ),
        "pretrained_preprocessing",
        ("initial_loss", "train_eval_mismatch"),
    ),
    "F21": Fault(
        {
            "dataset": {**SYNTHETIC, "image_size": 32},
            "architecture": _vgg(batch_norm_momentum=0.999),
            "training": {"epochs": 2},
        },
        "train_eval_mismatch",
        ("oscillating_loss",),
    ),
    "F22": Fault(on_digits(), "label_errors", ("overfit", "overconfident")),
    "F23": Fault(
        on_digits(diagnostics="full"),
        "shuffled_label_control",
        ("overfit", "overconfident"),
    ),
    "F24": Fault(on_digits(), "duplicate_across_splits"),
    # Only in the training split, whose classes then have other shares than the other splits.
    "F25": Fault(on_digits(), "class_imbalance", ("confused_classes", "split_drift")),
    "F26": Fault(on_digits(), "split_drift", ("input_scale",)),
    "F27": Fault(on_digits(), "constant_input", ("conflicting_labels", "duplicate_across_splits")),
    # The published list names `exploding_tensor`. At this rate float32 and bfloat16 diverge or die
    # too (seeds 0 to 2), so the rate is the root and the overflow follows from it.
    "F28": Fault(
        on_digits(
            architecture=mlp(10, 64),
            optimizer={"name": "sgd", "learning_rate": 0.3},
            training={"precision": "float16"},
        ),
        "learning_rate_too_high",
        ("exploding_tensor", "dead_relu"),
    ),
}

FURTHER_HEALTHY: dict[str, Spec] = {
    "H13": on_fashion(
        augmentation={"horizontal_flip": {}, "rotation": {"degrees": 10.0}},
        optimizer={"name": "adam", "learning_rate": 0.001},
    ),
    # 1,500 images and 5 epochs of the preset's 5,000 and 20.
    "H14": on_fashion(
        dataset={**FASHION, "train": 1500},
        architecture=_vgg(dropout=0, head_dropout=0, batch_norm=False),
        regularizers={"vat": {"epsilon": 2.0}},
        optimizer={"name": "sgd", "learning_rate": 0.003, "momentum": 0.9},
    ),
    # 1,000 images of 64 pixels and 3 + 2 epochs of the preset's 2,000 of 96 and 5 + 5.
    "H15": transfer(
        {**FASHION, "train": 1000, "validation": 500, "image_size": 64, "channels": 3},
        _stage("head", 3, "rmsprop", 0.001),
        _stage("all", 2, "adam", 1e-5),
        hidden_units=(256,),
    ),
    "H16": {
        "dataset": {"name": "digits", "target": "rotation", "image_size": 16},
        "architecture": _vgg(widths=[32, 64], dropout=0, head_dropout=0),
        "loss": "l2",
        "optimizer": {"name": "adam", "learning_rate": 0.001},
        "training": {"epochs": 20},
    },
    "H20": on_fashion(optimizer={"name": "adam", "learning_rate": 0.001}),
    "H21": on_fashion(architecture={"name": "mlp", "hidden_units": [128]}),
}
