"""Warnings: what is allowed and probably a mistake, and no false alarm."""

from typing import Any

import pytest

from api.presets.presets import presets
from shared import catalog
from tests.fakes.admission import SPEC, check

#: 10 updates an epoch with batches of 5.
FIFTY = {"name": "digits", "train": 50, "validation": 10, "test": 10}
#: The example of the contract, without weights of a job that does not exist here.
EXAMPLE: dict[str, Any] = {
    "name": "vgg-he-l2-aug", "seed": 7, "tags": {"group": "vision"}, "priority": "normal",
    "dataset": {"name": "fashion-mnist", "train": 5000, "validation": 5000, "test": 10000,
                "image_size": 32, "channels": 3, "normalization": "standardize"},
    "architecture": {"name": "vgg_small", "activation": "elu"},
    "initializer": {"name": "he_normal", "overrides": {"head.*": {"name": "lecun_normal"}}},
    "regularizers": {"l2": {"weight": 0.01}, "label_smoothing": {"alpha": 0.1},
                     "mixup": {"alpha": 0.2}},
    "augmentation": {"horizontal_flip": True, "rotation": 10, "width_shift": 0.1,
                     "height_shift": 0.1, "shear": 5, "zoom": 0.1, "fill_mode": "nearest"},
    "loss": {"name": "cross_entropy"},
    "optimizer": {"name": "sgd", "learning_rate": 0.01, "momentum": 0.9, "nesterov": True,
                  "schedule": {"name": "inverse_time", "decay": 0.00025},
                  "gradient_clipping": {"global_norm": 1.0}},
    "training": {"batch_size": 32, "precision": "float32", "deterministic": True,
                 "early_stopping": {"monitor": "val_loss", "mode": "min", "patience": 3}},
    "fine_tuning": {
        "head": {"hidden_units": [256], "dropout": 0.3},
        "stages": [
            {"name": "warm_up", "train": "head", "epochs": 5,
             "optimizer": {"name": "rmsprop", "learning_rate": 0.001}},
            {"name": "fine_tune", "train": "all", "epochs": 10,
             "optimizer": {"name": "sgd", "learning_rate": 1e-5}}]},
    "checkpoints": [{"monitor": "val_loss", "mode": "min"},
                    {"monitor": "val_accuracy", "mode": "max"}],
    "metrics": {"top_k": [1, 5]},
    "tracking": {"tensorboard": {"histograms": True, "gradients": True}},
    "resources": {"gpus": 1, "gpu_memory_mib": 8000, "max_runtime_seconds": 7200},
}  # fmt: skip


def warnings(**fields: Any) -> dict[str, str]:
    """Return the warnings of a specification by pointer, with their suggestions."""
    return {
        warning["pointer"]: f"{warning['detail']}. {warning['suggestion']}"
        for warning in check({**SPEC, **fields}).warnings_json()
    }


@pytest.mark.parametrize("name", [*presets()])
def test_preset_has_no_warning(name: str) -> None:
    spec = presets()[name].spec
    assert warnings(**spec) == {}


def test_example_of_the_contract_has_no_warning() -> None:
    assert warnings(**EXAMPLE) == {}
    assert warnings(**{**EXAMPLE, "fine_tuning": None}) == {}


@pytest.mark.parametrize("slot", ["optimizers", "regularizers", "schedules"])
def test_defaults_of_every_method_have_no_warning(slot: str) -> None:
    for name in catalog.load()[slot]:
        fields: dict[str, Any] = {
            "optimizers": {"optimizer": name},
            "regularizers": {"architecture": "vgg_small", "regularizers": {name: True}},
            "schedules": {"optimizer": {"name": "sgd", "schedule": name}},
        }[slot]
        assert warnings(**fields) == {}, name


def test_suggestion_follows_the_detail() -> None:
    assert warnings(dataset=FIFTY, training={"batch_size": 512}) == {
        "/training/batch_size": "is 512, but the training split has 50 samples, so that each epoch "
        "is a single step. Use a smaller batch, at most 50, or more training samples."
    }


#: A stage of fine-tuning.
HEAD: dict[str, Any] = {"name": "head", "train": "head", "epochs": 2}
#: Fields of a specification on fifty images, and the pointer of their only warning.
ODD: list[tuple[dict[str, Any], str]] = [
    ({"training": {"batch_size": 51}}, "/training/batch_size"),
    ({"training": {"batch_size": 1}, "resources": {"gpus": 2}}, "/training/batch_size"),
    (
        {"fine_tuning": {"weights": None, "stages": [HEAD | {"batch_norm": "train"}]}},
        "/fine_tuning/stages/0/batch_norm",
    ),
    ({"regularizers": {"l2": 1.0}}, "/regularizers/l2/weight"),
    ({"regularizers": {"l2": 0.5}}, "/regularizers/l2/weight"),
    ({"regularizers": {"l1": {"weight": 0.1}}}, "/regularizers/l1/weight"),
    ({"regularizers": {"label_smoothing": 0.9}}, "/regularizers/label_smoothing/alpha"),
    (
        {"regularizers": {"dropout": 0.97}, "architecture": "vgg_small"},
        "/regularizers/dropout/rate",
    ),
    ({"optimizer": {"name": "sgd", "learning_rate": 100}}, "/optimizer/learning_rate"),
    ({"optimizer": {"name": "sgd", "learning_rate": 10}}, "/optimizer/learning_rate"),
    ({"optimizer": {"name": "adam", "learning_rate": 1}}, "/optimizer/learning_rate"),
    ({"optimizer": {"name": "adamw", "learning_rate": 5.0}}, "/optimizer/learning_rate"),
    ({"optimizer": {"name": "rmsprop", "learning_rate": 1}}, "/optimizer/learning_rate"),
    ({"optimizer": {"name": "adagrad", "learning_rate": 1}}, "/optimizer/learning_rate"),
    ({"optimizer": {"name": "adamw", "weight_decay": 10}}, "/optimizer/weight_decay"),
    (
        {"training": {"epochs": 3, "early_stopping": {"patience": 3}}},
        "/training/early_stopping/patience",
    ),
    (
        {"training": {"early_stopping": {"monitor": "train_loss"}}},
        "/training/early_stopping/monitor",
    ),
    (
        {"training": {"early_stopping": {"monitor": "generalization_gap"}}},
        "/training/early_stopping/monitor",
    ),
    (
        {
            "training": {
                "early_stopping": {"monitor": "val_accuracy", "mode": "max", "min_delta": 1}
            }
        },
        "/training/early_stopping/min_delta",
    ),
    ({"checkpoints": [{"epoch": 0}, {"every_epochs": 21}]}, "/checkpoints/1/every_epochs"),
    (
        {"optimizer": {"name": "sgd", "schedule": {"name": "cosine", "warmup": 101}}},
        "/optimizer/schedule/warmup",
    ),
    (
        {"optimizer": {"name": "sgd", "schedule": {"name": "reduce_on_plateau", "patience": 20}}},
        "/optimizer/schedule/patience",
    ),
    ({"metrics": {"top_k": [1, 10]}}, "/metrics/top_k/1"),
    ({"augmentation": {"shear": 0.1}}, "/augmentation/shear/degrees"),
    ({"augmentation": {"fill_mode": "reflect", "brightness": True}}, "/augmentation/fill_mode"),
    ({"diagnostics": {"mode": "off", "on_error": "stop"}}, "/diagnostics/on_error"),
    ({"diagnostics": {"mode": "off", "verify": "auto"}}, "/diagnostics/verify"),
    ({"diagnostics": {"mode": "off", "rules": {"overfit": False}}}, "/diagnostics/rules"),
    ({"dataset": {**FIFTY, "train": 9}, "training": {"batch_size": 4}}, "/dataset/train"),
]
USUAL: list[dict[str, Any]] = [
    {"training": {"batch_size": 50}},
    {"training": {"batch_size": 2}, "resources": {"gpus": 2}},
    {"regularizers": {"l2": 0.1, "l1": 0.01, "label_smoothing": 0.3}},
    {"regularizers": {"dropout": 0.9}, "architecture": "vgg_small"},
    {"optimizer": {"name": "sgd", "learning_rate": 3}},
    {"optimizer": {"name": "adam", "learning_rate": 0.1}},
    {"training": {"epochs": 4, "early_stopping": {"patience": 3}}},
    {"training": {"epochs": 3, "early_stopping": {"patience": 3, "restore_best": True}}},
    {"checkpoints": [{"every_epochs": 20}]},
    {"optimizer": {"name": "sgd", "schedule": {"name": "cosine", "warmup": 20}}},
    {"optimizer": {"name": "sgd", "schedule": {"name": "reduce_on_plateau", "patience": 19}}},
    {"metrics": {"top_k": [1, 9]}},
    {"dataset": {**FIFTY, "train": 10}, "training": {"batch_size": 4}},
]
#: 200 updates in 20 epochs.
SMALL = {"dataset": FIFTY, "training": {"batch_size": 5}}


def _on_fifty(fields: dict[str, Any]) -> dict[str, str]:
    training = {"batch_size": 5, **fields.get("training", {})}
    return warnings(**{**SMALL, **fields, "training": training})


@pytest.mark.parametrize(("fields", "at"), ODD, ids=str)
def test_odd_value_has_a_warning(fields: dict[str, Any], at: str) -> None:
    assert [*_on_fifty(fields)] == [at]


@pytest.mark.parametrize("fields", USUAL, ids=str)
def test_usual_value_has_no_warning(fields: dict[str, Any]) -> None:
    assert _on_fifty(fields) == {}


def test_part_that_stages_inherit_has_one_warning_by_the_longest_stage() -> None:
    def of(first_epochs: int, second_epochs: int, **stage: Any) -> list[str]:
        stages = [
            {"name": "a", "epochs": first_epochs},
            {"name": "b", "epochs": second_epochs, **stage},
        ]
        training = {"early_stopping": {"patience": 3}}
        return [*warnings(training=training, fine_tuning={"stages": stages})]

    assert of(2, 4) == []
    assert of(2, 3) == ["/training/early_stopping/patience"]
    own = {"early_stopping": {"patience": 9}, "optimizer": {"name": "adam", "learning_rate": 2}}
    assert of(4, 9, **own) == [
        "/fine_tuning/stages/1/early_stopping/patience",
        "/fine_tuning/stages/1/optimizer/learning_rate",
    ]
