"""Augmentations that change the target are refused."""

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
