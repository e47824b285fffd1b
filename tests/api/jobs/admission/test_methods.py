"""Augmentations and regularizers that do not suit the task, the loss or the architecture."""

from typing import Any

import pytest

from tests.fakes.admission import SPEC, faults

ROTATION = {**SPEC, "dataset": {"name": "digits", "target": "rotation"}}


@pytest.mark.parametrize("augmentation", [{"rotation": 5}, {"horizontal_flip": True}])
def test_augmentation_that_turns_images_is_refused_where_the_angle_is_the_target(
    augmentation: dict[str, Any],
) -> None:
    (name,) = augmentation
    assert faults({**SPEC, "augmentation": augmentation}) == {}
    assert faults({**ROTATION, "augmentation": augmentation}) == {
        f"/augmentation/{name}": "changes the angle of the image, which is the target; leave it out"
    }


def test_shifts_keep_the_angle() -> None:
    augmentation = {"width_shift": 0.1, "brightness": True}
    assert faults({**ROTATION, "augmentation": augmentation}) == {}


@pytest.mark.parametrize("regularizer", [{"mixup": True}, {"vat": True}, {"label_smoothing": 0.1}])
def test_regularizer_of_classes_is_refused_for_regression(regularizer: dict[str, Any]) -> None:
    (name,) = regularizer
    assert faults({**ROTATION, "regularizers": regularizer}) == {
        f"/regularizers/{name}": "needs classes, but the loss l2 is for regression; leave it out"
    }


@pytest.mark.parametrize("name", ["mixup", "label_smoothing"])
def test_mixed_and_smoothed_labels_need_a_loss_that_takes_probabilities(name: str) -> None:
    assert faults({**SPEC, "loss": "hinge", "regularizers": {name: True}}) == {
        f"/regularizers/{name}": "makes probabilities of the classes, which the loss hinge does "
        "not take; use cross_entropy, or leave it out"
    }


def test_regularizer_without_its_parameter_in_the_architecture_is_refused() -> None:
    assert faults({**SPEC, "architecture": "linear", "regularizers": {"dropout": 0.5}}) == {
        "/regularizers/dropout": "sets dropout or head_dropout, but linear does not have it; "
        "leave it out"
    }
