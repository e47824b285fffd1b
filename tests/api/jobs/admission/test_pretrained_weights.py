"""Weights of the model library: for one architecture, and for images in colour."""

from typing import Any

import pytest

from tests.fakes.admission import SPEC, faults

STAGES = [{"name": "a", "epochs": 1}]
AT = "/fine_tuning/weights/pretrained"


def tuned(architecture: str, weights: str, **dataset: Any) -> dict[str, Any]:
    """Return a specification that fine-tunes an architecture from the library's weights."""
    return {
        "dataset": {"name": "digits", "image_size": 32, **dataset},
        "architecture": architecture,
        "fine_tuning": {"weights": {"pretrained": weights}, "stages": STAGES},
    }


def test_weights_of_the_architecture_are_accepted() -> None:
    assert faults(tuned("efficientnet_lite0", "efficientnet_lite0", channels=3)) == {}


def test_weights_of_another_architecture_are_refused() -> None:
    assert faults({**SPEC, "fine_tuning": tuned("", "efficientnet_lite0")["fine_tuning"]}) == {
        AT: "`efficientnet_lite0` is not the architecture, which is mlp; both must be the same"
    }


def test_architecture_without_weights_is_refused_with_the_architectures_that_have_some() -> None:
    found = faults(tuned("mlp", "mlp"))
    assert found[AT].startswith("`mlp` has no weights in the model library. Available: densenet121")
    assert "efficientnet_lite0" in found[AT]


@pytest.mark.parametrize("channels", [None, 1])
def test_grey_images_are_refused(channels: int | None) -> None:
    assert faults(tuned("efficientnet_lite0", "efficientnet_lite0", channels=channels)) == {
        "/dataset/channels": "is 1; it must be 3 for these weights"
    }
