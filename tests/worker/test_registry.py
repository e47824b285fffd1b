from typing import Annotated

import pytest
from pydantic import Field

from worker.registry import SLOTS, Registry, SpecError, argument_descriptions

WALK = [
    pytest.param(slot, name, id=f"{slot}-{name}")
    for slot, registry in SLOTS.items()
    for name in registry.entries()
]


def _registry() -> Registry:
    registry = Registry("losses")

    @registry.register(source="a paper", kind="test")
    def some_method(_x: int, /, *, size: Annotated[int, Field(ge=1)] = 3) -> int:
        """A method.

        Args:
            _x: supplied by the loop.
            size: how large it is,
                at least 1.
        """
        return size

    return registry


class TestRegistry:
    def test_schema_comes_from_the_signature(self) -> None:
        entry = _registry().get("some_method")
        assert entry.schema() == {
            "additionalProperties": False,
            "properties": {
                "size": {
                    "default": 3,
                    "description": "how large it is, at least 1.",
                    "minimum": 1,
                    "type": "integer",
                }
            },
            "type": "object",
        }
        assert (entry.summary, entry.source, entry.facts) == (
            "A method.",
            "a paper",
            {"kind": "test"},
        )

    def test_name_can_be_registered_once(self) -> None:
        registry = _registry()
        with pytest.raises(ValueError, match="already"):
            registry.register(source="again")(registry.get("some_method").function)

    def test_unknown_name_is_refused_with_the_nearest_name(self) -> None:
        with pytest.raises(ValueError, match="Did you mean 'some_method'"):
            _registry().get("sum_method")

    @pytest.mark.parametrize(
        "changes", [{"size": 0}, {"size": "3"}, {"size": True}, {"other": 1}, {"_x": 1}]
    )
    def test_invalid_parameter_is_refused_with_the_available_names(self, changes: dict) -> None:
        (name,) = changes
        with pytest.raises(SpecError, match=rf"`{name}` is .*Parameters: size\."):
            _registry().get("some_method").check({"size": 3, **changes})

    def test_missing_parameter_is_refused(self) -> None:
        with pytest.raises(SpecError, match="`size` is missing"):
            _registry().get("some_method").check({})

    def test_bound_method_has_all_parameters_but_those_of_the_loop(self) -> None:
        entry = _registry().get("some_method")
        assert entry.defaults == {"size": 3}
        assert _registry().bind("some_method", {"size": 4})(0) == 4


def test_description_is_what_stands_between_the_summary_and_the_arguments() -> None:
    assert _registry().get("some_method").description is None
    description = SLOTS["optimizers"].get("sgd").description
    assert description is not None
    assert description.startswith("Differs: as in PyTorch, the learning rate multiplies")
    assert "\n" not in description
    assert "Args" not in description


@pytest.mark.parametrize(("slot", "name"), WALK)
class TestEveryEntry:
    def test_documentation_is_complete(self, slot: str, name: str) -> None:
        entry = SLOTS[slot].get(name)
        assert entry.summary.endswith(".")
        assert entry.source
        descriptions = argument_descriptions(entry.function)
        for parameter in entry.parameters.model_fields:
            assert descriptions.get(parameter), f"{parameter} has no text under Args"

    def test_defaults_are_within_their_bounds(self, slot: str, name: str) -> None:
        entry = SLOTS[slot].get(name)
        as_json = {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in entry.defaults.items()
        }
        assert entry.check(as_json).keys() == entry.defaults.keys()


def test_documented_methods_are_registered() -> None:
    documented = {
        "architectures": {
            *("linear", "mlp", "vgg_small", "vgg16", "vgg19", "xception"),
            *("inception_v3", "inception_resnet_v2", "mobilenet", "mobilenet_v2"),
            *("densenet121", "densenet169", "densenet201", "nasnet_mobile", "nasnet_large"),
            *(f"resnet{layers}{version}" for layers in (50, 101, 152) for version in ("", "_v2")),
            *(f"efficientnet_b{step}" for step in range(8)),
            "efficientnet_lite0",
        },
        "initializers": {
            *("xavier_normal", "xavier_uniform", "he_glorot", "he_normal", "he_uniform"),
            *("lecun_normal", "lecun_uniform", "normal", "uniform", "orthogonal", "zeros"),
        },
        "regularizers": {"l1", "l2", "dropout", "batch_norm", "label_smoothing", "mixup", "vat"},
        "augmentations": {
            *("rotation", "width_shift", "height_shift", "shear", "zoom", "brightness"),
            *("channel_shift", "horizontal_flip", "vertical_flip", "fill_mode"),
        },
        "losses": {"cross_entropy", "hinge", "logistic", "l1", "l2", "epsilon_insensitive"},
        "optimizers": {"sgd", "adam", "adamw", "adagrad", "rmsprop"},
        "schedules": {
            *("constant", "inverse_time", "step", "exponential", "cosine"),
            *("one_cycle", "reduce_on_plateau"),
        },
        "analyses": {"curvature", "loss_surface", "loss_path", "loss_estimate", "label_errors"},
        "diagnostics": {
            *("exploding_tensor", "vanishing_gradient", "exploding_gradient", "dead_relu"),
            *("saturated_activation", "weight_update_ratio", "loss_not_decreasing"),
        },
    }
    assert documented.keys() == SLOTS.keys()
    for slot, names in documented.items():
        assert names <= SLOTS[slot].entries().keys(), slot
